package lint

import (
	"fmt"
	"strconv"

	"pathkeeper/policy"
)

func daemonRules() []Rule {
	return []Rule{
		{
			ID: "auto-shrink", Severity: Warning, Summary: "maps are made smaller without asking",
			Why: "An array that reports a wrong size for a moment, or a LUN that was shrunk below its file system, cuts the map under it.",
			Fix: "`auto_resize grow_only`, and shrink by hand.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("auto_resize"); ok && s.Value == "grow_shrink" {
					r.report(s.Origin, "auto_resize grow_shrink: a map gets smaller when its paths do, whatever is on it")
				}
			},
		},
		{
			ID: "max-sectors-live", Severity: Hint, Summary: "max_sectors_kb",
			Why: "It is written to the paths. On a map that is in use a smaller value gives I/O errors, because requests of the old size are on their way; so it changes only when the map is made anew.",
			Fix: "Leave it out unless the array's maker asks for it; rebuild the initramfs and reboot after a change.", check: func(r *run) {
				r.eachWritten(func(s policy.Setting) {
					if n, err := strconv.Atoi(s.Value); s.Keyword == "max_sectors_kb" && err == nil && n > 0 {
						r.report(s.Origin, fmt.Sprintf("max_sectors_kb %d counts for a map only when it is made anew", n))
					}
				})
			},
		},
		{
			ID: "reassign-maps", Severity: Warning, Summary: "reassign_maps rewrites the tables of others",
			Why: "LVM and dm-crypt volumes that stand on a single path are moved to the map while they are in use. If the map is not the same LUN their data is gone.",
			Fix: "Leave it at no, and give LVM a filter that shows it only the maps.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("reassign_maps"); ok && s.Value == "yes" {
					r.report(s.Origin, "reassign_maps yes: tables of other programs' volumes are rewritten")
				}
			},
		},
		{
			ID: "force-sync", Severity: Warning, Summary: "checks wait for each other",
			Why: "One path that does not answer holds up the checks of all others until its time-out. In an outage, when many do not answer, the good ones are looked at last.",
			Fix: "Leave force_sync at no.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("force_sync"); ok && s.Value == "yes" {
					r.report(s.Origin, "force_sync yes: one hung path delays the checks of all")
				}
			},
		},
		{
			ID: "verbosity-high", Severity: Hint, Summary: "verbosity of a debugging session",
			Why: "Above 2 every check is logged. The lines of an outage are lost among the others, or dropped by journald's limit.",
			Fix: "2 is the default.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("verbosity"); ok && (s.Value == "3" || s.Value == "4") {
					r.report(s.Origin, "verbosity "+s.Value+" logs every check")
				}
			},
		},
		{
			ID: "verbosity-silent", Severity: Warning, Summary: "verbosity 0: failures are not logged",
			Why: "A path that fails leaves no trace, and the next morning nobody can say when it began.",
			Fix: "2 is the default.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("verbosity"); ok && s.Value == "0" {
					r.report(s.Origin, "verbosity 0: a failed path is not logged")
				}
			},
		},
		{
			ID: "max-fds-low", Severity: Warning, Summary: "max_fds is too low for a SAN",
			Why: "Each path needs one or two open files. When they are used up new paths are not checked, and the log says too many open files.",
			Fix: "Leave it at max.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("max_fds"); ok {
					if n, err := strconv.Atoi(s.Value); err == nil && n < 1024 {
						r.report(s.Origin, fmt.Sprintf("max_fds %d is enough for about %d paths", n, max(n-32, 0)/2))
					}
				}
			},
		},
		{
			ID: "usb-paths", Severity: Hint, Summary: "USB disks are taken for paths",
			Why: "Sticks and docks often share a serial number. Two of them become one map.",
			Fix: "Leave allow_usb_devices at no.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("allow_usb_devices"); ok && s.Value == "yes" {
					r.report(s.Origin, "allow_usb_devices yes: two USB disks with one serial number become one map")
				}
			},
		},
		{
			ID: "reservation-key-for-all", Severity: Hint, Summary: "the node's reservation key stands in a file that is easily copied",
			Why: "The key must differ from node to node, and multipath.conf is usually the same on all. Copied with its key both nodes register as one: a fence then throws out nobody, or both.",
			Fix: "Put the line into a drop-in that only this node has, or use `reservation_key file`.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("reservation_key"); ok && s.Value != "file" {
					r.report(s.Origin, "reservation_key "+s.Value+" in defaults: it must be another one on each node")
				}
			},
		},
		{
			ID: "reservation-key-file-empty", Severity: Hint, Summary: "reservation_key file, and no key in the file", Machine: true,
			Why: "Keys come into /etc/multipath/prkeys by mpathpersist. Until then no LUN is registered, and a path that comes back is not either: the fence is not up.",
			Fix: "Register with mpathpersist, or let the cluster's agent do it.", check: func(r *run) {
				r.eachWritten(func(s policy.Setting) {
					if s.Keyword == "reservation_key" && s.Value == "file" && r.in.Machine.NoPRKeys {
						r.report(s.Origin, "reservation_key file, and the prkeys file has no key")
					}
				})
			},
		},
		{
			ID: "purge-with-queue", Severity: Warning, Summary: "purge_disconnected together with queueing for ever",
			Why: "The last device of a LUN is deleted when the array says that it is gone, and its map waits for ever for a path that cannot come back.",
			Fix: "A number for no_path_retry, or flush_on_last_del always.", check: func(r *run) {
				for _, s := range r.scopes {
					at, ok := s.written("purge_disconnected")
					retry, found := s.retry()
					if ok && at.Value == "yes" && found && retry.Value == "queue" && s.value("flush_on_last_del", "unused") != "always" {
						r.report(at.Origin, "purge_disconnected yes with no_path_retry queue: a LUN that is gone leaves a map that hangs", here(retry))
					}
				}
			},
		},
		{
			ID: "deferred-remove-with-queue", Severity: Hint, Summary: "deferred_remove on a map that queues for ever",
			Why: "The map goes away when its last user closes it; a user that waits for I/O never does.",
			Fix: "flush_on_last_del always ends the waiting when the last path is deleted.", check: func(r *run) {
				for _, s := range r.scopes {
					at, ok := s.written("deferred_remove")
					retry, found := s.retry()
					if ok && at.Value == "yes" && found && retry.Value == "queue" && s.value("flush_on_last_del", "unused") != "always" {
						r.report(at.Origin, "deferred_remove yes with no_path_retry queue: who waits for I/O never closes the map", here(retry))
					}
				}
			},
		},
	}
}

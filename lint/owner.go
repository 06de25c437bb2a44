package lint

import (
	"fmt"
	"slices"
	"strconv"

	"pathkeeper/policy"
)

func ownerRules() []Rule {
	return []Rule{
		{
			ID: "mode-world-writable", Severity: Error, Summary: "everybody may write to the disk",
			Why: "A raw disk that all users can write to: no file permission on it means anything any more.",
			Fix: "0660 with an owner and a group.", check: func(r *run) {
				r.eachMode(func(mode int, _ bool, o policy.Origin) {
					if mode&0o002 != 0 {
						r.report(o, fmt.Sprintf("mode 0%o: every user of the machine can write to the disk", mode))
					}
				})
			},
		},
		{
			ID: "mode-world-readable", Severity: Warning, Summary: "everybody may read the disk",
			Why: "Who can read the raw disk can read every file on it, whatever the file's permissions say.",
			Fix: "0660 or 0640 with a group.", check: func(r *run) {
				r.eachMode(func(mode int, _ bool, o policy.Origin) {
					if mode&0o004 != 0 && mode&0o002 == 0 {
						r.report(o, fmt.Sprintf("mode 0%o: every user of the machine can read the disk", mode))
					}
				})
			},
		},
		{
			ID: "mode-odd", Severity: Warning, Summary: "a mode that its owner cannot work with, or with bits that mean nothing",
			Why: "The number is octal. 432 is not 0660, and 0110 gives nobody the right to read.",
			Fix: "Write it as chmod takes it: 0660.", check: func(r *run) {
				r.eachMode(func(mode int, _ bool, o policy.Origin) {
					if mode&0o600 != 0o600 || mode&0o111 != 0 {
						r.report(o, fmt.Sprintf("mode 0%o: the owner of a disk needs to read and write it, and nobody executes it", mode))
					}
				})
			},
		},
		{
			ID: "mode-without-owner", Severity: Warning, Summary: "a mode without owner and group",
			Why: "The node belongs to root:disk then. The data base's user still cannot open it, or the group disk can open too much.",
			Fix: "Add uid and gid beside mode.", check: func(r *run) {
				r.eachMode(func(mode int, owned bool, o policy.Origin) {
					if !owned {
						r.report(o, fmt.Sprintf("mode 0%o without owner (uid) and group (gid): the node is root's", mode))
					}
				})
			},
		},
		{
			ID: "owner-without-mode", Severity: Hint, Summary: "an owner without a mode",
			Why: "The mode is then what udev gives by default, 0660 on most systems and not on all.",
			Fix: "Add `mode 0660`.", check: func(r *run) {
				r.eachOwned(func(s scope) {
					uid, ok := s.written("uid")
					if _, found := s.get("mode"); ok && !found {
						r.report(uid.Origin, "uid "+uid.Value+" without a mode")
					}
				})
			},
		},
		{
			ID: "owner-unknown", Severity: Warning, Summary: "an owner or group that this machine does not know", Machine: true,
			Why: "The node stays root's, and the data base does not come up. After a restore from another node the users are often not there yet when the maps are made.",
			Fix: "Create the user or group, or write its number.", check: func(r *run) {
				missing := func(o policy.Origin, what, name string, names []string) {
					if slices.Contains(names, name) {
						r.report(o, fmt.Sprintf("there is no %s %s on this machine", what, name))
					}
				}
				r.eachWritten(func(s policy.Setting) {
					switch s.Keyword {
					case "uid":
						missing(s.Origin, "user", s.Value, r.in.Machine.NoUsers)
					case "gid":
						missing(s.Origin, "group", s.Value, r.in.Machine.NoGroups)
					}
				})
				for _, d := range r.config.Disks {
					missing(d.Origin, "user", d.Owner, r.in.Machine.NoUsers)
					missing(d.Origin, "group", d.Group, r.in.Machine.NoGroups)
				}
			},
		},
		{
			ID: "owner-for-all", Severity: Warning, Summary: "an owner for every map",
			Why: "In defaults it is for all maps, also for the root disk and the other application's: the data base's user can write to them.",
			Fix: "Put uid, gid and mode into the multipath entries of the disks that are meant.", check: func(r *run) {
				if s, ok := r.config.Defaults.Lookup("uid"); ok && s.Value != "0" && s.Value != "root" {
					r.report(s.Origin, "uid "+s.Value+" in defaults: every map belongs to it, also those of others")
				}
			},
		},
	}
}

// eachOwned visits the places where owners and modes may stand.
func (r *run) eachOwned(visit func(scope)) {
	visit(scope{layers: []policy.Layer{r.config.Defaults}})
	for _, m := range r.config.Multipaths {
		visit(scope{layers: []policy.Layer{m.Layer, r.config.Defaults}})
	}
}

// eachMode visits the modes of maps and of single disks.
func (r *run) eachMode(visit func(mode int, owned bool, o policy.Origin)) {
	// A mode of defaults may have its owners in the entries.
	entryOwned := slices.ContainsFunc(r.config.Multipaths, func(m policy.Multipath) bool {
		_, ok := m.Layer.Lookup("uid")
		return ok
	})
	r.eachOwned(func(s scope) {
		m, ok := s.written("mode")
		n, err := strconv.ParseUint(m.Value, 8, 16)
		_, uid := s.get("uid")
		_, gid := s.get("gid")
		if ok && err == nil {
			visit(int(n), uid || gid || len(s.layers) == 1 && entryOwned, m.Origin)
		}
	})
	for _, d := range r.config.Disks {
		if d.Mode >= 0 {
			visit(d.Mode, d.Owner != "" || d.Group != "", d.Origin)
		}
	}
}

package lint

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

func claimRules() []Rule {
	return []Rule{
		{
			ID: "find-multipaths-takes-all", Severity: Warning, Summary: "every disk is taken for a path, and nothing is blacklisted",
			Why: "With off or greedy a single local disk becomes a map as well: the root disk at the next boot, the disks of Ceph, DRBD or Longhorn, a VM's image. `In use by the system` is all they say.",
			Fix: "`find_multipaths strict`, and name LUNs with a single path in the multipaths section; or blacklist what is local.", check: func(r *run) {
				s, ok := r.config.Defaults.Lookup("find_multipaths")
				if ok && (s.Value == "off" || s.Value == "greedy") && !slices.ContainsFunc(r.config.Blacklist, func(rule policy.Rule) bool { return rule.Class != policy.ClassDevnode || !r.harmless(rule) }) {
					r.report(s.Origin, "find_multipaths "+s.Value+" without a blacklist: local disks become paths too")
				}
			},
		},
		{
			ID: "strict-leaves-lun", Severity: Warning, Summary: "a LUN with several paths gets no map, because nobody named it", Machine: true,
			Why: "find_multipaths strict, the default, takes only what stands in the wwids file or in the multipaths section. A new LUN has all its paths and runs on one of them, until that one fails.",
			Fix: "`find_multipaths yes` takes every LUN with two paths; or name it in the multipaths section, or in /etc/multipath/wwids.", check: strictLeaves,
		},
		{
			ID: "find-timeout-without-smart", Severity: Warning, Summary: "find_multipaths_timeout without find_multipaths smart",
			Why: "Only smart waits for a second path. With any other value the line has no effect.",
			Fix: "Leave it out.", check: func(r *run) {
				s, ok := r.config.Defaults.Lookup("find_multipaths_timeout")
				if mode := r.scopes[0].value("find_multipaths", "strict"); ok && mode != "smart" && s.Value != "-10" {
					r.report(s.Origin, "find_multipaths_timeout does not count: find_multipaths is "+mode)
				}
			},
		},
		{
			ID: "friendly-names-cluster", Severity: Warning, Summary: "friendly names in a cluster",
			Why: "mpatha is the first LUN that this node found; the other node may have found another one first. After a failover the service opens the wrong disk by the right name.",
			Fix: "Give each shared LUN an alias on all nodes; `pathkeeper names` compares them.", check: func(r *run) {
				ha := r.config.HA
				if ha.DeadlineSeconds == 0 && ha.Queueing == "" {
					return
				}
				r.eachWritten(func(s policy.Setting) {
					if s.Keyword == "user_friendly_names" && s.Value == "yes" {
						r.report(s.Origin, "user_friendly_names yes with an ha section: names like mpatha differ from node to node", Related{Origin: ha.Origin, Text: "ha"})
					}
				})
			},
		},
		{
			ID: "friendly-names-partial", Severity: Hint, Summary: "user_friendly_names yes does not count for some arrays",
			Why: "The built-in entry of the array says no. Its maps are called by their WWID, the others mpatha, mpathb.",
			Fix: "Write it into a device entry of the array, or give aliases.", check: func(r *run) {
				s, ok := r.config.Defaults.Lookup("user_friendly_names")
				if !ok || s.Value != "yes" {
					return
				}
				for _, x := range r.scopes {
					if v, found := x.get("user_friendly_names"); x.kind == scopePresent && found && v.Value == "no" && v.Origin.File == "" {
						r.report(s.Origin, fmt.Sprintf("user_friendly_names yes does not count for %s: its built-in entry says no", x.name))
					}
				}
			},
		},
		{
			ID: "uid-attribute-per-path", Severity: Error, Summary: "an id that differs from path to path, or is the same for many disks",
			Why: "The paths of one LUN would never come together, or the disks of one model would all become one map. The second one writes one LUN's data to another.",
			Fix: "Leave uid_attribute out.", check: func(r *run) {
				r.eachUIDAttribute(func(attribute string, o policy.Origin) {
					if slices.ContainsFunc([]string{"ID_PATH", "ID_MODEL", "ID_VENDOR", "ID_REVISION", "ID_BUS", "ID_TYPE", "DEVNAME", "DEVPATH", "ID_PART", "ID_FS", "MAJOR", "MINOR", "DISKSEQ"}, func(head string) bool { return strings.HasPrefix(attribute, head) }) {
						r.report(o, fmt.Sprintf("uid_attribute %s does not tell LUNs apart, or tells the paths of one apart", attribute))
					}
				})
			},
		},
		{
			ID: "uid-attribute-odd", Severity: Warning, Summary: "an unusual source of the WWID",
			Why: "Names, bindings and wwids were made from the usual one. With another every map gets a new identity, and LUNs of arrays that repeat serial numbers can fall together.",
			Fix: "Leave it out: ID_SERIAL for SCSI, ID_WWN for NVMe, ID_UID for DASD.", check: func(r *run) {
				r.eachUIDAttribute(func(attribute string, o policy.Origin) {
					if strings.HasPrefix(attribute, "ID_SERIAL_SHORT") || strings.HasPrefix(attribute, "ID_SCSI_SERIAL") || strings.HasPrefix(attribute, "SCSI_IDENT") {
						r.report(o, fmt.Sprintf("uid_attribute %s: the WWID then is another one than everywhere else", attribute))
					}
				})
			},
		},
		{
			ID: "user-friendly-with-aliases", Severity: Hint, Summary: "two systems of names",
			Why: "Some LUNs have an alias, all others are called mpatha, mpathb. A LUN whose alias was forgotten gets a name that looks as good as any, and differs on the next machine.",
			Fix: "With aliases leave user_friendly_names at no: what has no alias shows its WWID and is noticed.", check: func(r *run) {
				s, ok := r.config.Defaults.Lookup("user_friendly_names")
				named := slices.ContainsFunc(r.config.Multipaths, func(m policy.Multipath) bool {
					_, has := m.Layer.Lookup("alias")
					return has
				})
				if ok && s.Value == "yes" && named {
					r.report(s.Origin, "user_friendly_names yes beside aliases: a forgotten alias is not noticed")
				}
			},
		},
	}
}

// harmless says whether a devnode rule keeps out only what is never a path.
func (r *run) harmless(rule policy.Rule) bool {
	return !slices.ContainsFunc(append(diskNames(), "dasda", "nvme0n1"), func(n string) bool { return r.ruleHits(rule.Pattern, n) })
}

// eachUIDAttribute visits what WWIDs are taken from.
func (r *run) eachUIDAttribute(visit func(attribute string, o policy.Origin)) {
	r.eachWritten(func(s policy.Setting) {
		switch s.Keyword {
		case "uid_attribute":
			visit(s.Value, s.Origin)
		case "uid_attrs":
			for _, w := range strings.Fields(s.Value) {
				if _, attribute, ok := strings.Cut(w, ":"); ok {
					visit(attribute, s.Origin)
				}
			}
		}
	})
}

// strictLeaves looks for LUNs that only the mode keeps out: not blacklisted, not
// used by anybody, and with every property that is asked for.
func strictLeaves(r *run) {
	if r.scopes[0].value("find_multipaths", "strict") != "strict" || len(r.config.Files) == 0 {
		return
	}
	at, ok := r.config.Defaults.Lookup("find_multipaths")
	if !ok {
		at.Origin = policy.Origin{File: r.config.Files[0]}
	}
	paths := r.pathsByWWID()
	for _, d := range r.devices() {
		w, f := d.Identity.WWID, d.Facts
		blacklisted := slices.ContainsFunc(r.config.Blacklist, func(rule policy.Rule) bool {
			hit := func(x policy.Rule) bool { return r.hitsDevice(x, d) }
			return hit(rule) && !r.excepted(rule.Class, hit)
		})
		if w == "" || len(paths[w]) < 2 || f.InWWIDs || f.MapExists || f.MemberOf != "" || f.InUse != "" || blacklisted || len(r.named(d)) > 0 || !r.hasProperty(d) {
			continue
		}
		r.report(at.Origin, fmt.Sprintf("find_multipaths strict: %s,%s %s has the paths %s and gets no map", d.Identity.Vendor, d.Identity.Model, w, list(paths[w])))
	}
}

// pathsByWWID gives the kernel names of the paths of each LUN.
func (r *run) pathsByWWID() map[string][]string {
	paths := map[string][]string{}
	for _, d := range r.devices() {
		paths[d.Identity.WWID] = append(paths[d.Identity.WWID], d.Facts.Devnode)
	}
	return paths
}

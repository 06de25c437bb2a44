package lint

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

func deviceRules() []Rule {
	return []Rule{
		{
			ID: "device-hits-all", Severity: Warning, Summary: "a device entry that hits every disk",
			Why: "The table is read from its end, and an entry of a file stands behind the built-in ones: what it says replaces, for every array, what its maker asked for.",
			Fix: "Put it into defaults, where it holds only for what no entry knows; or name the array.", check: func(r *run) {
				for _, s := range r.scopes {
					if s.kind == scopeDevice && s.all && len(s.own) > 0 {
						r.report(s.origin, fmt.Sprintf("%s hits every disk: its %d settings replace those of every built-in entry%s", s.name, len(s.own), r.presentModels()))
					}
				}
			},
		},
		{
			ID: "device-blank", Severity: Warning, Summary: "a vendor or product with a blank at its start or end",
			Why: "Trailing blanks of the INQUIRY data are cut before the comparison: an expression that ends in one never matches, and the entry is dead without a word.",
			Fix: "Take the blank out.", check: func(r *run) {
				r.eachMatch(func(field, text string, o policy.Origin) {
					if text != strings.TrimSpace(text) {
						r.report(o, fmt.Sprintf("%s %q begins or ends with a blank: no disk's does", field, text))
					}
				})
			},
		},
		{
			ID: "device-too-long", Severity: Warning, Summary: "a vendor or product longer than a SCSI disk can have",
			Why: "INQUIRY has 8 bytes for the vendor, 16 for the product and 4 for the revision. A longer text never matches; usually it is the name in the brochure.",
			Fix: "Take the words from `pathkeeper show paths --all` or /sys/block/*/device/{vendor,model}.", check: func(r *run) {
				r.eachEntry(func(d policy.Device) {
					if nvme := strings.Contains(strings.ToUpper(d.Vendor), "NVM"); nvme {
						return
					}
					for _, f := range fieldsOf(d) {
						if all := r.samples(f.text); len(all) > 0 && !slices.ContainsFunc(all, func(s string) bool { return len(strings.TrimSpace(s)) <= f.bytes }) {
							r.report(d.Origin, fmt.Sprintf("%s %q is longer than the %d bytes that INQUIRY has for it: it never matches", f.name, f.text, f.bytes))
						}
					}
				})
			},
		},
		{
			ID: "device-case", Severity: Warning, Summary: "a vendor or product in the wrong case",
			Why: "Expressions are compared with case. An entry for `netapp` is for no disk, and the built-in entry for NETAPP goes on as if nothing stood here.",
			Fix: "Write it as the disk reports it.", check: deviceCase,
		},
		{
			ID: "device-parentheses", Severity: Warning, Summary: "brackets of a name that the expression takes for its own",
			Why: "vendor and product are regular expressions: `(C)` is the letter C, `+` repeats, `[15]` is one of two digits. The text as it stands matches something else than it shows.",
			Fix: `Put a backslash before the character: "HSV110 \(C\)COMPAQ".`, check: func(r *run) {
				r.eachMatch(func(field, text string, o policy.Origin) {
					if e := r.expr(text); e != nil && strings.ContainsAny(text, "(+[") && strings.Contains(text, "(C)") && !e.Match(text) {
						r.report(o, fmt.Sprintf("%s %q is an expression and does not match the text itself", field, text))
					}
				})
			},
		},
		{
			ID: "device-star", Severity: Warning, Summary: "a shell pattern where a regular expression is wanted",
			Why: "`*` repeats what stands before it, `?` makes it optional. `Compellent*` matches `Compellen`, `FlashArray?` matches `FlashArra`; a lone `*` is no pattern at all.",
			Fix: "Expressions match anywhere: `Compellent` is enough, and `.*` is what the shell calls `*`.", check: func(r *run) {
				r.eachMatch(func(field, text string, o policy.Origin) {
					if shellPattern(text) {
						r.report(o, fmt.Sprintf("%s %q looks like a shell's pattern; it is a regular expression", field, text))
					}
				})
			},
		},
		{
			ID: "device-empty", Severity: Hint, Summary: "a device entry without any setting",
			Why: "It changes nothing: every disk of it gets what it would get without the entry. Sometimes it was meant for the blacklist.",
			Fix: "Remove it, or move it to blacklist or blacklist_exceptions.", check: func(r *run) {
				r.eachEntry(func(d policy.Device) {
					if d.ProductBlacklist == "" && (len(d.Layer) == 0 && !managementLUN(d) || r.inherited(d)) {
						r.report(d.Origin, fmt.Sprintf("device %s,%s sets nothing", d.Vendor, d.Product))
					}
				})
			},
		},
		{
			ID: "device-not-blacklisted", Severity: Warning, Summary: "a management LUN in devices instead of the blacklist",
			Why: "The small LUN by which an array is managed (Universal Xport, LUNZ) answers, and has no data. In the devices section an entry for it does not keep it out: it becomes a map, " +
				"its checks fail, and the log fills.",
			Fix: "Put the entry into blacklist { device { } }, or use product_blacklist.", check: func(r *run) {
				r.eachEntry(func(d policy.Device) {
					if len(d.Layer) == 0 && d.ProductBlacklist == "" && managementLUN(d) {
						r.report(d.Origin, fmt.Sprintf("device %s,%s is a management LUN and stands in devices, where it is not kept out", d.Vendor, d.Product))
					}
				})
			},
		},
		{
			ID: "device-hits-nothing", Severity: Hint, Summary: "a device entry for an array that is not there", Machine: true,
			Why: "No disk of this machine matches. That is right on a node that waits for its LUNs, and a sign of a misspelt name where they are there.",
			Fix: "Compare with `pathkeeper show paths --all`.", check: func(r *run) {
				r.eachEntry(func(d policy.Device) {
					if len(r.devices()) > 0 && !slices.ContainsFunc(r.devices(), func(x Device) bool { return r.fits(d, x) }) {
						r.report(d.Origin, fmt.Sprintf("device %s,%s matches none of the %d disks that are here", d.Vendor, d.Product, len(r.devices())))
					}
				})
			},
		},
		{
			ID: "device-hits-several", Severity: Warning, Summary: "a device entry that hits another model that is here too", Machine: true,
			Why: "Expressions match anywhere in the text: `2145` is in 2145 and in 21450. The entry was written for one array and rules the other as well.",
			Fix: "Anchor it: `^2145$`.", check: deviceHitsSeveral,
		},
		{
			ID: "device-hits-others", Severity: Warning, Summary: "a device expression that hits several makers' arrays",
			Why: "Expressions match anywhere in the text: vendor `A` is in NETAPP, DATACORE and ATA. The entry sits behind the built-in ones and takes over the settings of all of them.",
			Fix: "Anchor it (`^A$`) and name the product.", check: deviceHitsOthers,
		},
		{
			ID: "nvme-native", Severity: Warning, Summary: "settings for NVMe while the kernel itself does multipath for it",
			Why: "With nvme_core.multipath=Y the kernel shows one disk for all paths, and no map is ever built: nothing of the entry has an effect.",
			Fix: "Remove the entry, or boot with nvme_core.multipath=N if the maps are wanted.", check: func(r *run) {
				r.eachEntry(func(d policy.Device) {
					if r.config.NVMeNativeMultipath && strings.Contains(strings.ToUpper(d.Vendor), "NVM") && len(d.Layer) > 0 {
						r.report(d.Origin, fmt.Sprintf("device %s,%s: the kernel does multipath for NVMe by itself", d.Vendor, d.Product))
					}
				})
			},
		},
		{
			ID: "protocol-without-timeouts", Severity: Warning, Summary: "time-outs for a protocol that has none",
			Why: "fast_io_fail_tmo and dev_loss_tmo are those of Fibre Channel, SAS and iSCSI. Elsewhere there is no place to write them to.",
			Fix: "Remove the protocol entry.", check: func(r *run) {
				has := map[string][]string{"scsi:fcp": {"fast_io_fail_tmo", "dev_loss_tmo"}, "scsi:srp": {"fast_io_fail_tmo", "dev_loss_tmo"}, "scsi:sas": {"dev_loss_tmo"}, "scsi:iscsi": {"fast_io_fail_tmo"}}
				for _, p := range r.config.Protocols {
					for _, s := range p.Layer {
						if s.Keyword != "eh_deadline" && !slices.Contains(has[p.Type], s.Keyword) {
							r.report(s.Origin, fmt.Sprintf("%s has no effect for %s", s.Keyword, p.Type))
						}
					}
				}
			},
		},
	}
}

// eachEntry visits the device entries of files.
func (r *run) eachEntry(visit func(policy.Device)) {
	for _, d := range r.config.Devices {
		if !d.BuiltIn && !d.Disabled {
			visit(d)
		}
	}
}

// inherited says whether all that an entry has came from a built-in one of the
// same name.
func (r *run) inherited(d policy.Device) bool {
	return len(d.Layer) > 0 && !slices.ContainsFunc(d.Layer, func(s policy.Setting) bool { return s.Origin.File != "" })
}

func managementLUN(d policy.Device) bool {
	return slices.Contains([]string{"Universal Xport", "LUNZ", "LUN_Z", "VTrak V-LUN"}, d.Product)
}

type field struct {
	name, text string
	bytes      int
}

func fieldsOf(d policy.Device) []field {
	return []field{{"vendor", d.Vendor, 8}, {"product", d.Product, 16}, {"revision", d.Revision, 4}}
}

// eachMatch visits the expressions of devices, those of the blacklists too.
func (r *run) eachMatch(visit func(field, text string, o policy.Origin)) {
	r.eachEntry(func(d policy.Device) {
		for _, f := range fieldsOf(d) {
			visit(f.name, f.text, d.Origin)
		}
	})
	for _, rules := range [][]policy.Rule{r.config.Blacklist, r.config.Exceptions} {
		for _, rule := range rulesFor(rules, policy.ClassDevice) {
			visit("vendor", rule.Pattern, rule.Origin)
			visit("product", rule.Product, rule.Origin)
		}
	}
}

// shellPattern says whether a text is one of the shell's: a star or a question
// mark at its end behind a letter, or a star alone.
func shellPattern(text string) bool {
	body := strings.TrimRight(text, "*?")
	if body == text {
		return false
	}
	if body == "" {
		return true
	}
	last := body[len(body)-1]
	return last >= 'a' && last <= 'z' || last >= 'A' && last <= 'Z' || last >= '0' && last <= '9' || last == ' ' || last == '_' || last == '-'
}

func deviceCase(r *run) {
	r.eachMatch(func(field, text string, o policy.Origin) {
		if text == "" || !literal(text) {
			return
		}
		hit, near := false, ""
		for _, row := range r.builtin {
			for _, f := range fieldsOf(row) {
				if f.name != field {
					continue
				}
				for _, s := range r.samples(f.text) {
					s = strings.TrimSpace(s)
					hit = hit || strings.Contains(s, text)
					if len(s) > 2 && s != text && strings.EqualFold(s, text) {
						near = s
					}
				}
			}
		}
		if near != "" && !hit {
			r.report(o, fmt.Sprintf("%s %q: arrays of this make report %q, and case counts", field, text, near))
		}
	})
}

func deviceHitsOthers(r *run) {
	r.eachEntry(func(d policy.Device) {
		if r.matchesAny(d.Vendor) || len(d.Layer) == 0 {
			return
		}
		e := r.expr(d.Vendor)
		if e == nil || strings.ContainsAny(d.Vendor, "|^") {
			return
		}
		var makers []string
		for _, row := range r.builtin {
			if s := r.samples(row.Vendor); len(s) > 0 && s[0] != d.Vendor && row.Vendor != d.Vendor && e.Match(s[0]) && r.hits(d.Product, first(r.samples(row.Product))) && !slices.Contains(makers, s[0]) {
				makers = append(makers, s[0])
			}
		}
		if len(makers) > 2 {
			r.report(d.Origin, fmt.Sprintf("vendor %q is not anchored and hits %s as well", d.Vendor, list(makers)))
		}
	})
}

func first(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

// deviceHitsSeveral looks for an entry whose texts are exactly those of one model
// that is here, and that hits another one as well.
func deviceHitsSeveral(r *run) {
	r.eachEntry(func(d policy.Device) {
		exact := ""
		var others []string
		for _, x := range r.devices() {
			name := x.Identity.Vendor + "," + x.Identity.Model
			switch {
			case !r.fits(d, x):
			case x.Identity.Vendor == d.Vendor && x.Identity.Model == d.Product:
				exact = name
			case !slices.Contains(others, name):
				others = append(others, name)
			}
		}
		if exact != "" && len(others) > 0 {
			r.report(d.Origin, fmt.Sprintf("device %s is meant, and %s is hit as well", exact, list(others)))
		}
	})
}

// presentModels names the kinds of disks that are there.
func (r *run) presentModels() string {
	var models []string
	for _, d := range r.devices() {
		if m := d.Identity.Vendor + "," + d.Identity.Model; !slices.Contains(models, m) {
			models = append(models, m)
		}
	}
	if len(models) == 0 {
		return ""
	}
	return "; of those present: " + list(models)
}

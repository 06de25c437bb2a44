package lint

import (
	"fmt"
	"strings"

	"pathkeeper/policy"
)

func wwidRules() []Rule {
	return []Rule{
		{
			ID: "wwid-no-prefix", Severity: Error, Summary: "a wwid without the digit for its kind in front",
			Why: "The WWID of a LUN is its NAA id with a 3 before it: 3600a0980... The id as arrays and sg_inq show it lacks the 3, and no LUN is ever found by it.",
			Fix: "Put 3 before it (2 before an EUI-64), and compare with `pathkeeper show paths --all`.", check: func(r *run) {
				r.eachWWID(func(id string, o policy.Origin) {
					switch hex := isHex(id); {
					case hex && len(id) == 32 && id[0] == '6', hex && len(id) == 16 && id[0] == '5':
						r.reportFix(o, fmt.Sprintf("wwid %s lacks the leading 3", id), "Write 3"+strings.ToLower(id)+".")
					case hex && len(id) == 16 && !looksNAA(id):
						r.report(o, fmt.Sprintf("wwid %s lacks the leading digit", id))
					}
				})
			},
		},
		{
			ID: "wwid-form", Severity: Error, Summary: "a wwid in the form of another tool",
			Why: "naa.6..., 0x6..., wwn-0x..., scsi-3... and paths below /dev are how other programs write it. They are compared byte for byte and never match.",
			Fix: "Write it as /etc/multipath/wwids has it: the digit of its kind and lower-case hexadecimal digits.", check: wwidForm,
		},
		{
			ID: "wwid-case", Severity: Warning, Summary: "a wwid in capital letters",
			Why: "Hexadecimal digits of a WWID are lower case, and the comparison is byte for byte: the entry is for no LUN.",
			Fix: "Write it in lower case.", check: func(r *run) {
				r.eachWWID(func(id string, o policy.Origin) {
					if low := strings.ToLower(id); low != id && looksLikeWWID(id) {
						r.reportFix(o, fmt.Sprintf("wwid %s has capital letters and matches no LUN", id), "Write "+low+".")
					}
				})
				r.eachRule(func(rule policy.Rule, _ bool) {
					id := strings.TrimSuffix(strings.TrimPrefix(rule.Pattern, "^"), "$")
					if low := strings.ToLower(id); rule.Class == policy.ClassWWID && low != id && looksLikeWWID(id) {
						r.reportFix(rule.Origin, fmt.Sprintf("wwid %q has capital letters and hits no LUN", rule.Pattern), "Write "+low+".")
					}
				})
			},
		},
		{
			ID: "wwid-length", Severity: Warning, Summary: "a wwid with a digit too few or too many",
			Why: "A WWID that begins with 36 has 33 characters, one with 35 has 17. A digit was lost in copying, and the entry is for no LUN.",
			Fix: "Copy it again from `pathkeeper show paths --all`.", check: func(r *run) {
				r.eachWWID(func(id string, o policy.Origin) {
					if want := map[string]int{"36": 33, "35": 17}[id[:min(2, len(id))]]; want > 0 && isHex(id) && len(id) != want && len(id) > 8 && len(id) != 32 && len(id) != 16 {
						r.report(o, fmt.Sprintf("wwid %s has %d characters, one that begins with %s has %d", id, len(id), id[:2], want))
					} else if want > 0 && isHex(id) && len(id) == want-1 && !looksBare(id) {
						r.report(o, fmt.Sprintf("wwid %s has %d characters, one that begins with %s has %d", id, len(id), id[:2], want))
					}
				})
			},
		},
		{
			ID: "wwid-pattern", Severity: Error, Summary: "an expression where a WWID is wanted",
			Why: "In the multipaths section a wwid is a text, compared byte for byte: `.*` is for no LUN. Only the blacklist has expressions.",
			Fix: "Write the whole WWID; settings for many LUNs belong to a device entry or to defaults.", check: func(r *run) {
				r.eachWWID(func(id string, o policy.Origin) {
					if strings.Contains(id, ".*") || strings.ContainsAny(id, "*^$[]|?<>") {
						r.report(o, fmt.Sprintf("wwid %q is compared as it stands: no LUN is called so", id))
					}
				})
			},
		},
		{
			ID: "wwid-old-form", Severity: Hint, Summary: "a WWID of an old scsi_id",
			Why: "Before 2012 scsi_id printed other ids for disks without page 0x83 (SATA disks, VirtualBox). Such a line still names its disk here, and not in multipath-tools.",
			Fix: "Write the canonical WWID as `pathkeeper show paths --all` shows it; keep the alias.", check: func(r *run) {
				r.eachWWID(func(id string, o policy.Origin) {
					if strings.HasPrefix(id, "SATA_") || strings.HasPrefix(id, "SATA ") || strings.HasPrefix(id, "S") && strings.Contains(id, "VBOX") {
						r.report(o, fmt.Sprintf("wwid %q is in the form of an old scsi_id", id))
					}
				})
			},
		},
		{
			ID: "wwid-blank", Severity: Warning, Summary: "a wwid with blanks",
			Why: "In a WWID every run of blanks is written as one underscore. With the blanks of the raw id it is for no LUN.",
			Fix: "Put one _ for each run of blanks and none at the end.", check: func(r *run) {
				r.eachWWID(func(id string, o policy.Origin) {
					if strings.ContainsAny(id, " \t") && !strings.HasPrefix(id, "SATA ") {
						r.reportFix(o, fmt.Sprintf("wwid %q has blanks in it", id), "Write "+strings.Join(strings.Fields(id), "_")+".")
					}
				})
			},
		},
		{
			ID: "wwid-absent", Severity: Hint, Summary: "an entry for a LUN that is not there", Machine: true,
			Why: "No disk of this machine has this id. Right on a node that does not see the LUN yet; a leftover where it was deleted, or a slip of the pen.",
			Fix: "Compare with `pathkeeper show paths --all`.", check: wwidAbsent,
		},
		{
			ID: "lun-twice", Severity: Warning, Summary: "two entries for one LUN, by two of its ids", Machine: true,
			Why: "The canonical WWID and an old id name the same disk. One of the entries counts, the other one's name is never given.",
			Fix: "Keep the entry with the canonical WWID.", check: func(r *run) {
				for _, d := range r.devices() {
					mine := r.named(d)
					for _, m := range mine {
						if len(mine) > 1 && m.WWID != d.Identity.WWID {
							r.report(m.Origin, fmt.Sprintf("%s is the LUN %s, which has another entry", m.WWID, d.Identity.WWID))
						}
					}
				}
			},
		},
		{
			ID: "disk-and-map", Severity: Warning, Summary: "a LUN that is named as a single disk and as a map",
			Why: "Its paths go to the map, and the link for the single disk points at one of them: who opens it bypasses all other paths.",
			Fix: "Keep one of the two.", check: func(r *run) {
				for _, d := range r.config.Disks {
					for _, m := range r.entries[d.WWID] {
						r.report(d.Origin, fmt.Sprintf("%s is named %s as a single disk and has a multipath entry", d.WWID, d.Name), Related{Origin: m.Origin, Text: "wwid " + m.WWID})
					}
				}
			},
		},
	}
}

// eachWWID visits the ids that are compared byte for byte.
func (r *run) eachWWID(visit func(id string, o policy.Origin)) {
	for _, m := range r.config.Multipaths {
		visit(m.WWID, m.Origin)
	}
	for _, d := range r.config.Disks {
		visit(d.WWID, d.Origin)
	}
}

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// looksNAA says whether 16 digits are a whole WWID less one of its digits.
func looksNAA(id string) bool { return id[0] == '3' && (id[1] == '5' || id[1] == '6') }

// looksBare says whether digits are an NAA id without its prefix.
func looksBare(id string) bool { return id[0] == '6' || id[0] == '5' }

func wwidForm(r *run) {
	r.eachWWID(func(id string, o policy.Origin) {
		low := strings.ToLower(id)
		for _, head := range []string{"/dev/", "wwn-", "scsi-", "dm-uuid-", "mpath-", "naa.", "0x", "uuid", "t10."} {
			rest, ok := strings.CutPrefix(low, head)
			if !ok {
				continue
			}
			fix := r.rule.Fix
			digits := strings.TrimPrefix(rest, "0x")
			switch {
			case (head == "naa." || head == "0x" || head == "wwn-") && isHex(digits) && (len(digits) == 32 || len(digits) == 16):
				fix = "Write 3" + digits + "."
			case (head == "scsi-" || head == "mpath-") && looksLikeWWID(rest):
				fix = "Write " + rest + "."
			}
			r.reportFix(o, fmt.Sprintf("wwid %s: %s is not part of a WWID", id, head), fix)
			return
		}
	})
}

func wwidAbsent(r *run) {
	if len(r.devices()) == 0 {
		return
	}
	look := func(id string, o policy.Origin, what string) {
		if len(r.bearers[id]) == 0 {
			r.report(o, fmt.Sprintf("%s: none of the %d disks that are here has this id", what, len(r.devices())))
		}
	}
	r.eachWWID(func(id string, o policy.Origin) { look(id, o, "wwid "+id) })
	r.eachRule(func(rule policy.Rule, _ bool) {
		if rule.Class == policy.ClassWWID && looksLikeWWID(rule.Pattern) {
			look(rule.Pattern, rule.Origin, "wwid "+rule.Pattern)
		}
	})
}

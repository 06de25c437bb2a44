package lint

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

func blacklistRules() []Rule {
	return []Rule{
		{
			ID: "blacklist-all", Severity: Warning, Summary: "the blacklist hits every disk, and nothing is excepted",
			Why: "No map is ever built. Some distributions ship such a file to keep multipath off; left in place by mistake every LUN runs on a single path, and the first cable is an outage.",
			Fix: "Remove the rule, or name what shall be multipathed in blacklist_exceptions, in the same class.", check: blacklistAll,
		},
		{
			ID: "blacklist-named", Severity: Error, Summary: "a LUN of the multipaths section is blacklisted",
			Why: "The entry gives it a name and the blacklist keeps it out: the map never comes, and what mounts it by its alias waits at boot.",
			Fix: "Except it in blacklist_exceptions (`wwid`), or remove one of the two.", check: blacklistNamed,
		},
		{
			ID: "device-blacklisted", Severity: Warning, Summary: "an array of the devices section is blacklisted",
			Why: "The entry says how to run it, the blacklist that it is not to be run. The blacklist wins.",
			Fix: "Remove one of the two, or except the array.", check: deviceBlacklisted,
		},
		{
			ID: "blacklist-hits-lun", Severity: Hint, Summary: "a LUN with several paths is blacklisted", Machine: true,
			Why: "More than one path leads to it, and no map is built: whoever uses it uses one path. It may be meant so (another multipath product), or a rule hits more than was thought.",
			Fix: "`pathkeeper explain DISK` says more; anchor the rule, or except the LUN.", check: blacklistHitsLUN,
		},
		{
			ID: "devnode-unstable", Severity: Warning, Summary: "a rule for particular sd names",
			Why: "sda is whichever disk answered first at this boot. With one disk more, or a slower controller, the rule hits another one: the local disk becomes a path and a LUN is left out.",
			Fix: "Name the disk by wwid, or by vendor and product.", check: devnodeUnstable,
		},
		{
			ID: "devnode-unanchored", Severity: Warning, Summary: "a devnode expression that hits in the middle of a name",
			Why: "Expressions match anywhere. `md` is meant for md0 and hits sdmd as well, `hda` hits sdhda: with some hundred disks such names exist, and these LUNs lose their paths.",
			Fix: "Put ^ before it: `^md`.", check: devnodeUnanchored,
		},
		{
			ID: "devnode-path", Severity: Warning, Summary: "a devnode rule with a slash never hits",
			Why: "It is held against the kernel's name (sda), not against a path below /dev.",
			Fix: "Write the name alone, or better the wwid.", check: func(r *run) {
				r.eachRule(func(rule policy.Rule, _ bool) {
					if rule.Class == policy.ClassDevnode && strings.Contains(rule.Pattern, "/") {
						r.report(rule.Origin, fmt.Sprintf("devnode %q: kernel names have no slash, the rule hits nothing", rule.Pattern))
					}
				})
			},
		},
		{
			ID: "devnode-needless", Severity: Hint, Summary: "rules for devices that are never paths",
			Why: "Only sd, dasd and nvme disks are looked at at all. Rules for loop, ram, md or cciss are from the time before; they do no harm.",
			Fix: "Remove them.", check: devnodeNeedless,
		},
		{
			ID: "wwid-rule-short", Severity: Warning, Summary: "a wwid rule that is only a part of a WWID",
			Why: "It hits every WWID that has these characters anywhere: `3600` is almost every LUN of every array. The next LUN that is created may be among them.",
			Fix: "Write the whole WWID with ^ and $, or say with vendor and product what is meant.", check: func(r *run) {
				r.eachRule(func(rule policy.Rule, exception bool) {
					text := strings.TrimSuffix(strings.TrimPrefix(rule.Pattern, "^"), "$")
					if rule.Class == policy.ClassWWID && text != "" && len(text) < 16 && literal(text) && strings.Trim(text, "0123456789abcdef") == "" {
						r.report(rule.Origin, fmt.Sprintf("wwid %q hits every WWID with these %d characters in it%s", rule.Pattern, len(text), r.presentWWIDs(rule)))
					}
				})
			},
		},
		{
			ID: "wwid-rule-hits-more", Severity: Warning, Summary: "a wwid rule that hits a second LUN",
			Why: "Expressions match anywhere: a WWID that is the start of another one hits both. One LUN was meant, and the other one silently has no map.",
			Fix: "Anchor it: `^WWID$`.", check: wwidHitsMore,
		},
		{
			ID: "wwid-star", Severity: Warning, Summary: "a shell pattern in a wwid rule",
			Why: "`*` repeats the character before it. `3600*` is 360 and any number of zeros, and that is in almost every WWID.",
			Fix: "Write the beginning with ^ (`^3600a098`), or `.*` for anything.", check: func(r *run) {
				r.eachRule(func(rule policy.Rule, _ bool) {
					if rule.Class == policy.ClassWWID && shellPattern(rule.Pattern) {
						r.report(rule.Origin, fmt.Sprintf("wwid %q looks like a shell's pattern; it is a regular expression%s", rule.Pattern, r.presentWWIDs(rule)))
					}
				})
			},
		},
		{
			ID: "protocol-unknown", Severity: Warning, Summary: "a protocol rule that hits no protocol",
			Why: "Protocols have names like scsi:fcp, scsi:iscsi, scsi:sas, nvme:tcp. A rule for `fc` or `iSCSI` hits nothing.",
			Fix: "Use one of the names; the text has them.", check: func(r *run) {
				r.eachRule(func(rule policy.Rule, _ bool) {
					if rule.Class == policy.ClassProtocol && !slices.ContainsFunc(policy.Protocols(), func(p string) bool { return r.ruleHits(rule.Pattern, p) }) {
						r.report(rule.Origin, fmt.Sprintf("protocol %q is none of: %s", rule.Pattern, strings.Join(policy.Protocols(), " ")))
					}
				})
			},
		},
		{
			ID: "property-value", Severity: Warning, Summary: "a property rule with a value",
			Why: "Only the name of the udev property is compared. `ID_BUS=usb` is no name, so it hits nothing.",
			Fix: "Write the name of a property that only these disks have.", check: func(r *run) {
				r.eachRule(func(rule policy.Rule, _ bool) {
					if rule.Class == policy.ClassProperty && strings.Contains(rule.Pattern, "=") {
						r.report(rule.Origin, fmt.Sprintf("property %q: only names are compared, never values", rule.Pattern))
					}
				})
			},
		},
		{
			ID: "rule-placeholder", Severity: Warning, Summary: "a placeholder that nobody filled in",
			Why: "The guide said to put the WWID here. As it stands the rule hits nothing, and the disk that was to be kept out becomes a path.",
			Fix: "Put the WWID of the disk there; `pathkeeper show paths --all` has it.", check: func(r *run) {
				r.eachRule(func(rule policy.Rule, _ bool) {
					if strings.ContainsAny(rule.Pattern, "<>") {
						r.report(rule.Origin, fmt.Sprintf("%s %q is a placeholder", rule.Class, rule.Pattern))
					}
				})
			},
		},
	}
}

// eachRule visits the rules of files.
func (r *run) eachRule(visit func(rule policy.Rule, exception bool)) {
	for _, rule := range r.config.Blacklist {
		visit(rule, false)
	}
	for _, rule := range r.config.Exceptions {
		visit(rule, true)
	}
}

// diskNames are names of SCSI disks, in the kernel's order but not all of them.
func diskNames() []string {
	names := []string{}
	for _, head := range []string{"", "a"} {
		for c := 'a'; c <= 'z'; c++ {
			names = append(names, "sd"+head+string(c))
		}
	}
	return append(names, "sdba", "sdzz", "sdfd", "sdmd", "sdsr", "sdst", "sdhda", "sdraw")
}

// hitsAll says whether a rule hits everything that its class can be held against.
func (r *run) hitsAll(rule policy.Rule) bool {
	probes := []string{"3600a098038303053453f463045727a6f", "1ATA_disk_1", "eui.0025388", "20000", "t10.x"}
	switch rule.Class {
	case policy.ClassDevice:
		for _, p := range []string{"NETAPP", "ATA", "x", "HP 3"} {
			if !r.deviceRuleHits(rule, p, p) {
				return false
			}
		}
		return rule.Pattern != "" || rule.Product != ""
	case policy.ClassDevnode:
		probes = diskNames()
	case policy.ClassProtocol:
		probes = policy.Protocols()
	case policy.ClassProperty:
		probes = []string{"ID_SERIAL", "DEVNAME", "ID_WWN", "X"}
	}
	return !slices.ContainsFunc(probes, func(p string) bool { return !r.ruleHits(rule.Pattern, p) })
}

func blacklistAll(r *run) {
	for _, rule := range r.config.Blacklist {
		if r.hitsAll(rule) && len(r.config.Exceptions) == 0 {
			r.report(rule.Origin, fmt.Sprintf("%s hits every disk and nothing is excepted: there will be no map", ruleText(rule)))
		}
	}
}

func ruleText(rule policy.Rule) string {
	if rule.Class == policy.ClassDevice {
		return fmt.Sprintf("device { vendor %q product %q }", rule.Pattern, rule.Product)
	}
	return fmt.Sprintf("%s %q", rule.Class, rule.Pattern)
}

// excepted says whether an exception of the class hits as well.
func (r *run) excepted(class policy.RuleClass, hit func(policy.Rule) bool) bool {
	return slices.ContainsFunc(rulesFor(r.config.Exceptions, class), hit)
}

func blacklistNamed(r *run) {
	byWWID := rulesFor(r.config.Blacklist, policy.ClassWWID)
	for _, m := range r.config.Multipaths {
		hit := func(rule policy.Rule) bool { return r.ruleHits(rule.Pattern, m.WWID) }
		if i := slices.IndexFunc(byWWID, hit); i >= 0 && !r.excepted(policy.ClassWWID, hit) {
			r.report(byWWID[i].Origin, fmt.Sprintf("wwid %q hits %s of the multipaths section", byWWID[i].Pattern, label(m)), Related{Origin: m.Origin, Text: "wwid " + m.WWID})
		}
		for _, d := range r.bearers[m.WWID] {
			r.presentNamed(m, d)
		}
	}
}

// presentNamed holds a named LUN that is there against the other classes.
func (r *run) presentNamed(m policy.Multipath, d Device) {
	for _, rule := range r.config.Blacklist {
		if hit := func(x policy.Rule) bool { return r.hitsDevice(x, d) }; rule.Class != policy.ClassWWID && hit(rule) && !r.excepted(rule.Class, hit) {
			r.report(rule.Origin, fmt.Sprintf("%s hits %s, a path of %s of the multipaths section", ruleText(rule), d.Facts.Devnode, label(m)), Related{Origin: m.Origin, Text: "wwid " + m.WWID})
		}
	}
}

// hitsDevice says whether a rule of any class but property hits a disk.
func (r *run) hitsDevice(rule policy.Rule, d Device) bool {
	switch rule.Class {
	case policy.ClassDevnode:
		return r.ruleHits(rule.Pattern, d.Facts.Devnode)
	case policy.ClassProtocol:
		return r.ruleHits(rule.Pattern, d.Facts.Protocol)
	case policy.ClassDevice:
		return r.deviceRuleHits(rule, d.Identity.Vendor, d.Identity.Model)
	case policy.ClassWWID:
		return d.Identity.WWID != "" && r.ruleHits(rule.Pattern, d.Identity.WWID)
	}
	return false
}

func blacklistHitsLUN(r *run) {
	paths := r.pathsByWWID()
	for _, d := range r.devices() {
		w := d.Identity.WWID
		if w == "" || len(paths[w]) < 2 || len(r.named(d)) > 0 {
			continue
		}
		for _, rule := range r.config.Blacklist {
			if hit := func(x policy.Rule) bool { return r.hitsDevice(x, d) }; hit(rule) && !r.excepted(rule.Class, hit) {
				r.report(rule.Origin, fmt.Sprintf("%s keeps out %s,%s %s with its paths %s", ruleText(rule), d.Identity.Vendor, d.Identity.Model, w, list(paths[w])))
			}
		}
	}
}

func deviceBlacklisted(r *run) {
	r.eachEntry(func(d policy.Device) {
		for _, rule := range rulesFor(r.config.Blacklist, policy.ClassDevice) {
			for _, v := range r.samples(d.Vendor) {
				for _, p := range r.samples(d.Product) {
					hit := func(x policy.Rule) bool { return r.deviceRuleHits(x, v, p) }
					if v != "" && p != "" && hit(rule) && !r.excepted(policy.ClassDevice, hit) {
						r.report(rule.Origin, fmt.Sprintf("%s keeps out device %s,%s of the devices section", ruleText(rule), d.Vendor, d.Product), Related{Origin: d.Origin, Text: "device " + d.Vendor + "," + d.Product})
					}
				}
			}
		}
	})
}

func devnodeUnstable(r *run) {
	r.eachRule(func(rule policy.Rule, exception bool) {
		if rule.Class != policy.ClassDevnode || strings.HasPrefix(rule.Pattern, "!") {
			return
		}
		var hit []string
		for _, n := range diskNames() {
			if r.ruleHits("^("+rule.Pattern+")", n) {
				hit = append(hit, n)
			}
		}
		if len(hit) > 0 && len(hit) < len(diskNames()) && strings.Contains(rule.Pattern, "sd") {
			r.report(rule.Origin, fmt.Sprintf("devnode %q hits %s: names that another disk may have after the next boot", rule.Pattern, list(hit)))
		}
	})
}

func devnodeUnanchored(r *run) {
	r.eachRule(func(rule policy.Rule, _ bool) {
		if rule.Class != policy.ClassDevnode || strings.HasPrefix(rule.Pattern, "!") || strings.HasPrefix(rule.Pattern, "^") {
			return
		}
		var hit []string
		for _, d := range r.devices() {
			if n := d.Facts.Devnode; r.ruleHits(rule.Pattern, n) && !r.ruleHits("^("+rule.Pattern+")", n) {
				hit = append(hit, n)
			}
		}
		for _, n := range diskNames() {
			if r.ruleHits(rule.Pattern, n) && !r.ruleHits("^("+rule.Pattern+")", n) && !slices.Contains(hit, n) {
				hit = append(hit, n)
			}
		}
		if len(hit) > 0 {
			r.report(rule.Origin, fmt.Sprintf("devnode %q is not anchored and hits %s as well", rule.Pattern, list(hit)))
		}
	})
}

// devnodeNeedless tells all of one file in one finding.
func devnodeNeedless(r *run) {
	others := []string{"ram0", "raw1", "loop0", "fd0", "md0", "dm-0", "sr0", "scd0", "st0", "hda", "cciss!c0d0", "vda", "xvda", "zram0", "dcssblk0", "rbd0", "drbd0", "nbd0"}
	candidates := append(diskNames(), "dasda", "nvme0n1")
	var files []string
	at, words := map[string]policy.Origin{}, map[string][]string{}
	for _, rule := range rulesFor(r.config.Blacklist, policy.ClassDevnode) {
		hits := func(n string) bool { return r.ruleHits(rule.Pattern, n) }
		if strings.HasPrefix(rule.Pattern, "!") || !slices.ContainsFunc(others, hits) || slices.ContainsFunc(candidates, hits) {
			continue
		}
		f := rule.Origin.File
		if _, ok := at[f]; !ok {
			files, at[f] = append(files, f), rule.Origin
		}
		words[f] = append(words[f], fmt.Sprintf("%q", rule.Pattern))
	}
	for _, f := range files {
		r.report(at[f], "rules for devices that are never paths: "+strings.Join(words[f], " "))
	}
}

// presentWWIDs names the LUNs that a rule hits, of those that are there.
func (r *run) presentWWIDs(rule policy.Rule) string {
	var hit []string
	for _, d := range r.devices() {
		if w := d.Identity.WWID; w != "" && r.ruleHits(rule.Pattern, w) && !slices.Contains(hit, w) {
			hit = append(hit, w)
		}
	}
	if len(hit) == 0 {
		return ""
	}
	return "; of those present: " + list(hit)
}

func wwidHitsMore(r *run) {
	var known []string
	for _, m := range r.config.Multipaths {
		known = append(known, m.WWID)
	}
	for _, d := range r.devices() {
		known = append(known, d.Identity.WWID)
	}
	r.eachRule(func(rule policy.Rule, _ bool) {
		if rule.Class != policy.ClassWWID || !literal(rule.Pattern) || len(rule.Pattern) < 16 {
			return
		}
		for _, w := range known {
			if w != rule.Pattern && strings.Contains(w, rule.Pattern) {
				r.report(rule.Origin, fmt.Sprintf("wwid %q is part of %s and hits that LUN as well", rule.Pattern, w))
			}
		}
	})
}

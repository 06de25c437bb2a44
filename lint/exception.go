package lint

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

func exceptionRules() []Rule {
	return []Rule{
		{
			ID: "exception-wrong-class", Severity: Error, Summary: "everything is blacklisted by one class and excepted in another",
			Why: "An exception counts only within its own class: a disk that `devnode` keeps out is not let in by `wwid`. The file reads like an allow-list, and not one map is built.",
			Fix: "Blacklist in the class in which you except: `blacklist { wwid \".*\" }` with `blacklist_exceptions { wwid ... }`.", check: func(r *run) {
				for _, rule := range r.config.Blacklist {
					if !r.hitsAll(rule) || len(r.config.Exceptions) == 0 || len(rulesFor(r.config.Exceptions, rule.Class)) > 0 {
						continue
					}
					other := r.config.Exceptions[0]
					r.report(rule.Origin, fmt.Sprintf("%s hits every disk, and no exception is of class %s: the others do not help", ruleText(rule), rule.Class),
						Related{Origin: other.Origin, Text: ruleText(other)})
				}
			},
		},
		{
			ID: "exception-needless", Severity: Hint, Summary: "an exception that nothing needs",
			Why: "No rule of its class keeps out what it lets in. It reads as if the disk were listed to be multipathed; that is what find_multipaths and the multipaths section are for.",
			Fix: "Remove it, or add the blacklist rule that it belongs to.", check: exceptionNeedless,
		},
		{
			ID: "exception-hits-all", Severity: Warning, Summary: "an exception that takes the whole blacklist back",
			Why: "It hits everything, so no rule of its class has an effect: the local disk that was to be kept out becomes a path.",
			Fix: "Name what is meant.", check: func(r *run) {
				for _, rule := range r.config.Exceptions {
					rules := rulesFor(r.config.Blacklist, rule.Class)
					if rule.Class == policy.ClassDevnode {
						rules = slices.DeleteFunc(rules, r.harmless)
					}
					if rule.Class != policy.ClassProperty && len(rules) > 0 && r.hitsAll(rule) {
						r.report(rule.Origin, "the exception "+ruleText(rule)+" hits everything: no rule of its class has an effect", Related{Origin: rules[0].Origin, Text: ruleText(rules[0])})
					}
				}
			},
		},
		{
			ID: "rule-cancelled", Severity: Warning, Summary: "the same rule in blacklist and in blacklist_exceptions",
			Why: "The exception takes back exactly what the rule says. Two people have edited the file, and one of them believes that it works.",
			Fix: "Remove both, or the one that is not meant.", check: func(r *run) {
				for _, rule := range r.config.Blacklist {
					for _, x := range r.config.Exceptions {
						if rule.Class == x.Class && rule.Pattern == x.Pattern && rule.Product == x.Product {
							r.report(rule.Origin, ruleText(rule)+" stands in blacklist_exceptions too and has no effect", Related{Origin: x.Origin, Text: ruleText(x)})
						}
					}
				}
			},
		},
		{
			ID: "property-missing", Severity: Warning, Summary: "a LUN with several paths is left out because a udev property is missing", Machine: true,
			Why: "Of a disk that udev knows, one of the properties of blacklist_exceptions must be there; by default one that begins with SCSI_IDENT_ or ID_WWN. Some iSCSI targets and virtual disks have none.",
			Fix: "Name the LUN in the multipaths section, or add `property \"ID_SERIAL\"` to blacklist_exceptions.", check: propertyMissing,
		},
	}
}

func exceptionNeedless(r *run) {
	builtin, _ := policy.BuiltinRules(r.config.Devices, r.config.NVMeNativeMultipath)
	all := slices.Concat(r.config.Blacklist, builtin)
	for _, x := range r.config.Exceptions {
		rules := rulesFor(all, x.Class)
		if x.Class == policy.ClassProperty || r.needed(x, rules) {
			continue
		}
		r.report(x.Origin, fmt.Sprintf("the exception %s lets in what no rule of class %s keeps out", ruleText(x), x.Class))
	}
}

// needed says whether an exception may let something in that one of the rules
// keeps out. Where that cannot be told it is taken as needed.
func (r *run) needed(x policy.Rule, rules []policy.Rule) bool {
	if len(rules) == 0 {
		return false
	}
	pattern := strings.TrimPrefix(x.Pattern, "!")
	texts := r.samples(pattern)
	switch x.Class {
	case policy.ClassDevnode:
		texts = append(texts, diskNames()...)
		texts = append(texts, "dasda", "nvme0n1", "vda", "rbd0")
		texts = slices.DeleteFunc(texts, func(t string) bool { return !r.ruleHits(x.Pattern, t) })
	case policy.ClassProtocol:
		texts = slices.DeleteFunc(policy.Protocols(), func(t string) bool { return !r.ruleHits(x.Pattern, t) })
	case policy.ClassDevice:
		products := r.samples(strings.TrimPrefix(x.Product, "!"))
		if len(texts) == 0 || len(products) == 0 || slices.Contains(texts, "") || slices.Contains(products, "") {
			return true
		}
		for _, v := range texts {
			for _, p := range products {
				if slices.ContainsFunc(rules, func(rule policy.Rule) bool { return r.deviceRuleHits(rule, v, p) }) {
					return true
				}
			}
		}
		return false
	}
	if len(texts) == 0 || slices.Contains(texts, "") {
		return true
	}
	return slices.ContainsFunc(texts, func(t string) bool {
		return slices.ContainsFunc(rules, func(rule policy.Rule) bool {
			return r.ruleHits(rule.Pattern, t) || x.Class == policy.ClassWWID && strings.Contains(rule.Pattern, t)
		})
	})
}

func propertyMissing(r *run) {
	paths := r.pathsByWWID()
	for _, d := range r.devices() {
		w := d.Identity.WWID
		if w == "" || len(paths[w]) < 2 || len(r.named(d)) > 0 || r.hasProperty(d) {
			continue
		}
		at := policy.Origin{}
		if len(r.config.Files) > 0 {
			at.File = r.config.Files[0]
		}
		if own := rulesFor(r.config.Exceptions, policy.ClassProperty); len(own) > 0 {
			at = own[0].Origin
		}
		r.report(at, fmt.Sprintf("%s has the paths %s and none of the properties that blacklist_exceptions asks for: it gets no map", w, list(paths[w])))
	}
}

// hasProperty says whether a disk has one of the properties that are asked for, or
// is none that is asked: udev does not know its id.
func (r *run) hasProperty(d Device) bool {
	_, builtin := policy.BuiltinRules(nil, false)
	exceptions := rulesFor(slices.Concat(r.config.Exceptions, builtin), policy.ClassProperty)
	return !slices.Contains(d.Facts.Properties, "ID_SERIAL") || slices.ContainsFunc(d.Facts.Properties, func(p string) bool {
		return slices.ContainsFunc(exceptions, func(x policy.Rule) bool { return r.ruleHits(x.Pattern, p) })
	})
}

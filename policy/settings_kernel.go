package policy

import (
	"strconv"
	"strings"

	"pathkeeper/scsi"
)

// What this program and the kernel's multipath target know. A word outside these
// lists is replaced, with a warning: a slower map is better than none.

func knownSelector(name string) bool {
	switch name {
	case "service-time", "round-robin", "queue-length", "historical-service-time", "io-affinity":
		return true
	}
	return false
}

func knownHandler(name string) bool {
	switch name {
	case "alua", "emc", "hp_sw", "rdac":
		return true
	}
	return false
}

func knownChecker(name string) bool {
	switch name {
	case "tur", "readsector0", "directio", "none", "rdac", "hp_sw", "emc_clariion":
		return true
	}
	return false
}

func knownPrio(name string) bool {
	switch name {
	case "const", "alua", "sysfs", "emc", "rdac", "hp_sw", "hds", "weightedpath", "datacore":
		return true
	}
	return false
}

// asksALUA says whether a prioritizer tells the states of target port groups.
func asksALUA(prio string) bool { return prio == "alua" || prio == "sysfs" }

const (
	defaultSelector = "service-time 0"
	noHandler       = "0"
)

// selector resolves path_selector: "name count args...".
func (r *resolver) selector(k Kernel) Value[string] {
	v := r.text("path_selector", defaultSelector)
	words := strings.Fields(v.V)
	why := ""
	switch {
	case len(words) == 0 || !knownSelector(words[0]):
		why = "is not known"
	case k.Selectors != nil && !contains(k.Selectors, words[0]):
		why = "is not offered by this kernel"
	case len(words) < 2 || !countFits(words[1:]):
		why = "does not count its arguments rightly"
	default:
		v.V = strings.Join(words, " ")
		return v
	}
	r.warn("path_selector "+strconv.Quote(v.V)+" "+why+", "+defaultSelector+" instead", v.Origin)
	return Value[string]{V: defaultSelector, Origin: Origin{Note: "instead of " + strconv.Quote(v.V)}}
}

// handler resolves hardware_handler: what the kernel has attached, else "1 alua"
// where every path reports target port groups, else the hardware table's.
func (r *resolver) handler(f Facts, k Kernel) Value[string] {
	v := r.text("hardware_handler", noHandler)
	switch {
	case f.DHState != "" && f.DHState != "detached":
		v = Value[string]{V: "1 " + f.DHState, Origin: Origin{Note: "attached by the kernel"}}
	case f.TPGS:
		v = Value[string]{V: "1 alua", Origin: Origin{Note: "target port groups on every path"}}
	}
	words := strings.Fields(v.V)
	if len(words) == 1 && words[0] == noHandler {
		return v
	}
	why := ""
	switch {
	case len(words) < 2 || !countFits(words):
		why = "does not count its words rightly"
	case words[1] == "alua" && !f.TPGS:
		why = "needs target port groups on every path"
	case !knownHandler(words[1]):
		why = "is not known"
	case k.Handlers != nil && !contains(k.Handlers, words[1]):
		why = "is not offered by this kernel"
	default:
		v.V = strings.Join(words, " ")
		return v
	}
	r.warn("hardware_handler "+strconv.Quote(v.V)+" "+why+", none instead", v.Origin)
	return Value[string]{V: noHandler, Origin: Origin{Note: "instead of " + strconv.Quote(v.V)}}
}

// countFits checks "2 a b": the first word counts the others.
func countFits(words []string) bool {
	n, err := strconv.Atoi(words[0])
	return err == nil && n == len(words)-1
}

// checker resolves path_checker. With detect_checker an RDAC array is checked by
// its own page and every other path that reports target port groups by TEST UNIT
// READY, whatever the configuration says.
func (r *resolver) checker(id scsi.Identity, f Facts) Value[string] {
	v := r.text("path_checker", "tur")
	found := Value[string]{}
	switch {
	case !r.yesNo("detect_checker", true).V:
	case f.RDAC:
		found = Value[string]{V: "rdac", Origin: Origin{Note: "detect_checker: page 0xc9 of an RDAC array"}}
	case id.TPGS != 0:
		found = Value[string]{V: "tur", Origin: Origin{Note: "detect_checker: target port groups"}}
	}
	if found.V != "" {
		if v.V != found.V && v.Origin.File != "" {
			r.trace.add("settings", "path_checker "+strconv.Quote(v.V)+" does not count: detect_checker chose "+found.V, v.Origin)
		}
		return found
	}
	if knownChecker(v.V) {
		return v
	}
	r.warn("path_checker "+strconv.Quote(v.V)+" is not known here, tur instead", v.Origin)
	return Value[string]{V: "tur", Origin: Origin{Note: "instead of " + strconv.Quote(v.V)}}
}

// prio resolves prio and prio_args, which come from one place; only in the
// hardware table each from the first entry that has it. With detect_prio a path
// with target port groups gets alua, without arguments.
func (r *resolver) prio(id scsi.Identity, f Facts) (prio, args Value[string]) {
	prio = Value[string]{V: "const", Origin: Origin{Note: builtInNote}}
	args = Value[string]{Origin: Origin{Note: builtInNote}}
	at := placeDefaults
	r.each("prio", func(s Setting, p place) bool {
		if s.Value == "" {
			return true
		}
		prio, at = Value[string]{V: s.Value, Origin: s.Origin}, p
		return false
	})
	if prio.Origin.Note != builtInNote {
		r.each("prio_args", func(s Setting, p place) bool {
			if p != at {
				return true
			}
			args = Value[string]{V: s.Value, Origin: s.Origin}
			return false
		})
	}
	if r.yesNo("detect_prio", true).V && id.TPGS != 0 {
		// multipath-tools takes sysfs where a handler is attached. That is what the
		// kernel was told last: it asks again only when the target says that
		// something has changed, and not every target does.
		found := Value[string]{V: "alua", Origin: Origin{Note: "detect_prio: target port groups"}}
		if args.V != "" {
			r.warn("prio_args "+strconv.Quote(args.V)+" does not count: detect_prio chose "+found.V+" (detect_prio no would keep it)", args.Origin)
		}
		if prio.V != found.V && prio.Origin.File != "" {
			r.trace.add("settings", "prio "+strconv.Quote(prio.V)+" does not count: detect_prio chose "+found.V, prio.Origin)
		}
		return found, Value[string]{Origin: Origin{Note: builtInNote}}
	}
	switch {
	case prio.V == "sysfs" && f.AccessState == "" && id.TPGS != 0:
		r.warn("prio sysfs needs a device handler, which the kernel has not attached, alua instead", prio.Origin)
		prio.V = "alua"
		return prio, args
	case prio.V == "alua" && id.TPGS == 0, prio.V == "sysfs" && f.AccessState == "":
		r.warn("prio "+prio.V+" needs target port groups, which the device does not report, const instead", prio.Origin)
	case prio.V == "weightedpath" && strings.HasPrefix(strings.TrimSpace(args.V), "wwn"):
		r.warn("prio weightedpath by wwn: port names are not read here, const instead", prio.Origin)
	case knownPrio(prio.V):
		return prio, args
	default:
		r.warn("prio "+strconv.Quote(prio.V)+" is not known here, const instead", prio.Origin)
	}
	o := Origin{Note: "instead of " + strconv.Quote(prio.V)}
	return Value[string]{V: "const", Origin: o}, Value[string]{Origin: Origin{Note: builtInNote}}
}

// grouping resolves path_grouping_policy. With detect_pgpolicy a LUN whose paths
// all use alua is grouped by priority, or by target port group where
// detect_pgpolicy_use_tpg says so.
func (r *resolver) grouping(f Facts, prio string) Value[string] {
	byTPG := asksALUA(prio)
	if f.TPGS && byTPG && r.yesNo("detect_pgpolicy", true).V {
		if r.yesNo("detect_pgpolicy_use_tpg", false).V {
			return Value[string]{V: "group_by_tpg", Origin: Origin{Note: "detect_pgpolicy_use_tpg: " + prio + " on every path"}}
		}
		return Value[string]{V: "group_by_prio", Origin: Origin{Note: "detect_pgpolicy: " + prio + " on every path"}}
	}
	v := r.word("path_grouping_policy", "failover",
		"failover", "multibus", "group_by_serial", "group_by_prio", "group_by_node_name", "group_by_tpg")
	if v.V == "group_by_tpg" && !byTPG {
		r.warn("path_grouping_policy group_by_tpg needs prio alua or sysfs, failover instead", v.Origin)
		return Value[string]{V: "failover", Origin: Origin{Note: `instead of "group_by_tpg"`}}
	}
	return v
}

// features resolves features and no_path_retry. queue_if_no_path among the
// features means no_path_retry queue where that is not set, and nothing else.
func (r *resolver) features() (Value[string], Value[RetryPolicy]) {
	v := r.text("features", "0")
	retry := resolve(r, "no_path_retry", RetryPolicy{}, parseRetry)
	words := strings.Fields(v.V)
	if len(words) == 0 || !countFits(words) {
		r.warn("features "+strconv.Quote(v.V)+" does not count its words rightly, none instead", v.Origin)
		return Value[string]{V: "0", Origin: Origin{Note: "instead of " + strconv.Quote(v.V)}}, retry
	}
	var keep []string
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "queue_if_no_path":
			if retry.V.Mode == RetryUnset {
				retry = Value[RetryPolicy]{V: RetryPolicy{Mode: RetryQueue}, Origin: v.Origin}
				retry.Origin.Note = "features queue_if_no_path"
			} else if retry.V.Mode != RetryQueue {
				r.warn("queue_if_no_path among the features does not count: no_path_retry is "+retry.V.String(), v.Origin)
			}
		case "retain_attached_hw_handler": // always so since Linux 4.3
		case "pg_init_retries", "pg_init_delay_msecs", "queue_mode":
			if i+1 == len(words) {
				r.warn("features "+strconv.Quote(v.V)+": "+words[i]+" lacks its value, left out", v.Origin)
				continue
			}
			keep = append(keep, words[i], words[i+1])
			i++
		default:
			r.warn("features "+strconv.Quote(v.V)+": the kernel does not know "+words[i]+", left out", v.Origin)
		}
	}
	v.V = strings.Join(append([]string{strconv.Itoa(len(keep))}, keep...), " ")
	return v, retry
}

// Supports says whether a prioritizer or checker is built in; one that is not is
// replaced by const or tur.
func Supports(keyword, name string) bool {
	switch keyword {
	case "prio":
		return knownPrio(name)
	case "path_checker":
		return knownChecker(name)
	}
	return false
}

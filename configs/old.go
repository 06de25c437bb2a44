package configs

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// today is what a keyword of older guides stands for now.
type today struct {
	keyword string // "" if it has no meaning any more
	value   string
	text    string // what to say
	old     bool   // from before find_multipaths; not only a frequent slip
}

// oldSections are names of root sections of older guides.
func oldSection(word string) string {
	switch word {
	case "devnode_blacklist":
		return "blacklist"
	case "devnode_blacklist_exceptions":
		return "blacklist_exceptions"
	}
	return ""
}

// oldKeyword translates a keyword that multipath-tools no longer knows. These are
// the spellings of the 0.4 series and of the guides written for it.
func oldKeyword(word, value string) (today, bool) {
	bare := strings.TrimPrefix(word, "default_")
	prefixed := bare != word
	as := func(keyword, v string) (today, bool) {
		return today{keyword: keyword, value: v, old: true, text: fmt.Sprintf("%s is the old spelling: today it is `%s %s`", word, keyword, quote(v))}, true
	}
	gone := func(why string) (today, bool) {
		return today{old: true, text: fmt.Sprintf("%s has no effect: %s; leave the line out", word, why)}, true
	}
	switch bare {
	case "selector":
		return as("path_selector", value)
	case "udev_dir":
		return gone("device nodes are udevd's, in /dev")
	case "multipath_tool":
		return gone("nothing is run for a path")
	case "prio_callout":
		prio, ok := prioOfCallout(value)
		if !ok {
			return gone("no prioritizer is known for this program, choose one with `prio`")
		}
		return as("prio", prio)
	case "getuid_callout":
		if prefixed {
			return gone("the WWID comes from udev or from the device")
		}
	case "hwhandler", "hw_handler":
		return as("hardware_handler", value)
	case "user_friendly_name":
		return today{keyword: "user_friendly_names", value: value, text: fmt.Sprintf("%s is taken for `user_friendly_names %s`", word, quote(value))}, true
	case "path_selector", "path_grouping_policy", "path_checker", "features", "prio", "failback", "rr_min_io", "no_path_retry":
		if prefixed {
			return as(bare, value)
		}
	}
	return today{}, false
}

// prioOfCallout names the prioritizer that took a program's place.
func prioOfCallout(command string) (string, bool) {
	program, _, _ := strings.Cut(strings.TrimSpace(command), " ")
	switch name := strings.TrimPrefix(path.Base(program), "mpath_prio_"); name {
	case "true", "none", "const":
		return "const", true
	case "alua", "emc", "rdac", "hp_sw", "random", "iet", "datacore", "ontap":
		return name, true
	case "netapp":
		return "ontap", true
	case "tpc":
		return "rdac", true
	case "hds_modular":
		return "hds", true
	case "weighted":
		return "weightedpath", true
	case "pp_alua", "pp_emc", "pp_rdac", "pp_hp_sw":
		return strings.TrimPrefix(name, "pp_"), true
	}
	return "", false
}

// beforeFindMultipaths says whether a keyword that is still accepted shows a file
// from before find_multipaths.
func beforeFindMultipaths(word string) bool { return slices.Contains([]string{"getuid_callout"}, word) }

// quote writes a value as a file would need it.
func quote(v string) string {
	if v != "" && !strings.ContainsAny(v, " \t#!{}\"") {
		return v
	}
	return `"` + strings.ReplaceAll(v, `"`, `""`) + `"`
}

package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

// PathCounts answers `show status`: how many paths are in which state, how many are
// checked, and whether uevents are being worked on (busy).
func PathCounts(s mpath.Snapshot, busy bool) string {
	var b strings.Builder
	b.WriteString("path checker states:\n")
	v := newView(s)
	count, checked := map[pathcheck.State]int{}, 0
	for _, r := range v.listedPaths() {
		count[r.p.State]++
		if r.p.WWID != "" {
			checked++
		}
	}
	for _, st := range []struct {
		word string
		of   pathcheck.State
	}{
		{"wild", pathcheck.StateWild},
		{"unchecked", pathcheck.StateUnknown},
		{"down", pathcheck.StateDown},
		{"up", pathcheck.StateUp},
		{"shaky", pathcheck.StateShaky},
		{"ghost", pathcheck.StateGhost},
		{"pending", pathcheck.StatePending},
		{"timeout", pathcheck.StateTimeout},
		{"disconnected", pathcheck.StateDisconnected},
	} {
		if n := count[st.of]; n > 0 {
			fmt.Fprintf(&b, "%-20s%d\n", st.word, n)
		}
	}
	word := "False"
	if busy {
		word = "True"
	}
	fmt.Fprintf(&b, "\npaths: %d\nbusy: %s\n", checked, word)
	return b.String()
}

// Blacklist answers `show blacklist`: the rules of each class and where they come
// from, those of the files first.
func Blacklist(rules *policy.Compiled) string {
	var b strings.Builder
	cfg := rules.Config()
	blacklist, exceptions := policy.BuiltinRules(cfg.Devices, cfg.NVMeNativeMultipath)
	for _, class := range []struct {
		head string
		of   policy.RuleClass
	}{
		{"device node", policy.ClassDevnode},
		{"udev property", policy.ClassProperty},
		{"protocol", policy.ClassProtocol},
		{"wwid", policy.ClassWWID},
		{"device", policy.ClassDevice},
	} {
		b.WriteString(class.head + " rules:\n- blacklist:\n")
		ruleLines(&b, class.of, slices.Concat(cfg.Blacklist, blacklist))
		b.WriteString("- exceptions:\n")
		ruleLines(&b, class.of, slices.Concat(cfg.Exceptions, exceptions))
	}
	return b.String()
}

func ruleLines(b *strings.Builder, class policy.RuleClass, rules []policy.Rule) {
	none := true
	for _, r := range rules {
		if r.Class != class {
			continue
		}
		none = false
		origin := "(config file rule)"
		if r.Origin.File == "" {
			origin = "(default rule)    "
		}
		text := r.Pattern
		if class == policy.ClassDevice {
			text += ":" + r.Product
		}
		b.WriteString("        " + origin + " " + Safe(text) + "\n")
	}
	if none {
		b.WriteString("        <empty>\n")
	}
}

// BlockDevice is a block device of the host, as the shell lists them.
type BlockDevice struct {
	Name   string
	Hidden bool // the kernel gives it no node: a path below native NVMe multipath
}

// BlockDevices answers `show devices`: every block device of the host and whether
// it is monitored.
func BlockDevices(s mpath.Snapshot, rules *policy.Compiled, list []BlockDevice) string {
	var b strings.Builder
	b.WriteString("available block devices:\n")
	path := map[string]bool{}
	for _, r := range newView(s).listedPaths() {
		path[r.p.Name] = true
	}
	sorted := slices.SortedFunc(slices.Values(list), func(a, b BlockDevice) int {
		return cmp.Or(Natural(a.Name, b.Name), cmp.Compare(a.Name, b.Name))
	})
	for _, d := range sorted {
		text := "devnode whitelisted, unmonitored"
		switch {
		case path[d.Name]:
			text = " devnode whitelisted, monitored" // with its blank
		case d.Hidden:
			text = "hidden, unmonitored"
		case rules.DevnodeBlacklisted(d.Name):
			text = "devnode blacklisted, unmonitored"
		}
		b.WriteString("    " + Safe(d.Name) + " " + text + "\n")
	}
	return b.String()
}

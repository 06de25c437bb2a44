package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// topologyClients read `multipath -l` and `-ll`.
func topologyClients() []clientCase {
	return []clientCase{
		{who: "sosreport and insights", argv: "multipath -v4 -ll", reads: insights},
		{who: "monitoring check-multipath.pl", argv: "multipath -l", reads: stateMachine},
		{who: "monitoring check-multipath.pl with checks", argv: "multipath -ll", reads: stateMachine},
		{who: "checkmk", argv: "multipath -l", reads: checkmk},
		{who: "yast libstorage-ng", argv: "multipath -d -v 2+ -ll", reads: yast},
		{who: "yast looking for new maps", argv: "multipath -d -v 2+", reads: func(_ *clientHost, out, _ string) error { return differs("new maps", out, "") }},
		{who: "ubiquity", argv: "multipath -ll", reads: ubiquity},
		{who: "avocado paths of a map", argv: "multipath -ll @wwid:db", reads: avocado},
		{who: "trident active LUNs", argv: "multipath -ll", reads: trident},
		{who: "xapi sm topology", argv: "multipathd show map @wwid:db topology", reads: smTopology},
		{who: "ctdb", argv: "multipath -ll @wwid:log", reads: func(_ *clientHost, out, _ string) error {
			if !slices.ContainsFunc(lines(out), func(l string) bool { return strings.Contains(l, "prio") && strings.Contains(l, "active") }) {
				return errors.New("no active group") // the kernel has used one: there was I/O
			}
			return nil
		}},
		{who: "systemd test suite", argv: "multipath -l /dev/mapper/pg-log_1", reads: func(_ *clientHost, out, _ string) error { return differs("running", strings.Count(out, "running"), 2) }},
		{who: "cortx", argv: "multipath -ll", reads: func(_ *clientHost, out, _ string) error {
			return differs("groups of 50 and of 10", fmt.Sprint(strings.Count(out, "prio=50"), strings.Count(out, "prio=10")), "3 1")
		}},
		{who: "hand written failed paths", argv: "multipath -ll", reads: func(_ *clientHost, out, _ string) error {
			return differs("lines", len(regexp.MustCompile(`(?m)^.*(failed|faulty|offline).*$`).FindAllString(out, -1)), 3)
		}},
		{who: "xapi sm no such map", argv: "multipath -l 3600000000000000000000000000000000", reads: silent},
		{who: "xapi sm no such map with checks", argv: "multipath -ll 3600000000000000000000000000000000", reads: silent},
		{who: "kiwi and opensvc map of a disk", argv: "multipath -l -v1 @db:A1", reads: nameOf("db")},
		{who: "zstack and finalrd map of a disk", argv: "multipath -v1 -l @log:A1", reads: nameOf("log")},
		{who: "dracut needshutdown", argv: "multipath -l -v1", reads: func(h *clientHost, out, _ string) error {
			var want []string
			for _, m := range h.maps {
				want = append(want, m.name)
			}
			return differs("names", lines(out), want)
		}},
	}
}

func silent(_ *clientHost, out, talk string) error { return differs("output", out+talk, "") }

func nameOf(lun string) func(h *clientHost, out, talk string) error {
	return func(h *clientHost, out, _ string) error {
		return differs("name", strings.TrimSpace(out), h.lun(lun).name)
	}
}

// readMap is a map as a client has read it.
type readMap struct {
	alias, wwid, dm, size string
	groups                [][]string // of each path the words of its line
}

// insights goes line by line: a header is what has " dm-" in it, then size=, a group
// by its policy, a path by host:channel:target:lun after the glyphs.
func insights(h *clientHost, out, _ string) error {
	header := regexp.MustCompile(`\(?([A-Za-z0-9_\s]+)\)?\s+dm-`)
	group := regexp.MustCompile(`(?:policy=')?(?:(?:round-robin|queue-length|service-time) \d)(?:' | \[)prio=(\d+)(?:\]\[| status=)(\w+)`)
	path := regexp.MustCompile("(?:[`|]-(?:\\+-)?|\\\\_) (\\d+:){3}\\d+")
	var got []readMap
	for _, l := range lines(out) {
		switch m := header.FindStringSubmatch(l); {
		case m != nil:
			r := readMap{wwid: m[1], dm: regexp.MustCompile(`dm-\S+`).FindString(l)}
			if !strings.HasPrefix(l, m[1]) {
				r.alias = strings.Fields(l)[0]
			}
			got = append(got, r)
		case strings.Contains(l, "size="):
			got[len(got)-1].size, _, _ = strings.Cut(strings.TrimPrefix(l, "size="), " ")
		case group.MatchString(l):
			r := &got[len(got)-1]
			r.groups = append(r.groups, nil)
		case path.MatchString(l):
			r := &got[len(got)-1]
			g := &r.groups[len(r.groups)-1]
			*g = append(*g, strings.Join(strings.Fields(l[strings.Index(l, ":")-2:]), " "))
		}
	}
	var want []readMap
	for _, m := range h.maps {
		r := readMap{alias: m.name, wwid: m.wwid, dm: m.dm, size: m.size, groups: make([][]string, slices.MaxFunc(m.paths, func(a, b truthPath) int { return a.group - b.group }).group)}
		if m.name == m.wwid {
			r.alias = ""
		}
		for _, p := range m.paths {
			state := "active ready running"
			if !p.works {
				state = "failed faulty offline"
			}
			r.groups[p.group-1] = append(r.groups[p.group-1], p.hctl+" "+p.dev+" "+p.devt+" "+state)
		}
		want = append(want, r)
	}
	return differs("maps", got, want)
}

// stateMachine takes a header, the line of the size, a policy, then paths, policies or
// the next header; any other line is an unknown error. A path that is neither failed
// nor faulty and is active counts.
func stateMachine(h *clientHost, out, _ string) error {
	headers := []*regexp.Regexp{
		regexp.MustCompile(`^([\w\-]+)\s+\([\w\-]+\)`),
		regexp.MustCompile(`^([0-9a-fA-F]+)\s+[\w\-]+`),
		regexp.MustCompile(`^([\w\-]+)\s+[a-z]+-\d+\s+[\w\-,]+`),
	}
	size := regexp.MustCompile(`^\s*size=[\w.]+\s+([a-zA-Z]+\s+)?features=`)
	policy := regexp.MustCompile("^[|`\\-+_\\s]+\\s+(?:policy=')?[\\w.\\-_]+\\s\\d(?:')?\\s+\\w+")
	path := regexp.MustCompile("(?i)^[\\s_|\\-`\\\\+]+[#\\d:]+\\s+([\\w\\-]+)\\s+[#\\d:]+\\s+\\w+")
	got, lun, state := map[string]int{}, "", "path"
	newLUN := func(l string) bool {
		for _, re := range headers {
			if m := re.FindStringSubmatch(l); m != nil {
				lun, state = m[1], "size"
				got[lun] = 0
				return true
			}
		}
		return false
	}
	for _, l := range lines(out) {
		known := false
		switch state {
		case "size":
			if known = size.MatchString(l); known {
				state = "policy"
			}
		case "policy":
			if known = policy.MatchString(l); known {
				state = "path"
			} else {
				known = newLUN(l) // it has no path
			}
		default:
			if known = path.MatchString(l); !known {
				known = newLUN(l) || lun != "" && policy.MatchString(l)
			} else if !regexp.MustCompile(`fail|fault`).MatchString(l) && regexp.MustCompile(`\sactive\s`).MatchString(l) {
				got[lun]++
			}
		}
		if !known {
			return fmt.Errorf("unknown line %q", l)
		}
	}
	want := map[string]int{}
	for _, m := range h.maps {
		want[m.name] = m.works()
	}
	return differs("working paths", got, want)
}

// checkmk joins words by one blank; a path's second word, behind a lone bar, is its
// address, the fifth is "active" or the path is broken.
func checkmk(h *clientHost, out, _ string) error {
	header := regexp.MustCompile(`^([^\s]+)\s\(([^)]+)\)\s(dm.[0-9]+)`)
	bare := regexp.MustCompile(`^([0-9a-z]{33}|[0-9a-z]{49})\s?(dm.[0-9]+).*$`)
	got, uuid := map[string]string{}, ""
	for _, l := range lines(out) {
		f := strings.Fields(l)
		joined := strings.Join(f, " ")
		if !strings.ContainsRune("[`|\\", rune(f[0][0])) && !strings.HasPrefix(f[0], "size=") {
			if m := header.FindStringSubmatch(joined); m != nil {
				uuid = m[2]
			} else if m := bare.FindStringSubmatch(joined); m != nil {
				uuid = m[1]
			} else {
				return fmt.Errorf("no header: %q", l)
			}
			continue
		}
		if f[0] == "|" {
			f = f[1:]
		}
		if len(f) >= 4 && regexp.MustCompile(`^[0-9]+:[0-9]+:[0-9]+:[0-9]+`).MatchString(f[1]) {
			got[uuid] += f[2]
			if !strings.Contains(f[4], "active") {
				got[uuid] += "(broken)"
			}
			got[uuid] += " "
		}
	}
	want := map[string]string{}
	for _, m := range h.maps {
		for _, p := range m.paths {
			if want[m.wwid] += p.dev; !p.works {
				want[m.wwid] += "(broken)"
			}
			want[m.wwid] += " "
		}
	}
	return differs("paths", got, want)
}

// yast takes the first word of a header, vendor and model behind "dm-N" and split at a
// comma, and of every line with an address, from its sixth byte, the second word.
func yast(h *clientHost, out, _ string) error {
	got, want := map[string][]string{}, map[string][]string{}
	name := ""
	for _, l := range lines(out) {
		if c := l[0] | 0x20; c >= 'a' && c <= 'z' || l[0] >= '0' && l[0] <= '9' {
			if strings.HasPrefix(l, "size=") {
				continue
			}
			f := strings.Fields(l)
			name = f[0]
			skip := 2
			if strings.HasPrefix(f[1], "(") {
				skip = 3
			}
			if vendor, model, ok := strings.Cut(strings.Join(f[skip:], " "), ","); !ok || vendor != "LIO-ORG" || model != "FILEIO" {
				return fmt.Errorf("vendor and model of %q", l)
			}
			continue
		}
		if regexp.MustCompile(`[0-9]+:[0-9]+:[0-9]+:[0-9]+`).MatchString(l) {
			got[name] = append(got[name], strings.Fields(l[5:])[1])
		}
	}
	for _, m := range h.maps {
		want[m.name] = m.devs()
	}
	return differs("devices", got, want)
}

// ubiquity looks for the line with the WWN, takes its first word, leaves out two lines,
// and takes of each line with an address and a blank the second word, until the second
// line that has none.
func ubiquity(h *clientHost, out, _ string) error {
	all := lines(out)
	m := h.lun("db")
	at := slices.IndexFunc(all, func(l string) bool { return strings.Contains(strings.ToLower(l), m.wwid) })
	if at < 0 {
		return errors.New("the WWN is in no line")
	}
	got, skipped := []string{strings.Split(all[at], " ")[0]}, false
	for _, l := range all[at+3:] {
		if found := regexp.MustCompile(`[0-9]+:[0-9]+:[0-9]+:[0-9]+ [\s\S]+`).FindString(l); found != "" {
			got = append(got, strings.Fields(found)[1])
		} else if skipped {
			break
		} else {
			skipped = true
		}
	}
	return differs("map and devices", got, append([]string{m.name}, m.devs()...))
}

// avocado takes the fifth word from the end of every line that is not the header, the
// size or a group.
func avocado(h *clientHost, out, _ string) error {
	var got []string
	for _, l := range lines(out) {
		if f := strings.Fields(l); !strings.Contains(l, "size") && !strings.Contains(l, "policy") && !strings.Contains(l, h.lun("db").wwid) {
			got = append(got, f[len(f)-5])
		}
	}
	return differs("devices", got, h.lun("db").devs())
}

// trident takes the address of every line that says running and active.
func trident(h *clientHost, out, _ string) error {
	got, want := map[string]bool{}, map[string]bool{}
	for _, l := range lines(out) {
		if strings.Contains(l, " active ") && strings.Contains(l, "running") {
			got[regexp.MustCompile(`\d+:\d+:\d+:\d+`).FindString(l)] = true
		}
	}
	for _, m := range h.maps {
		for _, p := range m.paths {
			if p.works {
				want[p.hctl] = true
			}
		}
	}
	return differs("addresses", got, want)
}

// smTopology counts lines with an address, and those whose fourth word behind it is
// not faulty, shaky or failed.
func smTopology(h *clientHost, out, _ string) error {
	up, total := 0, 0
	for _, l := range lines(out) {
		if m := regexp.MustCompile(`.*\d+:\d+:\d+:\d+\s+\S+\s+\S+\s+\S+\s+(\S+)`).FindStringSubmatch(l); m != nil {
			if total++; !slices.Contains([]string{"faulty", "shaky", "failed"}, m[1]) {
				up++
			}
		}
	}
	return differs("up of all", fmt.Sprint(up, total), "3 4")
}

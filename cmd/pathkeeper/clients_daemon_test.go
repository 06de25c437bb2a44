package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tableClients read the tables of multipathd.
func tableClients() []clientCase {
	mapsOf := func(line func(m truthMap) string) func(h *clientHost, out, talk string) error {
		return func(h *clientHost, out, _ string) error {
			var want []string
			for _, m := range h.maps {
				want = append(want, line(m))
			}
			got := lines(out)
			slices.Sort(got)
			slices.Sort(want)
			return differs("lines", got, want)
		}
	}
	return []clientCase{
		{who: "curtin paths", argv: `multipathd show paths raw format "device='%d' serial='%z' multipath='%m' host_wwpn='%N' target_wwnn='%n' host_wwpn='%R' target_wwpn='%r' host_adapter='%a'"`, reads: curtinPaths},
		{who: "curtin maps", argv: `multipathd show maps raw format "name=%n multipath='%w' sysfs='%d' paths='%N'"`, reads: mapsOf(func(m truthMap) string {
			return fmt.Sprintf("name=%s multipath='%s' sysfs='%s' paths='%d'", m.name, m.wwid, m.dm, m.works())
		})},
		{who: "probert paths", argv: "multipathd show paths raw format %d,%z,%m,%N,%n,%R,%r,%a", reads: probertPaths},
		{who: "probert maps", argv: "multipathd show maps raw format %w,%d,%N", reads: mapsOf(func(m truthMap) string { return fmt.Sprintf("%s,%s,%d", m.wwid, m.dm, m.works()) })},
		{who: "ibm csi volume and map", argv: `multipathd show maps raw format "%w,%d"`, reads: mapsOf(func(m truthMap) string { return m.wwid + "," + m.dm })},
		{who: "ibm csi name and volume", argv: `multipathd show maps raw format "%n,%w"`, reads: mapsOf(func(m truthMap) string { return m.name + "," + m.wwid })},
		{who: "exos csi", argv: `multipathd show maps raw format "%n_%d_"`, reads: mapsOf(func(m truthMap) string { return m.name + "_" + m.dm + "_" })},
		{who: "proxmox plugins resize", argv: `multipathd show maps raw format "%n"`, reads: mapsOf(func(m truthMap) string { return m.name })},
		{who: "gobrick WWID of a map", argv: "multipathd show maps", reads: gobrick},
		{who: "hpe csi paths", argv: `multipathd show paths format "%w %d %t %i %o %T %c %s %m"`, reads: hpePaths},
		{who: "hpe csi maps", argv: `multipathd show maps format "%w %d %n %s"`, reads: func(h *clientHost, out, _ string) error {
			var got []string
			for _, l := range lines(out) {
				if f := strings.Fields(l); strings.Contains(l, h.lun("db").wwid) {
					got = append(got, f[:3]...)
				}
			}
			return differs("map", got, []string{h.lun("db").wwid, h.lun("db").dm, h.lun("db").name})
		}},
		{who: "prometheus textfile by awk", argv: "multipathd show paths format '%d %t %T'", reads: stateTable(1, 0, 1, 2)},
		{who: "zabbix failed paths", argv: "multipathd show paths", reads: stateTable(1, 1, 4, 5)},
		{who: "zabbix status of maps", argv: "multipathd show maps status", reads: func(h *clientHost, out, _ string) error {
			got, want := 0, 0
			for _, l := range lines(out)[1:] {
				// "12 chk" is two words: the count of paths is the fifth from the end but one
				f := strings.Fields(l)
				n, err := strconv.Atoi(f[len(f)-3])
				if err != nil {
					return err
				}
				got += n
			}
			for _, m := range h.maps {
				want += m.works()
			}
			return differs("paths", got, want)
		}},
		{who: "xcp health collector paths", argv: `multipathd show paths raw format "%m|%d|%D|%t|%T|%o|%p"`, reads: collectorPaths},
		{who: "xcp health collector maps", argv: `multipathd show maps raw format "%n|%N|%t|%Q|%x|%0|%f"`, reads: collectorMaps},
		{who: "openqa", argv: `multipathd -k"show multipaths status"`, reads: func(h *clientHost, out, _ string) error {
			var got []string
			for _, l := range lines(out) {
				if strings.Contains(l, "active") {
					got = append(got, strings.Fields(l)[0])
				}
			}
			slices.Sort(got)
			var want []string
			for _, m := range h.maps {
				want = append(want, m.name)
			}
			return differs("active maps", got, want)
		}},
		{who: "red hat test orphan", argv: `multipathd show paths raw format "%d %m"`, reads: func(h *clientHost, out, _ string) error {
			orphans := regexp.MustCompile(`(?m)^sd[a-z]+ \[orphan\]$`).FindAllString(out, -1)
			if strings.Contains(out, "[undef]") {
				return errors.New("a path without a word")
			}
			return differs("orphans", len(orphans), 1) // the blacklisted disk is not listed
		}},
		{who: "multipath-tools own scripts", argv: `multipathd show paths format "%m %d"`, reads: func(h *clientHost, out, _ string) error {
			var got []string
			for _, l := range lines(out) {
				if rest, ok := strings.CutPrefix(l, h.lun("log").name+" "); ok {
					got = append(got, strings.TrimSpace(rest))
				}
			}
			return differs("devices", got, h.lun("log").devs())
		}},
	}
}

// curtinPaths reads each line as words of a shell: KEY='VALUE'.
func curtinPaths(h *clientHost, out, _ string) error {
	got, want := map[string][]string{}, map[string][]string{"[orphan]": {h.disk("sdi").Name}}
	for _, l := range lines(out) {
		f := map[string]string{}
		for _, m := range regexp.MustCompile(`(\w+)='([^']*)'`).FindAllStringSubmatch(l, -1) {
			f[m[1]] = m[2]
		}
		if len(f) != 7 { // host_wwpn is there twice
			return fmt.Errorf("%q has %d keys", l, len(f))
		}
		got[f["multipath"]] = append(got[f["multipath"]], f["device"])
	}
	for _, m := range h.maps {
		want[m.name] = m.devs()
	}
	delete(want, "[orphan]")
	if len(got["[orphan]"]) != 1 {
		return fmt.Errorf("orphans: %v", got["[orphan]"])
	}
	delete(got, "[orphan]")
	return differs("members", got, want)
}

// probertPaths wants eight fields between commas, and leaves out what has others.
func probertPaths(h *clientHost, out, _ string) error {
	got, want := map[string]string{}, map[string]string{}
	for _, l := range lines(out) {
		f := strings.Split(l, ",")
		if len(f) != 8 {
			return fmt.Errorf("%q has %d fields", l, len(f))
		}
		if f[2] != "[orphan]" {
			got[f[0]] = f[2]
		}
	}
	for _, m := range h.maps {
		for _, p := range m.paths {
			want[p.dev] = m.name
		}
	}
	return differs("maps of paths", got, want)
}

// gobrick takes the line with " dm-N " and of its three words the last.
func gobrick(h *clientHost, out, _ string) error {
	got, want := map[string]string{}, map[string]string{}
	for _, m := range h.maps {
		want[m.dm] = m.wwid
		for _, l := range lines(out) {
			if f := strings.Fields(l); strings.Contains(l, " "+m.dm+" ") && len(f) == 3 {
				got[m.dm] = f[2]
			}
		}
	}
	return differs("WWIDs", got, want)
}

// hpePaths takes the lines with a serial number: words 0 to 6 are WWID, device, dm
// state, address, device state, checker's state and checker. Of orphans it takes the
// address before "orphan". A word "timeout" anywhere would be an error.
func hpePaths(h *clientHost, out, _ string) error {
	if strings.Contains(out, "timeout") || strings.Contains(out, "receiving packet") {
		return errors.New("it is taken for an error")
	}
	var got, want []string
	for _, l := range lines(out) {
		if f := strings.Fields(l); strings.Contains(l, h.lun("db").wwid) {
			got = append(got, strings.Join([]string{f[1], f[2], f[3], f[5]}, " "))
		}
	}
	for _, p := range h.lun("db").paths {
		state := map[bool][2]string{true: {"active", "ready"}, false: {"failed", "faulty"}}[p.works]
		want = append(want, strings.Join([]string{p.dev, state[0], p.hctl, state[1]}, " "))
	}
	orphans := regexp.MustCompile(`.*(?P<host>\d+):(?P<channel>\d+):(?P<target>\d+):(?P<lun>\d+).*LIO-ORG.*orphan`).FindAllString(out, -1)
	if len(orphans) != 1 {
		return fmt.Errorf("orphans: %q", orphans)
	}
	return differs("paths", got, want)
}

// stateTable reads a table with a header: the words at these places are device, dm
// state and checker's state.
func stateTable(header, dev, dm, chk int) func(h *clientHost, out, talk string) error {
	return func(h *clientHost, out, _ string) error {
		got, want := map[string]string{}, map[string]string{}
		for _, l := range lines(out)[header:] {
			f := strings.Fields(l)
			if f[dm] != "undef" {
				got[f[dev]] = f[dm] + " " + f[chk]
			}
		}
		for _, m := range h.maps {
			for _, p := range m.paths {
				want[p.dev] = map[bool]string{true: "active ready", false: "failed faulty"}[p.works]
			}
		}
		return differs("states", got, want)
	}
}

// collectorPaths wants seven fields, leaves out maps in brackets and takes all but a
// few known states for broken.
func collectorPaths(h *clientHost, out, _ string) error {
	ok, bad, want := 0, 0, [2]int{}
	for _, l := range lines(out) {
		f := strings.Split(l, "|")
		if len(f) != 7 {
			return fmt.Errorf("%q has %d fields", l, len(f))
		}
		if strings.HasPrefix(f[0], "[") {
			continue
		}
		if f[3] == "active" && slices.Contains([]string{"ready", "ghost"}, f[4]) && slices.Contains([]string{"running", "live"}, f[5]) {
			ok++
		} else {
			bad++
		}
	}
	for _, m := range h.maps {
		want[0], want[1] = want[0]+m.works(), want[1]+len(m.paths)-m.works()
	}
	return differs("good and bad", [2]int{ok, bad}, want)
}

// collectorMaps wants numbers in fields 1, 4 and 5.
func collectorMaps(h *clientHost, out, _ string) error {
	got, want := map[string]int{}, map[string]int{}
	for _, l := range lines(out) {
		f := strings.Split(l, "|")
		if len(f) != 7 || f[2] != "active" {
			return fmt.Errorf("%q", l)
		}
		for _, i := range []int{1, 4, 5} {
			n, err := strconv.Atoi(f[i])
			if err != nil {
				return err
			}
			if i == 1 {
				got[f[0]] = n
			}
		}
	}
	for _, m := range h.maps {
		want[m.name] = m.works()
	}
	return differs("usable paths", got, want)
}

// mapsDocument is what clients read of the JSON.
type mapsDocument struct {
	Major int `json:"major_version"`
	Maps  []struct {
		Name, UUID, Sysfs, Vend string
		Paths                   float64
		PathFaults              float64 `json:"path_faults"`
		DMState                 string  `json:"dm_st"`
		Groups                  []struct {
			Group, Pri int
			Selector   string
			Paths      []struct {
				Dev, Checker string
				DM           string `json:"dm_st"`
				Chk          string `json:"chk_st"`
				Marginal     string `json:"marginal_st"`
			}
		} `json:"path_groups"`
	}
}

// jsonClients read the JSON of multipathd.
func jsonClients() []clientCase {
	return []clientCase{
		{who: "linuxfabrik", argv: "multipathd show maps json", reads: jsonUsable},
		{who: "hpe csi health", argv: "multipathd show multipaths json", reads: jsonUsable},
		{who: "prometheus exporter", argv: "multipathd show maps json", reads: func(h *clientHost, out, _ string) error {
			var d struct{ Maps []map[string]any }
			if err := json.Unmarshal([]byte(out), &d); err != nil {
				return err
			}
			for _, m := range d.Maps {
				if _, number := m["paths"].(float64); !number || m["uuid"] == "" || m["dm_st"] != "active" {
					return fmt.Errorf("%v", m)
				}
			}
			return differs("maps", len(d.Maps), len(h.maps))
		}},
		{who: "avocado details by python literals", argv: "multipathd show maps json", reads: func(_ *clientHost, out, _ string) error {
			if regexp.MustCompile(`\b(null|true|false)\b`).MatchString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(out, "")) {
				return errors.New("a word that is JSON and not Python")
			}
			return jsonUsable(nil, out, "")
		}},
		{who: "ubiquity one map", argv: "multipathd list map @wwid:db json", reads: func(h *clientHost, out, _ string) error {
			var d struct {
				Map struct{ Name, UUID string }
			}
			err := json.Unmarshal([]byte(out), &d)
			return errors.Join(err, differs("map", d.Map.Name+" "+d.Map.UUID, h.lun("db").name+" "+h.lun("db").wwid))
		}},
	}
}

// jsonUsable counts the paths that both the checker and device-mapper call good.
func jsonUsable(h *clientHost, out, _ string) error {
	var d mapsDocument
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.Major != 0 {
		return fmt.Errorf("%w; version %d", err, d.Major)
	}
	if h == nil {
		return nil
	}
	got, want := map[string]string{}, map[string]string{}
	for _, m := range d.Maps {
		usable, devs := 0, []string{}
		for _, g := range m.Groups {
			for _, p := range g.Paths {
				devs = append(devs, p.Dev)
				if slices.Contains([]string{"ready", "ghost", "i/o pending"}, p.Chk) && p.DM == "active" && p.Marginal == "normal" {
					usable++
				}
			}
		}
		got[m.UUID] = fmt.Sprint(m.Name, m.Sysfs, m.Paths, usable, devs)
	}
	for _, m := range h.maps {
		want[m.wwid] = fmt.Sprint(m.name, m.dm, m.works(), m.works(), m.devs())
	}
	return differs("maps", got, want)
}

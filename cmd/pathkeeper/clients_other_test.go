package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// otherClients ask for versions, the configuration, the daemon and single devices.
func otherClients() []clientCase {
	says := func(pattern string) func(*clientHost, string, string) error {
		return func(_ *clientHost, out, _ string) error {
			if !regexp.MustCompile(pattern).MatchString(out) {
				return fmt.Errorf("it does not say %s", pattern)
			}
			return nil
		}
	}
	talks := func(pattern string) func(*clientHost, string, string) error {
		return func(h *clientHost, _, talk string) error { return says(pattern)(h, talk, "") }
	}
	return []clientCase{
		{who: "opensvc version", argv: "multipath -h", reads: opensvcVersion},
		{who: "xapi sm configuration is well", argv: "multipath -h", reads: func(_ *clientHost, out, _ string) error { return differs("output", out, "") }},
		{who: "opensvc configuration", argv: "multipath -t", reads: says(`(?m)^defaults \{$`)},
		{who: "ibm csi find_multipaths", argv: "multipathd show config", reads: configValue("find_multipaths", "yes", "on")},
		{who: "azure no_path_retry", argv: "multipathd show config", reads: configValue("no_path_retry", "12")},
		{who: "vdsm configuration", argv: "multipathd show config local", reads: func(_ *clientHost, out, _ string) error {
			for _, r := range out {
				if r > 127 {
					return fmt.Errorf("%q is not ASCII", r)
				}
			}
			return says(`(?m)^\tmultipath \{\n\t\twwid "`)(nil, out, "")
		}},
		{who: "os-brick and gobrick is it there", argv: "multipathd show status", reads: func(_ *clientHost, out, _ string) error {
			if strings.Contains(out, "error receiving packet") {
				return errors.New("it is taken for an error")
			}
			return nil
		}},
		{who: "vdsm is it ready", argv: "multipathd show status", reads: func(_ *clientHost, out, _ string) error {
			return says("busy: false")(nil, strings.ToLower(out), "")
		}},
		{who: "trident is it there", argv: "multipathd show daemon", reads: says(`pid \d+ (running|idle)`)},
		{who: "red hat test wait for idle", argv: "multipathd show daemon", reads: says(`idle`)},
		{who: "xapi sm is it working", argv: "multipathd -khelp", code: 1, reads: says(`switchgroup`)},
		{who: "avocado a word that is none", argv: "multipathd show mapz", code: 1, reads: says(`multipath-tools v`)},
		{who: "xcp health collector a word that is none", argv: "multipathd frobnicate", code: 1, reads: says(`(?m)^multipath-tools v.*\nCLI commands reference:\n`)},
		{who: "curtin and harvester is it a path", argv: "multipath -c @db:A1", reads: says(`^DM_MULTIPATH_DEVICE_PATH="1"\n`)},
		{who: "ceph is it a path, no", argv: "multipath -c @out:C1", code: 1, reads: says(`^DM_MULTIPATH_DEVICE_PATH="0"\n`)},
		{who: "incus is it a path", argv: "multipath -c @gone:A1", reads: says(`DM_MULTIPATH_DEVICE_PATH="1"`)},
		{who: "trident may it be flushed", argv: "multipath -C /dev/mapper/pg-log_1", reads: silent},
		{who: "trident may it be flushed, no path", argv: "multipath -C @wwid:gone", code: 1, reads: talks(`no usable paths found`)},
		{who: "runbooks why a disk is none", argv: "multipath -d -v3", reads: talks(`(?m)^multipath: sd[a-z]+: blacklisted `)},
		{who: "runbooks why a disk is none, by the daemon", argv: "multipath -v3", reads: func(_ *clientHost, out, talk string) error {
			return errors.Join(says(`(?m)^===== paths list =====\n`)(nil, out, ""), talks(`blacklisted`)(nil, "", talk))
		}},
		{who: "vdsm resize", argv: "multipathd resize map pg-log_1", reads: func(_ *clientHost, out, _ string) error { return differs("output", out, "ok\n") }},
		{who: "vdsm resize, no such map", argv: "multipathd resize map nothing", code: 1, reads: func(_ *clientHost, out, _ string) error {
			if out == "ok\n" {
				return errors.New("taken for done")
			}
			return nil
		}},
		{who: "gobrick WWID for the file", argv: "multipath -a 360000000000000000e00000000010001", reads: says(`wwid '360000000000000000e00000000010001' added`)},
		{who: "proxmox plugins WWID out of the file", argv: "multipath -w 360000000000000000e00000000010001", reads: says(`wwid '360000000000000000e00000000010001' removed`)},
		{who: "xapi sm WWID that is not there", argv: "multipath -w 360000000000000000e00000000010001", reads: says(`not in wwids file`)},
		{who: "a mistyped device for the file", argv: "multipath -a sdzz", code: 1, reads: talks(`sdzz is no map`)},
		{who: "gobrick add path", argv: "multipathd add path @log:A1", reads: says(`^ok\n$`)},
		{who: "gobrick add path, no such disk", argv: "multipathd add path /dev/sdzz", code: 1, reads: says(`.`)},
	}
}

// opensvcVersion takes the second word of the first line on standard error that reads
// v1.2.3; the program must be newer than 0.7.8.
func opensvcVersion(_ *clientHost, _, talk string) error {
	for _, l := range lines(talk) {
		f := strings.Fields(l)
		if len(f) < 2 {
			continue
		}
		var v []int
		for _, part := range strings.Split(strings.Trim(f[1], "v"), ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				v = nil
				break
			}
			v = append(v, n)
		}
		if len(v) == 3 {
			return differs("newer than 0.7.8", v[0] > 0 || v[1] > 7, true)
		}
	}
	return errors.New("no version")
}

// configValue reads a keyword of the section defaults, without its quotes.
func configValue(keyword string, want ...string) func(*clientHost, string, string) error {
	return func(_ *clientHost, out, _ string) error {
		inside := false
		for _, l := range lines(out) {
			switch f := strings.Fields(l); {
			case len(f) == 2 && f[0] == "defaults":
				inside = true
			case len(f) == 1 && f[0] == "}":
				inside = false
			case inside && len(f) > 1 && f[0] == keyword:
				for _, w := range want {
					if strings.Trim(f[1], `"`) == w {
						return nil
					}
				}
				return fmt.Errorf("%q", l)
			}
		}
		return errors.New("no " + keyword)
	}
}

// A map that somebody uses is not removed, and the words of it are those that
// csi-lib-iscsi looks for; then it goes, quietly.
func TestClientsFlush(t *testing.T) {
	h := plainClients(t)
	h.do("hold h /dev/mapper/pg-log_1")
	for _, argv := range [][]string{{"multipath", "-f", "/dev/mapper/pg-log_1"}, {"multipath", "-f", h.lun("log").wwid}, {"multipath", "-f", h.lun("log").dm}} {
		out, talk, code := h.call(argv...)
		if code != 1 || out != "" || !strings.Contains(talk, "map in use") {
			t.Errorf("%q of a map in use: exit %d, %q, %q", argv, code, out, talk)
		}
	}
	if out, _, code := h.call("multipathd", "del", "map", "pg-log_1"); code != 1 || out != "map or partition in use\n" {
		t.Errorf("del map of one in use: exit %d, %q", code, out)
	}
	h.do("release h")
	if out, talk, code := h.call("multipath", "-f", "pg-log_1"); code != 0 || out+talk != "" {
		t.Errorf("flush: exit %d, %q %q", code, out, talk)
	}
	h.do("pass 2s")
	if out, _, code := h.call("multipath", "-f", "nothing"); code != 1 || out != "" {
		t.Errorf("flush of none: exit %d, %q", code, out)
	}
	// sm's way back: the WWID is known, a reload by WWID makes the map.
	if out, talk, code := h.call("multipath", "-r", h.lun("log").wwid); code != 0 || !strings.Contains(out, "pg-log_1 (") {
		t.Errorf("-r of a LUN without a map: exit %d, %q %q", code, out, talk)
	}
	if out, _, code := h.call("multipathd", "disablequeueing", "map", "pg-log_1"); code != 0 || out != "ok\n" {
		t.Errorf("disablequeueing: exit %d, %q", code, out)
	}
	h.do("daemon stop")
	for _, argv := range [][]string{{"multipathd", "show", "daemon"}, {"multipathd", "show", "status"}, {"multipathd", "-kshow maps"}} {
		if out, talk, code := h.call(argv...); code != 1 || out != "" || !strings.Contains(talk, "no daemon answers") {
			t.Errorf("%q without a daemon: exit %d, %q, %q", argv, code, out, talk)
		}
	}
	if out, _, code := h.call("multipath", "-ll"); code != 0 || !strings.Contains(out, "pg-log_1 (") {
		t.Errorf("-ll without a daemon: exit %d, %q", code, out)
	}
}

// Names that hold blanks, quotes and anything else leave every line one line and the
// JSON readable; a map without paths is one with none.
func TestClientsHostileNames(t *testing.T) {
	h := newClientHost(t, hostileHost)
	out, _, _ := h.call("multipathd", "show", "maps", "json")
	var d mapsDocument
	if err := json.Unmarshal([]byte(out), &d); err != nil || len(d.Maps) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	odd := ""
	for _, m := range d.Maps {
		paths := 0
		for _, g := range m.Groups {
			paths += len(g.Paths)
		}
		switch {
		case m.Name == "empty" && paths == 0 && m.Paths == 0:
		case m.Name != "empty" && paths == 2 && m.Paths == 2:
			odd = m.Name
		default:
			t.Errorf("%+v", m)
		}
	}
	if odd == "" || strings.ContainsAny(odd, " \"\n") {
		t.Errorf("the name is %q: device-mapper writes such letters as \\xNN", odd)
	}
	for _, argv := range [][]string{{"multipath", "-ll"}, {"multipath", "-l"}, {"multipathd", "show", "topology"}} {
		out, _, code := h.call(argv...)
		if code != 0 || strings.Count(out, " dm-") != 2 || strings.Count(out, "size=") != 2 || len(lines(out)) != 2+1+2+2 || !strings.Contains(out, "empty (3600empty) dm-") {
			t.Errorf("%q: exit %d:\n%s", argv, code, out)
		}
	}
	for argv, want := range map[string]int{"show maps raw format %n|%w": 2, "show paths raw format %m|%d": 2} {
		out, _, code := h.call(append([]string{"multipathd"}, strings.SplitN(argv, " ", 5)...)...)
		if code != 0 || len(lines(out)) != want {
			t.Errorf("%s: exit %d:\n%s", argv, code, out)
		}
	}
	if out, _, code := h.call("multipathd", "show", "map", odd, "json"); code != 0 || json.Unmarshal([]byte(out), &struct{}{}) != nil {
		t.Errorf("by its own name: exit %d: %s", code, out)
	}
	if out, _, code := h.call("multipathd", "show", "maps", "raw", "format", "%n"); code != 0 || out == "ok\n" {
		t.Errorf("exit %d: %q", code, out)
	}
}

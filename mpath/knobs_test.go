package mpath

import (
	"slices"
	"strings"
	"testing"

	"pathkeeper/policy"
)

// Two LUNs of one port, session or host that want different times: it does not matter
// which came first, and it is said.
func TestSharedObjectsDoNotDependOnOrder(t *testing.T) {
	value := func(line int, v policy.Timeout) policy.Value[policy.Timeout] {
		return policy.Value[policy.Timeout]{V: v, Origin: policy.Origin{File: "f", Line: line, Column: 1}}
	}
	seconds := func(n int) policy.Timeout { return policy.Timeout{Mode: policy.TimeoutSeconds, Seconds: n} }
	off := policy.Timeout{Mode: policy.TimeoutOff}
	a := policy.Settings{FastIOFail: value(1, seconds(5)), DevLoss: value(2, seconds(60)), EHDeadline: value(3, off)}
	b := policy.Settings{FastIOFail: value(4, off), DevLoss: value(5, seconds(300)), EHDeadline: value(6, seconds(20))}
	for _, order := range [][]policy.Settings{{a, b}, {b, a}} {
		mc, ps := lawful()
		for i, s := range order {
			ps[i].decision.Settings = s
			e := ps[i].seen
			e.HCTL, e.HostNo, e.Nexus, e.Facts.Protocol = "3:0:0:"+string(rune('0'+i)), 3, "rport-3:0-0", protocolFC
			mc.find.see(ps[i], e)
		}
		port, host := mc.wishOf(dirPorts+"rport-3:0-0"), mc.wishOf(dirHosts+"host3")
		if k := port.knobs; len(k) != 2 || k[0] != (Knob{Name: "fast_io_fail_tmo", Value: "5"}) || k[1] != (Knob{Name: "dev_loss_tmo", Value: "300"}) {
			t.Errorf("port: %+v", k)
		}
		if k := host.knobs; len(k) != 1 || k[0] != (Knob{Name: "eh_deadline", Value: "20"}) {
			t.Errorf("host: %+v", k)
		}
		for _, want := range []string{"fast_io_fail_tmo 5 (", "and off (", "5 counts", "dev_loss_tmo 60 (", "300 counts"} {
			if !strings.Contains(port.clash, want) {
				t.Errorf("%q is not said: %s", want, port.clash)
			}
		}
		if !strings.Contains(host.clash, "20 counts") {
			t.Errorf("of the host: %s", host.clash)
		}
		// A path that is left alone has no say.
		ps[1].decision.Verdict = policy.VerdictReject
		if w := mc.wishOf(dirPorts + "rport-3:0-0"); w.clash != "" || w.knobs[0].Value == "" {
			t.Errorf("a path that is left alone: %+v", w)
		}
	}
}

// What the kernel has is what is wanted where both are one number, or where the number
// is only to be raised and is more; words must be the same words.
func TestKnobHolds(t *testing.T) {
	for _, tc := range []struct {
		value, has string
		raise, ok  bool
	}{
		{"5", "5", false, true},
		{"5", "05", false, true},
		{"5", "6", false, false},
		{"5", "6", true, true},
		{"5", "4", true, false},
		{"off", "off", false, true},
		{"off", "-1", false, false},
		{"5", "off", true, false},
		{"off", "5", true, false},
		{"off", "on", true, false},
		{"0", "off", true, false},
		{"5", "", true, false},
	} {
		if k := (Knob{Value: tc.value, Raise: tc.raise}); k.Holds(tc.has) != tc.ok {
			t.Errorf("%+v, has %q: %v", k, tc.has, !tc.ok)
		}
	}
}

// The objects of a path by its place and transport; a sorted list has nothing twice.
func TestKnobDirs(t *testing.T) {
	e := PathSeen{HCTL: "11:0:0:1", HostNo: 11, Nexus: "rport-11:0-2"}
	for protocol, third := range map[string]string{protocolFC: dirPorts, protocolISCSI: dirSessions, protocolSAS: dirSAS, "scsi:usb": ""} {
		e.Facts.Protocol = protocol
		want := []string{"class/scsi_host/host11", "class/scsi_disk/11:0:0:1"}
		if third != "" {
			want = append(want, third+"rport-11:0-2")
		}
		if got := e.Knobs(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", protocol, got, want)
		}
	}
	if e.Nexus = ""; len(e.Knobs()) != 2 {
		t.Errorf("a way without a name: %q", e.Knobs())
	}
	if e.HCTL = ""; e.Knobs() != nil {
		t.Errorf("no SCSI disk: %q", e.Knobs())
	}
	var list []string
	for _, s := range []string{"b", "a", "b", "c", "a"} {
		list = addTo(list, s)
	}
	if !slices.Equal(list, []string{"a", "b", "c"}) {
		t.Errorf("%q", list)
	}
}

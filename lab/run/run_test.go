package run

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/scenario"
)

// Every verb of the table that the lab may meet has a meaning here, and no
// other.
func TestVerbsHaveMeanings(t *testing.T) {
	have := (&session{}).table()
	known := map[string]bool{}
	for _, v := range scenario.Verbs() {
		known[v.Name] = true
		if v.Side.On(scenario.Lab) && have[v.Name] == nil {
			t.Errorf("the lab does not know %q", v.Name)
		}
	}
	for name := range have {
		if !known[name] {
			t.Errorf("the lab knows %q, which no script can say", name)
		}
	}
}

// Lines printed by Debian's 6.1.0-56.
const (
	tableLine  = "0 131072 multipath 1 queue_if_no_path 1 alua 2 1 service-time 0 2 2 8:0 1 1 8:16 1 1 service-time 0 2 2 8:32 1 1 8:48 1 1"
	statusLine = "0 131072 multipath 2 0 0 0 2 1 A 0 2 2 8:0 F 1 0 1 8:16 A 0 0 1 E 0 2 2 8:32 A 0 0 1 8:48 A 0 0 1"
)

func TestMapView(t *testing.T) {
	m := &dmMap{Name: "mysql1", UUID: "mpath-36001405"}
	if err := m.parseTable(tableLine); err != nil {
		t.Fatal(err)
	}
	if err := m.parseStatus(statusLine); err != nil {
		t.Fatal(err)
	}
	v := m.view(map[string]string{"8:0": "A2", "8:16": "A1", "8:32": "B1"})
	want := scenario.MapState{
		WWID: "36001405", Groups: "A1 A2 | 8:48 B1", Current: "A1 A2", Failed: "A2", Queue: "on", State: "active",
		Handler: "alua", Selector: "service-time", Paths: 4,
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error(diff)
	}
	if bad := v.Differs(map[string]string{"groups": "A2 A1 | B1 8:48", "failed": "A2"}); bad != nil {
		t.Errorf("differs: %v", bad)
	}
	if bad := v.Differs(map[string]string{"failed": ""}); len(bad) != 1 {
		t.Errorf("a failed path was not seen: %v", bad)
	}
	for n := range len(tableLine) {
		new(dmMap).parseTable(tableLine[:n]) // must not panic
	}
	for n := range len(statusLine) {
		c := &dmMap{}
		if err := c.parseTable(tableLine); err != nil {
			t.Fatal(err)
		}
		c.parseStatus(statusLine[:n])
	}
}

func TestParseTrace(t *testing.T) {
	const text = `# tracer: nop
         dmsetup-235     [001] .....    16.716163: load: (table_load+0x0/0x2f0 [dm_mod]) name="" uuid="" dev=64768 flags=0xc
           <...>-217     [000] .....    17.000000: tracing_mark_write: mark-1
           <...>-241     [000] .....    17.328884: suspend: (dev_suspend+0x0/0x390 [dm_mod]) name="m" uuid="" dev=0 flags=0x806
           <...>-241     [000] .....    17.328946: inner_suspend: (__dm_suspend+0x0/0x1f0 [dm_mod])
           <...>-242     [000] .....    17.405768: suspend: (dev_suspend+0x0/0x390 [dm_mod]) name="m" uuid="" dev=0 flags=0x4
           <...>-239     [001] .....    17.170186: message: (target_message+0x0/0x2e0 [dm_mod]) name="m" uuid="" dev=0 flags=0x4 text="fail_path 8:0"
`
	got, err := parseTrace(text, "mark-1")
	if err != nil {
		t.Fatal(err)
	}
	want := []traced{
		{op: "suspend", name: "m", flags: 0x806},
		{op: "inner_suspend"},
		{op: "resume", name: "m", flags: 4},
		{op: "message", name: "m", flags: 4, text: "fail_path 8:0"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(traced{})); diff != "" {
		t.Error(diff)
	}
	all, err := parseTrace(text, "")
	if err != nil || len(all) != 5 || hugeDev(all[0].dev) != "253:0" {
		t.Errorf("the whole trace: %v %v", all, err)
	}
	if _, err := parseTrace(text, "mark-2"); err == nil {
		t.Error("a lost mark was not missed")
	}
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/sim"
	"pathkeeper/sysfs"
)

// hostEndsWorld is a host with maps as multipath-tools makes them, without a daemon.
func hostEndsWorld(t *testing.T) (*sim.World, map[string]*sim.Disk) {
	t.Helper()
	w := sim.New(1)
	disks := map[string]*sim.Disk{}
	dm := w.Ports().DM
	do := func(r interface{ Encode() (dmmap.Call, error) }) {
		t.Helper()
		if _, err := call(dm, r, dmmap.DecodeInfo); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"alive", "dead", "fails"} {
		features := "1 queue_if_no_path"
		if name == "fails" {
			features = "0"
		}
		d := w.AddPath(w.AddLUN(sim.LUN{Name: name, Sectors: 2048}), uint32(i+1), 1)
		disks[name] = d
		n, err := table.KernelName(name)
		if err != nil {
			t.Fatal(err)
		}
		u, err := table.MapUUID("3" + name)
		if err != nil {
			t.Fatal(err)
		}
		do(dmmap.Create{Name: n, UUID: u})
		dev := fmt.Sprintf("%d:%d", d.Major, d.Minor)
		do(dmmap.Load{Map: dmmap.ByName(n), Lines: []table.Line{{Length: 2048, Target: table.Multipath, Params: features + " 0 1 1 service-time 0 1 1 " + dev + " 1"}}})
		do(dmmap.Resume{Map: dmmap.ByName(n)})
	}
	if _, err := w.AddLinear("lvm", "LVM-abc", disks["alive"].Name, 0, 100); err != nil {
		t.Fatal(err)
	}
	return w, disks
}

func yes() bool { return true }

func nowhere() (sysfs.Ground, error) { return sysfs.Ground{}, nil }

// Without a daemon queueing ends on maps that have no path at every look, and on no
// other; with --all on every one.
func TestHostEnds(t *testing.T) {
	w, disks := hostEndsWorld(t)
	fail := func(name string) {
		w.Map(name).Tell("fail_path", disks[name])
	}
	var talk bytes.Buffer
	slept := 0
	h := hostEnds{dm: w.Ports().DM, std: streams{&talk, &talk}, sleep: func(time.Duration) { slept++ }, ends: yes, ground: nowhere}
	want := func(when string, alive, dead bool) {
		t.Helper()
		if w.Map("alive").Queueing() != alive || w.Map("dead").Queueing() != dead {
			t.Errorf("%s: alive queues %v, dead %v; it said %q", when, w.Map("alive").Queueing(), w.Map("dead").Queueing(), talk.String())
		}
	}
	if err := h.run(false); err != nil || slept != 0 {
		t.Errorf("all paths are there: %v, %d looks", err, slept)
	}
	want("all paths are there", true, true)

	fail("dead")
	fail("fails")
	h.sleep = func(time.Duration) { // a path comes back at the fifth look
		if slept++; slept == 5 {
			w.Map("dead").Tell("reinstate_path", disks["dead"])
		}
	}
	if err := h.run(false); err != nil || talk.Len() > 0 {
		t.Errorf("a path came back: %v", err)
	}
	want("a path came back", true, true)

	fail("dead")
	slept, h.sleep = 0, func(time.Duration) { slept++ }
	if err := h.run(false); err != nil || slept != lostLooks-1 || !strings.Contains(talk.String(), "mpath-3dead: the host goes down") {
		t.Errorf("no path: %v after %d seconds: %s", err, slept, talk.String())
	}
	want("no path", true, false)

	slept = 0
	if err := h.run(true); err != nil || slept != 0 {
		t.Error(err, slept)
	}
	want("--all", false, false)
}

// One map that refuses does not keep the others queueing.
func TestHostEndsRefused(t *testing.T) {
	w, _ := hostEndsWorld(t)
	w.Map("alive").Suspend()
	var talk bytes.Buffer
	err := hostEnds{dm: w.Ports().DM, std: streams{&talk, &talk}, sleep: func(time.Duration) {}, ends: yes, ground: nowhere}.run(true)
	if !errors.Is(err, dmmap.ErrBusy) || w.Map("dead").Queueing() {
		t.Errorf("%v; dead queues %v", err, w.Map("dead").Queueing())
	}
}

// What the running system stands on is spared, and all where nobody can say; an order
// that is taken back ends it.
func TestHostEndsSpares(t *testing.T) {
	for what, c := range map[string]struct {
		ends   bool
		ground func(dev table.DevNum) (sysfs.Ground, error)
		spared bool
	}{
		"data": {true, func(table.DevNum) (sysfs.Ground, error) { return sysfs.Ground{}, nil }, false},
		"the root": {true, func(dev table.DevNum) (sysfs.Ground, error) {
			return sysfs.Ground{Maps: []sysfs.Foundation{{Major: dev.Major, Minor: dev.Minor}}}, nil
		}, true},
		"unknown":    {true, func(table.DevNum) (sysfs.Ground, error) { return sysfs.Ground{Unknown: true}, nil }, true},
		"unreadable": {true, func(table.DevNum) (sysfs.Ground, error) { return sysfs.Ground{}, errors.New("no /proc") }, true},
		"taken back": {false, func(table.DevNum) (sysfs.Ground, error) { return sysfs.Ground{}, nil }, true},
	} {
		w, disks := hostEndsWorld(t)
		m := w.Map("dead")
		m.Tell("fail_path", disks["dead"])
		var talk bytes.Buffer
		h := hostEnds{dm: w.Ports().DM, std: streams{&talk, &talk}, sleep: func(time.Duration) {}, ends: func() bool { return c.ends }}
		name, err := table.KernelName("dead")
		if err != nil {
			t.Fatal(err)
		}
		info, err := call(h.dm, dmmap.QueryInfo{Map: dmmap.ByName(name)}, dmmap.DecodeInfo)
		if err != nil {
			t.Fatal(err)
		}
		h.ground = func() (sysfs.Ground, error) { return c.ground(info.Dev) }
		_ = h.run(false)
		if m.Queueing() != c.spared {
			t.Errorf("%s: queues %v; it said %q", what, m.Queueing(), talk.String())
		}
	}
}

package contract

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/sim"
	"pathkeeper/uevent"
)

// simRig is a Rig over the simulated kernel.
type simRig struct {
	w      *sim.World
	luns   map[string]*sim.LUN
	disks  map[string]*sim.Disk
	at     map[string]address
	events []Event
	woken  bool
	opened map[int]*sim.Map
	ios    []*sim.IO
	next   int
}

type address struct {
	lun       string
	host, tpg uint32
}

func newSimRig() *simRig {
	w := sim.New(1)
	r := &simRig{w: w, luns: map[string]*sim.LUN{}, disks: map[string]*sim.Disk{}, opened: map[int]*sim.Map{}, at: map[string]address{
		"A1": {"one", 2, 1}, "A2": {"one", 3, 1}, "B1": {"one", 4, 2}, "B2": {"one", 5, 2}, "X1": {"two", 6, 1}, "S1": {"tiny", 7, 1},
	}}
	for _, l := range []struct {
		name    string
		sectors uint64
	}{{"one", sizeOfOne}, {"two", sizeOfOne}, {"tiny", sizeOfOne / 2}} {
		r.luns[l.name] = w.AddLUN(sim.LUN{Name: l.name, Sectors: l.sectors, Vendor: "LIO-ORG", Product: l.name, TPGS: 3})
	}
	for _, s := range symbols() {
		r.add(s)
	}
	w.Listen(r.hear)
	w.ListenMaps(func() { r.woken = true })
	return r
}

func (r *simRig) add(symbol string) {
	at := r.at[symbol]
	r.disks[symbol] = r.w.AddPath(r.luns[at.lun], at.host, int(at.tpg))
}

func (r *simRig) hear(u sim.Uevent) {
	e, err := uevent.Parse(u.Datagram().Data)
	if err != nil {
		panic(err)
	}
	address := func(symbol string) string { return r.disks[symbol].HCTL() }
	if heard, ok := told(r, address, e); ok {
		r.events = append(r.events, heard)
	}
}

func (r *simRig) Ports() Ports {
	p := r.w.Ports()
	return Ports{DM: p.DM, SCSI: p.SCSI, Sysfs: p.Sysfs, Write: p.Write, Block: p.Block}
}

func (r *simRig) Disk(symbol string) (string, bool) {
	d := r.disks[symbol]
	if d == nil || r.w.Disk(d.Name) != d {
		return "", false
	}
	return d.Name, true
}

func (r *simRig) NAA(lun string) string { return r.luns[lun].NAA }

func (r *simRig) Cut(symbol string, out bool) error {
	if out {
		r.disks[symbol].Break(sim.Disrupted)
		return nil
	}
	// As LIO's loop ports do: the nexus is a new one.
	r.disks[symbol].Break(sim.Healthy)
	r.disks[symbol].Attention(0x29, 0x07)
	return nil
}

func (r *simRig) Access(lun, controller string, state uint8) error {
	tpg := slices.Index([]string{"", "A", "B"}, controller)
	r.luns[lun].SetAccess(tpg, sim.Access(state))
	for _, d := range r.luns[lun].Disks() {
		if d.TPG == tpg { // LIO tells those who come by that group
			d.Attention(0x2a, 0x06)
		}
	}
	return nil
}

func (r *simRig) Resize(lun string, sectors uint64) error {
	r.luns[lun].Sectors = sectors
	return nil
}

func (r *simRig) Rescan(symbol string) error {
	if _, ok := r.Disk(symbol); !ok {
		r.add(symbol)
	}
	return nil
}

func (r *simRig) Claim(symbol string, on bool) error {
	d := r.disks[symbol]
	if !on {
		d.Exclusive = false
		return nil
	}
	if errno := r.Ports().Block.ProbeExclusive(d.Name); errno != 0 {
		return fmt.Errorf("claim %s: errno %d", symbol, errno)
	}
	d.Exclusive = true
	return nil
}

func (r *simRig) ReadOnly(symbol string, on bool) error {
	r.disks[symbol].ReadOnly = on
	return nil
}

func (r *simRig) Events(least int) ([]Event, error) {
	r.w.Run(10 * mpath.Millisecond)
	for range 100 {
		if len(r.events) >= least {
			break
		}
		r.w.Run(100 * mpath.Millisecond)
	}
	out := r.events
	r.events = nil
	return out, nil
}

func (r *simRig) Quiet(func() uint32) {}

func (r *simRig) Arm() { r.woken = false }

func (r *simRig) Woken() bool { return r.woken }

func (r *simRig) Open(minor uint32) (int, uint32) {
	m := r.w.MapAt(minor)
	if m == nil {
		return 0, 6
	}
	m.Open()
	r.next++
	r.opened[r.next] = m
	return r.next, 0
}

func (r *simRig) Close(id int) {
	r.opened[id].Close()
	delete(r.opened, id)
}

func (r *simRig) Write(id int, block uint64) int {
	r.ios = append(r.ios, r.opened[id].Write(r.luns["one"], block, block, nil))
	return len(r.ios) - 1
}

func (r *simRig) Ended(io int, wait bool) (string, bool) {
	i := r.ios[io]
	for n := 0; n < 3 || wait && n < 100; n++ {
		if i.Ended != 0 {
			result, _, _ := strings.Cut(i.Err, ":")
			if result == "" {
				result = "ok"
			}
			return result, true
		}
		r.w.Run(100 * mpath.Millisecond)
	}
	return "no end", false
}

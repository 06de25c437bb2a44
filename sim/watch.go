package sim

import (
	"fmt"
	"slices"

	"pathkeeper/mpath"
)

// What a test that blows through a world needs to see of it.

// Disks are the disks that the kernel shows, in the order of their names.
func (w *World) Disks() []*Disk { return slices.Clone(w.disks) }

// Devices are all device-mapper devices, by minor number.
func (w *World) Devices() []*Map { return slices.Clone(w.maps) }

// MapOf finds the multipath map of a LUN, nil if there is none.
func (w *World) MapOf(l *LUN) *Map { return w.index.mapUUIDs["mpath-"+l.WWID()] }

// Announce has the kernel tell of the map once more, as `dmsetup` and many tools do.
func (m *Map) Announce() { m.w.uevent(m.event("change", "", 0)) }

// Kernel is the map's kernel name.
func (m *Map) Kernel() string { return m.kernelName() }

// Opened is how many hold it open.
func (m *Map) Opened() int { return m.open }

// Gone says whether the kernel has deleted the disk.
func (d *Disk) Gone() bool { return d.gone }

// Access is the state of the disk's target port group.
func (d *Disk) Access() Access { return d.access() }

// Reachable says whether I/O that is sent over the disk now would come through.
func (d *Disk) Reachable() bool {
	return d.reachable() && !d.FailIO && d.lun != nil && d.notReady() == nil
}

// Member is one path of a map's live table.
type Member struct {
	Disk   *Disk
	Active bool
}

// Layout is a map's live multipath table: its path groups, and which of them is the
// current one, from 0; -1 without a multipath table.
func (m *Map) Layout() (groups [][]Member, current int) {
	mps := m.live.multipaths()
	if len(mps) == 0 {
		return nil, -1
	}
	for _, g := range mps[0].groups {
		var ms []Member
		for _, p := range g.paths {
			ms = append(ms, Member{p.disk, p.active})
		}
		groups = append(groups, ms)
	}
	return groups, mps[0].shownGroup() - 1
}

// Queueing says whether the live table queues without a path.
func (m *Map) Queueing() bool {
	mps := m.live.multipaths()
	return len(mps) > 0 && mps[0].queue
}

// Steps is how many events the core was given, over all lives of the process.
func (d *Daemon) Steps() int { return d.steps }

// Running says whether there is a process, and not a stopped one.
func (d *Daemon) Running() bool { return d.running && !d.stopped }

// InFlight is how many actions of a kind ("LoadMap") wait for their answer.
func (d *Daemon) InFlight(kind string) int { return d.flight[kind] }

// Flying gives the kinds of the actions in flight, sorted.
func (d *Daemon) Flying() []string {
	var out []string
	for k, n := range d.flight {
		if n > 0 {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// Hung is how many requests do not come back.
func (d *Daemon) Hung() int { return len(d.hung) }

// Recent is the end of the transcript.
func (d *Daemon) Recent() []string { return slices.Clone(d.recent) }

// RunUntil lets the time pass until a condition holds, at most s; false: it did not.
func (d *Daemon) RunUntil(s mpath.Span, holds func() bool) (bool, error) {
	until := d.w.now.After(s)
	for !holds() {
		if !d.w.step(until) || d.Err != nil {
			return holds(), d.Err
		}
	}
	return true, nil
}

// Stamp is what a block of the LUN was last written with, 0 never.
func (l *LUN) Stamp(block uint64) uint64 { return l.blocks[block] }

// Suspend is `dmsetup suspend --noflush` by somebody, Resume his resume. As long
// as I/O is in flight the suspension waits.
func (m *Map) Suspend() {
	took := m.w.took
	m.byOther = !m.suspended && !m.suspend(true)
	m.w.took = took
}

// Resume ends a suspension.
func (m *Map) Resume() {
	switch {
	case m.byOther:
		m.undrain()
	case m.suspended:
		m.resume()
	}
}

// Tell is a message by somebody: fail_path or reinstate_path of a disk.
func (m *Map) Tell(verb string, d *Disk) {
	if mps := m.live.multipaths(); len(mps) == 1 && !m.suspended {
		m.tell(mps[0], []string{verb, fmt.Sprintf("%d:%d", d.Major, d.Minor)})
	}
}

// Trip makes the core panic when it settles its n-th map from now.
func (d *Daemon) Trip(n int) {
	if d.core != nil {
		d.core.Trip(n)
	}
}

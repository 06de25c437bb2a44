// Package sim is a simulated host: a kernel with SCSI disks and device-mapper
// multipath, a SAN behind it, udevd beside it, and a clock that only moves when
// it is told to. It stands behind the ports and nothing above them: the real
// engine and the real core run on it (Daemon), and it takes their raw buffers
// apart with decoders of its own, written from the kernel's headers. One
// goroutine, one seeded source of chance: equal seeds, equal stories.
package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/mpath"
)

// World is the host and its SAN.
type World struct {
	clock
	rand *rand.Rand

	luns  []*LUN
	disks []*Disk // that the kernel shows, by index of their name
	maps  []*Map  // device-mapper devices, by minor number
	dead  []*Disk // deleted disks that somebody still holds open
	holds []hold  // what blockio.Port holds

	index  index
	hosts  []*HBA // by number
	arrays []*Array

	diskseq uint64
	seqnum  uint64 // of uevents
	holdID  uint64
	mounts  []mount
	swaps   []string // kernel names

	// Files are the state files.
	Files *Files
	// Udev is udevd.
	Udev *Udevd
	// Kernel says which selectors and handlers there are.
	Selectors, Handlers []string

	// Strays are writes that reached another LUN than the one they were meant
	// for: there must be none, ever.
	Strays []Stray
	// Harms are writes to sysfs that can lose disks or fail I/O: there must be none.
	Harms []string

	// FailDM is the chance out of 1000 that a device-mapper call fails.
	FailDM int
	// FailResumes is how many resumes fail from now on.
	FailResumes int

	took mpath.Span // what the call that runs costs

	autoALUA bool     // scsi_dh_alua was there before the disks were found
	waiting  bool     // some I/O is parked
	thawed   []func() // who has calls that do not come back

	sysfsFaults []*SysfsFault

	uevents []func(Uevent) // who listens
	dmNews  []func()       // who polls device-mapper
}

// Stray is a write that reached a stranger.
type Stray struct {
	At      mpath.Instant
	Disk    string
	Meant   string
	Reached string
	Block   uint64
}

func (s Stray) String() string {
	return fmt.Sprintf("block %d meant for %s reached %s through %s", s.Block, s.Meant, s.Reached, s.Disk)
}

type mount struct {
	name  string // kernel name of disk or partition
	point string
}

type hold struct {
	id     uint64
	disk   *Disk
	mapped *Map
}

// New makes an empty world. Everything that is left to chance comes from seed.
func New(seed uint64) *World {
	w := &World{
		rand:      rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)),
		Selectors: []string{"round-robin", "queue-length", "service-time"},
		Handlers:  []string{"alua", "emc", "hp_sw", "rdac"},
	}
	w.index, w.autoALUA = newIndex(), true
	w.now = mpath.Instant(100 * mpath.Second)
	w.Files = &Files{w: w}
	w.Udev = newUdevd(w)
	return w
}

// Now is the simulated time.
func (w *World) Now() mpath.Instant { return w.now }

// After has something done a span from now.
func (w *World) After(s mpath.Span, do func()) { w.after(s, do) }

// Run lets the time pass.
func (w *World) Run(s mpath.Span) {
	until := w.now.After(s)
	for w.step(until) {
	}
}

// cost makes the call that runs take some time between two bounds.
func (w *World) cost(least, most mpath.Span) {
	if w.took == Forever {
		return
	}
	w.took += w.between(least, most)
}

func (w *World) between(least, most mpath.Span) mpath.Span {
	if most <= least {
		return least
	}
	return least + mpath.Span(w.rand.Int64N(int64(most-least)))
}

func (w *World) dmEvent() {
	for _, f := range w.dmNews {
		f()
	}
}

// Disk finds a disk by its kernel name, nil if the kernel shows none.
func (w *World) Disk(name string) *Disk { return w.index.names[name] }

// Map finds a device-mapper device by its name, nil if there is none.
func (w *World) Map(name string) *Map { return w.index.mapNames[name] }

// mapByNode finds a map by its kernel name, nil if there is none.
func (w *World) mapByNode(name string) *Map {
	n, ok := strings.CutPrefix(name, "dm-")
	minor, err := strconv.ParseUint(n, 10, 20)
	if !ok || err != nil {
		return nil
	}
	return w.index.mapMinors[uint32(minor)]
}

// Maps gives the names of all device-mapper devices, sorted.
func (w *World) Maps() []string {
	var out []string
	for _, m := range w.maps {
		out = append(out, m.name)
	}
	slices.Sort(out)
	return out
}

// Mount mounts a disk, partition or map, as far as others can see.
func (w *World) Mount(name, point string) {
	w.mounts = append(w.mounts, mount{name, point})
	if m := w.mapByNode(name); m != nil {
		m.Open()
	}
}

// Unmount ends Mount.
func (w *World) Unmount(name string) {
	was := len(w.mounts)
	w.mounts = slices.DeleteFunc(w.mounts, func(m mount) bool { return m.name == name })
	if m := w.mapByNode(name); m != nil {
		for range was - len(w.mounts) {
			m.Close()
		}
	}
}

func (w *World) mountedMap(m *Map) bool {
	return slices.ContainsFunc(w.mounts, func(o mount) bool { return o.name == m.kernelName() })
}

// Swap switches swapping on a disk or partition on.
func (w *World) Swap(name string) { w.swaps = append(w.swaps, name) }

// numbers finds the device number of a disk, partition or map.
func (w *World) numbers(name string) (major, minor uint32, ok bool) {
	if d := w.Disk(strings.TrimRight(name, "0123456789")); d != nil {
		if d.Name == name {
			return d.Major, d.Minor, true
		}
		p, ok := d.part(name)
		return d.Major, d.Minor + p.Number, ok
	}
	if m := w.mapByNode(name); m != nil {
		return dmMajor, m.minor, true
	}
	return 0, 0, false
}

// inUse says whether somebody who is not device-mapper has a disk exclusively.
func (w *World) inUse(d *Disk) bool {
	mine := func(name string) bool {
		return name == d.Name || strings.HasPrefix(name, d.Name) && strings.Trim(name[len(d.Name):], "0123456789") == ""
	}
	return d.Exclusive || len(d.holders) > 0 ||
		slices.ContainsFunc(w.mounts, func(m mount) bool { return mine(m.name) }) ||
		slices.ContainsFunc(w.swaps, mine)
}

// holders gives the maps that have a disk in a table, live or loaded, by minor
// number.
func (w *World) holders(d *Disk) []*Map { return owners(d.tables) }

func owners(tables []*dmTable) []*Map {
	var out []*Map
	for _, t := range tables {
		if !slices.Contains(out, t.m) {
			out = append(out, t.m)
		}
	}
	slices.SortFunc(out, func(a, b *Map) int { return int(a.minor) - int(b.minor) })
	return out
}

// everyDisk gives the disks of the kernel and the deleted ones still held.
func (w *World) everyDisk() []*Disk { return append(slices.Clone(w.disks), w.dead...) }

// sweep forgets deleted disks that nobody holds any more: their names and
// numbers are free from then on.
func (w *World) sweep() {
	w.dead = slices.DeleteFunc(w.dead, func(d *Disk) bool {
		free := len(d.tables) == 0 && len(d.parked) == 0 && !slices.ContainsFunc(w.holds, func(h hold) bool { return h.disk == d })
		if free {
			w.index.forget(d)
		}
		return free
	})
}

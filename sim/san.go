package sim

import (
	"encoding/binary"
	"fmt"
	"slices"

	"pathkeeper/mpath"
)

// Access is the state of a target port group (SPC-4 table 201).
type Access uint8

// Access states.
const (
	Optimized     Access = 0x0
	NonOptimized  Access = 0x1
	Standby       Access = 0x2
	Unavailable   Access = 0x3
	Transitioning Access = 0xf
)

// LUN is one logical unit of an array.
type LUN struct {
	Name    string // for people
	NAA     string // 16 or 32 hex digits of its NAA designator; "" for a disk behind libata
	Vendor  string
	Product string
	Serial  string
	Sectors uint64
	TPGS    uint8 // 0 none, 1 implicit, 2 explicit, 3 both
	// ReadOnly: writes are refused and the kernel sees write protection.
	ReadOnly bool

	groups []portGroup // sorted by id
	blocks map[uint64]uint64
}

type portGroup struct {
	id     int
	access Access
	pref   bool
	ports  []int // relative target ports
}

// AddLUN makes a logical unit; nothing leads to it yet. Empty fields get values
// of an implicit ALUA array.
func (w *World) AddLUN(l LUN) *LUN {
	if l.Sectors == 0 {
		l.Sectors = 1 << 21
	}
	if l.Vendor == "" {
		l.Vendor, l.Product, l.TPGS = "SIMULATE", "ALUA ARRAY", 1
	}
	if l.NAA == "" && l.Vendor != "ATA" {
		l.NAA = fmt.Sprintf("600140500000%04x%016x", len(w.luns)+1, 0x5100+len(w.luns))
	}
	if l.Serial == "" {
		l.Serial = fmt.Sprintf("SN%06d", len(w.luns)+1)
	}
	l.blocks = map[uint64]uint64{}
	w.luns = append(w.luns, &l)
	return &l
}

// WWID is the id that the LUN's page 0x83 makes.
func (l *LUN) WWID() string { return "3" + l.NAA }

// SetAccess moves a target port group into a state.
func (l *LUN) SetAccess(tpg int, a Access) { l.group(tpg).access = a }

// SetPreferred sets a target port group's preferred bit.
func (l *LUN) SetPreferred(tpg int, pref bool) { l.group(tpg).pref = pref }

// Blocks says how many blocks were ever written.
func (l *LUN) Blocks() int { return len(l.blocks) }

func (l *LUN) group(id int) *portGroup {
	i, ok := slices.BinarySearchFunc(l.groups, id, func(g portGroup, id int) int { return g.id - id })
	if !ok {
		l.groups = slices.Insert(l.groups, i, portGroup{id: id})
	}
	return &l.groups[i]
}

// Fault is what is wrong with the way to a disk.
type Fault uint8

// Faults.
const (
	Healthy   Fault = iota
	NoConnect       // commands come back at once: DID_NO_CONNECT
	Hung            // commands come back only at their time-out
)

// Disk is a SCSI disk as the kernel has it: one path.
type Disk struct {
	w       *World
	Name    string
	Major   uint32
	Minor   uint32
	Diskseq uint64
	Host    uint32
	Target  uint32
	Unit    uint64 // the LUN's number at the target
	TPG     int
	Port    int // relative target port
	Sectors uint64
	Parts   []Part
	// State is sysfs's: "running", "offline", "transport-offline", "blocked".
	State string
	// Exclusive: some program has it open with O_EXCL.
	Exclusive bool
	// FailIO: writes fail, everything else is answered as ever.
	FailIO bool

	lun   *LUN // what is behind it now; nil: nothing
	fault Fault
	ua    []sense
	gone  bool
	// What the kernel remembers from its scan.
	inquiry, vpd00, vpd80, vpd83 []byte
}

// Part is a partition.
type Part struct {
	Number         uint32
	Start, Sectors uint64
}

const (
	sdMajor     = 8
	sdMinors    = 16
	timeoutS    = 30 // a disk's own command time-out
	commandCost = 2 * mpath.Millisecond
)

// AddPath lets the kernel find a LUN at a host and a target port group: a new
// disk. Its number and name are the lowest free ones.
func (w *World) AddPath(l *LUN, host uint32, tpg int) *Disk {
	w.sweep()
	i := 0
	for ; ; i++ {
		taken := func(d *Disk) bool { return d.Minor == uint32(i*sdMinors) }
		if !slices.ContainsFunc(w.disks, taken) && !slices.ContainsFunc(w.dead, taken) {
			break
		}
	}
	w.diskseq++
	port := int(host)*16 + tpg
	g := l.group(tpg)
	if !slices.Contains(g.ports, port) {
		g.ports = append(g.ports, port)
	}
	d := &Disk{
		w: w, Name: sdName(i), Major: sdMajor, Minor: uint32(i * sdMinors), Diskseq: w.diskseq,
		Host: host, Target: uint32(tpg), Unit: uint64(slices.Index(w.luns, l)), TPG: tpg, Port: port,
		State: "running", lun: l,
	}
	d.rescan()
	w.disks = append(w.disks, d)
	slices.SortFunc(w.disks, func(a, b *Disk) int { return int(a.Minor) - int(b.Minor) })
	w.uevent(d.event("add", ""))
	return d
}

func sdName(i int) string {
	s := ""
	for n := i + 1; n > 0; n = (n - 1) / 26 {
		s = string(rune('a'+(n-1)%26)) + s
	}
	return "sd" + s
}

func (d *Disk) event(action, text string) Uevent {
	return Uevent{Action: action, Name: d.Name, Major: d.Major, Minor: d.Minor, Diskseq: d.Diskseq, Text: text}
}

// rescan has the kernel ask the device again and remember it.
func (d *Disk) rescan() {
	d.inquiry, d.vpd00, d.vpd80, d.vpd83 = nil, nil, nil, nil
	if d.lun == nil {
		return
	}
	d.inquiry = d.lun.inquiry()
	d.vpd00, d.vpd80, d.vpd83 = d.lun.vpd00(), d.lun.vpd80(), d.lun.vpd83(d)
	d.Sectors = d.lun.Sectors
}

// Break makes the way to the disk faulty, or healthy again.
func (d *Disk) Break(f Fault) { d.fault = f }

// SetState is a write to the disk's state in sysfs. It sends no uevent.
func (d *Disk) SetState(s string) { d.State = s }

// Delete takes the disk out of the kernel.
func (d *Disk) Delete() {
	if d.gone {
		return
	}
	d.gone = true
	d.w.disks = slices.DeleteFunc(d.w.disks, func(o *Disk) bool { return o == d })
	d.w.dead = append(d.w.dead, d)
	d.w.sweep()
	d.w.uevent(d.event("remove", ""))
}

// Remap puts another LUN behind the disk, nil for none; the kernel is told
// nothing. With attention the target says so at the next command.
func (d *Disk) Remap(l *LUN, attention bool) {
	d.lun = l
	if l != nil {
		g := l.group(d.TPG)
		if !slices.Contains(g.ports, d.Port) {
			g.ports = append(g.ports, d.Port)
		}
	}
	if attention {
		d.Attention(0x3f, 0x0e)
	}
}

// Attention puts a unit attention before the next command.
func (d *Disk) Attention(asc, ascq uint8) { d.ua = append(d.ua, sense{0x6, asc, ascq}) }

// Announce sends a change uevent of the disk.
func (d *Disk) Announce() { d.w.uevent(d.event("change", "")) }

// LUN is what is behind the disk now, nil if nothing.
func (d *Disk) LUN() *LUN { return d.lun }

// access is the state of the disk's port group.
func (d *Disk) access() Access {
	if d.lun == nil || d.lun.TPGS == 0 {
		return Optimized
	}
	return d.lun.group(d.TPG).access
}

// block is what a read of a block gives: its stamp, then zeros.
func (l *LUN) block(n uint64) []byte {
	b := make([]byte, 512)
	binary.BigEndian.PutUint64(b, l.blocks[n])
	return b
}

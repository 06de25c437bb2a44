package sim

import (
	"fmt"
	"slices"

	"pathkeeper/mpath"
)

// Transport is how a host reaches its targets; it decides what sysfs shows and
// what the kernel does when the way is cut.
type Transport uint8

// Transports.
const (
	Unspecified Transport = iota // tcm_loop, scsi_debug, SRP: commands fail at once
	FibreChannel
	ISCSI
	SAS
	ATA
)

// Fabric is a network between hosts and target ports.
type Fabric struct {
	w    *World
	Name string
	cut  bool
}

// HBA is a SCSI host of the machine: one initiator port.
type HBA struct {
	Number    uint32 // 0: the next one
	Transport Transport
	Fabric    *Fabric
	PortName  string // WWPN, iSCSI name or SAS address; "": made up
	NodeName  string // WWNN of a Fibre Channel host
	// FastIOFail is how long the transport holds I/O back after it saw the way
	// break, before it fails it, where nobody sets it: fast_io_fail_tmo of FC (off),
	// recovery_tmo of iSCSI (120 s). 0: the default; Forever: never.
	FastIOFail mpath.Span
	// DevLoss is the same for how long FC waits before it takes the disks away:
	// dev_loss_tmo (60 s). 0: the default; Forever: never.
	DevLoss mpath.Span
	// deadline is eh_deadline as somebody set it.
	deadline string

	w       *World
	cut     bool
	nexuses []*Nexus // by target number
}

// Array is a storage array: one SCSI target node with many ports.
type Array struct {
	w        *World
	Name     string
	NodeName string // WWNN; iSCSI name
	Ports    []*Port
	number   int
}

// Port is a target port.
type Port struct {
	TPG    int
	Rel    int    // relative target port, 0: the next one of the array
	Name   string // WWPN, SAS address; "": made up
	Fabric *Fabric

	array   *Array
	cut     bool
	exports []unit
	nexuses []*Nexus
}

// unit is a LUN with its number at a port, or at one nexus of it.
type unit struct {
	number uint64
	lun    *LUN
}

// Nexus is the way from one host to one target port. The kernel knows it as a
// target of the host, FC as a remote port, iSCSI as a session.
type Nexus struct {
	Host   *HBA
	Port   *Port
	Target uint32

	units  []unit           // by number
	found  map[uint64]*Disk // the kernel's disks, by number of the unit
	broken bool             // the cable does not carry
	lost   bool             // FC has given the remote port up (dev_loss_tmo)
	since  int              // counts breaks and mends: a timer of an earlier one does nothing

	fastIOFail, devLoss mpath.Span // as the host's, until somebody sets them
}

// The kernel's defaults: a remote port has no fast_io_fail_tmo until somebody sets
// one (fc_remote_port_create), fc_dev_loss_tmo, and recovery_tmo as open-iscsi has it.
const (
	defaultFastIOFail = Forever
	defaultDevLoss    = 60 * mpath.Second
	defaultRecovery   = 120 * mpath.Second
)

// AddFabric makes a fabric.
func (w *World) AddFabric(name string) *Fabric { return &Fabric{w: w, Name: name} }

// AddHBA makes a SCSI host and logs it in to every port of its fabric.
func (w *World) AddHBA(h HBA) *HBA {
	if h.Number == 0 && len(w.hosts) > 0 {
		h.Number = w.hosts[len(w.hosts)-1].Number + 1
	}
	return w.addHBA(h)
}

func (w *World) addHBA(h HBA) *HBA {
	h.w = w
	if h.PortName == "" {
		h.PortName = h.Transport.name(0x10, h.Number)
	}
	if h.NodeName == "" {
		h.NodeName = h.Transport.name(0x20, h.Number)
	}
	if h.FastIOFail == 0 {
		h.FastIOFail = defaultFastIOFail
		if h.Transport == ISCSI {
			h.FastIOFail = defaultRecovery
		}
	}
	if h.DevLoss == 0 {
		h.DevLoss = defaultDevLoss
	}
	at, taken := slices.BinarySearchFunc(w.hosts, h.Number, func(h *HBA, n uint32) int { return int(h.Number) - int(n) })
	if taken {
		panic(fmt.Sprintf("sim: host%d is there already", h.Number))
	}
	w.hosts = slices.Insert(w.hosts, at, &h)
	for _, a := range w.arrays {
		for _, p := range a.Ports {
			if p.Fabric != nil && p.Fabric == h.Fabric {
				h.login(p)
			}
		}
	}
	return &h
}

// HBA finds a host by its number, nil if there is none.
func (w *World) HBA(number uint32) *HBA {
	at, ok := slices.BinarySearchFunc(w.hosts, number, func(h *HBA, n uint32) int { return int(h.Number) - int(n) })
	if !ok {
		return nil
	}
	return w.hosts[at]
}

// AddArray makes an array without ports.
func (w *World) AddArray(name string) *Array {
	a := &Array{w: w, Name: name, number: len(w.arrays), NodeName: FibreChannel.name(0x50, uint32(len(w.arrays)))}
	w.arrays = append(w.arrays, a)
	return a
}

// AddPort makes a target port and logs every host of its fabric in to it.
func (a *Array) AddPort(p Port) *Port {
	p.array = a
	if p.Rel == 0 {
		p.Rel = len(a.Ports) + 1
	}
	if p.Name == "" {
		p.Name = FibreChannel.name(0x58, uint32(a.number<<8|p.Rel))
	}
	a.Ports = append(a.Ports, &p)
	for _, h := range a.w.hosts {
		if p.Fabric != nil && p.Fabric == h.Fabric {
			h.login(&p)
		}
	}
	return &p
}

func (t Transport) name(kind byte, n uint32) string {
	if t == ISCSI {
		return fmt.Sprintf("iqn.2026-01.sim.example:%02x.%x", kind, n)
	}
	return fmt.Sprintf("0x%02x000000c9%06x", kind, n)
}

func (h *HBA) login(p *Port) *Nexus {
	n := &Nexus{Host: h, Port: p, Target: uint32(len(h.nexuses)), units: slices.Clone(p.exports), found: map[uint64]*Disk{}, fastIOFail: h.FastIOFail, devLoss: h.DevLoss}
	if p.array == nil { // AddPath's own
		n.Target = uint32(p.TPG)
	}
	h.nexuses = append(h.nexuses, n)
	slices.SortStableFunc(h.nexuses, func(a, b *Nexus) int { return int(a.Target) - int(b.Target) })
	p.nexuses = append(p.nexuses, n)
	n.broken = !n.carries()
	return n
}

// Export shows the LUN at a port under a number, to every host. The disks that
// are there already hear REPORTED LUNS DATA HAS CHANGED; the new one is found by
// a scan.
func (l *LUN) Export(p *Port, number uint64) {
	p.exports = place(p.exports, number, l)
	l.seen(p.TPG, p.Rel)
	for _, n := range p.nexuses {
		n.announce()
		n.units = place(n.units, number, l)
		n.rebind(number, l)
	}
}

// Withdraw takes the LUN away from a port: its disks there answer that there is
// no such unit.
func (l *LUN) Withdraw(p *Port) {
	p.exports = slices.DeleteFunc(p.exports, func(u unit) bool { return u.lun == l })
	for _, n := range p.nexuses {
		for _, u := range n.units {
			if u.lun == l {
				n.rebind(u.number, nil)
			}
		}
		n.units = slices.DeleteFunc(n.units, func(u unit) bool { return u.lun == l })
		n.announce()
	}
}

func place(list []unit, number uint64, l *LUN) []unit {
	at, there := slices.BinarySearchFunc(list, number, func(u unit, n uint64) int {
		switch {
		case u.number < n:
			return -1
		case u.number > n:
			return 1
		}
		return 0
	})
	if there {
		list[at].lun = l
		return list
	}
	return slices.Insert(list, at, unit{number, l})
}

// disks are those that the kernel has behind the nexus.
func (n *Nexus) disks() []*Disk {
	var out []*Disk
	for _, u := range n.Host.w.disks {
		if u.nexus == n {
			out = append(out, u)
		}
	}
	return out
}

func (n *Nexus) announce() {
	for _, d := range n.disks() {
		d.Attention(0x3f, 0x0e)
	}
}

func (n *Nexus) rebind(number uint64, l *LUN) {
	if d := n.found[number]; d != nil {
		d.lun = l
	}
}

// carries says whether the whole way is plugged in.
func (n *Nexus) carries() bool {
	fabric := func(f *Fabric) bool { return f == nil || !f.cut }
	return !n.Host.cut && !n.Port.cut && fabric(n.Host.Fabric) && fabric(n.Port.Fabric)
}

// Cut pulls every cable of the fabric.
func (f *Fabric) Cut() { f.cut = true; f.w.recable() }

// Mend plugs them in again.
func (f *Fabric) Mend() { f.cut = false; f.w.recable() }

// Cut pulls the host's cable.
func (h *HBA) Cut() { h.cut = true; h.w.recable() }

// Mend plugs it in again.
func (h *HBA) Mend() { h.cut = false; h.w.recable() }

// Cut pulls the target port's cable.
func (p *Port) Cut() { p.cut = true; p.recable() }

// Mend plugs it in again.
func (p *Port) Mend() { p.cut = false; p.recable() }

// WWPN is the port's name.
func (p *Port) WWPN() string { return p.Name }

// Array is whose port it is.
func (p *Port) Array() *Array { return p.array }

func (w *World) recable() {
	for _, h := range w.hosts {
		for _, n := range h.nexuses {
			n.recable()
		}
	}
}

func (p *Port) recable() {
	for _, n := range p.nexuses {
		n.recable()
	}
}

// recable lets the transport notice that the way broke or is back.
func (n *Nexus) recable() {
	if n.broken == !n.carries() {
		return
	}
	n.broken = !n.broken
	n.since++
	if t := n.Host.Transport; t != FibreChannel && t != ISCSI {
		n.Host.w.thaw()
		return
	}
	if n.broken {
		n.block()
	} else {
		n.unblock()
	}
}

// block is what a transport class does when a remote port or session goes
// (drivers/scsi/scsi_transport_fc.c fc_remote_port_delete, scsi_transport_iscsi.c
// iscsi_block_session): the disks are blocked, and commands wait. After
// fast_io_fail_tmo or recovery_tmo they are "transport-offline" and commands come
// back with DID_TRANSPORT_FAILFAST; after dev_loss_tmo FC takes the disks away.
// None of these changes of `state` sends a uevent.
func (n *Nexus) block() {
	for _, d := range n.disks() {
		if d.State == "running" || d.State == "offline" { // scsi_device_set_state: legal ways to SDEV_BLOCK
			d.State = "blocked"
		}
	}
	w, since := n.Host.w, n.since
	if n.fastIOFail != Forever {
		w.after(n.fastIOFail, func() {
			if n.since == since {
				n.failFast()
			}
		})
	}
	if n.Host.Transport == FibreChannel && n.devLoss != Forever {
		w.after(n.devLoss, func() {
			if n.since == since {
				n.lose()
			}
		})
	}
}

func (n *Nexus) failFast() {
	for _, d := range n.disks() {
		if d.State == "blocked" {
			d.State = "transport-offline"
		}
	}
	n.Host.w.thaw()
}

func (n *Nexus) lose() {
	n.lost = true
	for _, d := range n.disks() {
		d.Delete()
	}
	n.Host.w.thaw()
}

// unblock brings the disks back. FC scans a remote port that it had given up.
func (n *Nexus) unblock() {
	for _, d := range n.disks() {
		if d.State == "blocked" || d.State == "transport-offline" {
			d.State = "running"
		}
	}
	n.Host.w.thaw()
	if n.lost { // a remote port that is made anew has the kernel's times
		n.lost = false
		n.fastIOFail, n.devLoss = n.Host.FastIOFail, n.Host.DevLoss
		n.Host.w.after(n.Host.w.between(100*mpath.Millisecond, mpath.Second), func() {
			if !n.broken {
				n.scan("-")
			}
		})
	}
}

// scan makes a disk of every unit that has none, or of one (scsi_scan_target). A disk that
// is there is left as it is, whatever is behind it now (scsi_probe_and_add_lun:
// "device exists").
func (n *Nexus) scan(number string) []*Disk {
	var out []*Disk
	for _, u := range n.units {
		if n.found[u.number] == nil && !n.broken && (number == "-" || number == fmt.Sprint(u.number)) {
			out = append(out, n.Host.w.discover(n, u))
		}
	}
	return out
}

// Scan is "- - -" written to the host's scan: it finds every mapped LUN that has
// no disk yet.
func (h *HBA) Scan() []*Disk {
	var out []*Disk
	for _, n := range h.nexuses {
		out = append(out, n.scan("-")...)
	}
	return out
}

// ScanAll scans every host.
func (w *World) ScanAll() []*Disk {
	var out []*Disk
	for _, h := range w.hosts {
		out = append(out, h.Scan()...)
	}
	return out
}

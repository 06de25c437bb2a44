// Package storage says, as lists of steps, how the guest's kernel is given
// storage: LIO's fileio backstores behind tcm_loop or iSCSI target ports with
// ALUA target port groups. It computes only; the agent carries the steps out.
//
// A loop path is one tcm_loop target (naa.*) and so one SCSI host of the guest,
// with the LUN at H:0:1:0: tcm_loop's hosts say max_id 2 and max_lun 0
// (drivers/target/loopback/tcm_loop.c), so nothing else can be rescanned. A port
// is the set of these targets of one name; its cable is pulled by their
// transport_status. An iSCSI or FC port is one target with the LUNs of all that
// use it, by their Number.
package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/lab/wire"
)

const (
	// Target is LIO's tree in configfs.
	Target = "/sys/kernel/config/target"
	// Store is where the backing files lie, on a tmpfs.
	Store = "/run/lab/store"
	// maxLUNs is what three hex digits in a target's name can number.
	maxLUNs = 0xfff
)

// Via is the transport of a LUN's ports.
type Via string

const (
	Loop  Via = "loop"
	ISCSI Via = "iscsi"
	FC    Via = "fc"
)

// LUN is one logical unit of the array.
type LUN struct {
	Name    string
	Bytes   int64
	Ports   []string // in the order given
	Serial  string   // hex digits, as LIO's vpd_unit_serial
	Vendor  string   // empty: LIO-ORG
	Product string   // empty: LIO's own
	Via     Via
	Number  int // from 1: in its targets' names, and its LUN on an iSCSI or FC port

	mapped map[string]string // port -> name of the LUN whose backstore is linked there; absent: none
}

// Array is the model of what was made in the guest.
type Array struct {
	luns map[string]*LUN
	cut  map[string]bool // ports whose cable is out
}

// NewArray returns an empty array.
func NewArray() *Array { return &Array{luns: map[string]*LUN{}, cut: map[string]bool{}} }

// Group is the ALUA group of a port: its letters, so that A1 and A2 are ports
// of the controller A.
func Group(port string) string { return strings.TrimRight(port, "0123456789") }

// Modules are loaded in this order before the first LUN.
func Modules() []string {
	return []string{
		"sd_mod", "sg", "scsi_dh_alua", "dm-multipath", "dm-round-robin", "dm-service-time", "dm-queue-length",
		"target_core_mod", "target_core_file", "tcm_loop",
	}
}

// LUN finds a LUN by its name.
func (a *Array) LUN(name string) (*LUN, error) {
	l := a.luns[name]
	if l == nil {
		return nil, fmt.Errorf("no LUN %q; there is %s", name, strings.Join(a.Names(), ", "))
	}
	return l, nil
}

// Names returns the names of all LUNs, sorted.
func (a *Array) Names() []string {
	var names []string
	for n := range a.luns {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Add puts a LUN into the model, completes its Serial and Number, and returns
// the steps that make its backstore and map it on all its ports, but do not yet
// show it to the host: Scan does.
func (a *Array) Add(l LUN) (*LUN, []wire.Step, error) {
	if a.luns[l.Name] != nil {
		return nil, nil, fmt.Errorf("a LUN %q exists already", l.Name)
	}
	if l.Number = a.freeNumber(); l.Number > maxLUNs {
		return nil, nil, fmt.Errorf("the lab's array holds %d LUNs", maxLUNs)
	}
	if l.Serial == "" {
		sum := sha256.Sum256([]byte(l.Name))
		l.Serial = hex.EncodeToString(sum[:14]) // 28 digits; the NAA takes the first 25
	}
	if l.Via == "" {
		l.Via = Loop
	}
	for i, p := range l.Ports {
		if Group(p) == "" || Group(p) == p || slices.Contains(l.Ports[:i], p) {
			return nil, nil, fmt.Errorf("port %q: want letters for the controller and a number, each once, such as A1", p)
		}
		if l.Via == FC && len(p) > maxFCPort {
			return nil, nil, fmt.Errorf("port %q: an FC port's name is in its WWPN, which has room for %d letters", p, maxFCPort)
		}
	}
	l.mapped = map[string]string{}
	a.luns[l.Name] = &l
	steps := a.backstore(&l)
	for _, p := range l.Ports {
		steps = append(steps, a.makePort(&l, p)...)
		steps = append(steps, a.link(&l, p, &l)...)
	}
	return &l, steps, nil
}

func (a *Array) freeNumber() int {
	taken := map[int]bool{}
	for _, l := range a.luns {
		taken[l.Number] = true
	}
	n := 1
	for taken[n] {
		n++
	}
	return n
}

// WWID is what today's scsi_id and multipath-tools print for the LUN: NAA 6
// with LIO's company id 001405 and the first 25 hex digits of the serial
// (drivers/target/target_core_spc.c, spc_parse_naa_6h_vendor_specific).
func (l *LUN) WWID() string {
	digits := strings.ToLower(strings.ReplaceAll(l.Serial, "-", ""))
	return "36001405" + (digits + strings.Repeat("0", 25))[:25]
}

// File is the backing file.
func (l *LUN) File() string { return Store + "/" + l.Name + ".img" }

func (l *LUN) core() string { return Target + "/core/fileio_0/" + l.Name }

func (a *Array) backstore(l *LUN) []wire.Step {
	steps := []wire.Step{
		{Mkdir: Store},
		{Size: l.File(), Bytes: l.Bytes},
		{Mkdir: l.core()},
		write(l.core()+"/control", fmt.Sprintf("fd_dev_name=%s,fd_dev_size=%d,fd_buffered_io=1", l.File(), l.Bytes)),
		write(l.core()+"/wwn/vpd_unit_serial", l.Serial),
	}
	if l.Vendor != "" {
		steps = append(steps, write(l.core()+"/wwn/vendor_id", l.Vendor))
	}
	if l.Product != "" {
		steps = append(steps, write(l.core()+"/wwn/product_id", l.Product))
	}
	steps = append(steps, write(l.core()+"/enable", "1"))
	for i, g := range l.Groups() {
		dir := l.core() + "/alua/" + g
		steps = append(steps,
			wire.Step{Mkdir: dir},
			write(dir+"/tg_pt_gp_id", fmt.Sprint(i+1)), // 0 is default_tg_pt_gp
			write(dir+"/alua_access_type", "3"),        // implicit and explicit
			write(dir+"/alua_access_state", "0"))
	}
	return steps
}

// Groups are the controllers of a LUN, sorted.
func (l *LUN) Groups() []string {
	var groups []string
	for _, p := range l.Ports {
		if g := Group(p); !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	slices.Sort(groups)
	return groups
}

// Remove takes a LUN out of the model and returns the steps that unmap it
// everywhere and delete it. Ports that no other LUN uses go with it.
func (a *Array) Remove(name string) ([]wire.Step, error) {
	l, err := a.LUN(name)
	if err != nil {
		return nil, err
	}
	var steps []wire.Step
	for _, other := range a.sorted() {
		for _, p := range other.Ports {
			if other.mapped[p] == name {
				steps = append(steps, a.unlink(other, p)...)
			}
		}
	}
	for _, p := range l.Ports {
		if l.mapped[p] != "" {
			steps = append(steps, a.unlink(l, p)...)
		}
	}
	delete(a.luns, name)
	for _, p := range l.Ports {
		steps = append(steps, a.dropPort(l, p)...)
	}
	for _, g := range l.Groups() {
		steps = append(steps, wire.Step{Remove: l.core() + "/alua/" + g})
	}
	steps = append(steps, wire.Step{Remove: l.core()}, wire.Step{Remove: l.File(), Maybe: true})
	if len(a.luns) == 0 {
		steps = append(steps, wire.Step{Remove: Target + "/core/fileio_0", Maybe: true})
	}
	return steps, nil
}

func (a *Array) sorted() []*LUN {
	var out []*LUN
	for _, n := range a.Names() {
		out = append(out, a.luns[n])
	}
	return out
}

// ALUA returns the step that sets a controller's access state for a LUN.
func (a *Array) ALUA(name, group, state string) ([]wire.Step, error) {
	l, err := a.LUN(name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(l.Groups(), group) {
		return nil, fmt.Errorf("LUN %s has the controllers %s, not %q", name, strings.Join(l.Groups(), ", "), group)
	}
	// SPC-4 6.27, asymmetric access state.
	code := map[string]string{"optimized": "0", "nonoptimized": "1", "standby": "2", "unavailable": "3", "offline": "14", "transitioning": "15"}[state]
	if code == "" {
		return nil, fmt.Errorf("no access state %q", state)
	}
	return []wire.Step{write(l.core()+"/alua/"+group+"/alua_access_state", code)}, nil
}

// Unlink unmaps a LUN from one of its ports: the device disappears from a loop
// host; an iSCSI or FC host keeps it, and its commands fail.
func (a *Array) Unlink(name, port string) ([]wire.Step, error) {
	l, err := a.portOf(name, port)
	if err != nil {
		return nil, err
	}
	if l.mapped[port] == "" {
		return nil, fmt.Errorf("LUN %s is not mapped on %s", name, port)
	}
	return a.unlink(l, port), nil
}

// Link maps the backstore of the LUN other in the place of the LUN name on a
// port; other is name itself to map it again.
func (a *Array) Link(name, port, other string) ([]wire.Step, error) {
	l, err := a.portOf(name, port)
	if err != nil {
		return nil, err
	}
	o, err := a.LUN(other)
	if err != nil {
		return nil, err
	}
	if l.mapped[port] != "" {
		return nil, fmt.Errorf("LUN %s is mapped on %s already", l.mapped[port], port)
	}
	return a.link(l, port, o), nil
}

// Mapped says which LUN answers in the place of the LUN name on a port; empty:
// none.
func (l *LUN) Mapped(port string) string { return l.mapped[port] }

func (a *Array) portOf(name, port string) (*LUN, error) {
	l, err := a.LUN(name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(l.Ports, port) {
		return nil, fmt.Errorf("LUN %s has the ports %s, not %q", name, strings.Join(l.Ports, ", "), port)
	}
	return l, nil
}

// Cut pulls or plugs a port's cable for every LUN behind it. An FC port's is a
// network link, which no step of ours can move: OnFC says so.
func (a *Array) Cut(port string, out bool) ([]wire.Step, error) {
	var steps []wire.Step
	known := false
	for _, l := range a.sorted() {
		if slices.Contains(l.Ports, port) {
			known = true
			steps = append(steps, l.cable(port, out)...)
		}
	}
	if !known {
		return nil, fmt.Errorf("no LUN has the port %q", port)
	}
	a.cut[port] = out
	return steps, nil
}

// OnFC says whether a LUN is behind an FC port of this name.
func (a *Array) OnFC(port string) bool {
	return slices.ContainsFunc(a.sorted(), func(l *LUN) bool { return l.Via == FC && slices.Contains(l.Ports, port) })
}

func write(path, text string) wire.Step { return wire.Step{Write: path, Data: []byte(text)} }

package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/scenario"
)

// scriptLUN is a LUN as a script knows it: behind ports, which a controller's
// letters name.
type scriptLUN struct {
	name  string
	lun   *LUN
	via   Transport // Unspecified: loop
	paths []*scriptPath
}

// keeps says whether the host keeps the device of what the target takes away.
func (l *scriptLUN) keeps() bool { return l.via != Unspecified }

// scriptPath is the way to a LUN over a port, or a disk that has none.
type scriptPath struct {
	of   *scriptLUN
	port string
	host uint32
	tpg  int
	lun  *LUN // what the target shows there now; nil: nothing
	// Where the host has found it; nil: nowhere yet.
	nexus  *Nexus
	number uint64
}

// device is the disk that the host has there now, nil if none.
func (p *scriptPath) device() *Disk {
	if p.nexus == nil {
		return nil
	}
	return p.nexus.found[p.number]
}

// label is what scripts call a disk: its port, or its name.
func (s *Session) label(d *Disk) string {
	if l := s.labels[d]; l != "" {
		return l
	}
	for _, p := range s.paths() {
		if p.nexus != nil && p.nexus == d.nexus && p.number == d.Unit {
			s.labels[d] = p.port // a disk that the transport has found again
			return p.port
		}
	}
	return d.Name
}

// firstPortHost keeps the hosts of ports apart from those of disks.
const firstPortHost = 16

func (s *Session) paths() []*scriptPath {
	out := slices.Clone(s.disks)
	for _, l := range s.luns {
		out = append(out, l.paths...)
	}
	return out
}

func (s *Session) findLUN(name string) (*scriptLUN, error) {
	var names []string
	for _, l := range s.luns {
		if l.name == name {
			return l, nil
		}
		names = append(names, l.name)
	}
	return nil, usagef("no LUN %q; there is %s", name, listed(names))
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (s *Session) findPath(lun, port string) (*scriptPath, error) {
	l, err := s.findLUN(lun)
	if err != nil {
		return nil, err
	}
	var ports []string
	for _, p := range l.paths {
		if p.port == port {
			return p, nil
		}
		ports = append(ports, p.port)
	}
	return nil, usagef("LUN %s has the ports %s, not %q", lun, listed(ports), port)
}

// scan has the host find what the target shows on a path; false: its cable is out.
func (s *Session) scan(p *scriptPath) bool {
	switch {
	case p.device() != nil || p.lun == nil:
		return true
	case p.nexus != nil && p.nexus.broken, slices.Contains(s.cut, p.port):
		return false
	}
	d := s.w.AddPath(p.lun, p.host, p.tpg)
	p.nexus, p.number = d.nexus, d.Unit
	s.labels[d] = p.port
	return true
}

// mend ends whatever was done to a path's device.
func (s *Session) mend(p *scriptPath) {
	if d := p.device(); d != nil {
		d.Break(Healthy)
		d.FailIO = false
		if d.State == "offline" {
			d.SetState("running")
		}
	}
}

func controller(port string) string { return strings.TrimRight(port, "0123456789") }

func (s *Session) lun(c scenario.Command) error {
	name, ports := c.Args[0], c.Args[2:]
	size, err := scenario.Size(c.Args[1])
	if err != nil {
		return usagef("%v", err)
	}
	if _, err := s.findLUN(name); err == nil {
		return usagef("a LUN %q exists already", name)
	}
	via, ok := map[string]Transport{"": Unspecified, "loop": Unspecified, "iscsi": ISCSI, "fc": FibreChannel}[c.Options["via"]]
	if !ok {
		return usagef("via=%s: there is loop, iscsi and fc", c.Options["via"])
	}
	var controllers []string
	for i, p := range ports {
		if g := controller(p); g == "" || g == p || slices.Contains(ports[:i], p) {
			return usagef("port %q: want letters for the controller and a number, each once, such as A1", p)
		} else if !slices.Contains(controllers, g) {
			controllers = append(controllers, g)
		}
	}
	slices.Sort(controllers)
	hosts := make([]uint32, len(ports))
	for i, port := range ports {
		if hosts[i], err = s.hostOf(port, via); err != nil {
			return err
		}
	}
	l := &scriptLUN{name: name, via: via, lun: s.w.AddLUN(array(name, uint64(size)/512, c.Options))}
	for i, port := range ports {
		l.paths = append(l.paths, &scriptPath{of: l, port: port, host: hosts[i], tpg: slices.Index(controllers, controller(port)) + 1, lun: l.lun})
	}
	s.luns = append(s.luns, l)
	for _, p := range l.paths {
		s.scan(p)
	}
	return s.run(settle)
}

// replacement is the lab's replacement_timeout: how long an initiator waits for a
// session to come back.
const replacement = 5 * mpath.Second

// hostOf is the number of the host that a port is reached by: each has its own.
func (s *Session) hostOf(port string, via Transport) (uint32, error) {
	at := slices.Index(s.ports, port)
	if at < 0 {
		at = len(s.ports)
		s.ports = append(s.ports, port)
		h := HBA{Number: firstPortHost + uint32(at), Transport: via}
		if via == ISCSI {
			h.FastIOFail = replacement
		}
		s.w.AddHBA(h)
	}
	h := s.w.HBA(firstPortHost + uint32(at))
	if h.Transport != via {
		return 0, usagef("port %s is reached by another transport already", port)
	}
	return h.Number, nil
}

// array is a LUN as LIO shows it: its NAA is made of the serial's hex digits.
func array(name string, sectors uint64, options map[string]string) LUN {
	l := LUN{Name: name, Vendor: "LIO-ORG", Product: "FILEIO", Serial: options["serial"], Sectors: sectors, TPGS: 3}
	if v := options["vendor"]; v != "" {
		l.Vendor = v
	}
	if p := options["product"]; p != "" {
		l.Product = p
	}
	if l.Serial == "" {
		sum := sha256.Sum256([]byte(name))
		l.Serial = hex.EncodeToString(sum[:14])
	}
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'f' {
			return r
		}
		return -1
	}, strings.ToLower(l.Serial))
	l.NAA = "6001405" + (digits + strings.Repeat("0", 25))[:25]
	return l
}

func (s *Session) unlun(c scenario.Command) error {
	l, err := s.findLUN(c.Args[0])
	if err != nil {
		return err
	}
	for _, p := range s.paths() {
		if p.of == l || p.lun == l.lun {
			s.unlink(p)
		}
	}
	s.luns = slices.DeleteFunc(s.luns, func(o *scriptLUN) bool { return o == l })
	return s.run(settle)
}

// unlink has the target show nothing any more: the device of a loop host goes
// with it, that of another host stays, and its commands fail.
func (s *Session) unlink(p *scriptPath) {
	p.lun = nil
	switch d := p.device(); {
	case d == nil:
	case p.of != nil && p.of.keeps() && slices.Contains(s.luns, p.of):
		d.Remap(nil, false)
	default:
		d.Delete()
	}
}

// link has the target show a LUN. A host that has a device there must find out by
// itself; LIO tells it that the LUNs have changed, at its next command.
func (s *Session) link(p *scriptPath, l *LUN) {
	p.lun = l
	if d := p.device(); d != nil && p.of.keeps() {
		d.Remap(l, true)
		return
	}
	s.scan(p)
}

func (s *Session) alua(c scenario.Command) error {
	l, err := s.findLUN(c.Args[0])
	if err != nil {
		return err
	}
	states := map[string]Access{
		"optimized": Optimized, "nonoptimized": NonOptimized, "standby": Standby, "unavailable": Unavailable, "offline": Offline, "transitioning": Transitioning,
	}
	var controllers []string
	found := false
	for _, p := range l.paths {
		if controller(p.port) == c.Args[1] {
			l.lun.SetAccess(p.tpg, states[c.Args[2]])
			found = true
		}
		if !slices.Contains(controllers, controller(p.port)) {
			controllers = append(controllers, controller(p.port))
		}
	}
	if !found {
		return usagef("LUN %s has the controllers %s, not %q", l.name, listed(controllers), c.Args[1])
	}
	l.lun.AnnounceAccess()
	return nil
}

func (s *Session) path(c scenario.Command) error {
	p, err := s.findPath(c.Args[0], c.Args[1])
	if err != nil {
		return err
	}
	action, d := c.Args[2], p.device()
	if d == nil && slices.Contains([]string{"offline", "running", "delete"}, action) {
		return fmt.Errorf("the host has no device there now")
	}
	switch action {
	case "offline", "running":
		d.SetState(action)
	case "delete":
		d.Delete()
	case "rescan":
		if !s.scan(p) {
			return fmt.Errorf("the cable of port %s is out: the host finds nothing", p.port)
		}
		return s.run(settle)
	case "unlink":
		if p.lun == nil {
			return fmt.Errorf("LUN %s is not mapped on %s", c.Args[0], p.port)
		}
		s.unlink(p)
	case "link":
		if p.lun != nil {
			return fmt.Errorf("LUN %s is mapped on %s already", p.lun.Name, p.port)
		}
		s.link(p, p.of.lun)
		return s.run(settle)
	case "remap":
		to, err := s.findLUN(c.Options["to"])
		if err != nil {
			return err
		}
		if !p.of.keeps() {
			s.unlink(p)
		}
		s.link(p, to.lun)
		return s.run(settle)
	}
	return nil
}

// port pulls or plugs a cable. What the host makes of it is its transport's
// business: loop fails commands at once, iSCSI and FC hold them back for a while.
func (s *Session) port(c scenario.Command) error {
	port := c.Args[0]
	if !slices.Contains(s.ports, port) {
		return usagef("no LUN has the port %q; there is %s", port, listed(slices.Clone(s.ports)))
	}
	s.plugIn(port, c.Args[1] == "mend")
	return nil
}

func (s *Session) plugIn(port string, in bool) {
	s.cut = slices.DeleteFunc(s.cut, func(p string) bool { return p == port })
	h := s.w.HBA(firstPortHost + uint32(slices.Index(s.ports, port)))
	if in {
		h.Mend()
		return
	}
	s.cut = append(s.cut, port)
	h.Cut()
}

func (s *Session) disk(c scenario.Command) error {
	size, err := scenario.Size(c.Args[1])
	if err != nil {
		return usagef("%v", err)
	}
	if len(s.luns) > 0 {
		return usagef("disk stands before every lun: the machine boots with it")
	}
	l := LUN{Name: c.Args[0], Vendor: "ATA", Product: c.Options["model"], Serial: c.Options["serial"], Sectors: uint64(size) / 512}
	if l.Product == "" {
		l.Product = "LAB DISK"
	}
	if l.Serial == "" {
		l.Serial = "LAB-" + l.Name
	}
	for _, d := range s.disks {
		if d.port == l.Name || d.lun.Serial == l.Serial {
			return usagef("a disk with this name or serial exists already")
		}
	}
	p := &scriptPath{port: l.Name, host: uint32(len(s.disks)), lun: s.w.AddLUN(l)}
	s.disks = append(s.disks, p)
	s.scan(p)
	return nil
}

func (s *Session) findDisk(name string) (*scriptPath, error) {
	var names []string
	for _, d := range s.disks {
		if d.port == name {
			return d, nil
		}
		names = append(names, d.port)
	}
	return nil, usagef("no disk %q; there is %s", name, listed(names))
}

func (s *Session) plug(c scenario.Command) error {
	p, err := s.findDisk(c.Args[0])
	if err != nil {
		return err
	}
	if d := p.device(); c.Verb.Name == "plug" {
		s.scan(p)
	} else if d != nil {
		d.Delete()
	}
	return s.run(settle)
}

func (s *Session) fault(c scenario.Command) error {
	p, err := s.findPath(c.Args[0], c.Args[1])
	if err != nil {
		return err
	}
	d := p.device()
	if d == nil {
		return fmt.Errorf("the host has no device there now")
	}
	d.FailIO = c.Args[2] == "write-errors"
	d.Break(map[string]Fault{"no-connect": NoConnect, "hung": Hung}[c.Args[2]])
	return nil
}

func (s *Session) attention(c scenario.Command) error {
	p, err := s.findPath(c.Args[0], c.Args[1])
	if err != nil {
		return err
	}
	asc, ascq, _ := strings.Cut(c.Args[2], "/")
	a, err1 := strconv.ParseUint(asc, 16, 8)
	q, err2 := strconv.ParseUint(ascq, 16, 8)
	if err1 != nil || err2 != nil {
		return usagef("%q is no additional sense such as 3f/0e", c.Args[2])
	}
	d := p.device()
	if d == nil {
		return fmt.Errorf("the host has no device there now")
	}
	d.Attention(uint8(a), uint8(q))
	return nil
}

package sim

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/scenario"
)

// seenIOCTL is one device-mapper call that the kernel saw, whoever made it.
type seenIOCTL struct {
	op   string // "load", "suspend", "resume", "message", "remove", ...
	name string // of the map, as it was then
	text string // of a message
}

// tracedDM stands before the kernel's device-mapper: it remembers the calls,
// spoils some of them, and has the daemon die or stand still behind one.
type tracedDM struct {
	s    *Session
	port dmmap.Port
}

// dmFaults is what `dm every=` asks for: of each so many calls one fails. Which
// one is left to chance, for what asks in a rhythm of its own would else fail
// always, or never.
type dmFaults struct {
	every int
	errno uint32
	calls int // of the present round
	fails int // which of it
}

// spoils says whether the next call fails.
func (f *dmFaults) spoils(w *World) bool {
	if f.every == 0 {
		return false
	}
	if f.calls == 0 {
		f.fails = w.rand.IntN(f.every)
	}
	bad := f.calls == f.fails
	f.calls = (f.calls + 1) % f.every
	return bad
}

// armed is `daemon kill at=` or `daemon pause at=` that has not come yet.
type armed struct {
	op, action string
}

// Ioctl implements dmmap.Port.
func (t tracedDM) Ioctl(cmd uint32, buf []byte) ([]byte, uint32) {
	s, seen := t.s, seenIOCTL{op: opOf(cmd, buf)}
	if len(buf) >= ioctlLeast {
		c := &ioctl{name: text(buf[48:176]), uuid: text(buf[176:305]), dev: native.Uint64(buf[40:])}
		seen.name = c.name
		if m := s.w.dmFind(c); m != nil {
			seen.name = m.name
		}
		if start := native.Uint32(buf[16:]); seen.op == "message" && int(start)+8 < len(buf) {
			seen.text = text(buf[start+8:])
		}
	}
	s.ioctls = append(s.ioctls, seen)
	if s.dm.spoils(s.w) {
		return buf, s.dm.errno
	}
	out, errno := t.port.Ioctl(cmd, buf)
	if a := s.armed; a != nil && a.op == seen.op && errno == 0 {
		s.armed = nil
		s.strike(a.action)
	}
	return out, errno
}

// opOf names a call as scripts do.
func opOf(cmd uint32, buf []byte) string {
	switch cmd {
	case dmmap.CmdSuspend:
		if len(buf) > 32 && native.Uint32(buf[28:])&fSuspend == 0 {
			return "resume"
		}
		return "suspend"
	case dmmap.CmdCreate:
		return "create"
	case dmmap.CmdRemove:
		return "remove"
	case dmmap.CmdRename:
		return "rename"
	case dmmap.CmdLoad:
		return "load"
	case dmmap.CmdMessage:
		return "message"
	}
	return "query"
}

func (s *Session) dmVerb(c scenario.Command) error {
	switch {
	case len(c.Args) == 1 && len(c.Options) == 0:
		s.w.FailDM, s.dm = 0, dmFaults{}
		return nil
	case len(c.Args) == 0 && c.Options["fail"] != "" && len(c.Options) == 1:
		n, err := strconv.Atoi(strings.TrimSuffix(c.Options["fail"], "%"))
		if err != nil || n < 0 || n > 100 {
			return usagef("fail=%s is no percentage", c.Options["fail"])
		}
		s.w.FailDM = n * 10
		return nil
	case len(c.Args) == 0 && c.Options["every"] != "" && len(c.Options) == 2:
		n, err := strconv.Atoi(c.Options["every"])
		errno := map[string]uint32{"EIO": eIO, "ENXIO": eNXIO, "ENOMEM": 12, "EBUSY": eBUSY, "EINVAL": eINVAL}[c.Options["errno"]]
		if err != nil || n < 1 || errno == 0 {
			return usagef("want a number and one of EBUSY, EINVAL, EIO, ENOMEM, ENXIO")
		}
		s.dm = dmFaults{every: n, errno: errno}
		return nil
	}
	return usagef("say what becomes of the ioctls")
}

// multipathMaps gives the maps with a multipath target, by name.
func (s *Session) multipathMaps() []string {
	var out []string
	for _, m := range s.w.maps {
		if len(m.live.multipaths()) > 0 {
			out = append(out, m.name)
		}
	}
	slices.Sort(out)
	return out
}

// state is a map in a script's words, as the kernel has it.
func (s *Session) state(m *Map) scenario.MapState {
	mp := m.live.multipaths()[0]
	v := scenario.MapState{WWID: strings.TrimPrefix(m.uuid, "mpath-"), Queue: "off", State: "active", Handler: mp.handler}
	if mp.queue {
		v.Queue = "on"
	}
	if m.suspended {
		v.State = "suspended"
	}
	var groups []scenario.GroupState
	for _, g := range mp.groups {
		if v.Selector == "" {
			v.Selector = g.selector
		}
		state := scenario.GroupState{Current: mp.current == g && !g.bypassed}
		for _, p := range g.paths {
			name := s.label(p.disk)
			state.Paths = append(state.Paths, name)
			if !p.active {
				state.Failed = append(state.Failed, name)
			}
		}
		groups = append(groups, state)
	}
	v.SetGroups(groups)
	return v
}

func (s *Session) expectMap(c scenario.Command) error {
	want := map[string]string{}
	for k, v := range c.Options {
		if k != "within" && k != "for" {
			want[k] = v
		}
	}
	return s.eventually(c.Duration("within", soon), c.Duration("for", 0), func() error {
		m := s.w.Map(c.Args[0])
		if m == nil || len(m.live.multipaths()) == 0 {
			return fmt.Errorf("no multipath map %s; there is %s", c.Args[0], listed(s.multipathMaps()))
		}
		v := s.state(m)
		if bad := v.Differs(want); bad != nil {
			return fmt.Errorf("%s\n  the kernel has: %s", strings.Join(bad, "; "), v)
		}
		return nil
	})
}

func (s *Session) expectMaps(c scenario.Command) error {
	want := slices.Sorted(slices.Values(c.Args))
	return s.eventually(c.Duration("within", soon), 0, func() error {
		if have := s.multipathMaps(); !slices.Equal(have, want) {
			return fmt.Errorf("the multipath maps are %v, not %v", have, want)
		}
		return nil
	})
}

func (s *Session) expectNoMap(c scenario.Command) error {
	return s.eventually(c.Duration("within", soon), c.Duration("for", 0), func() error {
		if slices.Contains(s.multipathMaps(), c.Args[0]) {
			return fmt.Errorf("the map %s exists", c.Args[0])
		}
		return nil
	})
}

func (s *Session) expectOwner(c scenario.Command) error {
	var want [3]uint64
	for i, base := range []int{10, 10, 8} {
		n, err := strconv.ParseUint(c.Args[1+i], base, 32)
		if err != nil {
			return usagef("%q: want numbers: uid, gid and an octal mode", c.Args[1+i])
		}
		want[i] = n
	}
	return s.eventually(c.Duration("within", soon), 0, func() error {
		t, err := s.device(c.Args[0])
		if err != nil {
			return err
		}
		if t.m == nil {
			return fmt.Errorf("%s is no map: the simulated host has no owner of it", c.Args[0])
		}
		n := t.m.Node
		if have := [3]uint64{uint64(n.UID), uint64(n.GID), uint64(n.Mode & 0o7777)}; have != want {
			return fmt.Errorf("%s is %d:%d %04o, not %d:%d %04o", c.Args[0], have[0], have[1], have[2], want[0], want[1], want[2])
		}
		return nil
	})
}

func (s *Session) expectCount(c scenario.Command) error {
	want, err := scenario.ParseCount(c.Args[1])
	if err != nil {
		return usagef("%v", err)
	}
	from, err := s.since(c, false)
	if err != nil {
		return err
	}
	match, err := pattern(c.Options["match"])
	if err != nil {
		return err
	}
	op := strings.TrimSuffix(strings.TrimPrefix(c.Verb.Name, "expect "), "s")
	look := func() error {
		var seen []string
		for _, i := range s.ioctls[from.ioctls:] {
			if i.op == op && (c.Args[0] == "any" || i.name == c.Args[0]) && match.MatchString(i.text) {
				seen = append(seen, strings.TrimSpace(i.op+" "+i.name+" "+i.text))
			}
		}
		if !want.Holds(len(seen)) {
			return fmt.Errorf("the kernel saw %d\n  %s", len(seen), strings.Join(seen, "\n  "))
		}
		return nil
	}
	if c.Options["within"] == "" {
		return look()
	}
	return s.eventually(c.Duration("within", 0), 0, look)
}

// pattern compiles an expression that a script wrote; "" matches everything.
func pattern(text string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return re, nil
}

// dmsetup is as much of the program as scripts use, on the simulated kernel:
// create NAME [-u UUID] --table LINE, message NAME SECTOR TEXT, remove NAME.
func (s *Session) dmsetup(argv []string, out io.Writer) int {
	var words []string
	uuid, line := "", ""
	for i := 0; i < len(argv); i++ {
		switch next := i + 1; {
		case argv[i] == "-u" && next < len(argv):
			uuid, i = argv[next], next
		case argv[i] == "--table" && next < len(argv):
			line, i = argv[next], next
		case argv[i] == "--retry" || argv[i] == "--noudevsync":
		default:
			words = append(words, argv[i])
		}
	}
	var calls []interface{ Encode() (dmmap.Call, error) }
	var name table.Name
	var err error
	if len(words) > 1 {
		name, err = table.KernelName(words[1])
	}
	id, err2 := table.ParseUUID(uuid)
	at := dmmap.ByName(name)
	switch {
	case err != nil || err2 != nil:
		fmt.Fprintf(out, "dmsetup: %v\n", errorOf(err, err2))
		return 1
	case len(words) == 2 && words[0] == "create" && line != "":
		l, err := table.ParseLine(line)
		if err != nil {
			fmt.Fprintf(out, "dmsetup: %v\n", err)
			return 1
		}
		calls = append(calls, dmmap.Create{Name: name, UUID: id}, dmmap.Load{Map: at, Lines: []table.Line{l}}, dmmap.Resume{Map: at})
	case len(words) == 2 && words[0] == "remove":
		calls = append(calls, dmmap.Remove{Map: at})
	case len(words) >= 4 && words[0] == "message":
		sector, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			fmt.Fprintf(out, "dmsetup: %q is no sector\n", words[2])
			return 1
		}
		calls = append(calls, dmmap.Message{Map: at, Sector: table.Sectors(sector), Text: strings.Join(words[3:], " ")})
	default:
		fmt.Fprintln(out, "dmsetup: the simulated one knows create NAME [-u UUID] --table LINE, message NAME SECTOR TEXT, remove NAME")
		return 1
	}
	for _, q := range calls {
		c, err := q.Encode()
		if err == nil {
			_, errno := tracedDM{s, DM{s.w}}.Ioctl(c.Cmd, c.Buf)
			err = c.Err(errno)
		}
		if err != nil {
			fmt.Fprintf(out, "dmsetup: %v\n", err)
			return 1
		}
	}
	return 0
}

func errorOf(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

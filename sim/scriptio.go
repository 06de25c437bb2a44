package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/scenario"
)

const blockBytes = 512

// target is what a script calls a device: a map, or a disk.
type ioTarget struct {
	m     *Map
	disk  *Disk
	meant *LUN
}

// device resolves what a script calls a device: a node in /dev; LUN:PORT, one
// path's disk; or a disk's name.
func (s *Session) device(word string) (ioTarget, error) {
	if node, ok := strings.CutPrefix(word, "/dev/"); ok {
		for _, m := range s.w.maps {
			if node == "mapper/"+m.name || node == m.kernelName() {
				return ioTarget{m: m, meant: s.meant(m)}, nil
			}
		}
		if d := s.w.Disk(node); d != nil {
			if l := s.nominal(d); l != nil {
				return ioTarget{disk: d, meant: l}, nil
			}
			return ioTarget{disk: d, meant: nothing()}, nil
		}
		return ioTarget{}, fmt.Errorf("%s does not exist", word)
	}
	var p *scriptPath
	var err error
	if lun, port, ok := strings.Cut(word, ":"); ok {
		p, err = s.findPath(lun, port)
	} else {
		p, err = s.findDisk(word)
	}
	if err != nil {
		return ioTarget{}, err
	}
	d := p.device()
	if d == nil {
		return ioTarget{}, fmt.Errorf("%q: no such device now; name a file in /dev, LUN:PORT or a disk", word)
	}
	if p.lun == nil {
		return ioTarget{disk: d, meant: nothing()}, nil
	}
	return ioTarget{disk: d, meant: p.lun}, nil
}

// nominal is the LUN that a disk's path was made for.
func (s *Session) nominal(d *Disk) *LUN {
	for _, p := range s.paths() {
		if p.of != nil && p.nexus != nil && p.nexus == d.nexus && p.number == d.Unit {
			return p.of.lun
		}
	}
	return d.lun
}

// meant is the LUN that the user of a map believes to write to: the one whose id
// the map's UUID bears, else the one that its first path was made for.
func (s *Session) meant(m *Map) *LUN {
	for _, l := range s.w.luns { // also those that are gone
		if m.uuid == "mpath-"+l.WWID() {
			return l
		}
	}
	for _, t := range m.live.multipaths() {
		for _, g := range t.groups {
			for _, p := range g.paths {
				if l := s.nominal(p.disk); l != nil {
					return l
				}
			}
		}
	}
	return nothing()
}

// nothing is the LUN of a device that leads nowhere.
func nothing() *LUN { return &LUN{Name: "nothing", blocks: map[uint64]uint64{}} }

// send sends one read or write to a device; then gets it back at its end.
func (s *Session) send(t ioTarget, io *IO, then func(*IO)) {
	io.Meant, io.Sent, io.then = t.meant, s.w.now, then
	if t.m != nil {
		io.Map = t.m
		t.m.submit(io)
		return
	}
	t.disk.submit(io, func(f fate) {
		io.Ended, io.Err = s.w.now, f.err()
		then(io)
	})
}

// scriptIO is an application that writes block after block, and looks at the end
// whether what was confirmed is there.
type scriptIO struct {
	name    string
	to      ioTarget
	every   mpath.Span
	blocks  uint64
	sent    int
	done    int
	open    int
	stopped bool
	errors  []string
	slowest mpath.Span
	good    map[uint64]uint64 // by block: the last stamp that was confirmed
	busy    map[uint64]bool   // blocks with a write under way
}

// depth is how many writes an application has under way at most.
const depth = 4

func (s *Session) findIO(name string) *scriptIO {
	for _, a := range s.apps {
		if a.name == name {
			return a
		}
	}
	return nil
}

func (s *Session) io(c scenario.Command) error {
	name, action := c.Args[0], c.Args[1]
	a := s.findIO(name)
	switch {
	case action == "start" && a != nil:
		return usagef("I/O %q runs already", name)
	case action == "start" && len(c.Args) != 3:
		return usagef("on which device?")
	case action == "start":
		return s.startIO(c)
	case a == nil:
		return usagef("no I/O %q was started", name)
	case action == "stop":
		return s.stopIO(a, c.Options["errors"] == "some")
	case action == "progress":
		return s.progress(a, c)
	}
	// stalled
	done := a.done
	hold := c.Duration("for", 2*1e9)
	if err := s.run(mpath.Span(hold)); err != nil {
		return err
	}
	if a.done != done {
		return fmt.Errorf("I/O goes on: %d writes ended in %s", a.done-done, hold)
	}
	return nil
}

func (s *Session) progress(a *scriptIO, c scenario.Command) error {
	done := a.done
	return s.eventually(c.Duration("within", soon), 0, func() error {
		if a.done == done {
			return fmt.Errorf("no write ends: %d are under way", a.open)
		}
		return nil
	})
}

func (s *Session) startIO(c scenario.Command) error {
	size, rate := int64(16<<20), 100
	var err error
	if text := c.Options["size"]; text != "" {
		if size, err = scenario.Size(text); err != nil {
			return usagef("%v", err)
		}
	}
	if text := c.Options["rate"]; text != "" {
		if rate, err = strconv.Atoi(text); err != nil || rate < 1 || rate > 100_000 {
			return usagef("rate=%s is no number of writes a second", text)
		}
	}
	t, err := s.device(c.Args[2])
	if err != nil {
		return err
	}
	const step = 4096 / blockBytes
	a := &scriptIO{
		name: c.Args[0], to: t, every: mpath.Second / mpath.Span(rate), blocks: max(1, uint64(size)/4096), good: map[uint64]uint64{}, busy: map[uint64]bool{},
	}
	if t.m != nil {
		t.m.Open()
	}
	s.apps = append(s.apps, a)
	var tick func()
	tick = func() {
		if a.stopped {
			return
		}
		if a.open < depth {
			a.open++
			a.sent++
			s.wrote++
			io := &IO{Block: s.w.rand.Uint64N(a.blocks) * step, Stamp: uint64(a.sent)}
			for a.busy[io.Block] && a.blocks > depth { // of two writes at once nobody knows which is the last
				io.Block = (io.Block + step) % (a.blocks * step)
			}
			a.busy[io.Block] = true
			s.send(t, io, a.ended)
		}
		s.w.after(a.every, tick)
	}
	tick()
	return s.progress(a, c)
}

func (a *scriptIO) ended(io *IO) {
	a.open--
	a.done++
	delete(a.busy, io.Block)
	a.slowest = max(a.slowest, io.Ended.Since(io.Sent))
	if io.Err != "" {
		a.errors = append(a.errors, fmt.Sprintf("block %d, sent at second %.3f: %s", io.Block, float64(io.Sent.Since(start))/1e9, io.Err))
		return
	}
	a.good[io.Block] = max(a.good[io.Block], io.Stamp)
}

// stopIO ends an application and says what of its I/O was not sound.
func (s *Session) stopIO(a *scriptIO, errorsAllowed bool) error {
	a.stopped = true
	s.apps = slices.DeleteFunc(s.apps, func(o *scriptIO) bool { return o == a })
	err := s.eventually(2*timeoutS*1e9, 0, func() error {
		if a.open > 0 {
			return fmt.Errorf("%d writes have not ended", a.open)
		}
		return nil
	})
	if a.to.m != nil {
		a.to.m.Close()
	}
	if err != nil {
		return err
	}
	s.tell("%s   %s: %d writes, %d errors, the slowest took %.3f s", s.clock(s.w.now), a.name, a.done, len(a.errors), float64(a.slowest)/1e9)
	if len(a.errors) > 0 && !errorsAllowed {
		return fmt.Errorf("%d of %d writes failed, the first: %s", len(a.errors), a.done, a.errors[0])
	}
	for block := range a.blocks {
		at := block * (4096 / blockBytes)
		if stamp := a.good[at]; a.to.meant.blocks[at] < stamp && len(a.errors) == 0 {
			return fmt.Errorf("block %d holds write %d, and %d was confirmed", at, a.to.meant.blocks[at], stamp)
		}
	}
	return nil
}

// firstStamp is above what applications count to.
const firstStamp = 1 << 62

// stamp is the number that stands for a text in a block.
func (s *Session) stamp(text string) uint64 {
	if s.stamps[text] == 0 {
		s.stamps[text] = firstStamp + uint64(len(s.stamps))
	}
	return s.stamps[text]
}

// scriptProbe is a read or write that has not ended.
type scriptProbe struct {
	name string
	io   *IO
	to   ioTarget
}

func (s *Session) probe(c scenario.Command) error {
	name, how, want := c.Args[0], c.Args[1], c.Args[len(c.Args)-1]
	if (len(c.Args) == 4) == (how == "ends") {
		return usagef("a device stands with read and write, and not with ends")
	}
	i := slices.IndexFunc(s.probes, func(p *scriptProbe) bool { return p.name == name })
	began := s.w.now
	switch {
	case how == "ends" && i < 0:
		return usagef("no probe %q is pending", name)
	case how != "ends" && i >= 0:
		return usagef("a probe %q is pending", name)
	case how != "ends":
		p, have, err := s.startProbe(c)
		if err != nil {
			return err
		}
		if have != "" {
			return wantOutcome(have, want, "")
		}
		s.probes = append(s.probes, p)
		i = len(s.probes) - 1
	}
	p := s.probes[i]
	limit := began.After(mpath.Span(c.Duration("within", soon)))
	for p.io.Ended == 0 && s.w.now < limit {
		if err := s.run(min(limit.Since(s.w.now), lookAgain)); err != nil {
			return err
		}
	}
	have := "pending"
	if p.io.Ended != 0 {
		s.probes = slices.DeleteFunc(s.probes, func(o *scriptProbe) bool { return o == p })
		have, _, _ = strings.Cut(p.io.Err, ":")
		if have == "" {
			have = "ok"
		}
	}
	if err := wantOutcome(have, want, p.io.Err); err != nil {
		return fmt.Errorf("%w; waited %.3f s", err, float64(s.w.now.Since(began))/1e9)
	}
	if text := c.Options["stamp"]; text != "" && p.io.Read && p.io.Stamp != s.stamp(text) {
		return fmt.Errorf("the block does not begin with the stamp %q", text)
	}
	return nil
}

func wantOutcome(have, want, detail string) error {
	if have == want {
		return nil
	}
	if detail != "" {
		detail = " (" + detail + ")"
	}
	return fmt.Errorf("it is %s%s, not %s", have, detail, want)
}

// startProbe sends the probe. A device that cannot be opened gives the errno's
// name at once.
func (s *Session) startProbe(c scenario.Command) (p *scriptProbe, have string, err error) {
	t, err := s.device(c.Args[2])
	if err != nil {
		return nil, "", err
	}
	if t.disk != nil && !t.disk.online() {
		return nil, "ENXIO", nil // sd_open asks scsi_block_when_processing_errors
	}
	text := c.Options["stamp"]
	if text == "" {
		text = c.Args[0]
	}
	io := &IO{Read: c.Args[1] == "read", Stamp: s.stamp(text)}
	if at := c.Options["offset"]; at != "" {
		n, err := scenario.Size(at)
		if err != nil {
			return nil, "", usagef("%v", err)
		}
		io.Block = uint64(n) / blockBytes
	}
	if t.m != nil {
		t.m.Open()
	}
	s.send(t, io, func(*IO) {
		if t.m != nil {
			t.m.Close()
		}
	})
	return &scriptProbe{name: c.Args[0], io: io, to: t}, "", nil
}

func (s *Session) expectStamp(c scenario.Command) error {
	l, err := s.findLUN(c.Args[0])
	if err != nil {
		return err
	}
	want, err := scenario.ParseCount(c.Args[2])
	if err != nil {
		return usagef("%v", err)
	}
	have, number := 0, s.stamps[c.Args[1]]
	for _, stamp := range l.lun.blocks {
		if stamp == number && number != 0 {
			have++
		}
	}
	if !want.Holds(have) {
		return fmt.Errorf("%d blocks of LUN %s bear the stamp %q", have, l.name, c.Args[1])
	}
	return nil
}

func (s *Session) expectUntouched(c scenario.Command) error {
	l, err := s.findLUN(c.Args[0])
	if err != nil {
		return err
	}
	if n := l.lun.Blocks(); n > 0 {
		return fmt.Errorf("%d blocks of it were written", n)
	}
	return nil
}

func (s *Session) expectStrays(c scenario.Command) error {
	want, err := scenario.ParseCount(c.Args[0])
	if err != nil {
		return usagef("%v", err)
	}
	have := len(s.w.Strays)
	if !want.Holds(have) {
		return fmt.Errorf("%d writes reached a stranger", have)
	}
	s.strays = have
	return nil
}

package sim

import (
	"fmt"
	"slices"
	"strconv"

	"pathkeeper/scenario"
)

// scriptMount is what `mount` mounted.
type scriptMount struct{ node, dir string }

func (s *Session) mount(c scenario.Command) error {
	t, err := s.device(c.Args[0])
	if err != nil {
		return err
	}
	m := scriptMount{dir: c.Args[1]}
	switch part := c.Options["partition"] == "yes"; {
	case t.m != nil && part:
		return fmt.Errorf("the simulated host makes no partitions of a map")
	case t.m != nil:
		m.node = t.m.kernelName()
	case part:
		t.disk.Parts = []Part{{Number: 1, Start: 2048, Sectors: t.disk.Sectors - 2048}}
		t.disk.Announce()
		m.node = t.disk.Name + "1"
	default:
		m.node = t.disk.Name
	}
	s.w.Mount(m.node, m.dir)
	s.mounts = append(s.mounts, m)
	return s.run(settle)
}

func (s *Session) umount(c scenario.Command) error {
	i := slices.IndexFunc(s.mounts, func(m scriptMount) bool { return m.dir == c.Args[0] })
	if i < 0 {
		return usagef("nothing is mounted on %s", c.Args[0])
	}
	s.w.Unmount(s.mounts[i].node)
	s.mounts = slices.Delete(s.mounts, i, i+1)
	return nil
}

func (s *Session) hold(c scenario.Command) error {
	name := c.Args[0]
	if s.holds[name] != nil {
		return usagef("%q holds a device already", name)
	}
	t, err := s.device(c.Args[1])
	if err != nil {
		return err
	}
	switch exclusive := c.Options["exclusive"] == "yes"; {
	case t.m != nil:
		t.m.Open()
		s.holds[name] = t.m.Close
	case exclusive && (t.disk.Exclusive || len(s.w.holders(t.disk)) > 0):
		return fmt.Errorf("open %s: EBUSY", c.Args[1])
	case exclusive:
		t.disk.Exclusive = true
		s.holds[name] = func() { t.disk.Exclusive = false }
	default:
		s.holds[name] = func() {}
	}
	return nil
}

func (s *Session) release(c scenario.Command) error {
	end := s.holds[c.Args[0]]
	if end == nil {
		return usagef("no program %q holds a device", c.Args[0])
	}
	delete(s.holds, c.Args[0])
	end()
	return nil
}

func (s *Session) uevents(c scenario.Command) error {
	if len(c.Args) == 1 {
		s.d.Overrun()
		return nil
	}
	if len(c.Options) == 0 {
		return usagef("say what becomes of the uevents")
	}
	for key, into := range map[string]*int{"lose": &s.d.LoseUevents, "double": &s.d.DoubleUevents} {
		text, ok := c.Options[key]
		if !ok {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 1000 {
			return usagef("%s=%s is no number out of 1000", key, text)
		}
		*into = n
	}
	return nil
}

func (s *Session) filesVerb(c scenario.Command) error {
	what, takes := c.Args[0], c.Args[0] == "hang" || c.Args[0] == "read-only"
	if takes != (len(c.Args) == 2) {
		return usagef("a directory stands with hang and read-only")
	}
	switch what {
	case "hang":
		s.w.Files.Hang(c.Args[1])
	case "go":
		s.w.Files.Release()
		s.d.Unhang()
	case "read-only":
		s.w.Files.ReadOnly = append(s.w.Files.ReadOnly, c.Args[1])
	case "writable":
		s.w.Files.ReadOnly = nil
	}
	return nil
}

// trigger has udevd handle a change event of a device, or of every block device,
// as udevadm trigger does.
func (s *Session) trigger(c scenario.Command) error {
	var only ioTarget
	if len(c.Args) == 1 {
		var err error
		if only, err = s.device(c.Args[0]); err != nil {
			return err
		}
	}
	for _, d := range slices.Clone(s.w.disks) {
		if len(c.Args) == 0 || only.disk == d {
			d.Announce()
		}
	}
	for _, m := range slices.Clone(s.w.maps) {
		if len(c.Args) == 0 || only.m == m {
			s.w.uevent(m.event("change", "", 0))
		}
	}
	return s.run(settle)
}

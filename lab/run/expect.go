package run

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

const (
	// soon is how long a state may take to appear where a verb does not say.
	soon = 10 * time.Second
	// lookAgain parts two looks at the kernel's state.
	lookAgain = 100 * time.Millisecond
)

// eventually asks until f holds or the limit, stretched, has passed; with hold
// it must go on holding for that long. f's error is what the last look saw.
func (s *session) eventually(limit, hold time.Duration, f func() error) error {
	deadline := time.Now().Add(s.guest.Scale(limit))
	for {
		err := f()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %w", s.guest.Scale(limit).Round(time.Second/10), err)
		}
		time.Sleep(lookAgain)
	}
	for until := time.Now().Add(hold); time.Now().Before(until); {
		time.Sleep(lookAgain)
		if err := f(); err != nil {
			return fmt.Errorf("held for %s only: %w", (hold - time.Until(until)).Round(time.Second/10), err)
		}
	}
	return nil
}

// readMaps reads all multipath maps.
func (s *session) readMaps() (map[string]*dmMap, error) {
	info, err := s.guest.Run(20*time.Second, "sh", "-c",
		`dmsetup info -c --noheadings --separator '|' -o name,uuid,major,minor,suspended; echo ==; dmsetup table --target multipath; echo ==; dmsetup status --target multipath`)
	if err != nil {
		return nil, err
	}
	part := strings.Split(info, "==\n")
	if len(part) != 3 {
		return nil, fmt.Errorf("dmsetup said:\n%s", info)
	}
	all := map[string]*dmMap{}
	for line := range strings.Lines(part[0]) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 5 {
			continue // "No devices found"
		}
		m := &dmMap{Name: f[0], UUID: f[1], Dev: f[2] + ":" + f[3], Suspended: f[4] == "Suspended"}
		all[m.Name] = m
		s.maps[m.Dev] = m.Name
	}
	maps := map[string]*dmMap{}
	for i, parse := range []func(*dmMap, string) error{(*dmMap).parseTable, (*dmMap).parseStatus} {
		for line := range strings.Lines(part[1+i]) {
			name, rest, ok := strings.Cut(line, ": ")
			if !ok || all[name] == nil {
				continue
			}
			if err := parse(all[name], rest); err != nil {
				return nil, fmt.Errorf("map %s: %w", name, err)
			}
			maps[name] = all[name]
		}
	}
	return maps, nil
}

func names(maps map[string]*dmMap) []string {
	var out []string
	for n := range maps {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func (s *session) expectMap(c scenario.Command) error {
	want := map[string]string{}
	for k, v := range c.Options {
		if k != "within" && k != "for" {
			want[k] = v
		}
	}
	return s.eventually(c.Duration("within", soon), c.Duration("for", 0), func() error {
		maps, err := s.readMaps()
		if err != nil {
			return err
		}
		m := maps[c.Args[0]]
		if m == nil {
			return fmt.Errorf("no multipath map %s; there is %v", c.Args[0], names(maps))
		}
		if _, err := s.nodes(); err != nil {
			return err
		}
		v := m.view(s.labels)
		if bad := v.Differs(want); bad != nil {
			return fmt.Errorf("%s\n  the kernel has: %s", strings.Join(bad, "; "), v)
		}
		return nil
	})
}

func (s *session) expectMaps(c scenario.Command) error {
	want := slices.Sorted(slices.Values(c.Args))
	return s.eventually(c.Duration("within", soon), 0, func() error {
		maps, err := s.readMaps()
		if err != nil {
			return err
		}
		if have := names(maps); !slices.Equal(have, want) {
			return fmt.Errorf("the multipath maps are %v, not %v", have, want)
		}
		return nil
	})
}

func (s *session) expectNoMap(c scenario.Command) error {
	return s.eventually(c.Duration("within", soon), c.Duration("for", 0), func() error {
		maps, err := s.readMaps()
		if err != nil {
			return err
		}
		if maps[c.Args[0]] != nil {
			return fmt.Errorf("the map %s exists", c.Args[0])
		}
		return nil
	})
}

func (s *session) expectOwner(c scenario.Command) error {
	var want [3]uint64
	for i, base := range []int{10, 10, 8} {
		n, err := strconv.ParseUint(c.Args[1+i], base, 32)
		if err != nil {
			return fmt.Errorf("%q: want numbers: uid, gid and an octal mode", c.Args[1+i])
		}
		want[i] = n
	}
	return s.eventually(c.Duration("within", soon), 0, func() error {
		entries, err := s.guest.Look(c.Args[0])
		if err != nil {
			return err
		}
		if len(entries) != 1 {
			return fmt.Errorf("%s does not exist", c.Args[0])
		}
		e := entries[0]
		if have := [3]uint64{uint64(e.UID), uint64(e.GID), uint64(e.Mode & 0o7777)}; have != want {
			return fmt.Errorf("%s is %d:%d %04o, not %d:%d %04o", c.Args[0], have[0], have[1], have[2], want[0], want[1], want[2])
		}
		return nil
	})
}

// expectStamp counts the blocks of a LUN's backing file that begin with a
// stamp: the store's own word, behind every cache of the initiator.
func (s *session) expectStamp(c scenario.Command) error {
	l, err := s.array.LUN(c.Args[0])
	if err != nil {
		return err
	}
	want, err := scenario.ParseCount(c.Args[2])
	if err != nil {
		return err
	}
	exit, err := s.guest.Exec(wire.Exec{Argv: []string{"/usr/lib/lab/agent", "stamps", l.File(), c.Args[1]}}, 60*time.Second)
	if err != nil {
		return err
	}
	var have int
	if _, err := fmt.Sscan(string(exit.Stdout), &have); err != nil || exit.Code != 0 {
		return fmt.Errorf("count stamps: exit %d: %s", exit.Code, exit.Stderr)
	}
	if !want.Holds(have) {
		return fmt.Errorf("%d blocks of LUN %s bear the stamp %q", have, l.Name, c.Args[1])
	}
	return nil
}

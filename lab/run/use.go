package run

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

// Programs that use a device: they hold it open, or have it mounted.

func holdJob(name string) string { return "hold-" + name }

// hold starts a program that opens a device, and waits until it has.
func (s *session) hold(c scenario.Command) error {
	name := c.Args[0]
	if s.holding[name] {
		return fmt.Errorf("%q holds a device already", name)
	}
	device, err := s.device(c.Args[1])
	if err != nil {
		return err
	}
	// The kernel has a map a moment before udevd has made its link.
	var node string
	if err := s.eventually(soon, 0, func() (err error) { node, err = s.resolve(device); return err }); err != nil {
		return err
	}
	flags := "O_RDONLY"
	if c.Options["exclusive"] == "yes" {
		flags += "|O_EXCL"
	}
	log := "/run/lab/" + holdJob(name) + ".log"
	program := `sysopen(F, $ARGV[0], ` + flags + `) or die "open: $!"; $| = 1; print "held\n"; sleep 7200`
	if _, err := s.guest.Start(holdJob(name), log, "perl", "-MFcntl", "-e", program, node); err != nil {
		return err
	}
	s.holding[name] = true
	if _, err := s.guest.Wait(wire.Wait{File: log, Match: "(?m)^held$"}, soon); err != nil {
		return fmt.Errorf("open %s: %w%s", device, err, s.jobLog("the program", log))
	}
	return nil
}

func (s *session) release(c scenario.Command) error {
	if !s.holding[c.Args[0]] {
		return fmt.Errorf("no program %q holds a device", c.Args[0])
	}
	delete(s.holding, c.Args[0])
	if !s.guest.Running(holdJob(c.Args[0])) {
		return fmt.Errorf("the program has ended by itself")
	}
	return s.stopJob(holdJob(c.Args[0]), 10*time.Second)
}

// mount makes a file system and mounts it.
func (s *session) mount(c scenario.Command) error {
	device, err := s.device(c.Args[0])
	if err != nil {
		return err
	}
	script := "d=" + device + "\n"
	if c.Options["partition"] == "yes" {
		script += "printf 'label: dos\\nstart=2048\\n' | sfdisk -q $d\nudevadm settle\nd=${d}1\n"
	}
	script += "mkfs.ext4 -q $d\nmkdir -p '" + c.Args[1] + "'\nmount $d '" + c.Args[1] + "'\n"
	if err := s.sh(60*time.Second, script); err != nil {
		return err
	}
	s.mounted = append(s.mounted, c.Args[1])
	return nil
}

func (s *session) umount(c scenario.Command) error {
	i := slices.Index(s.mounted, c.Args[0])
	if i < 0 {
		return fmt.Errorf("nothing is mounted on %s by this scenario; there is %s", c.Args[0], strings.Join(s.mounted, ", "))
	}
	s.mounted = slices.Delete(s.mounted, i, i+1)
	return s.sh(60*time.Second, "echo still >'"+c.Args[0]+"/still' && sync && umount '"+c.Args[0]+"'")
}

// trigger has udev look again, and waits until it has.
func (s *session) trigger(c scenario.Command) error {
	argv := []string{"udevadm", "trigger", "--settle"}
	if len(c.Args) == 0 {
		argv = append(argv, "--subsystem-match=block")
	} else {
		device, err := s.device(c.Args[0])
		if err != nil {
			return err
		}
		argv = append(argv, device)
	}
	_, err := s.guest.Run(60*time.Second, argv...)
	return err
}

// expectUdev looks into udev's database.
func (s *session) expectUdev(c scenario.Command) error {
	key, want, ok := strings.Cut(c.Args[1], "=")
	if !ok {
		return fmt.Errorf("%q: want KEY=EXPRESSION", c.Args[1])
	}
	re, err := regexp.Compile("^(?:" + want + ")$")
	if err != nil {
		return err
	}
	return s.eventually(c.Duration("within", soon), 0, func() error {
		device, err := s.device(c.Args[0])
		if err != nil {
			return err
		}
		text, err := s.guest.Run(20*time.Second, "udevadm", "info", "--query=property", device)
		if err != nil {
			return err
		}
		have := ""
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), key+"="); ok {
				have = v
			}
		}
		if !re.MatchString(have) {
			return fmt.Errorf("%s is %q", key, have)
		}
		return nil
	})
}

// multipath calls our binary by that name.
func (s *session) multipath(c scenario.Command) error {
	argv := []string{"bash", "-c", `exec -a multipath ` + binary + ` "$@"`, "bash"}
	words := slices.Clone(c.Args)
	if err := s.substitute(words); err != nil {
		return err
	}
	return s.match(c, append(argv, words...), nil)
}

// expectUntouched looks whether a LUN's store is still the hole that it was made.
func (s *session) expectUntouched(c scenario.Command) error {
	l, err := s.array.LUN(c.Args[0])
	if err != nil {
		return err
	}
	n, err := s.guest.Run(60*time.Second, "sh", "-c", `tr -d "\000" <`+l.File()+` | wc -c`)
	if err == nil && strings.TrimSpace(n) != "0" {
		err = fmt.Errorf("%s bytes of it were written", strings.TrimSpace(n))
	}
	return err
}

// stopUsers ends at the teardown what still uses devices.
func (s *session) stopUsers(try func(string, error)) {
	for _, name := range sortedKeys(s.holding) {
		try("end the program "+name, s.stopJob(holdJob(name), 10*time.Second))
	}
	for _, dir := range slices.Backward(s.mounted) {
		try("unmount "+dir, s.sh(30*time.Second, "umount '"+dir+"'"))
	}
}

func sortedKeys(set map[string]bool) []string {
	var out []string
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

package sim

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/configs"
	"pathkeeper/dmmap"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scenario"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// What `pathkeeper udev hook` asks of the host.

// Sysfs is the host's tree.
func (s *Session) Sysfs() sysfs.Tree { return Tree{s.w} }

// StateFiles are the host's files, of /run/udev and /proc too.
func (s *Session) StateFiles() statefile.Port { return s.w.Files }

// DM is the host's device-mapper.
func (s *Session) DM() dmmap.Port { return DM{s.w} }

// Config reads the host's configuration.
func (s *Session) Config() (policy.Config, []configs.Message, error) { return s.loadConfig("") }

// Running says whether the daemon's process is there.
func (s *Session) Running() bool { return s.d.running }

// rules is what the product's rules do with an event (rules/*.rules): they call
// the hook, and go by what it prints.
func (s *Session) rules(e Uevent, found []string) []string {
	env := append(e.Props(), "DEVNAME=/dev/"+e.Name)
	env = append(env, found...)
	record := "/run/udev/" + uevent.RecordName(e.Major, e.Minor)
	before := func(key string) string { return s.udevValue(record, key) }
	hook := func() (map[string]string, []string, bool) {
		lines, err := s.o.Hook(s, env)
		s.w.took = mpath.Span(0) // what it asked cost the event's time, and nobody's call
		props := map[string]string{}
		for _, l := range lines {
			key, value, _ := strings.Cut(l, "=")
			props[key] = value
		}
		return props, lines, err == nil
	}
	switch {
	case e.mapped != nil:
		props, lines, ok := hook()
		if !ok { // as it was
			for _, key := range []string{"PATHKEEPER_UID", "PATHKEEPER_GID", "PATHKEEPER_MODE"} {
				if v := before(key); v != "" {
					props[key] = v
					lines = append(lines, key+"="+v)
				}
			}
		}
		e.mapped.Node.UID, e.mapped.Node.GID, e.mapped.Node.Mode = 0, 6, 0o660 // 50-udev-default.rules
		setNumber(&e.mapped.Node.UID, props["PATHKEEPER_UID"], 10)
		setNumber(&e.mapped.Node.GID, props["PATHKEEPER_GID"], 10)
		setNumber(&e.mapped.Node.Mode, props["PATHKEEPER_MODE"], 8)
		return append(found, lines...)
	case e.disk != nil && e.DevType == "disk":
		props, lines, ok := hook()
		claim := props["DM_MULTIPATH_DEVICE_PATH"]
		if !ok || claim == "" {
			if claim = before("DM_MULTIPATH_DEVICE_PATH"); claim != "" {
				lines = append(lines, "DM_MULTIPATH_DEVICE_PATH="+claim)
			}
		}
		if claim == "1" {
			lines = append(lines, "ID_FS_TYPE=mpath_member", "SYSTEMD_READY=0")
		}
		return append(found, lines...)
	}
	return found
}

func setNumber(into *uint32, text string, base int) {
	if n, err := strconv.ParseUint(text, base, 32); err == nil {
		*into = uint32(n)
	}
}

// udevValue is a property of udev's database, "" if it is not there.
func (s *Session) udevValue(record, key string) string {
	for _, line := range strings.Split(s.w.Files.udevRecord(record), "\n") {
		if v, ok := strings.CutPrefix(line, "E:"+key+"="); ok {
			return v
		}
	}
	return ""
}

func (s *Session) expectUdev(c scenario.Command) error {
	if s.o.Hook == nil {
		return fmt.Errorf("this simulated host has no udev rules of ours")
	}
	key, want, ok := strings.Cut(c.Args[1], "=")
	if !ok {
		return usagef("%q: want KEY=EXPRESSION", c.Args[1])
	}
	re, err := pattern("^(?:" + want + ")$")
	if err != nil {
		return err
	}
	return s.eventually(c.Duration("within", soon), 0, func() error {
		t, err := s.device(c.Args[0])
		if err != nil {
			return err
		}
		major, minor := uint32(dmMajor), uint32(0)
		if t.m != nil {
			minor = t.m.minor
		} else {
			major, minor = t.disk.Major, t.disk.Minor
		}
		if have := s.udevValue("/run/udev/"+uevent.RecordName(major, minor), key); !re.MatchString(have) {
			return fmt.Errorf("%s is %q", key, have)
		}
		return nil
	})
}

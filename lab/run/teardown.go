package run

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"pathkeeper/lab/storage"
	"pathkeeper/lab/wire"
)

// teardown takes down what the scenario made, in the order that lets queued I/O
// end, and then asserts that nothing is left. Its error lists everything that
// went wrong.
func (s *session) teardown() error {
	if s.down { // nothing is left of a host that is off
		return nil
	}
	if !s.guest.Alive() {
		return fmt.Errorf("the guest has died")
	}
	var errs []error
	try := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	// First the storage works again and nobody queues, so that all I/O ends.
	for _, name := range s.array.Names() {
		l, err := s.array.LUN(name)
		if err != nil {
			return err
		}
		for _, p := range l.Ports {
			try("mend port "+p, s.cut(p, false))
			if hctl, err := s.hctl(l, p); err == nil {
				s.guest.Do(wire.Step{Write: "/sys/bus/scsi/devices/" + hctl + "/state", Data: []byte("running\n"), Maybe: true})
			}
		}
	}
	if s.product.running && !s.systemd() {
		s.guest.Signal(daemonJob, syscall.SIGCONT)
	}
	if s.product.running {
		try("stop the daemon", s.stopDaemon(20*time.Second))
	}
	if s.oracle {
		try("stop multipathd", s.stopOracle(20*time.Second))
	}
	try("unqueue the maps", s.unqueue())
	for name := range s.ios {
		try("stop I/O "+name, s.stopIO(name, true))
	}
	s.stopUsers(try)
	for name := range s.probes {
		r, err := s.guest.Probe(wire.Probe{Name: name, Later: true}, 10*time.Second)
		if err == nil && r.Pending {
			err = fmt.Errorf("it still hangs")
		}
		try("probe "+name, err)
	}
	try("remove the maps", s.removeMaps())
	for _, name := range s.array.Names() {
		l, err := s.array.LUN(name)
		if err == nil {
			err = s.removeLUN(l)
		}
		try("remove LUN "+name, err)
	}
	try("stop iscsid", s.stopISCSI())
	try("unload scsi_debug", s.unloadDebug())
	try("start udevd", s.startUdevd())
	try("boot disks", s.restoreDisks())
	try("files", s.restoreFiles())
	try("udev", s.settle())
	try("left behind", s.assertClean())
	s.product = product{}
	s.forget()
	return errors.Join(errs...)
}

// unqueue resumes what is suspended and makes every map fail I/O rather than
// hold it back.
func (s *session) unqueue() error {
	maps, err := s.readMaps()
	if err != nil {
		return err
	}
	for _, name := range names(maps) {
		if maps[name].Suspended {
			if _, err := s.guest.Run(20*time.Second, "dmsetup", "resume", "--noudevsync", name); err != nil {
				return err
			}
		}
		if _, err := s.guest.Run(20*time.Second, "dmsetup", "message", name, "0", "fail_if_no_path"); err != nil {
			return err
		}
	}
	return nil
}

// removeMaps removes every dm device, top first: partitions stand on maps.
func (s *session) removeMaps() error {
	var err error
	for range 3 {
		var text string
		text, err = s.guest.Run(20*time.Second, "dmsetup", "info", "-c", "--noheadings", "-o", "name", "--sort", "-minor")
		if err != nil {
			return err
		}
		var list []string
		for _, n := range strings.Fields(text) {
			if n != "No" && n != "devices" && n != "found" {
				list = append(list, n)
			}
		}
		if len(list) == 0 {
			return nil
		}
		for _, n := range list {
			_, err = s.guest.Run(30*time.Second, "dmsetup", "remove", "--noudevsync", "--retry", n)
		}
	}
	return err
}

// restoreDisks brings unplugged boot disks back and wipes them.
func (s *session) restoreDisks() error {
	for _, d := range s.disks {
		hctl := s.diskAddr[d.Name]
		if hctl == "" {
			continue
		}
		entries, err := s.guest.Look("/sys/bus/scsi/devices/" + hctl)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			if err := s.scanAddress(hctl); err != nil {
				return err
			}
			if err := s.waitDisk(hctl); err != nil {
				return err
			}
		}
		if err := s.sh(30*time.Second, "blkdiscard -f /dev/$(ls /sys/bus/scsi/devices/"+hctl+"/block)"); err != nil {
			return err
		}
	}
	return nil
}

// restoreFiles undoes what the file verbs wrote, last first, and removes what
// the daemons keep.
func (s *session) restoreFiles() error {
	for _, path := range slices.Backward(s.order) {
		step := wire.Step{Remove: path, Maybe: true}
		if before := s.files[path]; before != nil {
			step = wire.Step{Write: path, Data: before}
		}
		if err := s.guest.Do(step); err != nil {
			return err
		}
	}
	return s.sh(20*time.Second, `rm -rf /etc/multipath /etc/multipath.conf /etc/pathkeeper /run/pathkeeper /var/lib/pathkeeper /run/multipathd* /run/multipath /dev/shm/multipath* \
	/run/lab/*.log /run/lab/io /etc/iscsi/nodes /etc/iscsi/send_targets /var/lib/iscsi/nodes`)
}

var kernelTrouble = regexp.MustCompile(`(?m)^.*(BUG:|Oops|general protection fault|WARNING: CPU|blocked for more than|refcount_t|list_(add|del) corruption|Call Trace).*$`)

// assertClean looks for what a scenario may have left: maps, disks, targets,
// processes, mounts; and for the kernel's complaints.
func (s *session) assertClean() error {
	var left []string
	if text, err := s.guest.Run(20*time.Second, "dmsetup", "ls"); err != nil {
		return err
	} else if !strings.Contains(text, "No devices found") {
		left = append(left, "dm devices: "+strings.Join(strings.Fields(text), " "))
	}
	disks, err := s.nodes()
	if err != nil {
		return err
	}
	for hctl, name := range disks {
		own := false
		for _, a := range s.diskAddr {
			own = own || a == hctl
		}
		if !own {
			left = append(left, "disk "+name+" at "+hctl)
		}
	}
	entries, err := s.guest.Look(storage.Target+"/core/*/*/udev_path", storage.Target+"/loopback/naa.*", storage.Target+"/iscsi/iqn.*", storage.Target+"/fc/*:*", "/sys/class/fc_host/host*", "/proc/mounts")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Path != "/proc/mounts" {
			left = append(left, e.Path)
		}
	}
	if err := s.waitProcesses(&left); err != nil {
		return err
	}
	if text, err := s.guest.Run(20*time.Second, "dmesg"); err != nil {
		return err
	} else if bad := kernelTrouble.FindAllString(text, 5); bad != nil {
		left = append(left, "the kernel complains: "+strings.Join(bad, " / "))
	}
	if left != nil {
		slices.Sort(left)
		return errors.New(strings.Join(left, "\n"))
	}
	return nil
}

// waitProcesses gives what is ending a moment, then reports what runs beyond
// the idle guest's processes.
func (s *session) waitProcesses(left *[]string) error {
	var extra []string
	err := s.eventually(5*time.Second, 0, func() error {
		now, err := s.processes()
		if err != nil {
			return err
		}
		extra = nil
		for line, n := range now {
			if n > s.baseline[line] {
				extra = append(extra, "process "+line)
			}
		}
		if extra != nil {
			return errors.New("processes are left")
		}
		return nil
	})
	if extra != nil {
		*left = append(*left, extra...)
		return nil
	}
	return err
}

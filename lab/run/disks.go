package run

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pathkeeper/lab/storage"
	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

func (s *session) lun(c scenario.Command) error {
	size, err := scenario.Size(c.Args[1])
	if err != nil {
		return err
	}
	via := storage.Via(c.Options["via"])
	switch via {
	case "":
		via = storage.Loop
	case storage.Loop:
	case storage.ISCSI:
		err = s.startISCSI()
	case storage.FC:
		err = s.startFC()
	default:
		return fmt.Errorf("via=%s: there is loop, iscsi and fc", via)
	}
	if err != nil {
		return err
	}
	l, steps, err := s.array.Add(storage.LUN{
		Name: c.Args[0], Bytes: size, Ports: c.Args[2:], Via: via,
		Serial: c.Options["serial"], Vendor: c.Options["vendor"], Product: c.Options["product"],
	})
	if err != nil {
		return err
	}
	fresh := map[string]bool{} // FC ports that this LUN is the first behind
	if via == storage.FC {
		for _, p := range l.Ports {
			if fresh[p], err = s.plugFC(p); err != nil {
				return err
			}
		}
	}
	if err := s.guest.Do(steps...); err != nil {
		return err
	}
	for _, p := range l.Ports {
		if err := s.connect(l, p, fresh[p]); err != nil {
			return err
		}
	}
	return s.settle()
}

// target makes a LUN behind iSCSI ports and leaves the logins to the scenario.
func (s *session) target(c scenario.Command) error {
	size, err := scenario.Size(c.Args[1])
	if err != nil {
		return err
	}
	if err := s.startISCSI(); err != nil {
		return err
	}
	l, steps, err := s.array.Add(storage.LUN{Name: c.Args[0], Bytes: size, Ports: c.Args[2:], Via: storage.ISCSI})
	if err != nil {
		return err
	}
	s.targets = append(s.targets, l.Ports...)
	return s.guest.Do(steps...)
}

// connect makes the host see a LUN behind a port.
func (s *session) connect(l *storage.LUN, port string, fresh bool) error {
	var err error
	switch l.Via {
	case storage.FC:
		return s.connectFC(l, port, fresh)
	case storage.ISCSI:
		err = s.login(port)
	default:
		err = s.readAddress(l, port)
	}
	if err != nil {
		return err
	}
	return s.scan(l, port)
}

// readAddress asks tcm_loop for the SCSI address of a LUN's portal group.
func (s *session) readAddress(l *storage.LUN, port string) error {
	text, err := s.guest.ReadFile(l.AddressFile(port))
	if err != nil {
		return err
	}
	s.address[l.Name+" "+port] = strings.TrimSpace(string(text))
	return nil
}

// hctl is the SCSI address of a path, H:C:T:L.
func (s *session) hctl(l *storage.LUN, port string) (string, error) {
	a := s.address[l.Name+" "+port]
	if a == "" {
		return "", fmt.Errorf("LUN %s has no SCSI address on %s yet", l.Name, port)
	}
	if l.Via == storage.Loop {
		return a + ":0", nil
	}
	return fmt.Sprintf("%s:%d", a, l.Number), nil
}

// scan makes the host look for a LUN on a port and waits for its disk.
func (s *session) scan(l *storage.LUN, port string) error {
	hctl, err := s.hctl(l, port)
	if err != nil {
		return err
	}
	if err := s.scanAddress(hctl); err != nil {
		return err
	}
	return s.waitDisk(hctl)
}

// scanAddress scans the target at an address for whatever LUNs it reports:
// tcm_loop's hosts refuse a LUN by number, since they say max_lun 0.
func (s *session) scanAddress(hctl string) error {
	part := strings.Split(hctl, ":")
	return s.guest.Do(write("/sys/class/scsi_host/host"+part[0]+"/scan", part[1]+" "+part[2]+" -"))
}

// waitDisk waits until an address has a disk of non-zero size: sd probes it by
// itself, after the scan has returned.
func (s *session) waitDisk(hctl string) error {
	_, err := s.guest.Wait(wire.Wait{Argv: []string{"sh", "-c", "cat /sys/bus/scsi/devices/" + hctl + "/block/*/size"}, Match: `^[1-9]`}, 10*time.Second)
	if err != nil {
		return fmt.Errorf("the disk at %s: %w", hctl, err)
	}
	return nil
}

func (s *session) unlun(c scenario.Command) error {
	l, err := s.array.LUN(c.Args[0])
	if err != nil {
		return err
	}
	return s.removeLUN(l)
}

func (s *session) removeLUN(l *storage.LUN) error {
	if l.Via == storage.ISCSI {
		for _, p := range l.Ports {
			if hctl, err := s.hctl(l, p); err == nil {
				if err := s.guest.Do(wire.Step{Write: "/sys/bus/scsi/devices/" + hctl + "/delete", Data: []byte("1"), Maybe: true}); err != nil {
					return err
				}
			}
		}
		if err := s.logoutUnused(l); err != nil {
			return err
		}
	}
	if l.Via == storage.FC {
		if err := s.removeFC(l); err != nil {
			return err
		}
	}
	steps, err := s.array.Remove(l.Name)
	if err != nil {
		return err
	}
	for _, p := range l.Ports {
		delete(s.address, l.Name+" "+p)
	}
	if err := s.guest.Do(steps...); err != nil || l.Via != storage.FC {
		return err
	}
	return s.dropFC(l.Ports)
}

func (s *session) alua(c scenario.Command) error {
	steps, err := s.array.ALUA(c.Args[0], c.Args[1], c.Args[2])
	if err != nil {
		return err
	}
	return s.guest.Do(steps...)
}

func (s *session) path(c scenario.Command) error {
	l, err := s.array.LUN(c.Args[0])
	if err != nil {
		return err
	}
	port, action := c.Args[1], c.Args[2]
	hctl, err := s.hctl(l, port)
	if err != nil {
		return err
	}
	device := "/sys/bus/scsi/devices/" + hctl
	switch action {
	case "offline", "running":
		return s.guest.Do(write(device+"/state", action+"\n")) // without the newline it is EINVAL
	case "delete":
		return s.guest.Do(write(device+"/delete", "1"))
	case "rescan":
		return s.scan(l, port)
	case "unlink":
		steps, err := s.array.Unlink(l.Name, port)
		if err != nil {
			return err
		}
		return s.guest.Do(steps...)
	case "link":
		return s.linkAgain(l, port, l.Name)
	case "remap":
		if c.Options["to"] == "" {
			return fmt.Errorf("remap needs to=LUN")
		}
		var steps []wire.Step
		if l.Mapped(port) != "" {
			if steps, err = s.array.Unlink(l.Name, port); err != nil {
				return err
			}
		}
		if err := s.guest.Do(steps...); err != nil {
			return err
		}
		return s.linkAgain(l, port, c.Options["to"])
	}
	return fmt.Errorf("no action %q", action)
}

// linkAgain maps a backstore on a port. A loop host is made to scan; an iSCSI or
// FC host keeps the device that it has and must find out by itself.
func (s *session) linkAgain(l *storage.LUN, port, other string) error {
	steps, err := s.array.Link(l.Name, port, other)
	if err != nil {
		return err
	}
	if err := s.guest.Do(steps...); err != nil {
		return err
	}
	if l.Via != storage.Loop {
		return nil
	}
	return s.scan(l, port)
}

func (s *session) port(c scenario.Command) error {
	return s.cut(c.Args[0], c.Args[1] == "cut")
}

func (s *session) cut(port string, out bool) error {
	steps, err := s.array.Cut(port, out)
	if err != nil {
		return err
	}
	if err := s.guest.Do(steps...); err != nil || !s.array.OnFC(port) {
		return err
	}
	return s.cableFC(port, out)
}

// findDisks learns the SCSI addresses of the boot disks from page 0x80.
func (s *session) findDisks() error {
	s.diskAddr = map[string]string{}
	for _, d := range s.disks {
		text, err := s.guest.Wait(wire.Wait{
			Argv:  []string{"sh", "-c", `grep -las -e "$1" /sys/block/sd*/device/vpd_pg80`, "sh", d.Serial},
			Match: `/sys/block/`,
		}, 20*time.Second)
		if err != nil {
			return fmt.Errorf("the boot disk %s (%s): %w", d.Name, d.Serial, err)
		}
		entries, err := s.guest.Look(filepath.Dir(strings.Fields(text)[0]))
		if err != nil || len(entries) != 1 {
			return fmt.Errorf("the boot disk %s: %v %w", d.Name, entries, err)
		}
		s.diskAddr[d.Name] = filepath.Base(entries[0].Link)
	}
	return nil
}

func (s *session) diskHCTL(name string) (string, error) {
	if a := s.diskAddr[name]; a != "" {
		return a, nil
	}
	var names []string
	for _, d := range s.disks {
		names = append(names, d.Name)
	}
	return "", fmt.Errorf("no disk %q; there is %s", name, strings.Join(names, ", "))
}

func (s *session) unplug(c scenario.Command) error {
	hctl, err := s.diskHCTL(c.Args[0])
	if err != nil {
		return err
	}
	return s.guest.Do(write("/sys/bus/scsi/devices/"+hctl+"/delete", "1"))
}

func (s *session) plug(c scenario.Command) error {
	hctl, err := s.diskHCTL(c.Args[0])
	if err != nil {
		return err
	}
	if err := s.scanAddress(hctl); err != nil {
		return err
	}
	if err := s.waitDisk(hctl); err != nil {
		return err
	}
	return s.settle()
}

// nodes reads which disks there are now and updates labels. It returns the
// kernel name of each disk by its SCSI address.
func (s *session) nodes() (map[string]string, error) {
	entries, err := s.guest.Look("/sys/block/sd*/device", "/sys/block/sd*/dev")
	if err != nil {
		return nil, err
	}
	names := map[string]string{}   // address -> sdX
	address := map[string]string{} // sdX -> address
	for _, e := range entries {
		disk := filepath.Base(filepath.Dir(e.Path))
		if filepath.Base(e.Path) == "device" {
			address[disk] = filepath.Base(e.Link)
			names[filepath.Base(e.Link)] = disk
		}
	}
	for _, p := range s.targets {
		host, err := s.sessionHost(p)
		if err != nil {
			return nil, err
		}
		s.setISCSIAddress(p, host)
	}
	label := map[string]string{}
	for _, name := range s.array.Names() {
		l, err := s.array.LUN(name)
		if err != nil {
			return nil, err
		}
		for _, p := range l.Ports {
			if hctl, err := s.hctl(l, p); err == nil {
				label[hctl] = p
			}
		}
	}
	for name, hctl := range s.diskAddr {
		label[hctl] = name
	}
	for _, e := range entries {
		if filepath.Base(e.Path) != "dev" {
			continue
		}
		disk := filepath.Base(filepath.Dir(e.Path))
		dev := strings.TrimSpace(e.Text)
		if l := label[address[disk]]; l != "" {
			s.labels[dev] = l
		} else {
			s.labels[dev] = disk
		}
	}
	return names, nil
}

// device resolves what a scenario calls a device: a path in /dev; LUN:PORT, one
// path's disk; or a boot disk's name.
func (s *session) device(word string) (string, error) {
	if strings.HasPrefix(word, "/dev/") {
		return word, nil
	}
	names, err := s.nodes()
	if err != nil {
		return "", err
	}
	hctl := s.diskAddr[word]
	if lun, port, ok := strings.Cut(word, ":"); ok {
		l, err := s.array.LUN(lun)
		if err != nil {
			return "", err
		}
		if !slices.Contains(l.Ports, port) {
			return "", fmt.Errorf("LUN %s has no port %q", lun, port)
		}
		if hctl, err = s.hctl(l, port); err != nil {
			return "", err
		}
	}
	if names[hctl] == "" {
		return "", fmt.Errorf("%q: no such device now; name a file in /dev, LUN:PORT or a disk", word)
	}
	return "/dev/" + names[hctl], nil
}

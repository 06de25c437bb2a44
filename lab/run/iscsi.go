package run

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"pathkeeper/lab/storage"
	"pathkeeper/lab/wire"
)

// startISCSI starts the target's and the initiator's side once in a scenario.
// iscsid runs by hand in either boot: its units are masked.
func (s *session) startISCSI() error {
	if s.iscsi {
		return nil
	}
	// Without crc32c_generic the login ends with "crypto_alloc_ahash() failed".
	if err := s.sh(30*time.Second, "modprobe crc32c_generic; modprobe iscsi_target_mod; modprobe iscsi_tcp; mkdir -p /run/lock/iscsi"); err != nil {
		return err
	}
	if _, err := s.guest.Start("iscsid", "/run/lab/iscsid.log", "iscsid", "-f"); err != nil {
		return err
	}
	s.iscsi = true
	_, err := s.guest.Wait(wire.Wait{Argv: []string{"grep", "-a", "ISCSIADM_ABSTRACT_NAMESPACE", "/proc/net/unix"}, Match: "ABSTRACT"}, 10*time.Second)
	return err
}

// login opens the session to a port, unless it is open, and learns its host.
func (s *session) login(port string) error {
	if host, err := s.sessionHost(port); err != nil || host != "" {
		s.setISCSIAddress(port, host)
		return err
	}
	portal := s.array.Portal(port)
	node := "iscsiadm -m node -T " + storage.IQN(port) + " -p " + portal
	script := strings.Join([]string{
		node + " -o new",
		node + " -o update -n node.session.timeo.replacement_timeout -v 5",
		node + " -o update -n node.conn[0].timeo.noop_out_interval -v 2",
		node + " -o update -n node.conn[0].timeo.noop_out_timeout -v 2",
		node + " -o update -n node.session.scan -v manual",
		node + " --login",
	}, "\n")
	if err := s.sh(30*time.Second, script); err != nil {
		return err
	}
	host, err := s.sessionHost(port)
	if err == nil && host == "" {
		err = fmt.Errorf("no iSCSI session to %s after its login", storage.IQN(port))
	}
	s.setISCSIAddress(port, host)
	return err
}

var hostInPath = regexp.MustCompile(`/host(\d+)/`)

// sessionHost returns the number of the SCSI host of a port's session, or "".
func (s *session) sessionHost(port string) (string, error) {
	entries, err := s.guest.Look("/sys/class/iscsi_session/session*/targetname", "/sys/class/iscsi_session/session*")
	if err != nil {
		return "", err
	}
	want := ""
	for _, e := range entries {
		if filepath.Base(e.Path) == "targetname" && strings.TrimSpace(e.Text) == storage.IQN(port) {
			want = filepath.Dir(e.Path)
		}
	}
	for _, e := range entries {
		if e.Path == want {
			if m := hostInPath.FindStringSubmatch(e.Link); m != nil {
				return m[1], nil
			}
		}
	}
	return "", nil
}

func (s *session) setISCSIAddress(port, host string) {
	for _, name := range s.array.Names() {
		if l, err := s.array.LUN(name); err == nil && l.Via == storage.ISCSI && host != "" {
			for _, p := range l.Ports {
				if p == port {
					s.address[name+" "+port] = host + ":0:0"
				}
			}
		}
	}
}

// logoutUnused closes the sessions to ports that only this LUN uses.
func (s *session) logoutUnused(l *storage.LUN) error {
	for _, p := range l.Ports {
		shared := false
		for _, name := range s.array.Names() {
			o, err := s.array.LUN(name)
			if err != nil {
				return err
			}
			for _, q := range o.Ports {
				shared = shared || (o != l && o.Via == storage.ISCSI && q == p)
			}
		}
		if shared {
			continue
		}
		node := "iscsiadm -m node -T " + storage.IQN(p) + " -p " + s.array.Portal(p)
		script := node + " --logout\n" + node + " -o delete"
		if slices.Contains(s.targets, p) { // the scenario may have done so: 21 says that there is none
			script = strings.ReplaceAll(script+"\n", "\n", " || test $? = 21\n")
		}
		if err := s.sh(30*time.Second, script); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) stopISCSI() error {
	if !s.iscsi {
		return nil
	}
	s.iscsi = false
	return s.stopJob("iscsid", 10*time.Second)
}

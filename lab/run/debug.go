package run

import (
	"fmt"
	"time"

	"pathkeeper/scenario"
)

func (s *session) scsiDebug(c scenario.Command) error {
	if s.debug {
		return fmt.Errorf("scsi_debug is loaded already")
	}
	s.debug = true
	if _, err := s.guest.Run(60*time.Second, append([]string{"modprobe", "scsi_debug"}, c.Args...)...); err != nil {
		return err
	}
	if s.deaf {
		return nil // nobody to wait for
	}
	return s.settle()
}

// unloadDebug removes scsi_debug's hosts. udevd is spared what it was spared at
// their coming: the queue of thousands of events, which it searches for each.
func (s *session) unloadDebug() error {
	if !s.debug {
		return nil
	}
	if s.deafened && !s.deaf {
		if err := s.stopUdevd(); err != nil {
			return err
		}
	}
	_, err := s.guest.Run(60*time.Second, "modprobe", "-r", "scsi_debug")
	s.debug = err != nil
	return err
}

func (s *session) udevd(c scenario.Command) error {
	switch {
	case s.systemd():
		return fmt.Errorf("in a systemd boot udevd is systemd's")
	case c.Args[0] == "stop":
		return s.stopUdevd()
	}
	return s.startUdevd()
}

func (s *session) stopUdevd() error {
	if s.deaf {
		return fmt.Errorf("udevd was stopped already")
	}
	s.deaf, s.deafened = true, true
	return s.sh(30*time.Second, "udevadm settle --timeout=20\nudevadm control --exit --timeout=20\nwhile pidof systemd-udevd > /dev/null; do sleep 0.1; done")
}

func (s *session) startUdevd() error {
	if !s.deaf {
		return nil
	}
	s.deaf = false
	// As the agent's reap does: the idle guest's processes are known by their words.
	return s.sh(30*time.Second, "/lib/systemd/systemd-udevd --daemon\nudevadm control --ping")
}

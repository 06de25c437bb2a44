package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"pathkeeper/lab/guest"
	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

// persists says whether a script cuts the guest's power: then what it writes is on a
// disk of its own, and the guest is that script's alone.
func persists(script *scenario.Script) bool {
	for _, c := range script.Commands {
		if c.Verb.Name == "powercut" {
			return true
		}
	}
	return false
}

// powercut runs a program that ends the machine, and boots it again from its disk:
// what was not written to it is gone, storage and all that scenarios keep included.
func (s *session) powercut(c scenario.Command) error {
	limit := c.Duration("within", time.Minute)
	texts := append([]string{c.Body}, c.Args...)
	if err := s.substitute(texts); err != nil {
		return err
	}
	exec := wire.Exec{Argv: texts[1:]}
	if c.HasBody {
		exec = wire.Exec{Argv: []string{"sh", "-e"}, Stdin: []byte(texts[0])}
	}
	exit, err := s.guest.Exec(exec, limit)
	if err == nil {
		return fmt.Errorf("the program ended with %d, and the machine goes on:\n%s%s", exit.Code, exit.Stdout, exit.Stderr)
	}
	for deadline := time.Now().Add(s.guest.Scale(10 * time.Second)); s.guest.Alive(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the machine does not end: %w", err)
		}
	}
	return s.again()
}

// again boots the guest from the disk that it wrote to.
func (s *session) again() error {
	s.guest.Close()
	cfg := s.boot
	cfg.Files = nil // they are on the disk
	g, err := guest.Start(context.Background(), cfg)
	if err != nil {
		return fmt.Errorf("boot after the power cut: %w", err)
	}
	s.guest = g
	s.progress("        up again in %.1fs", g.Booted.Seconds())
	s.ready, s.product = false, product{}
	s.forget()
	return s.prepare()
}

// keepWrites gives the guest a disk for what it writes.
func (s *session) keepWrites() error {
	dir, err := os.MkdirTemp("", "pathkeeper-writes-")
	if err != nil {
		return err
	}
	s.writes = dir
	s.boot.Writes = filepath.Join(dir, "writes.img")
	return guest.MakeWrites(s.boot.Writes)
}

// end ends the session's guest, and forgets what it wrote.
func (s *session) end() {
	s.guest.Close()
	if s.writes != "" {
		os.RemoveAll(s.writes)
	}
}

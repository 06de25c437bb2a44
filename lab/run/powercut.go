package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"pathkeeper/lab/guest"
	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

// persists says whether a script ends the machine: then what it writes is on a disk
// of its own, and the guest is that script's alone.
func persists(script *scenario.Script) bool {
	for _, c := range script.Commands {
		if c.Verb.Name == "powercut" || c.Verb.Name == "shutdown" {
			return true
		}
	}
	return false
}

// powercut runs a program that ends the machine, and boots it again from its disk:
// what was not written to it is gone, storage and all that scenarios keep included.
func (s *session) powercut(c scenario.Command) error {
	exec, err := s.program(c)
	if err != nil {
		return err
	}
	exit, err := s.guest.Exec(exec, c.Duration("within", time.Minute))
	if err == nil {
		return fmt.Errorf("the program ended with %d, and the machine goes on:\n%s%s", exit.Code, exit.Stdout, exit.Stderr)
	}
	if !s.guest.Ends(s.guest.Scale(10 * time.Second)) {
		return fmt.Errorf("the machine does not end: %w", err)
	}
	return s.again()
}

// program is what a verb runs: its words, or its body by a shell.
func (s *session) program(c scenario.Command) (wire.Exec, error) {
	texts := append([]string{c.Body}, c.Args...)
	if err := s.substitute(texts); err != nil {
		return wire.Exec{}, err
	}
	if c.HasBody {
		return wire.Exec{Argv: []string{"sh", "-e"}, Stdin: []byte(texts[0])}, nil
	}
	return wire.Exec{Argv: texts[1:]}, nil
}

// orderly is the kernel's last line where a host ends because somebody ordered it: a
// panic ends the machine too, without it.
var orderly = regexp.MustCompile(`reboot: (Restarting system|Power down)`)

// shutdown runs a program that orders the host's end, and waits until the machine is
// off. The next verb boots it again.
func (s *session) shutdown(c scenario.Command) error {
	exec, err := s.program(c)
	if err != nil {
		return err
	}
	if err := s.sh(20*time.Second, "kill -54 1"); err != nil { // SIGRTMIN+20: systemd shows on the console what it waits for
		return err
	}
	limit := s.guest.Scale(c.Duration("within", 2*time.Minute))
	began := time.Now()
	// Its answer may be lost with the guest's end; a program that refused is seen by the
	// machine that goes on.
	exit, err := s.guest.Exec(exec, 30*time.Second)
	if err == nil && exit.Code != 0 {
		return fmt.Errorf("the program ended with %d:\n%s%s", exit.Code, exit.Stdout, exit.Stderr)
	}
	if !s.guest.Ends(limit - time.Since(began)) {
		return fmt.Errorf("the machine still runs after %s", limit.Round(time.Second))
	}
	s.down = true
	console, err := s.guest.Console()
	if err != nil {
		return err
	}
	s.progress("%s", console)
	if !orderly.Match(console) {
		return errors.New("the machine ended, but its kernel does not say that it was ordered to: see the console")
	}
	if want := c.Options["match"]; want != "" {
		re, err := regexp.Compile(want)
		if err != nil {
			return err
		}
		if !re.Match(console) {
			return fmt.Errorf("the machine's console has nothing that matches %q", want)
		}
	}
	s.progress("        off after %.1fs", time.Since(began).Seconds())
	return nil
}

// again boots the guest from the disk that it wrote to.
func (s *session) again() error {
	s.guest.Close()
	cfg := s.boot
	cfg.Files = nil // they are on the disk
	g, err := guest.Start(context.Background(), cfg)
	if err != nil {
		return fmt.Errorf("boot again: %w", err)
	}
	s.guest, s.down = g, false
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

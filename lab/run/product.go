package run

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"pathkeeper/lab/guest"
	"pathkeeper/lab/image"
	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

const (
	binary    = "/usr/sbin/pathkeeper"
	daemonLog = "/run/lab/pathkeeper.log"
	apiSocket = "/run/pathkeeper/api.sock"
	unit      = "pathkeeper.service"
	daemonJob = "pathkeeper"
)

// product is what the scenario did with Pathkeeper's daemon.
type product struct {
	running bool // started by a verb, and not stopped or killed since
	logged  bool // it was started at least once
}

func (s *session) systemd() bool { return s.guest.Boot == guest.Systemd }

func (s *session) daemon(c scenario.Command) error {
	if s.opts.Tree == "" {
		return fmt.Errorf("the lab was started without the product: `lab run -tree DIR`, or build ./cmd/pathkeeper")
	}
	limit := c.Duration("within", 20*time.Second)
	switch c.Args[0] {
	case "start":
		if c.Options["refuses"] != "" {
			return s.daemonRefuses(c, limit)
		}
		return s.startDaemon(limit)
	case "stop":
		return s.stopDaemon(limit)
	case "restart":
		if s.systemd() {
			return s.systemctl(limit, "restart")
		}
		if err := s.stopDaemon(limit); err != nil {
			return err
		}
		return s.startDaemon(limit)
	case "kill":
		return s.killDaemon(limit)
	case "pause":
		return s.signalDaemon(syscall.SIGSTOP)
	case "resume":
		return s.signalDaemon(syscall.SIGCONT)
	case "reload":
		return s.signalDaemon(syscall.SIGHUP)
	}
	return fmt.Errorf("no daemon %s", c.Args[0])
}

func (s *session) systemctl(limit time.Duration, word string) error {
	_, err := s.guest.Run(limit, "systemctl", word, unit)
	return err
}

// startDaemon starts the daemon and waits until its socket is there. In a bare
// boot it is a child of the agent, whose outputs are its log.
func (s *session) startDaemon(limit time.Duration) error {
	if s.product.running {
		return fmt.Errorf("the daemon was started already")
	}
	s.product.running, s.product.logged = true, true
	if s.systemd() {
		return s.systemctl(limit, "start")
	}
	// A socket that a killed daemon left would look like readiness.
	if err := s.guest.Do(wire.Step{Remove: apiSocket, Maybe: true}); err != nil {
		return err
	}
	if _, err := s.guest.Start(daemonJob, daemonLog, binary, "daemon"); err != nil {
		return err
	}
	deadline := time.Now().Add(s.guest.Scale(limit))
	for {
		_, err := s.guest.Wait(wire.Wait{File: apiSocket}, time.Second)
		if err == nil {
			return nil
		}
		if !s.guest.Running(daemonJob) {
			exit, _ := s.guest.Reap(daemonJob, time.Second)
			s.product.running = false
			return fmt.Errorf("the daemon ended with %d instead of coming up:%s", exit.Code, s.jobLog("its log", daemonLog))
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no %s: %w%s", apiSocket, err, s.jobLog("the daemon's log", daemonLog))
		}
	}
}

// daemonRefuses starts the daemon where it must end with an error and say why.
func (s *session) daemonRefuses(c scenario.Command, limit time.Duration) error {
	re, err := regexp.Compile(c.Options["refuses"])
	if err != nil {
		return err
	}
	exit, err := s.guest.Exec(wire.Exec{Argv: []string{binary, "daemon"}}, limit)
	if err != nil {
		return err
	}
	text := string(exit.Stdout) + string(exit.Stderr)
	s.progress("        exit %d: %s", exit.Code, strings.TrimSpace(text))
	switch {
	case exit.TimedOut:
		return fmt.Errorf("the daemon runs instead of refusing; it said:\n%s", text)
	case exit.Code == 0:
		return fmt.Errorf("the daemon ended with 0 instead of an error; it said:\n%s", text)
	case c.Options["exit"] != "" && c.Options["exit"] != fmt.Sprint(exit.Code):
		return fmt.Errorf("exit %d; it said:\n%s", exit.Code, text)
	case !re.MatchString(text):
		return fmt.Errorf("it refused (exit %d) with other words:\n%s", exit.Code, text)
	}
	return nil
}

func (s *session) stopDaemon(limit time.Duration) error {
	if !s.product.running {
		return fmt.Errorf("the daemon was not started")
	}
	s.product.running = false
	if s.systemd() {
		return s.systemctl(limit, "stop")
	}
	if err := s.guest.Signal(daemonJob, syscall.SIGTERM); err != nil {
		s.guest.Reap(daemonJob, time.Second)
		return fmt.Errorf("the daemon had gone already: %w%s", err, s.jobLog("its log", daemonLog))
	}
	exit, err := s.guest.Reap(daemonJob, limit)
	if err != nil {
		return err
	}
	if exit.Code != 0 {
		return fmt.Errorf("the daemon ended with %d after SIGTERM:%s", exit.Code, s.jobLog("its log", daemonLog))
	}
	return nil
}

func (s *session) killDaemon(limit time.Duration) error {
	if err := s.signalDaemon(syscall.SIGKILL); err != nil {
		return err
	}
	if s.systemd() {
		return nil // the unit's Restart= is what the scenario looks at
	}
	s.product.running = false
	_, err := s.guest.Reap(daemonJob, limit)
	return err
}

func (s *session) signalDaemon(sig syscall.Signal) error {
	if !s.product.running {
		return fmt.Errorf("the daemon was not started")
	}
	if s.systemd() {
		_, err := s.guest.Run(10*time.Second, "systemctl", "kill", "--kill-who=main", fmt.Sprintf("--signal=%d", sig), unit)
		return err
	}
	return s.guest.Signal(daemonJob, sig)
}

// productLog is all that the daemon has said in this scenario.
func (s *session) productLog() (string, error) {
	if !s.product.logged {
		return "", nil
	}
	if s.systemd() {
		return s.guest.Run(20*time.Second, "journalctl", "--no-pager", "-o", "short-monotonic", "-u", unit)
	}
	text, err := s.guest.ReadFile(daemonLog)
	return string(text), err
}

func (s *session) expectLog(c scenario.Command) error {
	re, err := regexp.Compile(c.Args[0])
	if err != nil {
		return err
	}
	from := 0
	if since, ok := c.Options["since"]; ok {
		m, ok := s.marks[since]
		if !ok {
			return fmt.Errorf("no mark %q was set", since)
		}
		from = m.log
	}
	look := func() (string, bool, error) {
		log, err := s.productLog()
		if err != nil {
			return "", false, err
		}
		for line := range strings.Lines(log[min(from, len(log)):]) {
			if re.MatchString(strings.TrimSuffix(line, "\n")) {
				return line, true, nil
			}
		}
		return "", false, nil
	}
	if c.Verb.Name == "expect no-log" {
		line, found, err := look()
		if found {
			return fmt.Errorf("the log has it: %s", line)
		}
		return err
	}
	return s.eventually(c.Duration("within", soon), 0, func() error {
		_, found, err := look()
		if err == nil && !found {
			err = fmt.Errorf("the daemon's log has no such line")
		}
		return err
	})
}

func (s *session) show(c scenario.Command) error {
	words := slices.Clone(c.Args)
	if err := s.substitute(words); err != nil {
		return err
	}
	argv := append([]string{binary, "show"}, words...)
	if !c.HasBody {
		within := c.Duration("within", soon)
		return s.eventually(within, 0, func() error { return s.match(c, argv, nil) })
	}
	return s.eventually(c.Duration("within", soon), 0, func() error {
		out, err := s.guest.Run(20*time.Second, argv...)
		if err == nil && out != c.Body {
			err = fmt.Errorf("it printed:\n%s", out)
		}
		return err
	})
}

func (s *session) config(c scenario.Command) error {
	return s.put("/etc/multipath.conf", 0o644, c)
}

func (s *session) file(c scenario.Command) error {
	mode := uint32(0o644)
	if text := c.Options["mode"]; text != "" {
		if _, err := fmt.Sscanf(text, "%o", &mode); err != nil {
			return fmt.Errorf("mode=%s: %w", text, err)
		}
	}
	return s.put(c.Args[0], mode, c)
}

// put writes the body or a file of the checkout into the guest, and remembers
// what was there.
func (s *session) put(path string, mode uint32, c scenario.Command) error {
	var data []byte
	from := c.Options["from"]
	if (from != "") == c.HasBody {
		return fmt.Errorf("want a body or from=FILE")
	}
	if from != "" {
		var err error
		if data, err = os.ReadFile(filepath.Join(s.opts.Root, from)); err != nil {
			return err
		}
	} else {
		text := []string{c.Body}
		if err := s.substitute(text); err != nil {
			return err
		}
		data = []byte(text[0])
	}
	if _, known := s.files[path]; !known {
		before, err := s.guest.ReadFile(path)
		if err != nil {
			before = nil
		}
		s.files[path] = before
		s.order = append(s.order, path)
	}
	return s.guest.WriteFile(path, data, mode)
}

// multipathd brings Debian's multipath-tools back, or takes it away again.
func (s *session) multipathd(c scenario.Command) error {
	limit := c.Duration("within", 30*time.Second)
	if c.Args[0] == "stop" {
		return s.stopOracle(limit)
	}
	if s.oracle {
		return fmt.Errorf("multipathd runs already")
	}
	s.oracle = true
	if err := s.sh(20*time.Second, "cp /"+image.Aside+"/rules.d/*.rules /run/udev/rules.d/ 2>/dev/null || { mkdir -p /run/udev/rules.d; cp /"+image.Aside+"/rules.d/*.rules /run/udev/rules.d/; }; udevadm control --reload"); err != nil {
		return err
	}
	if s.systemd() {
		return s.sh(limit, "systemctl unmask multipathd.service multipathd.socket; systemctl start multipathd.service")
	}
	if _, err := s.guest.Start("multipathd", "/run/lab/multipathd.log", "multipathd", "-d", "-s"); err != nil {
		return err
	}
	_, err := s.guest.Wait(wire.Wait{Argv: []string{"multipathd", "show", "daemon"}, Match: "idle|running"}, limit)
	return err
}

func (s *session) stopOracle(limit time.Duration) error {
	if !s.oracle {
		return fmt.Errorf("multipathd was not started")
	}
	s.oracle = false
	rules := "for r in /" + image.Aside + "/rules.d/*.rules; do rm -f /run/udev/rules.d/${r##*/}; done; udevadm control --reload"
	if s.systemd() {
		return s.sh(limit, "systemctl stop multipathd.service multipathd.socket; systemctl mask multipathd.service multipathd.socket; "+rules)
	}
	if err := s.stopJob("multipathd", limit); err != nil {
		return err
	}
	return s.sh(limit, rules)
}

// stopJob ends a background program by SIGTERM, or else by SIGKILL.
func (s *session) stopJob(name string, limit time.Duration) error {
	s.guest.Signal(name, syscall.SIGCONT)
	s.guest.Signal(name, syscall.SIGTERM)
	if _, err := s.guest.Reap(name, limit); err == nil {
		return nil
	}
	s.guest.Signal(name, syscall.SIGKILL)
	if _, err := s.guest.Reap(name, limit); err != nil {
		return err
	}
	return fmt.Errorf("%s did not end by SIGTERM in %s", name, limit)
}

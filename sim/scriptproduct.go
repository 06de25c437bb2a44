package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pathkeeper/blockio"
	"pathkeeper/configs"
	"pathkeeper/mpath"
	"pathkeeper/scenario"
	"pathkeeper/scsi"
)

// Nodes are the device nodes of the host's maps.
func (s *Session) Nodes() blockio.NodePort { return Block{s.w} }

// SCSI sends commands to the host's disks.
func (s *Session) SCSI() scsi.Port { return SCSI{s.w} }

func (s *Session) config(c scenario.Command) error { return s.put("/etc/multipath.conf", c) }

func (s *Session) file(c scenario.Command) error { return s.put(c.Args[0], c) }

func (s *Session) put(path string, c scenario.Command) error {
	from := c.Options["from"]
	if (from != "") == c.HasBody {
		return usagef("want a body or from=FILE")
	}
	if from == "" {
		text := []string{c.Body}
		if err := s.substitute(text); err != nil {
			return err
		}
		s.w.Files.Put(path, text[0])
		return nil
	}
	if s.o.ReadFile == nil {
		return fmt.Errorf("there is no file %s here", from)
	}
	b, err := s.o.ReadFile(from)
	if err == nil {
		s.w.Files.Put(path, string(b))
	}
	return err
}

var deviceWord = regexp.MustCompile(`@[\w.-]+:[\w.-]+`)

// substitute replaces @LUN:PORT and @disk:NAME by the node that it has now and
// @wwid:LUN by the LUN's WWID.
func (s *Session) substitute(texts []string) error {
	var first error
	for i := range texts {
		texts[i] = deviceWord.ReplaceAllStringFunc(texts[i], func(word string) string {
			meaning, err := s.meaning(word[1:])
			if err != nil && first == nil {
				first = fmt.Errorf("%s: %w", word, err)
			}
			return meaning
		})
	}
	return first
}

func (s *Session) meaning(word string) (string, error) {
	what, name, _ := strings.Cut(word, ":")
	switch what {
	case "disk":
		word = name
	case "wwid":
		l, err := s.findLUN(name)
		if err != nil {
			return "", err
		}
		return l.lun.WWID(), nil
	}
	t, err := s.device(word)
	if err != nil {
		return "", err
	}
	return "/dev/" + t.disk.Name, nil
}

func (s *Session) daemon(c scenario.Command) error {
	action, at := c.Args[0], c.Options["at"]
	if action != "start" && !s.d.running {
		return fmt.Errorf("the daemon does not run")
	}
	if at != "" {
		if action != "kill" && action != "pause" {
			return usagef("at= stands with kill and pause")
		}
		if !slices.Contains([]string{"create", "load", "resume", "suspend", "message", "remove", "rename"}, at) {
			return usagef("at=%s: there is create, load, resume, suspend, message, remove, rename", at)
		}
		s.armed = &armed{op: at, action: action}
		return nil
	}
	switch action {
	case "start":
		return s.startDaemon(c)
	case "stop":
		return s.stopDaemon()
	case "restart":
		if err := s.stopDaemon(); err != nil {
			return err
		}
		return s.startDaemon(c)
	case "reload":
		s.d.arrive(s.d.life, func() {
			if _, err := s.reload(); err != nil {
				s.note(mpath.LevelError, "reload", "%v: the former configuration stays", err)
			}
		})
		return nil
	}
	s.strike(action)
	return nil
}

// strike is what signals do to the process.
func (s *Session) strike(action string) {
	switch action {
	case "kill":
		s.d.Kill()
	case "pause":
		s.d.Stop()
	case "resume":
		s.d.Continue()
	}
}

func (s *Session) startDaemon(c scenario.Command) error {
	if s.d.running {
		if s.armed != nil {
			return fmt.Errorf("the daemon still runs: the %s at %s has not come", s.armed.action, s.armed.op)
		}
		return fmt.Errorf("the daemon was started already")
	}
	cfg, messages, err := s.loadConfig("")
	if refuses, ok := c.Options["refuses"]; ok {
		re, bad := pattern(refuses)
		exit, bad2 := strconv.Atoi(c.Options["exit"])
		switch {
		case bad != nil:
			return bad
		case err == nil:
			return fmt.Errorf("the daemon runs instead of refusing")
		case c.Options["exit"] != "" && (bad2 != nil || exit != 1):
			return fmt.Errorf("exit 1; it said:\n%v", err)
		case !re.MatchString(err.Error()):
			return fmt.Errorf("it refused (exit 1) with other words:\n%v", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("the daemon ended with 1 instead of coming up: %w", err)
	}
	s.ready = false
	s.d.Start(cfg)
	s.report(messages)
	return s.run(mpath.Millisecond)
}

func (s *Session) stopDaemon() error {
	if s.d.stopped {
		return fmt.Errorf("the daemon is paused: nothing reaches it but kill and resume")
	}
	s.d.Terminate(true)
	s.note(mpath.LevelNotice, "", "stopped; the maps stay as they are")
	return nil
}

// reload reads the configuration again and gives it to the daemon. The texts are
// warnings.
func (s *Session) reload() ([]string, error) {
	cfg, messages, err := s.loadConfig("")
	if err != nil {
		return nil, err
	}
	s.report(messages)
	if p, err := s.d.Plan(cfg); err == nil {
		s.note(mpath.LevelNotice, "", "the plan of this configuration: %s", p.Summary())
	}
	s.d.Reconfigure(cfg)
	s.note(mpath.LevelNotice, "", "configuration read again: %s", s.d.Snapshot().Summary())
	var out []string
	for _, m := range messages {
		out = append(out, m.String())
	}
	return out, nil
}

// Reload is what `pathkeeper reload` asks of the daemon. running: there is one.
func (s *Session) Reload() (warnings []string, running bool, err error) {
	switch {
	case !s.d.running:
		return nil, false, nil
	case s.d.stopped:
		return nil, true, ErrSilent
	}
	warnings, err = s.reload()
	return warnings, true, err
}

func (s *Session) report(messages []configs.Message) {
	for _, m := range messages {
		level := mpath.LevelWarning
		if m.Level == configs.LevelError {
			level = mpath.LevelError
		}
		s.note(level, "config", "%s", m)
	}
}

// note is a line of the shell around the core, in package daemon's words.
func (s *Session) note(level mpath.Level, object, format string, args ...any) {
	s.d.note(mpath.Note{Level: level, Object: object, Text: fmt.Sprintf(format, args...)})
}

// afterStep says, as package daemon does, that the start is over.
func (s *Session) afterStep() {
	if !s.ready && s.d.running && !s.d.stopped && s.d.core.Settled() {
		s.ready = true
		s.note(mpath.LevelNotice, "", "ready: %s", s.d.Snapshot().Summary())
	}
}

// logged says whether the daemon's log has a note, at the level that it has by
// itself.
func logged(n mpath.Note) bool { return n.Level <= mpath.LevelInfo }

// logLine is a note as the log prints it.
func logLine(n mpath.Note) string {
	if n.Object == "" {
		return n.Text
	}
	return n.Object + ": " + n.Text
}

// log is everything that the daemon has said on this host.
func (s *Session) log() []string {
	var out []string
	for _, n := range s.d.Notes {
		if logged(n.Note) {
			out = append(out, logLine(n.Note))
		}
	}
	return out
}

// Log gives the last lines of the daemon's log, with their time.
func (s *Session) Log(last int) []string {
	var out []string
	for _, n := range s.d.Notes {
		if logged(n.Note) {
			out = append(out, s.clock(n.At)+"   | "+logLine(n.Note))
		}
	}
	return out[max(0, len(out)-last):]
}

func (s *Session) expectLog(c scenario.Command) error {
	re, err := pattern(c.Args[0])
	if err != nil {
		return err
	}
	from, err := s.since(c, true)
	if err != nil {
		return err
	}
	find := func() (string, bool) {
		lines := s.log()[from.log:]
		i := slices.IndexFunc(lines, re.MatchString)
		if i < 0 {
			return "", false
		}
		return lines[i], true
	}
	if c.Verb.Name == "expect no-log" {
		if line, found := find(); found {
			return fmt.Errorf("the log has it: %s", line)
		}
		return nil
	}
	return s.eventually(c.Duration("within", soon), 0, func() error {
		if _, found := find(); !found {
			return fmt.Errorf("the daemon's log has no such line")
		}
		return nil
	})
}

func (s *Session) expectDaemon(c scenario.Command) error {
	return s.eventually(c.Duration("within", soon), 0, func() error {
		have := "ended"
		if s.d.running {
			have = "running"
		}
		if s.d.running && s.d.stopped {
			have = "paused"
		}
		if have != c.Args[0] {
			return fmt.Errorf("it is %s", have)
		}
		return nil
	})
}

func (s *Session) show(c scenario.Command) error {
	argv := append([]string{"pathkeeper", "show"}, c.Args...)
	return s.eventually(c.Duration("within", soon), 0, func() error {
		if !c.HasBody {
			return s.match(c, argv)
		}
		out, code, err := s.output(argv)
		switch {
		case err != nil:
			return err
		case code != 0 || out != c.Body:
			return fmt.Errorf("it printed (exit %d):\n%s", code, out)
		}
		return nil
	})
}

func (s *Session) multipath(c scenario.Command) error {
	return s.eventually(c.Duration("within", time.Nanosecond), 0, func() error {
		return s.match(c, append([]string{"multipath"}, c.Args...))
	})
}

func (s *Session) runProgram(c scenario.Command) error {
	if c.HasBody == (len(c.Args) > 0) {
		return usagef("want a program or a body")
	}
	return s.match(c, c.Args)
}

func (s *Session) wait(c scenario.Command) error {
	text := []string{"(?m)" + c.Args[0]}
	if err := s.substitute(text); err != nil {
		return err
	}
	re, err := pattern(text[0])
	if err != nil {
		return err
	}
	return s.eventually(c.Duration("within", soon), 0, func() error {
		out, _, err := s.output(c.Args[1:])
		if err == nil && re.MatchString(out) == (c.Options["not"] == "yes") {
			err = fmt.Errorf("it printed:\n%s", out)
		}
		return err
	})
}

// Execute runs a program of the host to its end; no time passes meanwhile.
func (s *Session) Execute(argv []string, out, talk io.Writer) (code int, err error) {
	argv = slices.Clone(argv)
	if err := s.substitute(argv); err != nil {
		return 0, err
	}
	switch {
	case len(argv) == 0:
		return 0, usagef("which program?")
	case argv[0] == "dmsetup":
		return s.dmsetup(argv[1:], talk), nil
	case s.o.Program != nil:
		return s.o.Program(s, argv, out, talk), nil
	}
	return 0, fmt.Errorf("this simulated host has no program %s", argv[0])
}

// output runs a program and gives all that it printed.
func (s *Session) output(argv []string) (text string, code int, err error) {
	var b bytes.Buffer
	code, err = s.Execute(argv, &b, &b)
	return b.String(), code, err
}

// match runs argv and holds its end against the options exit, match and not.
func (s *Session) match(c scenario.Command, argv []string) error {
	want := 0
	if text := c.Options["exit"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return usagef("exit=%s is no number", text)
		}
		want = n
	}
	out, code, err := s.output(argv)
	if err != nil {
		return err
	}
	if c.Options["print"] == "yes" && s.o.Tell != nil {
		_, _ = s.o.Tell.Write([]byte(out))
	}
	if code != want {
		return fmt.Errorf("exit %d, not %d; it printed:\n%s", code, want, out)
	}
	for _, key := range []string{"match", "not"} {
		expression, ok := c.Options[key]
		if !ok {
			continue
		}
		text := []string{"(?m)" + expression}
		if err := s.substitute(text); err != nil {
			return err
		}
		re, err := pattern(text[0])
		if err != nil {
			return err
		}
		if re.MatchString(out) != (key == "match") {
			return fmt.Errorf("%s=%s fails; it printed:\n%s", key, expression, out)
		}
	}
	return nil
}

func (s *Session) waitFile(c scenario.Command) error {
	re, err := pattern("(?m)" + c.Options["match"])
	if err != nil {
		return err
	}
	path := c.Args[0]
	read := func() (string, bool) {
		if p, ok := strings.CutPrefix(path, "/sys/"); ok {
			if b, err := (Tree{s.w}).ReadAttr(p, 1<<16); err == nil {
				return string(b), true
			}
			_, err := (Tree{s.w}).ReadDir(p)
			return "", err == nil
		}
		b, err := s.w.Files.Read(path)
		return string(b), err == nil
	}
	return s.eventually(c.Duration("within", soon), 0, func() error {
		text, there := read()
		switch not := c.Options["not"] == "yes"; {
		case (there && re.MatchString(text)) != not:
			return nil
		case !there:
			return errors.New("there is no such file")
		case c.Options["match"] == "":
			return errors.New("the file is there")
		}
		return fmt.Errorf("the file holds:\n%s", text)
	})
}

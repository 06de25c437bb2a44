package run

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

const (
	tracing = "/sys/kernel/tracing"
	// dmSuspendFlag is DM_SUSPEND_FLAG (include/uapi/linux/dm-ioctl.h): set in
	// DM_DEV_SUSPEND for a suspend, clear for a resume.
	dmSuspendFlag = 1 << 1
)

// probes are kprobes on the functions behind device-mapper's ioctls
// (drivers/md/dm-ioctl.c, 6.1). Their second argument, in %si on x86-64, is the
// kernel's copy of struct dm_ioctl: flags at 28, dev at 40, name at 48, uuid at
// 176; a message's text stands 8 bytes behind the struct's end at 312, where
// libdm and every known caller put it. __dm_suspend also sees the suspend
// inside a resume that swaps tables, fail_path the kernel's own failing of
// paths.
func probes() []string {
	const who = " name=+48(%si):string uuid=+176(%si):string dev=+40(%si):u64 flags=+28(%si):x32"
	return []string{
		"p:lab/create dm_mod:dev_create" + who,
		"p:lab/remove dm_mod:dev_remove" + who,
		"p:lab/rename dm_mod:dev_rename" + who,
		"p:lab/load dm_mod:table_load" + who,
		"p:lab/clear dm_mod:table_clear" + who,
		"p:lab/suspend dm_mod:dev_suspend" + who,
		"p:lab/message dm_mod:target_message" + who + " text=+320(%si):string",
		"p:lab/inner_suspend dm_mod:__dm_suspend",
		"p:lab/fail_path dm_multipath:fail_path",
		"p:lab/reinstate_path dm_multipath:reinstate_path",
	}
}

// traceSteps arm the probes in a fresh guest.
func traceSteps() []wire.Step {
	steps := []wire.Step{
		write(tracing+"/buffer_size_kb", "4096"),
		// Recording command names would patch a jump in the scheduler while it
		// runs, and QEMU's multi-threaded emulation can hang a CPU on that.
		write(tracing+"/options/record-cmd", "0"),
		write(tracing+"/options/record-tgid", "0"),
	}
	for _, p := range probes() {
		steps = append(steps, wire.Step{Write: tracing + "/kprobe_events", Data: []byte(p + "\n"), Append: true})
	}
	return append(steps, write(tracing+"/events/lab/enable", "1"))
}

// mark is a moment: a line in the kernel's trace, and an offset into the
// daemon's log.
type mark struct {
	label string
	log   int
}

func (s *session) mark(c scenario.Command) error {
	name := ""
	if len(c.Args) == 1 {
		name = c.Args[0]
	}
	s.traces++
	m := mark{label: fmt.Sprintf("mark-%d", s.traces)}
	log, err := s.productLog()
	if err != nil {
		return err
	}
	m.log = len(log)
	// So that device numbers in the trace have names, also of maps that go.
	if _, err := s.readMaps(); err != nil {
		return err
	}
	s.marks[name] = m
	return s.guest.Do(write(tracing+"/trace_marker", m.label))
}

// traced is one line of the trace.
type traced struct {
	op, name, uuid, text string
	dev                  uint64
	flags                uint64
}

var (
	traceLine  = regexp.MustCompile(`^.*?\d+\.\d+: (\w+): \(.*?\)(.*)$`)
	traceField = regexp.MustCompile(`(\w+)=("(?:[^"\\]|\\.)*"|\S+)`)
)

// parseTrace reads the lines behind a label; label "" is the whole trace.
func parseTrace(text, label string) ([]traced, error) {
	if label != "" {
		at := regexp.MustCompile(`tracing_mark_write: ` + regexp.QuoteMeta(label) + `\n`).FindStringIndex(text)
		if at == nil {
			return nil, fmt.Errorf("the trace has lost %s: its buffer ran over", label)
		}
		text = text[at[1]:]
	}
	var out []traced
	for line := range strings.Lines(text) {
		f := traceLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if f == nil {
			continue
		}
		t := traced{op: f[1]}
		for _, kv := range traceField.FindAllStringSubmatch(f[2], -1) {
			value := strings.Trim(kv[2], `"`)
			switch kv[1] {
			case "name":
				t.name = value
			case "uuid":
				t.uuid = value
			case "text":
				t.text = value
			case "dev":
				t.dev, _ = strconv.ParseUint(value, 0, 64)
			case "flags":
				t.flags, _ = strconv.ParseUint(value, 0, 64)
			}
		}
		if t.op == "suspend" && t.flags&dmSuspendFlag == 0 {
			t.op = "resume"
		}
		out = append(out, t)
	}
	return out, nil
}

// hugeDev turns the kernel's 64-bit device number of struct dm_ioctl
// (huge_encode_dev) into "major:minor".
func hugeDev(dev uint64) string {
	return fmt.Sprintf("%d:%d", dev>>8&0xfff, dev&0xff|dev>>12&0xfff00)
}

func (s *session) expectCount(c scenario.Command) error {
	if c.Options["within"] == "" {
		return s.countCalls(c)
	}
	return s.eventually(c.Duration("within", 0), 0, func() error { return s.countCalls(c) })
}

func (s *session) countCalls(c scenario.Command) error {
	want, err := scenario.ParseCount(c.Args[1])
	if err != nil {
		return err
	}
	m, ok := s.marks[c.Options["since"]]
	if !ok {
		return fmt.Errorf("no mark %q was set", c.Options["since"])
	}
	var match *regexp.Regexp
	if text := c.Options["match"]; text != "" {
		if match, err = regexp.Compile(text); err != nil {
			return err
		}
	}
	maps, err := s.readMaps()
	if err != nil {
		return err
	}
	text, err := s.guest.ReadFile(tracing + "/trace")
	if err != nil {
		return err
	}
	lines, err := parseTrace(string(text), m.label)
	if err != nil {
		return err
	}
	op := map[string]string{"expect loads": "load", "expect suspends": "suspend", "expect resumes": "resume", "expect messages": "message", "expect removes": "remove"}[c.Verb.Name]
	count, seen := 0, []string{}
	for _, t := range lines {
		if t.op != op || (match != nil && !match.MatchString(t.text)) || !s.about(t, c.Args[0], maps) {
			continue
		}
		count++
		seen = append(seen, fmt.Sprintf("%s name=%q uuid=%q dev=%s flags=%#x %s", t.op, t.name, t.uuid, hugeDev(t.dev), t.flags, t.text))
	}
	if !want.Holds(count) {
		return fmt.Errorf("the kernel saw %d\n  %s", count, strings.Join(seen, "\n  "))
	}
	return nil
}

// about says whether a traced ioctl was for the map: callers name it by name,
// by UUID or by device number.
func (s *session) about(t traced, name string, maps map[string]*dmMap) bool {
	switch {
	case name == "any", t.name == name:
		return true
	case t.name != "":
		return false
	case t.uuid != "":
		return maps[name] != nil && maps[name].UUID == t.uuid
	}
	return s.maps[hugeDev(t.dev)] == name
}

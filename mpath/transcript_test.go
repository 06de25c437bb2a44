package mpath

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pathkeeper/configs"
	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
)

var update = flag.Bool("update", false, "write the transcripts anew; read the difference as you would read code")

// TestTranscripts plays the scripts of testdata/transcripts on a core and compares
// what it asked for, and when, with what stands below each command.
func TestTranscripts(t *testing.T) {
	for _, name := range transcripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) { playFile(t, name, func(*bench) {}) })
	}
}

// TestTranscriptsThroughCheckpoints plays the same with a core that is written out
// and read again after each command: it must go on as if nothing had been.
func TestTranscriptsThroughCheckpoints(t *testing.T) {
	if *update {
		return
	}
	for _, name := range transcripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			playFile(t, name, func(b *bench) {
				mc, err := b.mc.Checkpoint().Machine()
				if err != nil {
					t.Fatal(err)
				}
				b.mc = mc
			})
		})
	}
}

func transcripts(t *testing.T) []string {
	names, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal("no transcripts", err)
	}
	return names
}

// playFile plays one file. A line "== title" begins with a new core; lines with a
// tab are what the core did.
func playFile(t *testing.T, name string, between func(*bench)) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var conf []string
	b := newBench()
	read := b.configs
	n := 0
	ends := endings(string(text))
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue
		}
		out.WriteString(line + "\n")
		switch {
		case strings.HasPrefix(line, "=="):
			b, conf = newBench(), nil
			b.configs = read
			continue
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "|"):
			conf = append(conf, line[1:])
			continue
		}
		b.out.Reset()
		if err := b.command(strings.Fields(line), &conf); err != nil {
			t.Fatalf("%s:%d: %s: %v", name, n, line, err)
		}
		for _, law := range b.broken {
			t.Errorf("%s:%d: %s: %v", name, n, line, law)
		}
		for _, law := range b.mc.CheckState() {
			t.Errorf("%s:%d: %s: %v", name, n, line, law)
		}
		if b.dead {
			return
		}
		b.broken = nil
		between(b)
		if ends[n] { // whatever the script asks for, what can be seen in the end is told
			b.say("-- in the end")
			b.show()
		}
		out.WriteString(b.out.String())
	}
	if out.String() == string(text) {
		return
	}
	if *update {
		if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s: the core does otherwise (rewrite with -update, and read the difference):\n%s", name, firstDifference(string(text), out.String()))
}

// endings are the lines with the last command of each script, but where that shows all
// by itself.
func endings(text string) map[int]bool {
	ends := map[int]bool{}
	last, n := 0, 0
	for line := range strings.Lines(text) {
		n++
		switch first, _ := strings.CutSuffix(line, "\n"); {
		case strings.HasPrefix(first, "=="):
			ends[last] = true
			last = 0
		case first == "show":
			last = 0
		case first == "" || strings.ContainsAny(first[:1], "\t|#"):
		default:
			last = n
		}
	}
	ends[last] = true
	return ends
}

func firstDifference(want, have string) string {
	w, h := strings.Split(want, "\n"), strings.Split(have, "\n")
	for i := range max(len(w), len(h)) {
		a, b := "(end)", "(end)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(h) {
			b = h[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\n-%s\n+%s", i+1, a, b)
		}
	}
	return ""
}

// benchConf is the configuration that a script adds to.
const benchConf = "defaults {\n find_multipaths greedy\n user_friendly_names yes\n polling_interval 5\n max_polling_interval 20\n checker_timeout 10\n failback immediate\n path_grouping_policy group_by_prio\n}\n"

// config reads what a script adds to benchConf, each text once: most have nothing to
// add. The built-in hardware table knows no array of the bench and costs more than
// all the rest.
func (b *bench) config(more string) (policy.Config, error) {
	if cfg, ok := b.configs[more]; ok {
		return cfg, nil
	}
	cfg, _, err := configs.Parse([]configs.File{{Path: "/etc/multipath.conf", Data: []byte(benchConf + more + "\n")}})
	if err != nil {
		return cfg, err
	}
	cfg.Devices = slices.DeleteFunc(cfg.Devices, func(d policy.Device) bool { return d.BuiltIn })
	b.configs[more] = cfg
	return cfg, nil
}

func (b *bench) command(w []string, conf *[]string) error {
	args := w[1:]
	switch w[0] {
	case "configure", "reconfigure", "plan":
		cfg, err := b.config(strings.Join(*conf, "\n"))
		if err != nil {
			return err
		}
		*conf = nil
		c := Configured{Config: cfg, Reconfigure: w[0] == "reconfigure", Users: []NameID{{"oracle", 501}, {"grid", 502}}, Groups: []NameID{{"dba", 601}}}
		if w[0] == "plan" {
			return b.plan(c)
		}
		b.configured = c
		b.step(c)
	case "apply": // the last plan; "maps=0": nothing of it
		b.step(b.planned)
	case "start": // everything that a start needs, with the configuration so far
		if err := b.command([]string{"state"}, conf); err != nil {
			return err
		}
		if err := b.command([]string{"configure"}, conf); err != nil {
			return err
		}
		b.run(5 * Second)
	case "state":
		b.step(b.state)
	case "disk":
		return b.setDisk(args)
	case "disks": // so many, each of a LUN of its own
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		for i := range n {
			name := "sd" + string(rune('a'+i%26))
			if i >= 26 {
				name = "sd" + string(rune('a'+i/26-1)) + string(rune('a'+i%26))
			}
			if err := b.setDisk([]string{name, fmt.Sprintf("lun=w%02d", i)}); err != nil {
				return err
			}
		}
	case "wait":
		return b.wait(args[0], b.run)
	case "stand": // the process stands still
		return b.wait(args[0], func(s Span) {
			b.now = b.now.After(s)
			late := b.later
			b.later = nil
			for i := range late {
				late[i].at = max(late[i].at, b.now)
			}
			b.later = late
		})
	case "stood": // the shell says that it was away
		return b.wait(args[0], func(s Span) {
			b.now = b.now.After(s)
			b.step(StoodStill{Span: s})
		})
	case "sysfs": // somebody or the kernel sets it: "sysfs class/iscsi_session/session1/recovery_tmo 120"
		b.knobs[args[0]] = args[1]
	case "hint":
		b.step(b.hint(args))
	case "delete":
		for _, d := range b.disks {
			if slices.Contains(args, d.name) {
				d.gone = true
			}
		}
	case "overrun":
		b.step(Overrun{})
	case "stop":
		b.step(Stopping{Final: len(args) > 0 && args[0] == "final"})
	case "refuse":
		for i, n := range errnoNames {
			if n != "" && strings.ReplaceAll(n, " ", "-") == args[1] {
				b.refuse[args[0]] = Errno(i)
				b.always[args[0]] = len(args) > 2
				return nil
			}
		}
		return fmt.Errorf("no such errno")
	case "changed": // what the next load finds out about a path
		d := b.disk(args[0])
		f := FoundPath{ID: PathID{Dev: d.dev, Diskseq: d.diskseq}}
		if len(args) > 1 {
			f.Found = args[1]
		}
		b.changed = append(b.changed, f)
	case "accept":
		delete(b.refuse, args[0])
	case "hold":
		b.held[strings.Join(args, " ")] = true
	case "echo": // every answer of a kind comes once more, some time later
		return b.wait(args[1], func(s Span) { b.echo[args[0]] = s })
	case "release":
		return b.release(strings.Join(args, " "))
	case "saved":
		return b.setState(args)
	case "unsaved": // another program takes it out of the wwids file
		b.state.WWIDs = slices.DeleteFunc(b.state.WWIDs, func(w string) bool { return w == args[0] })
	case "map":
		return b.setMap(args)
	case "event":
		b.step(MapEvent{Dev: b.devOf(args)})
	case "node":
		var uid, gid, mode uint32
		if _, err := fmt.Sscanf(args[1]+" "+args[2], "%d:%d %o", &uid, &gid, &mode); err != nil {
			return err
		}
		b.step(NodeSeen{Dev: b.devOf(args), UID: uid, GID: gid, Mode: mode})
	case "trip": // the core panics when it settles its n-th map from now
		n, err := strconv.Atoi(args[0])
		b.mc.Trip(n)
		return err
	case "foreign":
		if len(args) > 1 && args[1] == "gone" {
			b.other = slices.DeleteFunc(b.other, func(r MapRef) bool { return r.Name == args[0] })
			return nil
		}
		b.other = append(b.other, MapRef{Name: args[0], UUID: args[1], Dev: table.DevNum{Major: 253, Minor: 200}})
	case "command":
		b.step(commandOf(args))
	case "then": // for the next once: "then remove map map=mpatha"
		b.then = append(b.then, commandOf(args))
	case "once":
		return b.beginOnce(args)
	case "interrupt":
		b.stopOnce()
	case "many":
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		for range n {
			b.step(commandOf(args[1:]))
		}
	case "show":
		b.show()
	default:
		return fmt.Errorf("no such command")
	}
	return nil
}

// hint makes a hint: "sda", "sda removed", "sda attention=2".
func (b *bench) hint(args []string) DeviceHint {
	h := DeviceHint{Name: args[0], FromUdev: true}
	for _, a := range args[1:] {
		key, val, _ := strings.Cut(a, "=")
		n, _ := strconv.Atoi(val)
		switch key {
		case "removed":
			h.Remove = true
		case "attention":
			// It is told by the SCSI device, not by the disk.
			if h.Attention = Attention(n); h.HCTL == "" && b.disk(args[0]) != nil {
				h.Name, h.HCTL = "", b.disk(args[0]).hctl
			}
		case "hctl":
			h.Name, h.HCTL = "", val
		}
	}
	return h
}

func (b *bench) wait(text string, run func(Span)) error {
	s, err := strconv.ParseFloat(strings.TrimSuffix(text, "s"), 64)
	if err != nil {
		return err
	}
	run(Span(s * 1e9))
	return nil
}

func (b *bench) devOf(args []string) table.DevNum {
	if len(args) > 0 {
		if m := b.named(args[0]); m != nil {
			return m.t.Dev
		}
		if d, err := table.ParseDevNum(args[0]); err == nil {
			return d
		}
	}
	return table.DevNum{}
}

func (b *bench) release(what string) error {
	delete(b.held, what)
	rest := b.kept[:0:0]
	for _, x := range b.kept {
		if strings.HasPrefix(x.words, what) {
			x.at = b.now
			b.later = append(b.later, x)
			continue
		}
		rest = append(rest, x)
	}
	if len(rest) == len(b.kept) {
		b.say("(nothing is held)")
	}
	b.kept = rest
	b.run(0)
	return nil
}

// setDisk makes or changes disks: "sda sdb lun=w1 prio=50 down".
func (b *bench) setDisk(args []string) error {
	names := 0
	for names < len(args) && strings.HasPrefix(args[names], "sd") && !strings.Contains(args[names], "=") {
		names++
	}
	for _, name := range args[:names] {
		d := b.disk(name)
		if d == nil {
			b.seq++
			minor := uint32(0) // "a" is the first, "aa" the 27th
			for _, c := range name[2:] {
				minor = minor*26 + uint32(c-'a') + 1
			}
			minor = (minor - 1) * 16
			d = &benchDisk{
				name: name, dev: table.DevNum{Major: 8, Minor: minor}, diskseq: b.seq, prio: 50, tpg: -1, size: 2048, devState: "running", protocol: "scsi:fcp", hctl: fmt.Sprintf("2:0:0:%d", minor/16),
				verdict: pathcheck.Verdict{State: pathcheck.StateUp, Message: "answers"},
			}
			b.disks = append(b.disks, d)
		}
		for _, word := range args[names:] {
			if err := d.set(word); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *benchDisk) set(word string) error {
	key, val, _ := strings.Cut(word, "=")
	n, _ := strconv.Atoi(val)
	switch key {
	case "lun":
		if d.was == "" {
			d.was = val
		}
		d.lun = val
	case "prio":
		d.prio = n
	case "tpg":
		d.tpg = n
	case "tpgs":
		d.tpgs = uint8(n)
	case "size":
		d.size = uint64(n)
	case "hctl":
		d.hctl = val
	case "serial":
		d.serial = val
	case "vendor":
		d.vendor = val
	case "node":
		d.node = val
	case "nexus":
		d.nexus = val
	case "oldid":
		d.oldID = val
	case "inuse":
		d.inUse = val
	case "state":
		d.devState = val
	case "bad":
		d.bad = val
	case "protocol":
		d.protocol = val
	case "ro", "rw":
		d.ro = key == "ro"
	case "says", "mute": // who it is, also while it is down
		d.says = key == "says"
	case "moving", "settled":
		d.moving = key == "moving"
	case "unsure", "sure":
		d.unsure = key == "unsure"
	case "prio-unknown", "prio-known":
		d.prioBad = key == "prio-unknown"
	case "inconclusive":
		d.verdict = pathcheck.Verdict{State: pathcheck.StateDown, Inconclusive: true, Message: "TASK SET FULL"}
	default:
		st, err := pathcheck.ParseState(key)
		if err != nil {
			return err
		}
		d.verdict = pathcheck.Verdict{State: st, Message: "it is " + key}
	}
	return nil
}

// setState adds to what the state files say: "binding mpatha w1".
func (b *bench) setState(args []string) error {
	s := &b.state
	switch args[0] {
	case "binding":
		s.Bindings = append(s.Bindings, policy.Binding{Alias: args[1], WWID: args[2]})
	case "wwid":
		s.WWIDs = append(s.WWIDs, args[1])
	case "failed":
		s.Failed = append(s.Failed, args[1])
	case "oldid":
		s.OldIDs = append(s.OldIDs, policy.OldID{Old: args[1], Canonical: args[2]})
	case "key":
		k, err := ParsePRKey(args[2])
		if err != nil {
			return err
		}
		k.WWID = args[1]
		s.PRKeys = append(s.PRKeys, k)
	case "loading":
		s.Loading = append(s.Loading, args[1])
	case "read-only":
		s.ReadOnly = true
	case "kept":
		k := Kept{WWID: args[1], PollingInterval: 5, FlushOnLastDel: "unused"}
		for _, a := range args[2:] {
			key, val, _ := strings.Cut(a, "=")
			n, _ := strconv.Atoi(val)
			switch key {
			case "retry":
				k.NoPathRetry = policy.RetryPolicy{Mode: policy.RetryCount, Checks: n}
			case "fail":
				k.NoPathRetry = policy.RetryPolicy{Mode: policy.RetryFail}
			case "interval":
				k.PollingInterval = n
			case "flush":
				k.FlushOnLastDel = val
			case "deferred":
				k.DeferredRemove = true
			case "queue-without-daemon":
				k.QueueWithoutDaemon = true
			case "off":
				k.QueueOff = true
			case "was-on":
				k.QueueWas = true
			default:
				return fmt.Errorf("no such setting")
			}
		}
		s.Kept = append(s.Kept, k)
	case "deadline":
		at, err := strconv.ParseFloat(args[2], 64)
		if err != nil {
			return err
		}
		s.Deadlines = append(s.Deadlines, Deadline{WWID: args[1], At: Instant(100 * Second).After(Span(at * 1e9)), Expired: len(args) > 3})
	default:
		return fmt.Errorf("no such state")
	}
	return nil
}

// setMap changes the kernel's maps behind the core's back: "mpatha wwid=w1 table=...".
func (b *bench) setMap(args []string) error {
	m := b.named(args[0])
	if m == nil {
		b.minor++
		m = &benchMap{t: Truth{Name: args[0], Dev: table.DevNum{Major: 253, Minor: b.minor}, Size: 2048}}
		b.maps = append(b.maps, m)
	}
	m.t.EventNr++
	for _, word := range args[1:] {
		key, val, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(val)
		switch key {
		case "wwid":
			m.t.UUID = "mpath-" + val
		case "table": // groups by "|", devices by ","; the queue flag apart
			t := table.Table{First: 1}
			for _, g := range strings.Split(val, "|") {
				tg := table.Group{Selector: "service-time"}
				for _, name := range strings.Split(g, ",") {
					dev, err := table.ParseDevNum(name)
					if d := b.disk(name); d != nil {
						dev, err = d.dev, nil
					}
					if err != nil {
						return err
					}
					tg.Paths = append(tg.Paths, table.Path{Dev: dev, Args: []string{"1"}})
				}
				t.Groups = append(t.Groups, tg)
			}
			m.load(t, nil)
		case "queue":
			m.t.Table = m.t.Table.WithQueue(val == "on")
		case "fail", "reinstate":
			dev := val
			if d := b.disk(val); d != nil {
				dev = d.dev.String()
			}
			st := table.PathFailed
			if key == "reinstate" {
				st = table.PathActive
			}
			if !m.set(dev, st) {
				return fmt.Errorf("no such path")
			}
		case "group":
			m.t.Status.Next = n
		case "open":
			m.t.Open = n
		case "suspended":
			m.t.Suspended = val != "no"
		case "ro":
			m.t.ReadOnly = val != "no"
		case "size":
			m.t.Size = table.Sectors(n)
		case "target":
			m.t.Target, m.t.Live, m.t.Table, m.t.Status = val, true, table.Table{}, table.Status{}
		case "rename":
			m.t.Name = val
		case "sameevent":
			m.t.EventNr--
		case "gone":
			b.maps = slices.DeleteFunc(b.maps, func(o *benchMap) bool { return o == m })
		default:
			return fmt.Errorf("no such word: %s", key)
		}
	}
	return nil
}

// commandOf reads a command: "switch group" map=mpatha arg=2.
func commandOf(args []string) Command {
	c := Command{Seq: 1 << 40}
	var words []string
	for _, a := range args {
		key, val, ok := strings.Cut(a, "=")
		switch {
		case !ok && a == "force" && len(words) > 0: // "force queueing" is a command
			c.Force = true
		case !ok:
			words = append(words, a)
		case key == "map":
			c.Map = val
		case key == "path":
			c.Path = val
		case key == "arg":
			c.Arg = val
		}
	}
	for i, n := range commandNames {
		if n == strings.Join(words, " ") {
			c.Kind = CommandKind(i)
		}
	}
	return c
}

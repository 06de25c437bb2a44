package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// commandLimit is how long one command may take: Debian's -ll with a hundred maps takes
// minutes under emulation.
const commandLimit = 15 * time.Minute

// pathsEach is how many paths a map of the benchmark has.
const pathsEach = 4

// side is one of the two whose programs are held against each other.
type side struct {
	name       string
	daemon     []string
	multipath  []string // what is run as multipath
	multipathd []string
}

func sides() []side {
	const ours = "/usr/sbin/pathkeeper"
	return []side{
		{"Debian's", []string{"/usr/sbin/multipathd", "-d", "-s"}, []string{"/usr/sbin/multipath"}, []string{"/usr/sbin/multipathd"}},
		{"ours", []string{ours, "daemon"}, []string{ours, "multipath"}, []string{ours, "multipathd"}},
	}
}

// deed is one command that is measured.
type deed struct {
	name   string
	daemon bool // it is a client of the daemon alone
	args   []string
	// right says whether an answer is what was asked for: to be quick with less is
	// no use.
	right func(out string, maps int) bool
}

func deeds() []deed {
	perMap := func(out string, maps, lines int) bool { return strings.Count(out, "\n") >= maps*lines }
	return []deed{
		{"multipath -ll", false, []string{"-ll"}, func(out string, maps int) bool {
			return perMap(out, maps, 2+pathsEach) && strings.Count(out, " active ready running") == maps*pathsEach
		}},
		{"show maps json", true, []string{"show", "maps", "json"}, func(out string, maps int) bool {
			return strings.Count(out, `"uuid"`) == maps && strings.Count(out, `"chk_st"`) == maps*pathsEach
		}},
		{"show paths", true, []string{"show", "paths"}, func(out string, maps int) bool {
			return strings.Count(out, "active") >= maps*pathsEach
		}},
		{"show topology", true, []string{"show", "topology"}, func(out string, maps int) bool {
			return perMap(out, maps, 2+pathsEach) && strings.Count(out, " active ready running") == maps*pathsEach
		}},
		{"multipath -u", false, []string{"-u"}, func(out string, _ int) bool {
			return strings.Contains(out, `DM_MULTIPATH_DEVICE_PATH="1"`)
		}},
	}
}

// spending is what a command has cost: the client's time from start to end, and the
// processor's of the client and of its daemon meanwhile.
type spending struct{ wall, client, server series }

// commands measures the clients of both sides, each beside its own daemon, in turns:
// one daemon runs, is asked, is stopped, and the other takes its maps over.
func commands(maps, rounds, times int, out io.Writer) error {
	disks, err := filepath.Glob("/sys/block/sd*")
	if err != nil || len(disks) < maps*pathsEach {
		return fmt.Errorf("%d disks, want %d: %w", len(disks), maps*pathsEach, err)
	}
	for i := range disks {
		disks[i] = filepath.Base(disks[i])
	}
	spent := map[string]map[string]*spending{}
	for _, s := range sides() {
		spent[s.name] = map[string]*spending{}
		for _, d := range deeds() {
			spent[s.name][d.name] = &spending{}
		}
	}
	for round := range rounds {
		order := sides()
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if err := s.asked(maps, times, disks, spent[s.name]); err != nil {
				return fmt.Errorf("%s, round %d: %w", s.name, round+1, err)
			}
		}
	}
	fmt.Fprintf(out, "%d maps of %d paths, %d rounds in turns, %d times each; medians (least to most), CPU of client and daemon together\n", maps, pathsEach, rounds, times)
	for _, d := range deeds() {
		theirs, ours := spent["Debian's"][d.name], spent["ours"][d.name]
		fmt.Fprintf(out, "%s\n", d.name)
		fmt.Fprintf(out, "  Debian's  wall %s  CPU %s\n", theirs.wall.short(), theirs.both().short())
		fmt.Fprintf(out, "  ours      wall %s  CPU %s\n", ours.wall.short(), ours.both().short())
		fmt.Fprintf(out, "  ratio     wall %.2f  CPU %.2f\n",
			ours.wall.median().Seconds()/theirs.wall.median().Seconds(), ours.both().median().Seconds()/theirs.both().median().Seconds())
	}
	return nil
}

// both adds what client and daemon have spent.
func (s *spending) both() *series {
	sum := &series{}
	for i, d := range s.client.times {
		sum.add(d + s.server.times[i])
	}
	return sum
}

// short gives "12.3ms (11ms to 15ms)".
func (s *series) short() string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
	return fmt.Sprintf("%s ms (%s to %s)", ms(s.median()), ms(slices.Min(s.times)), ms(slices.Max(s.times)))
}

// asked starts a side's daemon, waits until it knows that every path works, runs
// each command once to warm up and then as often as is measured.
func (s side) asked(maps, times int, disks []string, into map[string]*spending) error {
	log, err := os.OpenFile("/run/lab/bench-daemon.log", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	daemon := exec.Command(s.daemon[0], s.daemon[1:]...)
	daemon.Stdout, daemon.Stderr = log, log
	if err := daemon.Start(); err != nil {
		return err
	}
	err = s.ready(maps)
	for _, d := range deeds() {
		for i := 0; i <= times && err == nil; i++ {
			var one [3]time.Duration
			one, err = s.measure(d, maps, disks[(i*7)%len(disks)], daemon.Process.Pid)
			if i > 0 && err == nil {
				into[d.name].wall.add(one[0])
				into[d.name].client.add(one[1])
				into[d.name].server.add(one[2])
			}
		}
	}
	return errors.Join(err, stopped(daemon))
}

// stopped ends a daemon; its maps stay.
func stopped(daemon *exec.Cmd) error {
	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	kill := time.AfterFunc(time.Minute, func() { _ = daemon.Process.Kill() })
	defer kill.Stop()
	_ = daemon.Wait() // however it ends: the next one finds the maps
	if !kill.Stop() {
		return errors.New("the daemon did not end within a minute")
	}
	return nil
}

// ready waits until the daemon says of every path that a check found it working.
func (s side) ready(maps int) error {
	look := time.NewTicker(500 * time.Millisecond)
	defer look.Stop()
	out := ""
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); <-look.C {
		b, _ := exec.Command(s.multipathd[0], append(s.multipathd[1:len(s.multipathd):len(s.multipathd)], "show", "topology")...).Output()
		if out = string(b); strings.Count(out, " active ready running") == maps*pathsEach {
			return nil
		}
	}
	return fmt.Errorf("not every path works after five minutes; the last answer:\n%.2000s", out)
}

// measure runs one command: wall time, the client's and the daemon's processor time.
func (s side) measure(d deed, maps int, disk string, daemon int) (spent [3]time.Duration, err error) {
	argv := append(slices.Clone(s.multipath), d.args...)
	switch {
	case d.daemon:
		argv = append(slices.Clone(s.multipathd), d.args...)
	case slices.Contains(d.args, "-u"):
		argv = append(argv, disk)
	}
	before, err := processor(daemon)
	if err != nil {
		return spent, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, talk bytes.Buffer
	c.Stdout, c.Stderr = &out, &talk
	begun := time.Now()
	err = c.Run()
	spent[0] = time.Since(begun)
	if err != nil || !d.right(out.String(), maps) {
		return spent, fmt.Errorf("%s: not the right answer (%w):\n%.3000s%.1000s", strings.Join(argv, " "), err, &out, &talk)
	}
	after, err := processor(daemon)
	spent[1], spent[2] = c.ProcessState.UserTime()+c.ProcessState.SystemTime(), after-before
	return spent, err
}

// processor is the time that all threads of a process have run, in nanoseconds
// (Documentation/scheduler/sched-stats.rst). A thread that ends takes its own along;
// neither daemon ends threads while it answers.
func processor(pid int) (sum time.Duration, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("the daemon, process %d, is gone: %w", pid, err)
	}
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		word, _, _ := strings.Cut(string(b), " ")
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// Command bench measures, in the lab's guest, how long Debian's multipath -t and
// ours take for a large configuration, in turns, and what our own steps take with
// 100,000 bindings and lookups; and the clients of both daemons, in turns. `make
// bench` runs it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	entries = 10_000  // multipath sections
	lines   = 100_000 // of the bindings file
	lookups = 100_000
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	guest := host{conf: "/etc/multipath.conf", bindings: "/etc/multipath/bindings", entries: entries, lookups: lookups}
	if len(args) == 1 && args[0] == "steps" {
		return steps(guest, os.Stdout)
	}
	if len(args) == 4 && args[0] == "commands" {
		var n [3]int
		for i, text := range args[1:] {
			v, err := strconv.Atoi(text)
			if err != nil || v < 1 {
				return fmt.Errorf("%q is no number from 1", text)
			}
			n[i] = v
		}
		return commands(n[0], n[1], n[2], os.Stdout)
	}
	if len(args) != 1 {
		return fmt.Errorf("usage: bench ROUNDS | bench steps | bench commands MAPS ROUNDS TIMES")
	}
	rounds, err := strconv.Atoi(args[0])
	if err != nil || rounds < 3 {
		return fmt.Errorf("%q is no number of rounds from 3", args[0])
	}
	if err := os.MkdirAll("/etc/multipath", 0o755); err != nil {
		return err
	}
	for path, data := range map[string]string{guest.conf: conf(entries), guest.bindings: bindings(lines)} {
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			return err
		}
	}
	theirs, ours, within := &series{name: "Debian's multipath -t"}, &series{name: "ours"}, map[string]*series{}
	for range rounds {
		// In turns, so that what else the machine does hits both alike.
		if err := theirs.measure("/usr/sbin/multipath", "multipath", "-t"); err != nil {
			return err
		}
		if err := ours.measure("/usr/sbin/pathkeeper", "multipath", "-t"); err != nil {
			return err
		}
		out, err := exec.Command(os.Args[0], "steps").Output()
		if err != nil {
			return fmt.Errorf("bench steps: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
			d, err := time.ParseDuration(text)
			if err != nil {
				return err
			}
			if within[name] == nil {
				within[name] = &series{name: name}
			}
			within[name].add(d)
		}
	}
	fmt.Printf("%d multipath sections, %d rounds in turns\n", entries, rounds)
	fmt.Println(theirs)
	fmt.Println(ours)
	fmt.Printf("ours takes %.2f of the time of Debian's\n", ours.median().Seconds()/theirs.median().Seconds())
	fmt.Printf("the steps of ours, with %d lines of bindings\n", lines)
	for _, name := range stepNames() {
		fmt.Println(within[name])
	}
	fmt.Printf("the four take %.2f of the time of Debian's multipath -t\n", within[stepAll].median().Seconds()/theirs.median().Seconds())
	return nil
}

// series is the measured times of one thing.
type series struct {
	name  string
	times []time.Duration
}

func (s *series) add(d time.Duration) { s.times = append(s.times, d) }

// measure runs a program under a name, to its end, and keeps the time it took.
func (s *series) measure(program, name string, args ...string) error {
	c := &exec.Cmd{Path: program, Args: append([]string{name}, args...)}
	start := time.Now()
	out, err := c.Output()
	s.add(time.Since(start))
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if n := strings.Count(string(out), "\n\tmultipath {\n"); n != entries {
		return fmt.Errorf("%s printed %d multipath sections, want %d", s.name, n, entries)
	}
	return nil
}

func (s *series) median() time.Duration {
	sorted := slices.Sorted(slices.Values(s.times))
	return sorted[len(sorted)/2]
}

// String gives "name  median 1.234s (1.2s to 1.3s)".
func (s *series) String() string {
	ms := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
	return fmt.Sprintf("  %-36s median %8s (%s to %s)", s.name, ms(s.median()), ms(slices.Min(s.times)), ms(slices.Max(s.times)))
}

package storm

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Campaign blows many storms.
type Campaign struct {
	First uint64 // seed
	// HostSteps and CoreSteps are how many steps shall be made at least, of whole
	// hosts and of the core alone; each in storms of the seeds from First on.
	HostSteps, CoreSteps int
	// Once leaves out the second run of each seed, which must be equal to the first.
	Once bool
	// For ends the campaign after that time, whatever it has made; 0: it does not.
	For      time.Duration
	Progress io.Writer // a line now and then; nil: none
	// Tally is a file that keeps how far it came; a campaign that finds one goes on
	// from there. "": none. Version is noted in it.
	Tally, Version string
}

// Report is what came of a campaign.
type Report struct {
	Tally
	Failures []Result // of this process, shrunk, at most maxFailures
	Cover    *Cover
}

// maxFailures ends a campaign: what comes after them is rarely new.
const maxFailures = 5

// progressEvery is how often a campaign says how far it is.
const progressEvery = 10 * time.Second

// running is a campaign that runs: everything below mu.
type running struct {
	Campaign
	mu          sync.Mutex
	r           Report
	again       [2][]uint64 // hosts and cores that an earlier process began
	begun, said time.Time
	err         error
}

// Run blows the storms of a campaign, as many at once as there are processors. An
// error is one of the tally's file.
func (c Campaign) Run() (Report, error) {
	now := time.Now()
	run := &running{Campaign: c, begun: now, said: now, r: Report{Tally: Tally{NextHost: c.First, NextCore: c.First}, Cover: NewCover()}}
	if c.Tally != "" {
		t, cover, err := readTally(c.Tally)
		if err != nil {
			return Report{}, err
		}
		if t.NextHost == 0 {
			t.NextHost, t.NextCore = c.First, c.First
		}
		if !slices.Contains(t.Versions, c.Version) {
			t.Versions = append(t.Versions, c.Version)
		}
		t.OpenHosts, t.BrokenHosts = append(t.OpenHosts, t.BrokenHosts...), nil
		t.OpenCores, t.BrokenCores = append(t.OpenCores, t.BrokenCores...), nil
		run.r.Tally, run.r.Cover = t, cover
		run.again = [2][]uint64{slices.Clone(t.OpenHosts), slices.Clone(t.OpenCores)}
	}
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(run.work)
	}
	wg.Wait()
	slices.Sort(run.r.Unequal)
	run.keep()
	return run.r, run.err
}

func (c *running) work() {
	for {
		seed, whole, ok := c.next()
		if !ok {
			return
		}
		cover := NewCover()
		a := blow(seed, whole, cover)
		equal := true
		if !c.Once {
			b := blow(seed, whole, nil)
			equal = a.Hash == b.Hash && a.Steps == b.Steps
		}
		if a.Err != nil && whole {
			a = Shrink(a)
		}
		c.note(seed, whole, cover, a, equal)
	}
}

// next gives the seed of the next storm: hosts and cores keep pace with each other.
func (c *running) next() (seed uint64, whole, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.r
	switch {
	case c.err != nil, len(r.Failures) >= maxFailures, c.For > 0 && time.Since(c.begun) >= c.For:
		return 0, false, false
	case r.HostSteps < c.HostSteps && (r.CoreSteps >= c.CoreSteps || r.HostSteps*max(c.CoreSteps, 1) <= r.CoreSteps*max(c.HostSteps, 1)):
		seed, c.again[0] = take(&r.OpenHosts, c.again[0], &r.NextHost)
		return seed, true, true
	case r.CoreSteps < c.CoreSteps:
		seed, c.again[1] = take(&r.OpenCores, c.again[1], &r.NextCore)
		return seed, false, true
	}
	return 0, false, false
}

func (c *running) note(seed uint64, whole bool, cover *Cover, a Result, equal bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.r
	r.Cover.Add(cover)
	if whole {
		r.OpenHosts = done(r.OpenHosts, seed)
		r.Hosts++
		r.HostSteps += a.Steps
		r.Most = max(r.Most, a.Paths)
	} else {
		r.OpenCores = done(r.OpenCores, seed)
		r.Cores++
		r.CoreSteps += a.Steps
	}
	if !equal {
		r.Unequal = append(r.Unequal, seed)
	}
	if a.Err != nil {
		r.Failures = append(r.Failures, a)
		if whole {
			r.BrokenHosts = append(r.BrokenHosts, seed)
		} else {
			r.BrokenCores = append(r.BrokenCores, seed)
		}
	}
	if time.Since(c.said) < progressEvery {
		return
	}
	c.said = time.Now()
	c.keep()
	if c.Progress != nil {
		fmt.Fprintf(c.Progress, "storms: %d hosts, %d steps of %d; core alone: %d storms, %d steps of %d; %d broken laws\n",
			r.Hosts, r.HostSteps, c.HostSteps, r.Cores, r.CoreSteps, c.CoreSteps, len(r.Failures))
	}
}

// keep writes the tally. What cannot be kept ends the campaign: it would be lost.
func (c *running) keep() {
	if c.Tally == "" || c.err != nil {
		return
	}
	c.err = c.r.Tally.write(c.Tally, c.r.Cover)
}

func blow(seed uint64, whole bool, cover *Cover) Result {
	if whole {
		return Run(Options{Seed: seed, Cover: cover})
	}
	r := RunCore(CoreOptions{Seed: seed, Cover: cover})
	r.Core = true
	if r.Err != nil { // again, for the last decisions
		var last []string
		again := RunCore(CoreOptions{Seed: seed, Tell: func(l string) {
			if last = append(last, l[:min(len(l), 400)]); len(last) > 60 {
				last = last[1:]
			}
		}})
		if again.Err != nil {
			r.Err.Recent = last
		}
	}
	return r
}

// OK says whether every law held and equal seeds made equal storms.
func (r Report) OK() bool { return len(r.Failures) == 0 && len(r.Unequal) == 0 }

// Write prints the report.
func (r Report) Write(out io.Writer) {
	for _, f := range r.Failures {
		f.Write(out)
	}
	for _, seed := range r.Unequal {
		fmt.Fprintf(out, "seed %d: its second run was another one: something in it is left to chance\n", seed)
	}
	if len(r.Versions) > 1 {
		fmt.Fprintf(out, "blown by these versions, one after the other: %s\n", strings.Join(r.Versions, ", "))
	}
	fmt.Fprintf(out, "%d storms of whole hosts (up to %d paths), %d steps; %d storms of the core alone, %d steps; %d broken laws, %d unequal\n",
		r.Hosts, r.Most, r.HostSteps, r.Cores, r.CoreSteps, len(r.Failures), len(r.Unequal))
}

// Write prints a failure: the law, the gusts that it needs, the last decisions, and
// the command that shows it again.
func (r Result) Write(out io.Writer) {
	if r.Err == nil {
		return
	}
	fmt.Fprintf(out, "law broken: %s\n  %s\n  seed %d, %d paths, step %d, %.3f s\n", r.Err.Law, r.Err.Detail, r.Seed, r.Paths, r.Err.Step, float64(r.Err.At)/1e9)
	for _, g := range r.Gusts {
		fmt.Fprintf(out, "  %s\n", g)
	}
	if len(r.Err.Recent) > 0 {
		fmt.Fprintln(out, "  the last decisions:")
		for _, l := range r.Err.Recent {
			fmt.Fprintf(out, "    %s\n", l)
		}
	}
	fmt.Fprintf(out, "  again: %s\n", r.Replay())
}

// Replay is the command that blows this storm again.
func (r Result) Replay() string {
	if r.Core {
		return fmt.Sprintf("pathkeeper sim --storm %d --core", r.Seed)
	}
	cmd := fmt.Sprintf("pathkeeper sim --storm %d", r.Seed)
	if r.Options.Paths > 0 {
		cmd += fmt.Sprintf(" --paths %d", r.Options.Paths)
	}
	if r.Only != nil {
		var n []string
		for _, g := range r.Only {
			n = append(n, fmt.Sprint(g))
		}
		cmd += " --gusts " + strings.Join(n, ",")
		if len(n) == 0 {
			cmd += "none"
		}
	}
	return cmd
}

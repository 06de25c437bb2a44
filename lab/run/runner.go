// Package run runs scenario files in lab guests: one guest for each kind of
// boot, image and set of boot disks, many scenarios in each, and after every scenario
// a teardown that asserts that nothing is left.
package run

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pathkeeper/lab/guest"
	"pathkeeper/lab/image"
	"pathkeeper/scenario"
)

// Options says how to run.
type Options struct {
	Root     string // the checkout: where from=FILE is looked up
	Failures string // directory under which a failed scenario's evidence is kept
	Out      io.Writer
	Verbose  bool // print every verb as it runs
	Tell     bool // print what say says
	// Tree is a directory whose content is copied over the guest's root: the
	// installed product. Empty: no product, and the daemon's verbs fail.
	Tree string
	// Fetch is a directory on the host into which, after each scenario, the files
	// come that the guest has in /run/lab/out. Empty: none.
	Fetch string
}

// Result is how one scenario ended.
type Result struct {
	File    string
	Err     error
	Took    time.Duration
	Kept    string // directory of evidence, if it failed
	Skipped string // why it was not run
}

// Files runs scenario files and returns one result each, in their order. The
// error is about the lab itself: no image, no guest.
func Files(ctx context.Context, files []string, o Options) ([]Result, error) {
	results := make([]Result, len(files))
	type job struct {
		n      int
		script *scenario.Script
	}
	groups := map[string][]job{}
	var order []string
	for i, f := range files {
		results[i].File = f
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		script, err := scenario.Parse(f, string(text))
		if err != nil {
			results[i].Err = err
			continue
		}
		if !script.Side.On(scenario.Lab) {
			results[i].Skipped = "its first line says " + script.Side.String()
			continue
		}
		disks, err := bootDisks(script)
		if err != nil {
			results[i].Err = err
			continue
		}
		key := fmt.Sprint(script.Boot, script.Image, disks, persists(script))
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], job{i, script})
	}
	if len(order) == 0 {
		return results, nil
	}
	var accel guest.Accel
	for _, key := range order {
		img, err := image.Ensure(o.Out, image.Variant(groups[key][0].script.Image))
		if err != nil {
			return results, err
		}
		if accel == "" {
			if accel, err = guest.PickAccel(ctx, img, o.Out); err != nil {
				return results, err
			}
		}
		var s *session
		for _, j := range groups[key] {
			if ctx.Err() != nil {
				results[j.n].Skipped = "interrupted"
				continue
			}
			if s == nil {
				if s, err = newSession(ctx, img, accel, j.script, o); err != nil {
					return results, err
				}
			}
			clean := s.runOne(j.script, &results[j.n])
			if !clean {
				s.end() // what it may have left would be blamed on the next
				s = nil
			}
		}
		if s != nil {
			s.end()
		}
	}
	return results, nil
}

// runOne runs a script in the session's guest, then the teardown. It returns
// whether the guest can serve another one.
func (s *session) runOne(script *scenario.Script, r *Result) bool {
	began := time.Now()
	s.began = began
	err := s.script(script)
	if err != nil {
		r.Kept = s.keep(script, err)
	}
	if fetched := s.fetch(); err == nil {
		err = fetched
	}
	down := s.teardown()
	if err == nil && down != nil {
		err = fmt.Errorf("%s: the teardown: %w", script.File, down)
		r.Kept = s.keep(script, err)
	}
	r.Err, r.Took = err, time.Since(began)
	return down == nil && s.guest.Alive()
}

func (s *session) script(script *scenario.Script) error {
	if err := s.prepare(); err != nil {
		return fmt.Errorf("%s: prepare the guest: %w", script.File, err)
	}
	for _, c := range script.Commands {
		s.progress("%6.1fs %s:%d: %s", time.Since(s.began).Seconds(), filepath.Base(c.File), c.Line, c.Text)
		do := s.verbs[c.Verb.Name]
		if do == nil {
			return c.Errorf("the lab does not know the verb %s", c.Verb.Name)
		}
		err := error(nil)
		if s.down {
			if err := s.again(); err != nil {
				return c.Errorf("%w", err)
			}
		}
		if named := []string{"io", "probe", "hold", "mount", "trigger", "wait-file"}; strings.HasPrefix(c.Verb.Name, "expect ") || slices.Contains(named, c.Verb.Name) {
			c.Args = slices.Clone(c.Args)
			err = s.substitute(c.Args) // maps may be named by @wwid:LUN
		}
		if err == nil {
			err = do(c)
		}
		if err != nil {
			return c.Errorf("%s: %w", c.Text, err)
		}
	}
	return nil
}

func (s *session) progress(format string, args ...any) {
	if s.opts.Verbose {
		fmt.Fprintf(s.opts.Out, format+"\n", args...)
	}
}

// bootDisks collects the disk verbs of a script, which QEMU needs at its start.
func bootDisks(script *scenario.Script) ([]bootDisk, error) {
	var out []bootDisk
	for i, c := range script.Commands {
		if c.Verb.Name != "disk" {
			continue
		}
		if i != len(out) {
			return nil, c.Errorf("disk stands before all other verbs: the machine boots with it")
		}
		size, err := scenario.Size(c.Args[1])
		if err != nil {
			return nil, c.Errorf("%w", err)
		}
		d := bootDisk{Name: c.Args[0], Disk: guest.Disk{Model: c.Options["model"], Serial: c.Options["serial"], Bytes: size}}
		if d.Model == "" {
			d.Model = "LAB DISK"
		}
		if d.Serial == "" {
			d.Serial = "LAB-" + d.Name
		}
		if slices.ContainsFunc(out, func(o bootDisk) bool { return o.Name == d.Name || o.Disk.Serial == d.Disk.Serial }) {
			return nil, c.Errorf("a disk with this name or serial exists already")
		}
		out = append(out, d)
	}
	return out, nil
}

// bootDisk is a disk verb.
type bootDisk struct {
	Name string
	guest.Disk
}

// Summary prints one line a result and the totals, with the seconds that
// budget.txt allows. It returns whether all passed.
func Summary(out io.Writer, results []Result, budget map[string]float64) bool {
	passed, failed, skipped := 0, 0, 0
	for _, r := range results {
		name := filepath.Base(r.File)
		switch {
		case r.Skipped != "":
			skipped++
			fmt.Fprintf(out, "skip  %-32s %s\n", name, r.Skipped)
		case r.Err != nil:
			failed++
			fmt.Fprintf(out, "FAIL  %-32s %5.1fs\n      %s\n", name, r.Took.Seconds(), strings.ReplaceAll(r.Err.Error(), "\n", "\n      "))
			if r.Kept != "" {
				fmt.Fprintf(out, "      evidence: %s\n", r.Kept)
			}
		default:
			passed++
			note := ""
			if b, ok := budget[name]; !ok {
				note = "  (no line in lab/budget.txt)"
			} else if r.Took.Seconds() > 2*b+5 {
				note = fmt.Sprintf("  (its budget is %.0fs: is the machine busy, or has it become slow?)", b)
			}
			fmt.Fprintf(out, "ok    %-32s %5.1fs%s\n", name, r.Took.Seconds(), note)
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return failed == 0
}

// ReadBudget reads lab/budget.txt: "file seconds" a line, '#' begins a comment.
func ReadBudget(name string) (map[string]float64, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	budget := map[string]float64{}
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		var file string
		var seconds float64
		if _, err := fmt.Sscan(line, &file, &seconds); err != nil {
			return nil, fmt.Errorf("%s:%d: want a file name and seconds: %w", name, i+1, err)
		}
		budget[file] = seconds
	}
	return budget, nil
}

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pathkeeper/mpath"
	"pathkeeper/server"
	"pathkeeper/show"
)

// exitChanges is plan's exit code where there is something to do.
const exitChanges = 3

// errChanges ends `plan` with exitChanges and without a word: what there is to say
// was printed.
var errChanges = errors.New("the plan changes something")

func planCommand(at *places, std streams) *cobra.Command {
	c := &cobra.Command{
		Use: "plan [FILE|DIRECTORY]", Short: "Say what a configuration would do to the maps, before anything is touched",
		Long: `Say what a configuration would do to each map, with the reason, the table before
and after, and where each setting comes from. Nothing is touched.

Without an argument it is the system's configuration, as it stands in the files
now: what ` + "`reload`" + ` would do. FILE is read in the place of the main file, beside the
system's drop-ins; DIRECTORY has a multipath.conf and a conf.d of its own.

The plan can be kept in a file (--out), read, and done by ` + "`apply`" + `, which does exactly
that or refuses. Maps that are not printed stay as they are. Needs root.

Exit codes: 0 nothing would change; 3 something would; 1 there is no plan, standard
error says why; 2 the command line is wrong.`,
		Args: takes(0, 1, "one file or directory"),
	}
	out := c.Flags().StringP("out", "o", "", "write the plan to this `FILE`, for apply")
	asJSON := c.Flags().Bool("json", false, "print the plan as apply reads it")
	c.RunE = func(c *cobra.Command, args []string) error {
		place := ""
		if len(args) == 1 {
			var err error
			if place, err = filepath.Abs(args[0]); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
		}
		talk := func(text string) { fmt.Fprintln(std.err, "pathkeeper: "+show.Safe(text)) }
		r, err := at.on.plan(c.Context(), *at, place, talk)
		switch {
		case errors.Is(err, server.ErrNotRunning):
			return fmt.Errorf("%w; it makes the plan: `systemctl start pathkeeper`", err)
		case err != nil:
			return err
		}
		for _, w := range r.Warnings {
			talk(w)
		}
		text, err := json.MarshalIndent(r.Plan, "", "  ")
		if err != nil {
			return fmt.Errorf("the plan: %w", err)
		}
		text = append(text, '\n')
		if *out != "" {
			if err := at.on.writeFile(*out, text); err != nil {
				return fmt.Errorf("writing the plan: %w", err)
			}
		}
		if *asJSON {
			_, err = std.out.Write(text)
		} else {
			_, err = fmt.Fprint(std.out, show.Plan(r.Plan))
		}
		if err == nil && !r.Plan.Empty() {
			err = errChanges
		}
		return err
	}
	return c
}

// readPlan reads what `plan --out` wrote.
func readPlan(name string, read func(string) ([]byte, error)) (p mpath.Plan, err error) {
	text, err := read(name)
	if err != nil {
		return p, fmt.Errorf("reading the plan: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%s is no plan that `pathkeeper plan --out` wrote, or not all of one: %s; nothing is done: make it anew", name, notJSON(err, text))
	}
	if p.Version != mpath.PlanVersion {
		return p, fmt.Errorf("%s is no plan of this version: it says version %d, this is %d; make it anew with `pathkeeper plan`", name, p.Version, mpath.PlanVersion)
	}
	return p, nil
}

// notJSON says where a text stops being a plan.
func notJSON(err error, text []byte) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	at := int64(len(text))
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return "it is empty"
	case errors.As(err, &kind):
		return fmt.Sprintf("%s in line %d is of another kind", cmp.Or(kind.Field, "what stands"), 1+bytes.Count(text[:min(kind.Offset, at)], []byte("\n")))
	case errors.As(err, &syntax) && syntax.Offset < at:
		at = syntax.Offset
		return fmt.Sprintf("line %d is no JSON", 1+bytes.Count(text[:max(at-1, 0)], []byte("\n")))
	case errors.As(err, &syntax):
		return "it ends too early"
	}
	return err.Error()
}

// writeFile puts a new file, whole and for its owner alone, in the place of an old
// one. Written into, an old one would keep its owner, who could change what root
// applies later; and a link may have been left by somebody who wants another file
// written over. What is no file, such as /dev/null, is written to as it is.
func (thisMachine) writeFile(name string, text []byte) (err error) {
	link, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && link.Mode().IsRegular():
	case err != nil:
		return err
	default:
		target, err := os.Stat(name)
		if err != nil || target.Mode().IsRegular() {
			return fmt.Errorf("%s is a symbolic link: name the file itself", name)
		}
		return os.WriteFile(name, text, 0o600)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".pathkeeper-plan-*") // 0600, never one that is there
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (thisMachine) readFile(name string) ([]byte, error) { return readBounded(name, maxInputBytes) }

func (m simMachine) writeFile(name string, text []byte) error {
	m.s.PutFile(name, string(text))
	return nil
}

func (m simMachine) readFile(name string) ([]byte, error) { return m.s.ReadFile(name) }

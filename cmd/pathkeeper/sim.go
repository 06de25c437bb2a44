package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pathkeeper/scenario"
	"pathkeeper/show"
	"pathkeeper/sim"
)

// simOptions are the flags of `pathkeeper sim`.
type simOptions struct {
	seed    uint64
	verbose bool
	shell   bool
	storm   stormOptions
	record  string
	tape    io.Writer
}

func simCommand(std streams) *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use: "sim [SCENARIO.txt...]", Short: "Run scenarios against a simulated kernel, or play with one", Args: cobra.ArbitraryArgs,
		Long: `Run scenario scripts against a simulated kernel, SAN and clock, and tell them:
what is said, what is done, and in lines with a bar what the daemon notes, with
the simulated time. Without a script: those that are built in, the story of a RAC
host and failures that no real machine can be made to have. The real core and the
real encoding of every call take part; nothing of this machine is touched, and no
privilege is needed. Equal seeds give equal stories.

--shell gives a prompt on a simulated host: the one that a script leaves, or a RAC
host with its daemon. It takes the verbs of scripts, and multipath -ll,
multipathd show paths, pathkeeper show, log, pass 10s, help.

--storm SEED blows a random storm over a random host, checks every law of the core
at each step, and in the end that everything is well again; a broken law is told
with the command that blows it again. --host-steps and --core-steps blow many.

Exit codes: 0 all came true; 1 an expectation was not met or a law of the core was
broken, standard error says where; 2 the command line or a script is wrong, standard
error says where, and nothing was run.`,
		RunE: func(c *cobra.Command, args []string) error {
			if o.shell && len(args) > 1 {
				return usagef("`%s --shell` takes at most one scenario, %q is too much", c.CommandPath(), args[1])
			}
			return recorded(o, func(o simOptions) error {
				if blown, err := o.storm.run(o.tape, std); blown || err != nil {
					return err
				}
				if o.shell {
					return simShell(o, args, c.InOrStdin(), std)
				}
				return simScripts(o, args, std)
			})
		},
	}
	c.Flags().Uint64Var(&o.seed, "seed", 1, "where all chance comes from")
	c.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "tell what is expected, too")
	c.Flags().BoolVar(&o.shell, "shell", false, "take commands from standard input")
	o.storm.flags(c.Flags())
	c.Flags().StringVar(&o.record, "record", "", "write what the daemon was told and decided to this `FILE`, for pathkeeper replay")
	return c
}

// recorded runs a simulation, with a recording if one is asked for.
func recorded(o simOptions, run func(simOptions) error) error {
	if o.record == "" {
		return run(o)
	}
	f, err := os.Create(o.record)
	if err != nil {
		return usageError{err.Error()}
	}
	tape := bufio.NewWriter(f)
	o.tape = tape
	err = run(o)
	if e := errors.Join(tape.Flush(), f.Close()); err == nil {
		err = e
	}
	return err
}

// scriptOptions are those of a script in a folder, for whose from= the folders
// above are searched: its files are named from the checkout on.
func (o simOptions) scriptOptions(folder string, std streams) sim.ScriptOptions {
	return sim.ScriptOptions{
		Seed: o.seed, Verbose: o.verbose, Tell: std.out, Record: o.tape, Product: version,
		ReadFile: func(name string) ([]byte, error) { return readFrom(folder, name) },
		Hook:     hookOnSimulated,
		Program: func(s *sim.Session, argv []string, out, talk io.Writer) int {
			return onSimulated(s, argv, streams{out, talk})
		},
	}
}

func readFrom(folder, name string) ([]byte, error) {
	first := error(nil)
	dir, err := filepath.Abs(folder)
	for err == nil {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err == nil {
			return b, nil
		}
		if first == nil {
			first = err
		}
		if up := filepath.Dir(dir); up != dir {
			dir = up
			continue
		}
		break
	}
	return nil, fmt.Errorf("no folder above the script has from=%s: %w", name, errors.Join(err, first))
}

// simScript is a script with the folder that it is in.
type simScript struct {
	*scenario.Script
	folder string
}

// readScripts reads and parses scripts; every mistake is told, and the error is
// the last. No names: the built-in ones.
func readScripts(names []string, std streams) ([]simScript, error) {
	var out []simScript
	var wrong error
	take := func(name, folder string, text []byte, err error) {
		if err == nil {
			var s *scenario.Script
			if s, err = scenario.Parse(name, string(text)); err == nil {
				out = append(out, simScript{s, folder})
				return
			}
		}
		if wrong != nil {
			report(std, "pathkeeper", wrong)
		}
		wrong = usageError{err.Error()}
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, errors.Unwrap(err))
		}
		take(name, filepath.Dir(name), text, err)
	}
	if len(names) == 0 {
		for _, f := range sim.Scenarios() {
			take(f.Name, ".", []byte(f.Text), nil)
		}
	}
	return out, wrong
}

// simScripts plays scripts, one host each, and sums up.
func simScripts(o simOptions, names []string, std streams) error {
	scripts, err := readScripts(names, std)
	if err != nil {
		return err
	}
	var results []simResult
	var failed []error
	for _, script := range scripts {
		r := simResult{name: path.Base(filepath.ToSlash(script.File)), title: script.Title()}
		if !script.Side.On(scenario.Sim) {
			r.skipped = "its first line says " + script.Side.String()
			results = append(results, r)
			continue
		}
		r.Result = sim.PlayScript(script.Script, o.scriptOptions(script.folder, std))
		if r.Err != nil {
			fmt.Fprintf(std.out, "FAIL %s\n", safeLines(r.Err.Error()))
			failed = append(failed, fmt.Errorf("%w (again: pathkeeper sim -v --seed %d %s)", r.Err, o.seed, script.File))
		}
		results = append(results, r)
	}
	simSummary(std.out, results)
	for i, err := range failed {
		if i == len(failed)-1 {
			return err
		}
		report(std, "pathkeeper", err)
	}
	return nil
}

// simResult is how a script ended, or why it was not played.
type simResult struct {
	sim.Result
	name, title, skipped string
}

func simSummary(out io.Writer, results []simResult) {
	passed, failed, skipped, steps, writes, seconds := 0, 0, 0, 0, 0, 0.0
	fmt.Fprintf(out, "\n      %-24s %9s %8s %8s %7s  %s\n", "scenario", "simulated", "steps", "ioctls", "writes", "what")
	for _, r := range results {
		word, title := "ok", r.title
		switch {
		case r.skipped != "":
			skipped++
			fmt.Fprintf(out, "skip  %-24s %9s %8s %8s %7s  %s\n", r.name, "-", "-", "-", "-", r.skipped)
			continue
		case r.Err != nil:
			failed++
			word = "FAIL"
			title, _, _ = strings.Cut(r.Err.Error(), "\n")
		default:
			passed++
		}
		steps, writes, seconds = steps+r.Steps, writes+r.Writes, seconds+r.Seconds
		fmt.Fprintf(out, "%-5s %-24s %7.0f s %8d %8d %7d  %s\n", word, r.name, r.Seconds, r.Steps, r.IOCTLs, r.Writes, show.Safe(title))
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped: %.0f simulated seconds, %d steps of the core, %d writes\n", passed, failed, skipped, seconds, steps, writes)
}

// safeLines keeps what scripts and devices say from steering a terminal.
func safeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = show.Safe(lines[i])
	}
	return strings.Join(lines, "\n")
}

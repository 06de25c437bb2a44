package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pathkeeper/mpath"
	"pathkeeper/record"
	"pathkeeper/show"
)

const replayHelp = `Run the core over a recording: a file that "pathkeeper record save" or a bug wrote,
or the daemon's own in /run/pathkeeper/recorder. Every step is shown that decided
something, with what was the reason, and what comes out now is compared with what
was recorded. What cannot be read is told, and the rest is replayed.

Exit codes: 0 the decisions are the same, 1 they differ, 2 nothing could be read.`

// replayOptions are the flags of `pathkeeper replay`.
type replayOptions struct {
	mapName, path    string
	fromText, toText string
	from, to         time.Time
	json, all        bool
}

func replayCommand(std streams) *cobra.Command {
	var o replayOptions
	c := &cobra.Command{
		Use: "replay FILE|DIRECTORY", Short: "Run the core over a recording and compare", Long: replayHelp,
		Args: takes(1, 1, "one recording, a file or a directory with segments"),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			now := time.Now()
			if o.mapName != "" && o.path != "" {
				return usagef("--map and --path exclude each other")
			}
			if o.from, err = parseWhen("from", o.fromText, now); err != nil {
				return err
			}
			if o.to, err = parseWhen("to", o.toText, now); err != nil {
				return err
			}
			return replay(args[0], o, std)
		},
	}
	f := c.Flags()
	f.StringVar(&o.mapName, "map", "", "only steps about this map (name or WWID)")
	f.StringVar(&o.path, "path", "", "only steps about this path (sdb or 8:16)")
	f.StringVar(&o.fromText, "from", "", "only steps since then: 2h (ago), 15:04, \"2006-01-02 15:04:05\"")
	f.StringVar(&o.toText, "to", "", "only steps until then")
	f.BoolVar(&o.all, "all", false, "also steps that decided nothing, and questions to the kernel")
	f.BoolVar(&o.json, "json", false, "one JSON object for each step, then the result")
	return c
}

// eachFile opens the recordings that a path names, one after the other.
func eachFile(path string, do func(name string, in io.Reader) error) error {
	names, err := record.Files(path)
	if err != nil {
		return usageError{err.Error()}
	}
	for _, name := range names {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) && name != path {
			continue // the oldest segment of a running daemon
		}
		if err != nil {
			return usageError{err.Error()}
		}
		err = do(name, f)
		f.Close()
		if errors.Is(err, record.ErrNoRecord) && len(names) > 1 {
			continue // a segment that has just begun
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// problemLines bounds what is said of a damaged file.
const problemLines = 20

// problems tells what cannot be read, the first of it.
type problems struct {
	to io.Writer
	n  int
}

func (p *problems) tell(x record.Problem) {
	if p.n++; p.n <= problemLines {
		fmt.Fprintln(p.to, "pathkeeper: "+show.Safe(x.String()))
	}
}

func (p *problems) end() {
	if p.n > problemLines {
		fmt.Fprintf(p.to, "pathkeeper: and %d more like these\n", p.n-problemLines)
	}
}

func replay(path string, o replayOptions, std streams) error {
	out := bufio.NewWriter(std.out)
	said := &problems{to: std.err}
	r := replayer{o: o, out: out}
	if o.mapName != "" || o.path != "" {
		r.filter = record.NewFilter(o.mapName+o.path, o.path != "")
	}
	p := record.Player{Show: r.show, Problem: said.tell}
	err := eachFile(path, p.File)
	said.end()
	if err == nil {
		err = r.result(p.Result)
	}
	if e := out.Flush(); err == nil && e != nil {
		err = e
	}
	if errors.Is(err, record.ErrNoRecord) {
		return usagef("%v of Pathkeeper's", err)
	}
	return err
}

// replayer prints a replay.
type replayer struct {
	o      replayOptions
	out    io.Writer
	filter *record.Filter
}

// replayLine is the JSON of a step.
type replayLine struct {
	Step    uint64        `json:"step"`
	Time    time.Time     `json:"time"`
	At      mpath.Instant `json:"at"`
	Event   *replayItem   `json:"event,omitempty"`
	Actions []replayItem  `json:"actions,omitempty"`
	Gap     string        `json:"gap,omitempty"`
}

// replayItem is the JSON of an event or action: its text form, taken apart.
type replayItem struct {
	Kind   string          `json:"kind"`
	Fields json.RawMessage `json:"fields"`
}

func itemOf(text string) replayItem {
	kind, fields, _ := strings.Cut(text, " ")
	return replayItem{kind, json.RawMessage(fields)}
}

func (r *replayer) show(s record.Played) error {
	about := r.filter == nil || r.filter.Takes(s) // it learns from every step
	if !about || !r.o.from.IsZero() && s.Wall.Before(r.o.from) || !r.o.to.IsZero() && s.Wall.After(r.o.to) {
		return nil
	}
	if s.Event == nil {
		if r.o.json {
			return r.line(replayLine{Step: s.Step, Time: s.Wall, At: s.At, Gap: s.Gap})
		}
		_, err := fmt.Fprintf(r.out, "%s step %d: ---- %s\n", clock(s.Wall), s.Step, show.Safe(s.Gap))
		return err
	}
	var acts []mpath.Action
	for _, a := range s.Acts {
		if (r.o.all || !record.Asks(a)) && (r.filter == nil || r.filter.Picks(a)) {
			acts = append(acts, a)
		}
	}
	if len(acts) == 0 && !r.o.all {
		return nil
	}
	if r.o.json {
		ev := itemOf(mpath.EventText(s.Event))
		l := replayLine{Step: s.Step, Time: s.Wall, At: s.At, Event: &ev}
		for _, a := range acts {
			l.Actions = append(l.Actions, itemOf(mpath.ActionText(a)))
		}
		return r.line(l)
	}
	if _, err := fmt.Fprintf(r.out, "%s step %d: %s\n", clock(s.Wall), s.Step, show.Safe(record.Because(s.Event))); err != nil {
		return err
	}
	for _, a := range acts {
		mark := ">"
		if _, ok := a.(mpath.Note); ok {
			mark = " "
		}
		if _, err := fmt.Fprintf(r.out, "  %s %s\n", mark, show.Safe(record.Doing(a))); err != nil {
			return err
		}
	}
	return nil
}

func (r *replayer) line(v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = r.out.Write(append(b, '\n'))
	}
	return err
}

func (r *replayer) result(res record.Result) error {
	d := res.Difference
	if r.o.json {
		if err := r.line(struct {
			Result record.Result `json:"result"`
		}{res}); err != nil {
			return err
		}
	} else if d == nil {
		text := "the decisions are the same"
		if res.Steps == 0 {
			text = "there was nothing to compare"
		}
		fmt.Fprintf(r.out, "%d steps replayed, %d compared, %d left out: %s\n", res.Steps, res.Compared, res.Skipped, text)
	} else {
		or := func(s string) string {
			if s == "" {
				return "nothing"
			}
			return show.Safe(s)
		}
		fmt.Fprintf(r.out, "DIFFERS at step %d, %s, after %s\n  recorded, version %s: %s\n  now, version %s: %s\n  at %s\n",
			d.Step, clock(d.Wall), show.Safe(d.Event), show.Safe(d.Product), or(d.Recorded), version, or(d.Now), show.Safe(d.Place))
	}
	switch {
	case d != nil:
		return fmt.Errorf("what comes out now differs from the recording at step %d", d.Step)
	case res.Steps == 0:
		return usageError{"no step of the recording could be replayed"}
	}
	return nil
}

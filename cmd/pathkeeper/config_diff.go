package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/policy"
	"pathkeeper/show"
)

// Exit codes of `config diff`, those of diff.
const (
	exitDiffers   = 1
	exitDiffError = 2
)

func configDiffCommand(at *places, std streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "diff OLD NEW", Short: "What changes in meaning from one configuration to another",
		Long: `What changes in meaning from one configuration to another, a line each: section,
entry, keyword, the old value with its place, the new one with its place. OLD and NEW
are files of either form, or directories with pathkeeper.yaml or multipath.conf and
conf.d. Spelling, comments and the order of sections are no change.

Exit codes: 0 the same, 1 different, 2 the command line is wrong or a file cannot be
used.`,
		Args: takes(2, 2, "two files or directories"),
		RunE: func(_ *cobra.Command, args []string) error {
			var two [2]policy.Config
			for i, name := range args {
				cfg, err := configAt(*at, name, func(text string) { fmt.Fprintln(std.err, "pathkeeper: "+show.Safe(text)) })
				if err != nil {
					return ending{exitDiffError, err}
				}
				two[i] = cfg
			}
			changes := configs.Diff(two[0], two[1])
			if err := printChanges(std.out, changes, asJSON); err != nil {
				return ending{exitDiffError, err}
			}
			if len(changes) > 0 {
				return ending{code: exitDiffers}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// configAt reads the configuration that is a file, or below a directory.
func configAt(at places, name string, talk func(string)) (policy.Config, error) {
	load := func() (policy.Config, []configs.Message, error) { return at.loadFiles([]string{name}) }
	if _, ours := at.on.(thisMachine); ours {
		st, err := os.Stat(name)
		if err != nil {
			return policy.Config{}, fmt.Errorf("reading the configuration: %w", err)
		}
		if st.IsDir() {
			places := configs.PathsBelow(name)
			main, _ := places.InForce()
			if _, err := os.Stat(main); err != nil {
				return policy.Config{}, fmt.Errorf("reading the configuration: there is neither %s nor %s", places.Native, places.Main)
			}
			load = func() (policy.Config, []configs.Message, error) { return configs.Load(places) }
		}
	}
	cfg, messages, err := load()
	for _, m := range messages {
		if err == nil && m.Level == configs.LevelWarning {
			talk(m.String())
		}
	}
	return cfg, err
}

// changeLines is a line for each change; what a file changes in many built-in
// entries at once, as a profile does, is one.
func changeLines(changes []configs.Change) []string {
	builtin := func(s configs.Said) bool { return s.Set && s.Origin.File == "" }
	same := map[string]int{} // how often, by the text
	text := func(c configs.Change) string {
		switch {
		case c.Section != "device" || c.Keyword == "":
		case builtin(c.Old) && c.New.Set:
			return fmt.Sprintf("built-in entries: %s: their own -> %s", c.Keyword, c.New)
		case builtin(c.New) && c.Old.Set:
			return fmt.Sprintf("built-in entries: %s: %s -> their own", c.Keyword, c.Old)
		}
		return ""
	}
	for _, c := range changes {
		same[text(c)]++
	}
	var out []string
	for _, c := range changes {
		t := text(c)
		switch n := same[t]; {
		case t == "" || n == 1:
			out = append(out, c.String())
		case n > 1:
			out = append(out, fmt.Sprintf("device: %d %s", n, t))
			same[t] = 0
		}
	}
	return out
}

// diffDocument is the JSON form.
type diffDocument struct {
	Version int          `json:"version"`
	Changes []diffChange `json:"changes"`
}

type diffChange struct {
	Section string    `json:"section"`
	Entry   string    `json:"entry"`
	Keyword string    `json:"keyword"` // "" the entry itself
	Old     *diffSaid `json:"old"`     // null: not set
	New     *diffSaid `json:"new"`
}

type diffSaid struct {
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func printChanges(w io.Writer, changes []configs.Change, asJSON bool) error {
	if !asJSON {
		for _, line := range changeLines(changes) {
			if _, err := fmt.Fprintln(w, show.Safe(line)); err != nil {
				return err
			}
		}
		return nil
	}
	said := func(s configs.Said) *diffSaid {
		if !s.Set {
			return nil
		}
		return &diffSaid{s.Value, s.Origin.String()}
	}
	doc := diffDocument{Version: 1, Changes: []diffChange{}}
	for _, c := range changes {
		doc.Changes = append(doc.Changes, diffChange{c.Section, c.Entry, c.Keyword, said(c.Old), said(c.New)})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

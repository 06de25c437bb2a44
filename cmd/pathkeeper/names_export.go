package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pathkeeper/names"
	"pathkeeper/show"
	"pathkeeper/statefile"
)

func namesExportCommand(n *namesPlaces, std streams) *cobra.Command {
	asJSON, out := false, ""
	c := &cobra.Command{
		Use: "export", Short: "Print what this node calls its LUNs, and whom they belong to",
		Long: `Print the WWID, name, owner, group, mode and size of every map and named disk, and
of every name that configuration and bindings have for a LUN that is not there.
Another node compares the list with ` + "`names compare`" + ` and takes it over with
` + "`names import`" + `. The same names give the same text.`,
		Args: takes(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := n.here(c, std)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(std.out, struct {
					Pathkeeper int           `json:"pathkeeper"`
					Host       string        `json:"host"`
					Names      []names.Entry `json:"names"`
				}{1, h.List.Host, h.List.Entries})
			}
			if out != "" {
				return n.on.stateFiles().WriteAtomic(absolute(out), []byte(h.List.String()), statefile.ModePublic)
			}
			_, err = io.WriteString(std.out, h.List.String())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().StringVarP(&out, "out", "o", "", "write the list to this file")
	return c
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// here is what this host knows of names.
func (n *namesPlaces) here(c *cobra.Command, std streams) (names.Host, error) {
	s, b, err := n.on.basis(c.Context(), *n.places, func(text string) { fmt.Fprintln(std.err, "pathkeeper: "+show.Safe(text)) })
	if err != nil {
		return names.Host{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this node"
	}
	return names.Collect(host, s, b), nil
}

func namesCompareCommand(n *namesPlaces, std streams) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use: "compare FILE [FILE2]", Short: "Say in what this node and another's list, or two lists, differ",
		Long: `Compare the list that ` + "`names export`" + ` made on another node with this node, or two
lists with each other, LUN by LUN: missing, name, owner, group, mode, size, and
names that stand for different LUNs. Exit 0: they agree; 1: they differ, or could
not be compared.`,
		Args: takes(1, 2, "one or two lists of `pathkeeper names export`"),
		RunE: func(c *cobra.Command, args []string) error {
			two, err := n.readList(args[len(args)-1])
			if err != nil {
				return err
			}
			one, first := names.List{}, "here"
			if len(args) == 2 {
				first = "in " + filepath.Base(args[0])
				one, err = n.readList(args[0])
			} else {
				var h names.Host
				h, err = n.here(c, std)
				one = h.List
			}
			if err != nil {
				return err
			}
			found := names.Compare(one, two)
			if asJSON {
				if found == nil {
					found = []names.Difference{}
				}
				err = printJSON(std.out, struct {
					Pathkeeper  int                `json:"pathkeeper"`
					Differences []names.Difference `json:"differences"`
				}{1, found})
			} else {
				for _, d := range found {
					fmt.Fprintln(std.out, show.Safe(d.Text(first, "in "+filepath.Base(args[len(args)-1]))))
				}
			}
			if err == nil && len(found) > 0 {
				err = fmt.Errorf("they differ in %d points", len(found))
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// readList reads a list; one with a bad line is refused as a whole.
func (n *namesPlaces) readList(name string) (names.List, error) {
	data, err := n.on.readFile(name)
	if err != nil {
		return names.List{}, err
	}
	l, problems := names.Parse(data)
	if len(problems) > 0 {
		more := ""
		if len(problems) > 1 {
			more = fmt.Sprintf(" (and %d more lines)", len(problems)-1)
		}
		return l, fmt.Errorf("%s:%d: %s%s; nothing of it is used", name, problems[0].Line, problems[0].Text, more)
	}
	return l, nil
}

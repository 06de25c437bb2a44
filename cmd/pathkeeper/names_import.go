package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/daemon"
	"pathkeeper/names"
	"pathkeeper/policy"
	"pathkeeper/show"
	"pathkeeper/statefile"
)

func namesImportCommand(n *namesPlaces, std streams) *cobra.Command {
	dryRun, out := false, ""
	c := &cobra.Command{
		Use: "import FILE", Short: "Take over the names of another node",
		Long: `Take over the list that ` + "`names export`" + ` made on another node. Names that
user_friendly_names gives become lines of the bindings file, which only a stopped
daemon lets change (its maps and their I/O go on). What wants an entry of the
configuration (alias, owner, group, mode, names of single disks) is printed as a
proposal in the form of the configuration here, or written to a new file with -o:
in that of pathkeeper.yaml if its name ends in .yaml, else of multipath.conf. A name that stands for another LUN
here, or a LUN that has another name here, refuses the whole list.`,
		Args: takes(1, 1, "one list of `pathkeeper names export`"),
		RunE: func(c *cobra.Command, args []string) error {
			list, err := n.readList(args[0])
			if err != nil {
				return err
			}
			h, err := n.here(c, std)
			if err != nil {
				return err
			}
			i := importing{n: n, std: std, file: args[0], list: list, host: &h, out: out}
			return i.run(dryRun)
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing, say what would be done")
	c.Flags().StringVarP(&out, "out", "o", "", "write the proposal to this file, which must not exist yet")
	return c
}

// importing is one call of `names import`.
type importing struct {
	n    *namesPlaces
	std  streams
	file string
	list names.List
	host *names.Host
	out  string
}

func (i *importing) run(dryRun bool) error {
	t, _, err := i.take()
	if err != nil {
		return err
	}
	if t.Empty() {
		i.talk("nothing to do: this node has these names")
		return nil
	}
	if i.out != "" {
		if _, err := i.n.on.readFile(i.out); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already: nothing is written over it", i.out)
		}
	}
	if dryRun {
		for _, line := range t.Lines {
			fmt.Fprintf(i.std.out, "# would be added to %s: %s %s\n", i.n.bindings, line.Alias, line.WWID)
		}
		return i.propose(t, "")
	}
	if len(t.Lines) == 0 {
		return i.propose(t, i.out)
	}
	unlock, err := i.n.on.lockNames()
	if err != nil {
		return fmt.Errorf("%d names want a line in %s, and whoever manages the maps would not see it: %w", len(t.Lines), i.n.bindings, err)
	}
	defer unlock()
	return i.write()
}

// write does it under the lock: what the files say now counts, not what they said
// before.
func (i *importing) write() error {
	t, have, err := i.take()
	if err != nil {
		return err
	}
	lines := make([]statefile.Binding, 0, len(t.Lines))
	for _, l := range t.Lines {
		lines = append(lines, statefile.Binding{Alias: l.Alias, WWID: l.WWID})
	}
	next, err := have.AddAll(lines)
	if err != nil {
		return err
	}
	// The proposal first: it has no effect before a reload, and can be taken back.
	if err := i.propose(t, i.out); err != nil {
		return err
	}
	if bytes.Equal(next.Bytes(), have.Bytes()) {
		return nil
	}
	if err := i.n.on.stateFiles().WriteAtomic(absolute(i.n.bindings), next.Bytes(), statefile.ModePrivate); err != nil {
		if i.out != "" {
			err = errors.Join(err, i.n.on.stateFiles().Remove(absolute(i.out)))
		}
		return fmt.Errorf("no name was taken over: %w", err)
	}
	i.talk(fmt.Sprintf("%d names added to %s; they count from the daemon's next start: `systemctl start pathkeeper`", len(lines), i.n.bindings))
	return nil
}

// take says what there is to do; a clash is an error, with every line that has one.
func (i *importing) take() (names.Taking, statefile.Bindings, error) {
	have, _, err := i.n.readBindings()
	if err != nil {
		return names.Taking{}, have, err
	}
	var lines policy.Bindings
	for _, l := range have.Lines() {
		lines = append(lines, policy.Binding{Alias: l.Alias, WWID: l.WWID})
	}
	t := i.host.Take(i.list, lines, func(alias string) string {
		return fmt.Sprintf("%s:%d", i.n.bindings, have.LineOf(alias))
	})
	for _, c := range t.Clashes {
		fmt.Fprintln(i.std.err, show.Safe(fmt.Sprintf("%s:%d: %s", i.file, c.Line, c.Text)))
	}
	if len(t.Clashes) > 0 {
		return t, have, fmt.Errorf("%d of %d lines clash with names that are given here: nothing is taken over", len(t.Clashes), len(i.list.Entries))
	}
	for _, note := range t.Notes {
		i.talk(fmt.Sprintf("%s:%d: %s", i.file, note.Line, note.Text))
	}
	return t, have, nil
}

// propose prints what wants an entry of the configuration, or writes it to a file.
func (i *importing) propose(t names.Taking, out string) error {
	if len(t.Maps)+len(t.Disks) == 0 {
		return nil
	}
	native := i.nativeInForce()
	yaml := native && i.out == "" || strings.HasSuffix(i.out, ".yaml") || len(t.Maps) == 0
	text := t.YAML(i.file)
	if !yaml {
		text = t.Conf(i.file)
		if len(t.Disks) > 0 {
			i.talk(fmt.Sprintf("%d names of disks that stay single can only stand in pathkeeper.yaml: they are left out; -o FILE.yaml has them", len(t.Disks)))
		}
	}
	if yaml != native {
		i.talk("this is the form of " + map[bool]string{true: "pathkeeper.yaml", false: "multipath.conf"}[yaml] + ", and the configuration here is of the other: it is not read beside it")
	}
	if out == "" {
		_, err := io.WriteString(i.std.out, text)
		return err
	}
	if err := i.n.on.stateFiles().WriteAtomic(absolute(out), []byte(text), statefile.ModePublic); err != nil {
		return err
	}
	i.talk(out + " is written: read it; where the configuration reads it, it counts from the next `pathkeeper reload`")
	return nil
}

// nativeInForce says whether the configuration here is pathkeeper.yaml.
func (i *importing) nativeInForce() bool {
	cfg, _, err := i.n.on.config(*i.n.places)
	return err == nil && len(cfg.Files) > 0 && configs.IsNative(cfg.Files[0])
}

func (i *importing) talk(text string) { fmt.Fprintln(i.std.err, "pathkeeper: "+show.Safe(text)) }

func (thisMachine) stateFiles() statefile.Port { return statefile.NewDisk("/") }

// lockNames keeps everybody who manages maps away while names are written.
func (thisMachine) lockNames() (func(), error) {
	f, err := daemon.LockManager("")
	if err != nil {
		return nil, err
	}
	return func() { daemon.UnlockManager(f) }, nil
}

func (m simMachine) stateFiles() statefile.Port { return m.s.StateFiles() }

func (m simMachine) lockNames() (func(), error) {
	if m.s.Running() {
		return nil, errors.New("the daemon already manages the multipath maps of this host: stop it first, its maps are then taken over as they are")
	}
	return func() {}, nil
}

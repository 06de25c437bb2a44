package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"pathkeeper/configs"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/statefile"
)

// host is what is measured: its files, how many multipath sections they have and
// how many LUNs are looked up.
type host struct {
	conf, bindings   string
	entries, lookups int
}

// wwid is the LUN with a number; the first of them have a multipath section.
func wwid(n int) string { return fmt.Sprintf("3600a098%025d", n) }

// conf is a large host's file: an alias, an owner and a mode for each LUN.
func conf(n int) string {
	var b strings.Builder
	b.WriteString("defaults {\n\tuser_friendly_names yes\n\tfind_multipaths no\n}\nmultipaths {\n")
	for i := range n {
		fmt.Fprintf(&b, "\tmultipath {\n\t\twwid %s\n\t\talias lun%d\n\t\tuid 54321\n\t\tgid 54322\n\t\tmode 0660\n\t\tno_path_retry %d\n\t}\n", wwid(i), i, i%60+1)
	}
	b.WriteString("}\n")
	return b.String()
}

func bindings(n int) string {
	var b strings.Builder
	for i := range n {
		name, _ := policy.FormatName("mpath", i+1)
		fmt.Fprintf(&b, "%s %s\n", name, wwid(i))
	}
	return b.String()
}

const (
	stepLoad     = "read and merge the configuration"
	stepCompile  = "compile it"
	stepBindings = "read and index the bindings"
	stepLookups  = "100,000 lookups by WWID"
	stepAll      = "the four of them"
	stepDecide   = "10,000 LUNs decided on and named"
)

func stepNames() []string {
	return []string{stepLoad, stepCompile, stepBindings, stepLookups, stepAll, stepDecide}
}

// steps does what a daemon does at its start with a host's files, and prints how
// long each step took. A wrong name is an error: it is no use to be quick.
func steps(h host, out io.Writer) error {
	begun := time.Now()
	last := begun
	tell := func(name string) {
		fmt.Fprintf(out, "%s: %s\n", name, time.Since(last))
		last = time.Now()
	}
	cfg, _, err := configs.Load(configs.Paths{Main: h.conf})
	if err != nil {
		return err
	}
	tell(stepLoad)
	c, _ := policy.Compile(cfg)
	tell(stepCompile)
	data, err := os.ReadFile(h.bindings)
	if err != nil {
		return err
	}
	file, _ := statefile.ParseBindings(data)
	var list policy.Bindings
	for _, line := range file.Lines() {
		list = append(list, policy.Binding{Alias: line.Alias, WWID: line.WWID})
	}
	index := list.Index()
	tell(stepBindings)
	for i := range h.lookups {
		want, _ := policy.FormatName("mpath", i+1)
		if name, ok := index.AliasOf(wwid(i)); !ok || name != want {
			return fmt.Errorf("%s: name %q, want %q", wwid(i), name, want)
		}
	}
	tell(stepLookups)
	last = begun
	tell(stepAll)
	last = time.Now()
	state := policy.State{Bindings: list}.With(index)
	for i := range h.entries {
		// Half of them have no section and take their names from the bindings.
		id := identity(i + h.entries/2)
		d := c.Decide(id, policy.Facts{Devnode: "sda", DevType: "disk", Protocol: "scsi:fcp"}, state)
		n := c.Name(policy.NameRequest{Identity: id, Settings: d.Settings, State: state})
		if d.Verdict != policy.VerdictAdmit || n.Name == id.WWID {
			return fmt.Errorf("%s: verdict %v, name %q", id.WWID, d.Verdict, n.Name)
		}
	}
	tell(stepDecide)
	return nil
}

func identity(n int) scsi.Identity {
	return scsi.Identity{WWID: wwid(n), Vendor: "HITACHI", Model: "OPEN-V", IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: wwid(n)}}}
}

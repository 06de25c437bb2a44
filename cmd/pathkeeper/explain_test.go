package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scenario"
	"pathkeeper/scsi"
	"pathkeeper/sim"
)

var updateTranscripts = flag.Bool("update", false, "write what the commands say into the golden transcripts")

// TestExplainTranscripts plays hosts and asks why. A transcript is a txtar file:
// what is asked, in prose; `host` and `then`, verbs of the scenarios; `facts`, what
// the simulated host cannot be made to have, a line each; and for each command its
// output, what it says on standard error behind a !.
func TestExplainTranscripts(t *testing.T) {
	names, err := filepath.Glob("testdata/explain/*.txt")
	if err != nil || len(names) < 15 {
		t.Fatalf("%d transcripts, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			ar := txtar.Parse(text)
			if len(bytes.TrimSpace(ar.Comment)) == 0 {
				t.Error("no question in prose above the host")
			}
			play(t, ar)
			got := txtar.Format(ar)
			if *updateTranscripts {
				if err := os.WriteFile(name, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), string(got)); diff != "" {
				t.Errorf("not as the transcript has it (-update writes it):\n%s", diff)
			}
		})
	}
}

// play does what a transcript says and puts the commands' output into it.
func play(t *testing.T, ar *txtar.Archive) {
	t.Helper()
	s := sim.NewSession(simOptions{seed: 1}.scriptOptions(".", streams{&bytes.Buffer{}, &bytes.Buffer{}}))
	on := &tweaked{simMachine: simMachine{s}}
	for i, f := range ar.Files {
		switch {
		case f.Name == "host" || f.Name == "then":
			script, err := scenario.Parse(f.Name, "# A host.\nonly: sim\n"+string(f.Data))
			if err == nil {
				err = s.Play(script)
			}
			if err != nil {
				t.Fatal(err)
			}
		case f.Name == "facts":
			on.facts = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
		case strings.HasPrefix(f.Name, "pathkeeper "):
			words, err := scenario.Words(f.Name)
			if err != nil {
				t.Fatal(err)
			}
			var out, talk bytes.Buffer
			root := newRootOn(on, streams{&out, &talk})
			root.SetArgs(words[1:])
			report(streams{&out, &talk}, "pathkeeper", root.ExecuteContext(context.Background()))
			for line := range strings.Lines(talk.String()) {
				out.WriteString("! " + line)
			}
			ar.Files[i].Data = out.Bytes()
		default:
			t.Fatalf("%s: want host, then, facts or a command", f.Name)
		}
	}
}

// tweaked is a simulated host of which some facts are not as it has them.
type tweaked struct {
	simMachine
	facts []string
}

func (m *tweaked) basis(ctx context.Context, at places, talk func(string)) (mpath.Snapshot, mpath.Basis, error) {
	s, b, err := m.simMachine.basis(ctx, at, talk)
	for _, line := range m.facts {
		words := strings.Fields(line)
		if e := tweak(&s, &b, words); e != nil {
			return s, b, e
		}
	}
	return s, b, err
}

// tweak changes one fact: "ha 60" (seconds), "sda usb", "sda no-wwid WHY...", "sda properties A B".
func tweak(s *mpath.Snapshot, b *mpath.Basis, words []string) error {
	if len(words) == 2 && words[0] == "ha" { // multipath.conf cannot say it
		n, err := strconv.Atoi(words[1])
		b.Config.HA = policy.HA{DeadlineSeconds: n, Origin: policy.Origin{File: "/etc/pathkeeper/pathkeeper.yaml", Line: 2, Column: 3}}
		return err
	}
	for i := range s.Paths {
		p := &s.Paths[i]
		if len(words) < 2 || p.Name != words[0] {
			continue
		}
		d := slices.IndexFunc(b.Devices, func(d mpath.DeviceFacts) bool { return d.ID == p.ID })
		switch words[1] {
		case "usb":
			b.Devices[d].Facts.USB, b.Devices[d].Facts.Protocol = true, "scsi:usb"
		case "no-wwid":
			p.Seen.Identity = scsi.Identity{Vendor: p.Seen.Identity.Vendor, Model: p.Seen.Identity.Model, Problem: strings.Join(words[2:], " ")}
		case "properties":
			b.Devices[d].Facts.Properties = words[2:]
		default:
			return fmt.Errorf("no fact %q", words[1])
		}
		// The core has never seen it otherwise.
		rules, _ := policy.Compile(b.Config)
		p.Decision = rules.Decide(p.Seen.Identity, b.Devices[d].Facts, b.State)
		p.WWID, p.Map = "", ""
		return nil
	}
	return fmt.Errorf("facts: no device for %q", words)
}

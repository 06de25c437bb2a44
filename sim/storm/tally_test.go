package storm

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A campaign that goes on after its end makes the storms and counts that one in one
// go makes.
func TestCampaignGoesOn(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tally")
	var last Report
	var err error
	for _, steps := range []int{15000, 40000} {
		if last, err = (Campaign{First: 7, CoreSteps: steps, Once: true, Tally: name, Version: "v"}).Run(); err != nil {
			t.Fatal(err)
		}
	}
	if len(last.OpenCores) != 0 || last.Hosts != 0 || len(last.Versions) != 1 {
		t.Errorf("open %v, %d hosts, versions %v", last.OpenCores, last.Hosts, last.Versions)
	}
	if last.Cores != int(last.NextCore-7) {
		t.Errorf("%d storms up to seed %d, %+v", last.Cores, last.NextCore, last.Tally)
	}
	steps, cover := 0, NewCover()
	for seed := uint64(7); seed < last.NextCore; seed++ {
		steps += RunCore(CoreOptions{Seed: seed, Cover: cover}).Steps
	}
	if steps != last.CoreSteps || !maps.Equal(cover.Paths, last.Cover.Paths) || !maps.Equal(cover.Maps, last.Cover.Maps) {
		t.Errorf("%d steps in two goes, %d in one, or other counts", last.CoreSteps, steps)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// Seeds that a process had begun when it died are blown first.
	cut := strings.Replace(string(data), `"OpenCores":[]`, `"OpenCores":[9]`, 1)
	if err := os.WriteFile(name, []byte(strings.Replace(cut, `"OpenCores":null`, `"OpenCores":[9]`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	more, err := Campaign{CoreSteps: last.CoreSteps + 1, Once: true, Tally: name}.Run()
	if err != nil || more.NextCore > last.NextCore+2 || len(more.OpenCores) != 0 || more.Cores <= last.Cores {
		t.Errorf("%v: next seed %d after %d, open %v, %d storms after %d", err, more.NextCore, last.NextCore, more.OpenCores, more.Cores, last.Cores)
	}
}

func TestBadTally(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "", // an empty file is no campaign's
		"something\n":                      ":1:",
		tallyForm + "\n{\n":                ":2:",
		tallyForm + "\n{}\nfoo\tx\ty\t1\n": ":3:",
		tallyForm + "\n{}\npath\tx\ty\n":   ":3:",
		tallyForm + "\n{}\nmap\tx\ty\tz\n": ":3:",
	} {
		name := filepath.Join(t.TempDir(), "tally")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Campaign{CoreSteps: 1, Tally: name}.Run()
		if want != "" && (err == nil || !strings.Contains(err.Error(), name+want)) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

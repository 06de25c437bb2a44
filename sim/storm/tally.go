package storm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// Tally is how far a campaign came: enough to go on with it after its process has
// ended, without counting a storm twice or leaving one out.
type Tally struct {
	Versions             []string // of the program, in the order in which they blew
	Hosts, Cores         int      // storms
	HostSteps, CoreSteps int
	Most                 int // paths of the largest host
	NextHost, NextCore   uint64
	// Open are seeds that were begun; who goes on begins with them.
	OpenHosts, OpenCores []uint64
	// BrokenHosts and BrokenCores broke a law. Who goes on blows them again: whatever
	// broke it may be mended.
	BrokenHosts, BrokenCores []uint64
	Unequal                  []uint64
}

// tallyFile is the file's form: the counts of what met what follow as lines.
const tallyForm = "pathkeeper storm tally 1"

// readTally reads a campaign's file; one that is not there is an empty campaign.
func readTally(name string) (Tally, *Cover, error) {
	cover := NewCover()
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Tally{}, cover, nil
	}
	if err != nil {
		return Tally{}, nil, fmt.Errorf("reading the tally of a campaign: %w", err)
	}
	var t Tally
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		bad := func(why string) (Tally, *Cover, error) {
			return Tally{}, nil, fmt.Errorf("%s:%d: %s; give another file, or remove it to begin anew", name, n, why)
		}
		switch {
		case n == 1 && lines.Text() != tallyForm:
			return bad(fmt.Sprintf("the first line is not %q", tallyForm))
		case n == 2:
			if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
				return bad(err.Error())
			}
		case n > 2:
			if err := cover.read(lines.Text()); err != nil {
				return bad(err.Error())
			}
		}
	}
	if err := lines.Err(); err != nil {
		return Tally{}, nil, fmt.Errorf("reading the tally of a campaign: %s: %w", name, err)
	}
	return t, cover, nil
}

// write puts the tally in the file's place at once: a crash leaves the last one.
func (t Tally) write(name string, cover *Cover) error {
	head, err := json.Marshal(t)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\n", tallyForm, head)
	cover.Write(&b)
	if err := os.WriteFile(name+".new", b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the tally of a campaign: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("writing the tally of a campaign: %w", err)
	}
	return nil
}

// take hands out the next seed: first those that were begun and not ended.
func take(open *[]uint64, again []uint64, next *uint64) (uint64, []uint64) {
	if len(again) > 0 {
		return again[0], again[1:]
	}
	*next++
	*open = append(*open, *next-1)
	return *next - 1, nil
}

func done(open []uint64, seed uint64) []uint64 {
	return slices.DeleteFunc(open, func(s uint64) bool { return s == seed })
}

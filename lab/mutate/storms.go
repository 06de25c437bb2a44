package mutate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// StormTests is the package whose storms of the core are the second line: they know
// no transcript, only laws.
const (
	StormTests = "sim/storm"
	coreStorm  = "TestCoreStorm"
)

// storms are storms of the core alone on a model, the same ones for each mutant.
type storms struct {
	flags []string
	calm  []string // what each storm says of its steps and actions, without a mutant
	reach map[int]bool
}

var told = regexp.MustCompile(`\d+ steps, [0-9a-f]{16}`)

// PrepareStorms lets every mutant that survives the tests meet the first n storms of
// the core alone. Their tests must be among those that were built.
func (p *Plan) PrepareStorms(n int) error {
	s := &storms{flags: []string{fmt.Sprintf("-storm.core=%d", n), "-test.v"}, reach: map[int]bool{}}
	file := filepath.Join(p.b.dir, "reach-storms")
	o := p.b.blow(s, envReach+"="+file)
	if o.Failed {
		return fmt.Errorf("the storms fail without any mutant: %s", o.Output)
	}
	if s.calm = told.FindAllString(o.Output, -1); len(s.calm) != n {
		return fmt.Errorf("%d of %d storms said what they did", len(s.calm), n)
	}
	reached, err := readReach(file)
	if err = errors.Join(err, os.Remove(file)); err != nil {
		return err
	}
	for _, id := range reached {
		s.reach[id] = true
	}
	p.storms = s
	return nil
}

func (b *Build) blow(s *storms, env string) Outcome {
	return runWith(b.root, StormTests, b.Tests[StormTests], []string{coreStorm}, s.flags, env)
}

// tryStorms lets storms meet a mutant until one breaks a law. Of one that survives it
// says whether any storm went another way because of it: where none did, the mutant
// may be equivalent, or its code dead.
func (p *Plan) tryStorms(m Mutant) Outcome {
	switch {
	case p.storms == nil:
		return Outcome{}
	case !p.storms.reach[m.ID]:
		return Outcome{By: "no storm runs it"}
	}
	o := p.b.blow(p.storms, fmt.Sprintf("%s=%d", envMutant, m.ID))
	if o.Failed {
		o.By = "storm: " + strings.TrimPrefix(o.By, StormTests+" ")
		return o
	}
	o.By = "no storm goes another way"
	for i, t := range told.FindAllString(o.Output, -1) {
		if t != p.storms.calm[i] {
			o.By = fmt.Sprintf("storm %d goes another way", i+1)
			break
		}
	}
	return o
}

// ByLaw counts what the storms have killed, by law.
func ByLaw(list []Result) []string {
	n := map[string]int{}
	for _, r := range list {
		if by, ok := strings.CutPrefix(r.By, "storm: "); ok && r.Verdict == VerdictKilled {
			if _, law, ok := strings.Cut(by, ", "); ok {
				by = law
			}
			n[by]++
		}
	}
	var out []string
	for by, n := range n {
		out = append(out, fmt.Sprintf("%5d %s", n, by))
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"pathkeeper/sim/storm"
)

// stormOptions are the flags of `pathkeeper sim` that blow storms.
type stormOptions struct {
	seed      uint64 // 0: none
	paths     int
	gusts     string
	core      bool
	hostSteps int // with coreSteps 0: no campaign
	coreSteps int
	first     uint64
	once      bool
	limit     time.Duration
	cover     bool
	tally     string
}

func (o *stormOptions) flags(f *pflag.FlagSet) {
	f.Uint64Var(&o.seed, "storm", 0, "blow the storm of this seed, and tell it")
	f.IntVar(&o.paths, "paths", 0, "with --storm: paths of the host, instead of the seed's")
	f.StringVar(&o.gusts, "gusts", "", "with --storm: only these gusts, \"3,17\"")
	f.BoolVar(&o.core, "core", false, "with --storm: of the core alone")
	f.IntVar(&o.hostSteps, "host-steps", 0, "blow storms of whole hosts until the core has made so many steps")
	f.IntVar(&o.coreSteps, "core-steps", 0, "blow storms of the core alone until it has made so many steps")
	f.Uint64Var(&o.first, "first", 1, "with --host-steps and --core-steps: the first seed")
	f.BoolVar(&o.once, "once", false, "likewise: blow each storm once, not twice")
	f.DurationVar(&o.limit, "for", 0, "likewise: end after that time, \"30m\"")
	f.StringVar(&o.tally, "tally", "", "likewise: keep in this FILE how far it came, and go on from there")
	f.BoolVar(&o.cover, "cover", false, "likewise: say which states met which events too rarely; without a reason for it that is a failure")
}

// maxStormPaths bounds --paths.
const maxStormPaths = 10000

// run blows what the flags ask for; blown is false where they ask for nothing.
func (o *stormOptions) run(tape io.Writer, std streams) (blown bool, err error) {
	campaign := o.hostSteps != 0 || o.coreSteps != 0
	switch {
	case o.seed == 0 && (o.paths != 0 || o.gusts != "" || o.core):
		return false, usagef("--paths, --gusts and --core belong to --storm SEED, and seeds begin with 1")
	case !campaign && (o.once || o.cover || o.limit != 0 || o.tally != ""):
		return false, usagef("--once, --cover, --tally and --for belong to --host-steps N and --core-steps N")
	case o.seed == 0 && !campaign:
		return false, nil
	case o.seed != 0 && campaign:
		return false, usagef("--storm tells one storm, --host-steps and --core-steps blow many: not both")
	case o.paths < 0 || o.paths > maxStormPaths:
		return false, usagef("--paths %d: 1 to %d", o.paths, maxStormPaths)
	case o.hostSteps < 0 || o.coreSteps < 0:
		return false, usagef("--host-steps and --core-steps count: %d and %d do not", o.hostSteps, o.coreSteps)
	case o.core && (o.paths != 0 || o.gusts != ""):
		return false, usagef("a storm of the core alone has neither --paths nor --gusts")
	}
	if tape != nil && (campaign || o.core) {
		return false, usagef("--record takes one storm, of a whole host")
	}
	if campaign {
		return true, o.campaign(std)
	}
	return true, o.one(tape, std)
}

func (o *stormOptions) one(tape io.Writer, std streams) error {
	only, err := parseGusts(o.gusts)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(std.out)
	defer out.Flush()
	var r storm.Result
	if o.core {
		r = storm.RunCore(storm.CoreOptions{Seed: o.seed, Tell: func(l string) { fmt.Fprintln(out, l) }})
		r.Core = true
	} else {
		r = storm.Run(storm.Options{Seed: o.seed, Paths: o.paths, Only: only, Log: out, Text: true, Record: tape, Product: version})
	}
	if r.Err != nil {
		r.Write(out)
		return fmt.Errorf("storm %d: law broken: %s", o.seed, r.Err.Law)
	}
	fmt.Fprintf(out, "storm %d: %d paths, %d steps: every law held\n", o.seed, r.Paths, r.Steps)
	return nil
}

func parseGusts(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	only := []int{}
	if text == "none" {
		return only, nil
	}
	for _, f := range strings.Split(text, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 0 {
			return nil, usagef("--gusts %q: numbers from 0 with commas between, or none", text)
		}
		only = append(only, n)
	}
	return only, nil
}

func (o *stormOptions) campaign(std streams) error {
	r, err := storm.Campaign{First: o.first, HostSteps: o.hostSteps, CoreSteps: o.coreSteps, Once: o.once, For: o.limit, Progress: std.err, Tally: o.tally, Version: version + " " + revision()}.Run()
	if err != nil {
		return err
	}
	r.Write(std.out)
	ok := r.OK()
	if o.cover {
		rare, explained := r.Cover.Unreached()
		for _, l := range rare {
			fmt.Fprintln(std.out, "too rare, and no reason is known:", l)
		}
		fmt.Fprintf(std.out, "pairs of state and event seen less than %d times: %d with a reason, %d without\n", storm.Enough, explained, len(rare))
		ok = ok && len(rare) == 0
	}
	if !ok {
		return errors.New("the storms were not survived as they must be")
	}
	return nil
}

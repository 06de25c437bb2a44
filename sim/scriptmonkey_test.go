package sim

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"pathkeeper/scenario"
)

// monkeyConfig is what the daemon starts with.
const monkeyConfig = `defaults {
	find_multipaths greedy
	polling_interval 2
	no_path_retry 3
	user_friendly_names yes
}
`

// babble is what a verb may be given: right and wrong ones.
var babble = strings.Fields(`a b c nobody A1 A2 B1 B2 Z9 A B 64M 1G 0 1 2 >=0 x:A1 a:A1 b:B2 /dev/mapper/mpatha /dev/mapper/mpathb /dev/sda /dev/dm-0 /etc /run
	mpatha mpathb any ok pending EIO 3f/0e 2a/06 3f/03 zz 1s 3s 500ms /etc/multipath/bindings @wwid:a @a:A1 @nobody:A1 . ^ ( UID=.* within=1s for=1s to=b to=nobody
	via=iscsi via=loop fail=20% every=3 errno=ENOMEM errno=EOF lose=300 double=100 at=load at=message at=nothing errors=some since=m match=x exclusive=yes partition=yes`)

// sensible are commands that are right where the host is as they want it.
var sensible = []string{
	"daemon start", "daemon start", "daemon start", "daemon stop", "daemon restart", "daemon kill", "daemon pause", "daemon resume", "daemon reload", "daemon kill at=load",
	"daemon kill at=create", "daemon pause at=resume", "lun a 64M A1 B1", "lun b 64M A1 A2 B1 via=iscsi", "lun c 1G Z9", "unlun a", "unlun b", "pass 1s", "pass 10s", "pass 1m",
	"path a A1 offline", "path a A1 running", "path a B1 delete", "path a B1 rescan", "path a A1 unlink", "path a A1 link", "path b A2 remap to=a", "path b A2 remap to=b",
	"path b A1 offline", "path b A1 running", "fault b A1 hung", "fault b A1 none", "fault a B1 write-errors", "port A1 cut", "port A1 mend", "port B1 cut", "port B1 mend",
	"alua a A standby", "alua a A optimized", "alua b B transitioning", "alua b B optimized", "attention b A1 3f/03", "attention b B1 29/00", "uevents lose=300 double=100",
	"uevents lose=0 double=0", "uevents overrun", "dm fail=20%", "dm every=3 errno=ENOMEM", "dm well", "files hang /etc", "files go", "files read-only /run", "files writable",
	"io w start /dev/mapper/mpatha", "io w stop errors=some", "io v start /dev/mapper/mpathb", "io v stop errors=some", "probe p write /dev/mapper/mpatha pending",
	"probe p ends ok", "hold h /dev/mapper/mpathb", "release h", "trigger", "run dmsetup message mpatha 0 fail_if_no_path", "run dmsetup remove mpathb", "mark",
	"expect map mpatha paths=2 within=3s", "expect log ready within=1s",
}

// Whatever somebody says to a simulated host, right or wrong, in whatever order: it
// says at the line what is wrong, and no law of the core breaks.
func TestMonkey(t *testing.T) {
	verbs := scenario.Verbs()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := NewSession(ScriptOptions{Seed: seed, Program: func(*Session, []string, io.Writer, io.Writer) int { return 0 }})
		s.w.Files.Put("/etc/multipath.conf", monkeyConfig)
		did, refused := 0, 0
		for line := 1; line <= 600; line++ {
			var v scenario.Verb
			for v.Name == "" || !v.Side.On(scenario.Sim) || v.Name == "teardown" || v.Name == "config" || v.Name == "file" || v.Name == "expect strays" {
				v = verbs[r.IntN(len(verbs))]
			}
			text := v.Name
			for i := range v.Min + r.IntN(3) {
				if i < len(v.Choices) && v.Choices[i] != nil && r.IntN(8) > 0 {
					text += " " + v.Choices[i][r.IntN(len(v.Choices[i]))]
					continue
				}
				text += " " + babble[r.IntN(len(babble))]
			}
			if r.IntN(3) > 0 {
				text = sensible[r.IntN(len(sensible))]
			}
			c, err := scenario.ParseCommand("monkey", line, text, scenario.Sim, func() (string, bool) { return "", false })
			if err == nil {
				err = s.Do(c)
			}
			did++
			var at *scenario.Error
			if err != nil {
				refused++
				if !errors.As(err, &at) || at.Line != line {
					t.Fatalf("seed %d: %s: an error without its place: %v", seed, text, err)
				}
			}
			if s.d.Err != nil {
				t.Fatalf("seed %d, line %d, %s: %v", seed, line, text, s.d.Err)
			}
			s.strays = len(s.w.Strays) // it remaps paths that are up, under writers
		}
		if refused == did || refused == 0 {
			t.Errorf("seed %d: %d of %d were refused: the words are of no use", seed, refused, did)
		}
		t.Logf("seed %d: %d commands, %d refused, %d steps, %d writes, %.0f s", seed, did, refused, s.d.steps, s.wrote, s.Now().Seconds())
	}
}

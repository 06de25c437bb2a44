package why

import (
	"math/rand"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
)

func known(seconds int, at string) Knob { return Knob{Known: true, Seconds: seconds, Origin: at} }

func fcPath(name string) PathTimes {
	return PathTimes{
		Path: name, Protocol: "scsi:fcp", Command: known(30, "device/timeout"), Retries: known(5, "max_retries"), EHDeadline: Knob{Known: true, Off: true, Origin: "eh_deadline"},
		FastIOFail: known(5, "fast_io_fail_tmo"), DevLoss: known(600, "dev_loss_tmo"),
	}
}

func iscsiPath(name string) PathTimes {
	return PathTimes{
		Path: name, Protocol: "scsi:iscsi", Command: known(30, "device/timeout"), EHDeadline: known(20, "eh_deadline"),
		Recovery: known(120, "recovery_tmo"), NoopInterval: known(5, "recv_tmo"), NoopTimeout: known(5, "ping_tmo"),
	}
}

func someSettings(retry policy.RetryPolicy) policy.Settings {
	o := policy.Origin{Note: "built-in default"}
	return policy.Settings{
		PollingInterval: policy.Value[int]{V: 5, Origin: o}, MaxPollingInterval: policy.Value[int]{V: 20, Origin: o}, CheckerTimeout: policy.Value[int]{V: 0, Origin: o},
		NoPathRetry: policy.Value[policy.RetryPolicy]{V: retry, Origin: policy.Origin{File: "f", Line: 3, Column: 2}}, Checker: policy.Value[string]{V: "tur", Origin: o},
	}
}

// TestTimes checks the arithmetic of each layer against numbers made by hand.
func TestTimes(t *testing.T) {
	count := policy.RetryPolicy{Mode: policy.RetryCount, Checks: 6}
	for _, c := range []struct {
		name           string
		in             TimesInput
		failure        int // index
		idle, io, all  int
		openIO, openIt bool
		rules          string // of all
	}{
		{"FC link", TimesInput{Settings: someSettings(count), Paths: []PathTimes{fcPath("sda")}}, 0, 25, 5, 5 + 1 + 31, false, false, "no_path_retry"},
		{"FC silent", TimesInput{Settings: someSettings(count), Paths: []PathTimes{fcPath("sda")}}, 1, 20 + 65, 180, 180 + 1 + 65 + 31 + 65, true, true, "eh_deadline"},
		{"iSCSI link", TimesInput{Settings: someSettings(policy.RetryPolicy{Mode: policy.RetryFail}), Paths: []PathTimes{iscsiPath("sda")}}, 0, 20 + 130, 130, 130, false, false, "recovery_tmo"},
		{"iSCSI silent, retries of the kernel", TimesInput{Settings: someSettings(policy.RetryPolicy{Mode: policy.RetryFail}), Paths: []PathTimes{iscsiPath("sda")}}, 1, 85, 200, 200, false, false, "max_retries"},
		{"queue", TimesInput{Settings: someSettings(policy.RetryPolicy{Mode: policy.RetryQueue}), Paths: []PathTimes{iscsiPath("sda")}}, 0, 150, 130, 130, false, true, "no_path_retry"},
		{"queue by the table", TimesInput{Settings: someSettings(policy.RetryPolicy{}), Queueing: true, Paths: []PathTimes{iscsiPath("sda")}}, 0, 150, 130, 130, false, true, "no_path_retry"},
	} {
		b := Budgeted(c.in)
		f := b.Failures[c.failure]
		if f.Idle.Seconds != c.idle || f.IO.Seconds != c.io || f.All.Seconds != c.all || f.IO.Open != c.openIO || f.All.Open != c.openIt || f.All.Rules != c.rules {
			t.Errorf("%s: idle %d, I/O %d %v, all %d %v by %s", c.name, f.Idle.Seconds, f.IO.Seconds, f.IO.Open, f.All.Seconds, f.All.Open, f.All.Rules)
		}
	}
}

// The slowest path counts; fast_io_fail_tmo off leaves dev_loss_tmo, no pings
// leave nothing; a transport without time-outs has only the SCSI layer's.
func TestTimesOddities(t *testing.T) {
	slow := fcPath("sdb")
	slow.FastIOFail = Knob{Known: true, Off: true}
	b := Budgeted(TimesInput{Settings: someSettings(policy.RetryPolicy{}), Paths: []PathTimes{fcPath("sda"), slow}})
	if f := b.Failures[0]; f.Path != "sdb" || f.IO.Seconds != 600 || f.IO.Rules != "dev_loss_tmo" {
		t.Errorf("%+v", f)
	}
	mute := iscsiPath("sda")
	mute.NoopInterval.Seconds = 0
	b = Budgeted(TimesInput{Settings: someSettings(policy.RetryPolicy{}), Paths: []PathTimes{mute}})
	if f := b.Failures[0]; !f.IO.Open || f.IO.Rules != "noop_out_interval" {
		t.Errorf("%+v", f)
	}
	b = Budgeted(TimesInput{Settings: someSettings(policy.RetryPolicy{}), Paths: []PathTimes{{Path: "sda"}}})
	if len(b.Failures) != 1 || b.Failures[0].IO.Seconds != 180 || !b.Failures[0].IO.Open {
		t.Errorf("%+v", b)
	}
	if Budgeted(TimesInput{}).Text() == "" {
		t.Error("no text for a map without paths")
	}
}

// TestAdviceHelps turns the knobs as advised, and reckons again: the deadline is
// kept, or no values keep it.
func TestAdviceHelps(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	kept := 0
	for round := range 500 {
		var parts []Part
		for i := range 1 + rng.Intn(5) {
			p := Part{Knob: string(rune('a' + i)), unit: rng.Intn(10), least: 1, fixed: rng.Intn(3), Open: rng.Intn(4) == 0}
			if p.Seconds = rng.Intn(40) + p.fixed; p.unit > 0 {
				p.Seconds = (1+rng.Intn(30))*p.unit + p.fixed
			}
			if p.Open && p.unit == 0 {
				p.Open = false
			}
			parts = append(parts, p)
			if rng.Intn(4) == 0 {
				parts = append(parts, p)
			}
		}
		limit := rng.Intn(200)
		turns, total := turned(parts, limit)
		value := map[string]int{}
		for _, x := range turns {
			value[x.Knob] = x.steps
			if x.steps < x.least {
				t.Fatalf("round %d: %s at %d", round, x.Knob, x.steps)
			}
		}
		again := 0
		for _, p := range parts {
			if v, ok := value[p.Knob]; ok {
				again += v*p.unit + p.fixed
			} else {
				again += p.Seconds
			}
		}
		if again != total {
			t.Fatalf("round %d: %d s by its knobs, %d s said", round, again, total)
		}
		if total <= limit {
			kept++
			continue
		}
		for _, x := range turns {
			if x.steps != x.least {
				t.Fatalf("round %d: it does not fit, and %s could be lower", round, x.Knob)
			}
		}
	}
	if kept < 100 {
		t.Errorf("only %d rounds kept their deadline", kept)
	}
}

func TestTimesText(t *testing.T) {
	in := TimesInput{
		Map: "ocr1 (36001405)", Settings: someSettings(policy.RetryPolicy{Mode: policy.RetryCount, Checks: 12}), Paths: []PathTimes{fcPath("sda")},
		HA: policy.HA{DeadlineSeconds: 200, Origin: policy.Origin{File: "/etc/pathkeeper/pathkeeper.yaml", Line: 4, Column: 3}},
	}
	got := Budgeted(in).Text()
	in.HA.DeadlineSeconds, in.HA.Queueing = 60, "forbidden"
	got += "\n" + Budgeted(in).Text()
	in.HA.DeadlineSeconds = 250
	in.Paths[0].EHDeadline = known(10, "eh_deadline")
	in.Paths[0].Retries = known(0, "max_retries")
	in.Settings.CheckerTimeout.V = 5
	got += "\n" + Budgeted(in).Text()
	const name = "testdata/timeouts.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("UPDATE=1 writes it:\n%s", diff)
	}
}

// What is advised for the whole of a map is set on it, and the deadline is kept.
func TestDeadlineIsKeptAsAdvised(t *testing.T) {
	for _, retry := range []policy.RetryPolicy{{Mode: policy.RetryCount, Checks: 30}, {Mode: policy.RetryQueue}, {Mode: policy.RetryFail}} {
		for limit := 20; limit < 500; limit += 13 {
			in := TimesInput{Settings: someSettings(retry), Paths: []PathTimes{fcPath("sda"), iscsiPath("sdb")}, HA: policy.HA{DeadlineSeconds: limit}}
			b := Budgeted(in)
			if b.Deadline.Met || strings.HasPrefix(b.Deadline.Advice[0], "no values") {
				continue
			}
			for _, a := range b.Deadline.Advice {
				obey(t, &in, a)
			}
			if d := Budgeted(in).Deadline; !d.Met {
				t.Errorf("%s, %d s: %q, and then: %s", retry.String(), limit, b.Deadline.Advice, d.Worst)
			}
		}
	}
}

// obey sets a knob as a line of advice says.
func obey(t *testing.T, in *TimesInput, advice string) {
	t.Helper()
	words := strings.Fields(advice) // set KNOB to VALUE ...
	n := 0
	for _, c := range words[3] {
		n = n*10 + int(c-'0')
	}
	for i := range in.Paths {
		p := &in.Paths[i]
		for knob, at := range map[string]*Knob{
			"timeout": &p.Command, "max_retries": &p.Retries, "eh_deadline": &p.EHDeadline, "fast_io_fail_tmo": &p.FastIOFail,
			"recovery_tmo": &p.Recovery, "noop_out_interval": &p.NoopInterval, "noop_out_timeout": &p.NoopTimeout,
		} {
			if knob == words[1] && (at.Known || knob == "max_retries") {
				*at = known(n, "obeyed")
			}
		}
	}
	switch words[1] {
	case "no_path_retry":
		in.Settings.NoPathRetry.V = policy.RetryPolicy{Mode: policy.RetryCount, Checks: n}
		if words[3] == "fail" {
			in.Settings.NoPathRetry.V = policy.RetryPolicy{Mode: policy.RetryFail}
		}
	case "checker_timeout":
		in.Settings.CheckerTimeout.V = n
	}
}

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/sysfs"
)

func TestEndingOf(t *testing.T) {
	for _, c := range []struct {
		jobs []initJob
		want ending
	}{
		{nil, ""},
		{[]initJob{{"pathkeeper.service", "restart"}, {"multi-user.target", "start"}}, ""},
		{[]initJob{{"pathkeeper.service", "stop"}, {"reboot.target", "stop"}}, ""},
		{[]initJob{{"pathkeeper.service", "stop"}, {"shutdown.target", "start"}, {"poweroff.target", "start"}}, "poweroff.target"},
		{[]initJob{{"kexec.target", "start"}}, "kexec.target"},
	} {
		if have := endingOf(c.jobs); have != c.want {
			t.Errorf("%v: ending %q, want %q", c.jobs, have, c.want)
		}
	}
}

// looks plays looks a second apart, and gives the names whose queueing ends, each at its
// second, and the second at which the host ends. The map "r" is below the root.
func (h *hostEnd) looks(seconds int, limit time.Duration, lost func(second int) []mpath.Pathless) (failed map[string]int, ended int) {
	failed = map[string]int{}
	on := sysfs.Ground{Maps: []sysfs.Foundation{{Major: 253, Minor: 9}}}
	for n := 1; n <= seconds; n++ {
		v := h.look(time.Second, lost(n), groundAmong(on, lost(n)), limit)
		for _, m := range v.fail {
			if failed[m.Name] == 0 {
				failed[m.Name] = n
			}
		}
		if v.end && ended == 0 {
			ended = n
		}
	}
	return failed, ended
}

func TestHostEndLooks(t *testing.T) {
	queues := mpath.Pathless{WWID: "q", Name: "queues", Queues: true}
	fails := mpath.Pathless{WWID: "f", Name: "fails"}
	counts := mpath.Pathless{WWID: "c", Name: "counts", Queues: true, Bounded: true}
	root := mpath.Pathless{WWID: "r", Name: "root", Queues: true, Dev: table.DevNum{Major: 253, Minor: 9}}
	all := []mpath.Pathless{queues, fails, counts, root}
	lose := func(int) []mpath.Pathless { return all }
	second := int(lostLimit / time.Second)
	const limit = 20 * time.Minute
	going := func() *hostEnd { return &hostEnd{ending: "reboot.target"} }

	if failed, ended := (&hostEnd{}).looks(5000, limit, lose); len(failed) > 0 || ended != 0 {
		t.Errorf("the host does not go down, and %v fail, it ends after %d s", failed, ended)
	}
	failed, ended := going().looks(5000, limit, lose)
	if diff := cmp.Diff(map[string]int{"queues": second}, failed); diff != "" || ended != 1200 {
		t.Errorf("the host ends after %d s; %s", ended, diff)
	}
	if failed, ended := going().looks(5000, 0, lose); ended != 0 || failed["queues"] != second {
		t.Errorf("it must never end: %d s, %v", ended, failed)
	}
	// The root has a path, and loses it again.
	if _, ended := going().looks(2000, limit, func(n int) []mpath.Pathless {
		if n == 500 {
			return []mpath.Pathless{queues}
		}
		return all
	}); ended != 500+1200 {
		t.Errorf("a path of the root was there at second 500: the host ends after %d s", ended)
	}
	// A path that comes back for a moment: the time counts anew.
	failed, _ = going().looks(100, limit, func(n int) []mpath.Pathless {
		if n == 40 {
			return []mpath.Pathless{root}
		}
		return all
	})
	if failed["queues"] != 40+second {
		t.Errorf("a path was there at second 40: %v", failed)
	}
}

// What was seen before this process stood still is no evidence.
func TestHostEndStandsStill(t *testing.T) {
	h := &hostEnd{ending: "reboot.target"}
	lost := []mpath.Pathless{{WWID: "q", Name: "queues", Queues: true}}
	for range 44 {
		h.look(time.Second, lost, ground{hangs: true}, time.Minute)
	}
	if v := h.look(time.Hour, lost, ground{hangs: true}, time.Minute); len(v.fail) > 0 || v.end || h.dead["q"] != lookEvery || h.hangs != lookEvery {
		t.Errorf("after an hour under SIGSTOP: %+v, %v %v", v, h.dead, h.hangs)
	}
	h = &hostEnd{ending: "reboot.target"}
	for range 44 {
		h.look(time.Second, lost, ground{}, time.Minute)
	}
	h.ending = "" // the order is taken back, and given again
	h.look(time.Second, lost, ground{}, time.Minute)
	h.ending = "reboot.target"
	if v := h.look(time.Second, lost, ground{}, time.Minute); len(v.fail) > 0 {
		t.Errorf("a new order, and the time of the old one counts: %+v", v)
	}
}

// A map that was once seen below the root is spared, also where a look misses it; so is
// each where nobody can tell. A leg of a mirror that fails its I/O holds nothing up.
func TestHostEndGround(t *testing.T) {
	root := mpath.Pathless{WWID: "r", Name: "root", Queues: true, Dev: table.DevNum{Major: 253, Minor: 9}}
	leg := mpath.Pathless{WWID: "l", Name: "leg", Dev: table.DevNum{Major: 253, Minor: 8}}
	h := &hostEnd{ending: "reboot.target"}
	h.look(time.Second, []mpath.Pathless{root}, ground{maps: map[string]bool{"r": true}, hangs: true}, time.Hour)
	for range 100 {
		if v := h.look(time.Second, []mpath.Pathless{root}, ground{}, time.Hour); len(v.fail) > 0 {
			t.Fatal("the root's queue ends because one look did not see what it is")
		}
	}
	h = &hostEnd{ending: "reboot.target"}
	for range 100 {
		if v := h.look(time.Second, []mpath.Pathless{root}, ground{unknown: true}, time.Hour); len(v.fail) > 0 || v.end {
			t.Fatal("nobody knows what the root stands on, and a queue ends")
		}
	}
	two := sysfs.Ground{Maps: []sysfs.Foundation{{Major: 253, Minor: 8}, {Major: 253, Minor: 9}}}
	if g := groundAmong(two, []mpath.Pathless{leg}); g.hangs || !g.maps["l"] {
		t.Errorf("one leg of two fails its I/O: %+v", g)
	}
	if g := groundAmong(two, []mpath.Pathless{leg, root}); !g.hangs {
		t.Errorf("one leg waits: %+v", g)
	}
	root.Queues = false
	if g := groundAmong(two, []mpath.Pathless{leg, root}); !g.hangs {
		t.Errorf("both legs fail: %+v", g)
	}
	if g := groundAmong(sysfs.Ground{}, []mpath.Pathless{leg, root}); g.hangs || len(g.maps) > 0 {
		t.Errorf("the root is on no map: %+v", g)
	}
}

// A stop leaves queueing as it is where another daemon follows, or nobody can say.
func TestStopOf(t *testing.T) {
	job := func(kind string) []initJob { return []initJob{{"other.service", "restart"}, {unitName, kind}} }
	for _, c := range []struct {
		what    string
		service bool
		jobs    []initJob
		err     error
		final   bool
		how     ending
	}{
		{"by hand", false, nil, errors.New("not asked"), true, ""},
		{"restart", true, job("restart"), nil, false, ""},
		{"its second half", true, job("start"), nil, false, ""},
		{"try-restart", true, job("try-restart"), nil, false, ""},
		{"stop", true, job("stop"), nil, true, ""},
		{"a kill", true, nil, nil, true, ""},
		{"with the host", true, append(job("stop"), initJob{"poweroff.target", "start"}), nil, true, "poweroff.target"},
		{"no systemd", true, nil, fmt.Errorf("dial: %w", fs.ErrNotExist), true, ""},
		{"a busy systemd", true, nil, os.ErrDeadlineExceeded, false, ""},
	} {
		final, how, _ := stopOf(c.service, func() ([]initJob, error) { return c.jobs, c.err })
		if final != c.final || how != c.how {
			t.Errorf("%s: final %v how %q", c.what, final, how)
		}
	}
}

// What systemd said last holds while it is silent.
func TestHostEndHears(t *testing.T) {
	h := hostEnd{unasked: askEvery}
	h.heard([]initJob{{"reboot.target", "start"}}, nil)
	for range 20 {
		h.unasked += askEvery
		h.heard(nil, errors.New("no answer"))
	}
	if h.ending != "reboot.target" || h.unasked != 0 {
		t.Errorf("%+v", h)
	}
	if h.heard(nil, nil); h.ending != "" {
		t.Errorf("the reboot was taken back: %+v", h)
	}
}

// What another process heard counts where systemd does not answer, and no longer than
// until it does.
func TestHostEndTold(t *testing.T) {
	h := hostEnd{told: filepath.Join(t.TempDir(), "host-ends")}
	now := sinceBoot()
	line := func(what string, at int64) string { return fmt.Sprintf("%s %d\n", what, at) }
	for text, want := range map[string]ending{
		"": "", line("poweroff.target", now): "poweroff.target", line("poweroff.target", now-toldLimit-1): "", line("poweroff.target", now+1000): "",
		"poweroff.target\n": "", line("rescue.target", now): "", strings.Repeat("x", 100): "",
	} {
		if err := os.WriteFile(h.told, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h.ending = ""
		if h.heard(nil, errors.New("no answer")); h.ending != want {
			t.Errorf("told %q: ending %q", text, h.ending)
		}
	}
	if h.heard(nil, nil); h.ending != "" {
		t.Errorf("systemd says that the host stays: ending %q", h.ending)
	}
	if h.heard(nil, errors.New("no answer")); h.ending != "" {
		t.Errorf("an order that was taken back: ending %q", h.ending)
	}
}

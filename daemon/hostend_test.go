package daemon

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/mpath"
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
// second, and the second at which the host ends.
func (h *hostEnd) looks(seconds int, limit time.Duration, lost func(second int) []mpath.Pathless) (failed map[string]int, ended int) {
	failed = map[string]int{}
	for n := 1; n <= seconds; n++ {
		v := h.look(time.Second, lost(n), limit)
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
	root := mpath.Pathless{WWID: "r", Name: "root", Queues: true}
	all := []mpath.Pathless{queues, fails, counts, root}
	lose := func(int) []mpath.Pathless { return all }
	second := int(lostLimit / time.Second)
	const limit = 20 * time.Minute
	going := func() *hostEnd { return &hostEnd{ending: "reboot.target", root: map[string]bool{"r": true}} }

	if failed, ended := (&hostEnd{root: map[string]bool{"r": true}}).looks(5000, limit, lose); len(failed) > 0 || ended != 0 {
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

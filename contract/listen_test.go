package contract

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pathkeeper/uevent"
)

// listener collects the kernel's uevents.
type listener struct {
	r    *realRig
	mu   sync.Mutex
	list []Event
	seen int // of the marker
	news chan struct{}
	sent int
	maps numbers
}

// numbers gives the maps of a transcript the lowest free number in the order in
// which they are first heard of. The kernel's own are not repeatable: it gives a
// map's number back behind our back, a moment after the uevent of its removal at
// the last close.
type numbers map[string]int // kernel name -> number

func (n numbers) of(e Event) string {
	given, known := n[e.Name]
	if !known {
		used := map[int]bool{}
		for _, k := range n {
			used[k] = true
		}
		for used[given] {
			given++
		}
	}
	// The device itself leaves without a cookie; without a table it never came.
	cookie := slices.ContainsFunc(e.Props, func(p string) bool { return strings.HasPrefix(p, "DM_COOKIE=") })
	switch {
	case e.Action == "remove" && !(known && cookie):
		delete(n, e.Name)
	default:
		n[e.Name] = given
	}
	return fmt.Sprintf("dm-%d", given)
}

// marker is a device whose uevents nobody minds. The kernel sends all uevents
// through one sequence, so what came before the marker's has been received.
const marker = "/sys/devices/virtual/mem/null/uevent"

func listen(r *realRig) (*listener, error) {
	port, err := uevent.Listen(uevent.GroupKernel)
	if err != nil {
		return nil, err
	}
	l := &listener{r: r, maps: numbers{}, news: make(chan struct{}, 1)}
	go func() {
		for {
			d, err := port.Receive()
			if err != nil {
				return
			}
			if e, err := uevent.Parse(d.Data); err == nil {
				l.hear(e)
			}
		}
	}()
	return l, nil
}

func (l *listener) hear(e uevent.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.Devpath == "/devices/virtual/mem/null":
		l.seen++
	default:
		if heard, ok := told(l.r, func(symbol string) string { return l.r.hctl[symbol] }, e); ok {
			if strings.HasPrefix(heard.Name, "dm-") {
				heard.Name = l.maps.of(heard)
			}
			l.list = append(l.list, heard)
		}
	}
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// told is what a transcript tells of a uevent; false: nothing. Of SCSI devices
// only unit attentions are told, by the name of the disk; what every event has,
// and what no transcript can repeat, is left out.
func told(r Rig, address func(symbol string) string, e uevent.Event) (Event, bool) {
	name := e.SysName()
	switch {
	case e.Subsystem == "block" && e.DevType == "disk":
	case e.Subsystem == "scsi" && e.DevType == "scsi_device" && e.Props.Value("SDEV_UA") != "":
		for _, s := range symbols() {
			if now, ok := r.Disk(s); ok && address(s) == name {
				name = now
			}
		}
	default:
		return Event{}, false
	}
	out := Event{Action: e.Action, Subsystem: e.Subsystem, Name: name}
	for _, p := range e.Props {
		switch p.Key {
		case "ACTION", "DEVPATH", "SUBSYSTEM", "SEQNUM", "MAJOR", "MINOR", "DEVNAME", "DEVTYPE", "DISKSEQ", "DRIVER", "MODALIAS":
		default:
			out.Props = append(out.Props, p.Key+"="+strings.ReplaceAll(p.Value, " ", "_"))
		}
	}
	return out, true
}

// take waits for at least so many events, then for the marker behind them.
func (l *listener) take(least int) ([]Event, error) {
	end := time.After(patience)
	waiting := true
	for waiting && l.count() < least {
		select {
		case <-l.news:
		case <-end:
			waiting = false
		}
	}
	l.sent++
	if err := os.WriteFile(marker, []byte("change"), 0); err != nil {
		return nil, err
	}
	if err := until(func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.seen >= l.sent }); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.list
	l.list = nil
	return out, nil
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.list)
}

func TestMapsKeepTheirNumbersInATranscript(t *testing.T) {
	n := numbers{}
	cookie := []string{"DM_COOKIE=1"}
	for i, step := range []struct {
		e    Event
		want string
	}{
		{Event{Action: "add", Name: "dm-0"}, "dm-0"},
		{Event{Action: "add", Name: "dm-1"}, "dm-1"},
		{Event{Action: "remove", Name: "dm-0", Props: cookie}, "dm-0"},
		{Event{Action: "remove", Name: "dm-0"}, "dm-0"},
		{Event{Action: "add", Name: "dm-2"}, "dm-0"}, // the kernel was late with 0
		{Event{Action: "change", Name: "dm-2", Props: cookie}, "dm-0"},
		{Event{Action: "remove", Name: "dm-5", Props: cookie}, "dm-2"}, // never had a table
		{Event{Action: "add", Name: "dm-5"}, "dm-2"},
	} {
		if got := n.of(step.e); got != step.want {
			t.Errorf("step %d: %s %s is %s, not %s", i, step.e.Action, step.e.Name, got, step.want)
		}
	}
}

package contract

import (
	"os"
	"strings"
	"sync"
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
}

// marker is a device whose uevents nobody minds. The kernel sends all uevents
// through one sequence, so what came before the marker's has been received.
const marker = "/sys/devices/virtual/mem/null/uevent"

func listen(r *realRig) (*listener, error) {
	port, err := uevent.Listen(uevent.GroupKernel)
	if err != nil {
		return nil, err
	}
	l := &listener{r: r, news: make(chan struct{}, 1)}
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

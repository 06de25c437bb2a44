package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/mpath"
)

// What a host that goes down waits for on maps without a path. systemd gives each
// service 90 seconds to stop, and kills it then if it can: half of that is for a path to
// come back, the other half for the service to end after its I/O has failed.
const (
	lookEvery = time.Second
	askEvery  = 5 * time.Second
	lostLimit = 45 * time.Second
	// stopAsk is how long systemd may take to say why it stops a unit: it is busy then.
	stopAsk = 8 * time.Second
	// rootLimit is how long the daemon, the last service that ends, waits for a path of
	// the root file system.
	rootLimit = 30 * time.Second
	// queueLimit is for the end of all queueing, syncLimit for the other file systems'
	// last writes.
	queueLimit = 3 * time.Second
	syncLimit  = 10 * time.Second
	// stillLimit is a time between two looks in which this process stood still.
	stillLimit = 10 * time.Second
)

// DeadRootLimit is how long a host whose root file system has no path may take to go
// down. What it stops hangs on the root, and systemd waits for each layer of it for minutes
// (90 s for a service to end, 90 s for it to be killed, the same again for its ExecStopPost
// and each mount below): a quarter of an hour was seen. Five minutes are enough for what
// does not hang to end.
const DeadRootLimit = 5 * time.Minute

// ending is how the host was ordered to end: the name of systemd's target, "" it was not.
type ending string

// endings are the targets, and what reboot(2) calls them.
func endings() map[ending]int {
	return map[ending]int{
		"reboot.target": unix.LINUX_REBOOT_CMD_RESTART, "poweroff.target": unix.LINUX_REBOOT_CMD_POWER_OFF,
		"halt.target": unix.LINUX_REBOOT_CMD_HALT, "kexec.target": unix.LINUX_REBOOT_CMD_KEXEC,
	}
}

// endingOf finds in systemd's queue how the host is to end.
func endingOf(jobs []initJob) ending {
	for _, j := range jobs {
		if _, ok := endings()[ending(j.Unit)]; ok && j.Kind == "start" {
			return ending(j.Unit)
		}
	}
	return ""
}

// HostEnds asks systemd whether the host goes down. Where it does not say, it does not.
// What it says is left for the daemon: a systemd that hangs on the dead root a moment
// later can not be asked again.
func HostEnds() bool {
	jobs, err := initJobs(initSocket, stopAsk)
	if err != nil || endingOf(jobs) == "" {
		return false
	}
	_ = os.WriteFile(toldFile, fmt.Appendf(nil, "%s %d\n", endingOf(jobs), sinceBoot()), 0o600) // in memory; without it the daemon asks by itself
	return true
}

// toldFile has what HostEnds was told last, and when, in seconds since the boot. It
// counts where systemd does not answer, and for toldLimit: an order may be taken back.
const (
	toldFile  = "/run/pathkeeper/host-ends"
	toldLimit = 5 * 60 // seconds
)

// sinceBoot is CLOCK_BOOTTIME in seconds.
func sinceBoot() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // it is always there
	return t.Sec
}

// toldEnding reads the file.
func toldEnding(file string, now int64) ending {
	b, err := os.ReadFile(file)
	if err != nil || len(b) > 64 {
		return ""
	}
	var e ending
	var at int64
	if n, err := fmt.Sscanf(string(b), "%s %d\n", &e, &at); n != 2 || err != nil || at > now || now-at > toldLimit {
		return ""
	}
	if _, known := endings()[e]; !known {
		return ""
	}
	return e
}

// hostEnd is what the daemon knows of the end of its host. It counts the time that it
// has seen pass, so that none counts in which it stood still.
type hostEnd struct {
	ending   ending
	dead     map[string]time.Duration // by WWID: for how long the host goes down and the map has no path
	ground   map[string]bool          // WWIDs of the maps that were ever seen below the running system
	hangs    time.Duration            // for how long the host goes down and its ground hangs
	unasked  time.Duration            // since systemd was asked last
	switched []mpath.Pathless         // whose queueing was ended
	told     string                   // the file of what another process heard
}

// verdict is what is to be done now.
type verdict struct {
	fail []mpath.Pathless // their queueing ends
	end  bool             // the host's end
}

// look takes the maps without a path, what the running system stands on, and the time
// since the last look. A map below the running system keeps its queue: who gets an
// error from there ends with it, systemd too.
func (h *hostEnd) look(passed time.Duration, lost []mpath.Pathless, g ground, limit time.Duration) (v verdict) {
	if h.ending == "" {
		h.dead, h.hangs = nil, 0
		return v
	}
	if passed > stillLimit { // what was seen before a gap is no evidence
		h.dead, h.hangs, passed = nil, 0, lookEvery
	}
	if h.ground == nil {
		h.ground = map[string]bool{}
	}
	for w := range g.maps {
		h.ground[w] = true
	}
	dead := map[string]time.Duration{}
	for _, m := range lost {
		dead[m.WWID] = h.dead[m.WWID] + passed
		if m.Queues && !m.Bounded && dead[m.WWID] >= lostLimit && !h.ground[m.WWID] && !g.unknown {
			v.fail = append(v.fail, m)
		}
	}
	h.dead = dead
	if h.hangs += passed; !g.hangs {
		h.hangs = 0
	}
	v.end = limit > 0 && h.hangs >= limit
	return v
}

// heard takes systemd's answer, or that there was none: what it said before holds then,
// to this process or to another.
func (h *hostEnd) heard(jobs []initJob, err error) {
	h.unasked = 0
	if err != nil {
		if h.ending == "" {
			h.ending = toldEnding(h.told, sinceBoot())
		}
		return
	}
	if h.ending = endingOf(jobs); h.ending == "" {
		_ = os.Remove(h.told)
	}
}

// watchHostEnd ends, while the host goes down, what its end would wait for. systemd is
// asked only while a map has no path: by who can still do it, since the programs of the
// root file system may be behind such a map.
func (d *Daemon) watchHostEnd(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	_ = os.Remove(toldFile) // of another boot, or of an order that this process will hear
	h := hostEnd{unasked: askEvery, told: toldFile}
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		passed := time.Since(last)
		last = time.Now()
		lost, err := d.pathless(ctx)
		if err != nil {
			continue
		}
		if len(lost) == 0 && h.switched == nil {
			h = hostEnd{unasked: askEvery, told: toldFile}
			d.standsOn.Store(nil) // volumes move; the next time it is read anew
			continue
		}
		g, err := d.groundOf(lost)
		if err != nil {
			d.log.printf(mpath.LevelWarning, "", "what the running system stands on: %v: no queue ends", err)
			continue
		}
		if h.unasked += passed; h.unasked >= askEvery {
			was := h.ending
			h.heard(initJobs(initSocket, initLimit))
			switch {
			case h.ending != "" && was == "" && len(lost) > 0:
				d.log.printf(mpath.LevelWarning, "", "the host goes down (%s), and %s", h.ending, without(lost))
			case h.ending == "" && h.switched != nil:
				d.queueAgain(ctx, h.switched)
				h.switched = nil
			}
		}
		if h.ending == "" {
			h.dead, h.hangs = nil, 0
			continue
		}
		v := h.look(passed, lost, g, d.opt.DeadRootLimit)
		if len(v.fail) == 0 && !v.end {
			continue
		}
		// Once more, since the order may have been taken back a moment ago.
		if h.heard(initJobs(initSocket, initLimit)); h.ending == "" {
			continue
		}
		for _, m := range v.fail {
			d.failQueue(ctx, m)
			h.switched = append(h.switched, m)
		}
		if v.end {
			d.endHost(h.ending, fmt.Sprintf("no path of the root file system for %s", d.opt.DeadRootLimit))
			h = hostEnd{unasked: askEvery, told: toldFile} // the kernel has refused
		}
	}
}

func without(lost []mpath.Pathless) string {
	var names []string
	for _, m := range lost {
		names = append(names, m.Name)
	}
	return "no path is left of: " + strings.Join(names, " ")
}

// pathless asks the core.
func (d *Daemon) pathless(ctx context.Context) ([]mpath.Pathless, error) {
	ctx, end := context.WithTimeout(ctx, 2*time.Second)
	defer end()
	answer := make(chan []mpath.Pathless, 1)
	if err := d.loop.call(ctx, func() { answer <- d.loop.core.Pathless() }); err != nil {
		return nil, err
	}
	return <-answer, nil
}

func (d *Daemon) failQueue(ctx context.Context, m mpath.Pathless) {
	line := fmt.Sprintf("the host goes down, and no path came back in %s: queued I/O is failed now", lostLimit)
	d.log.printf(mpath.LevelError, m.Name, "%s", line)
	toConsole(m.Name + ": " + line)
	d.forHostEnd(ctx, mpath.Command{Kind: mpath.CommandDisableQueueing, Map: m.WWID, Arg: mpath.ForHostEnd})
}

// queueAgain: the host stays after all.
func (d *Daemon) queueAgain(ctx context.Context, maps []mpath.Pathless) {
	for _, m := range maps {
		d.log.printf(mpath.LevelWarning, m.Name, "the host does not go down any more: queueing is as configured again")
		d.forHostEnd(ctx, mpath.Command{Kind: mpath.CommandRestoreQueueing, Map: m.WWID})
	}
}

func (d *Daemon) forHostEnd(ctx context.Context, c mpath.Command) {
	limit, end := context.WithTimeout(ctx, 10*time.Second)
	defer end()
	r, err := d.loop.command(limit, c)
	if err != nil {
		d.log.printf(mpath.LevelError, c.Map, "%v", err)
	} else if r.Code != mpath.ReplyDone && r.Code != mpath.ReplyAlready {
		d.log.printf(mpath.LevelError, c.Map, "%s", r.Text)
	}
}

// holdForRoot is for the stop of the daemon with the host: behind it systemd reads the
// rest of the shutdown from the root file system. Where that has no path it waits for
// one; where none comes it says so, and the daemon ends the host itself.
func (d *Daemon) holdForRoot(ctx context.Context, note *notifier) (end bool) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	said := false
	for waited := time.Duration(0); waited < rootLimit; waited += lookEvery {
		lost, err := d.pathless(ctx)
		if err != nil {
			return false
		}
		if g, err := d.groundOf(lost); err != nil || !g.hangs {
			return false
		}
		if !said {
			said = true
			d.log.printf(mpath.LevelWarning, "", "the host goes down and its root file system has no path: waiting %s for one", rootLimit)
		}
		note.say(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (rootLimit + stopLimit + queueLimit + syncLimit).Microseconds()))
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

// toConsole tells who stands before the host: the log may not be written any more.
func toConsole(line string) {
	if kernel, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0); err == nil {
		_, _ = kernel.WriteString("<2>pathkeeper: " + line + "\n")
		_ = kernel.Close()
	}
}

// endHost does what systemd-shutdown does last, for a host that cannot read that
// program any more: what other file systems still have to write, and reboot(2). It
// returns only where the kernel refuses.
func (d *Daemon) endHost(how ending, why string) {
	cmd := endings()[how]
	line := fmt.Sprintf("%s: the daemon ends the host now, as %s was asked for", why, how)
	d.log.printf(mpath.LevelError, "", "%s", line)
	toConsole(line)
	queues, end := context.WithTimeout(context.Background(), queueLimit)
	_, _ = d.loop.command(queues, mpath.Command{Kind: mpath.CommandDisableQueueing, Arg: mpath.ForHostEnd}) // a queue would hold the writes of all
	end()
	ctx, end := context.WithTimeout(context.Background(), syncLimit)
	defer end()
	synced := make(chan struct{})
	go func() { // left behind where one file system hangs
		unix.Sync()
		close(synced)
	}()
	select {
	case <-synced:
	case <-ctx.Done():
	}
	err := unix.Reboot(cmd)
	if cmd == unix.LINUX_REBOOT_CMD_KEXEC { // no kernel was loaded for it
		err = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	d.log.printf(mpath.LevelError, "", "reboot(2) for %s: %v", how, err)
}

// stopOf says what kind of stop this is. final: no other daemon follows, so queueing is
// handled as multipathd does; a restart leaves it as it is, and so does a stop of which
// systemd does not say what it is, since what was queued cannot be brought back. how:
// the host goes down with it.
func stopOf(service bool, ask func() ([]initJob, error)) (final bool, how ending, err error) {
	if !service {
		return true, "", nil
	}
	jobs, err := ask()
	if errors.Is(err, fs.ErrNotExist) {
		return true, "", nil // another supervisor than systemd
	}
	if err != nil {
		return false, "", err
	}
	for _, j := range jobs {
		if j.Unit == unitName && (j.Kind == "restart" || j.Kind == "try-restart" || j.Kind == "start") {
			return false, "", nil
		}
	}
	return true, endingOf(jobs), nil
}

package daemon

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/mpath"
	"pathkeeper/sysfs"
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
	// syncLimit is for the other file systems' last writes.
	syncLimit = 10 * time.Second
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
func HostEnds() bool {
	jobs, err := initJobs(initSocket, stopAsk)
	return err == nil && endingOf(jobs) != ""
}

// hostEnd is what the daemon knows of the end of its host. It counts the time that it
// has seen pass, so that none counts in which it stood still.
type hostEnd struct {
	ending  ending
	dead    map[string]time.Duration // by WWID: for how long the host goes down and the map has no path
	root    map[string]bool          // WWIDs of the maps under / and /usr
	unasked time.Duration            // since systemd was asked last
}

// verdict is what is to be done now.
type verdict struct {
	fail []mpath.Pathless // their queueing ends
	end  bool             // the host's end
}

// look takes the maps without a path, and the time since the last look. The map under
// the root file system keeps its queue: who gets an error from there ends with it,
// systemd too.
func (h *hostEnd) look(passed time.Duration, lost []mpath.Pathless, limit time.Duration) (v verdict) {
	dead := map[string]time.Duration{}
	root := time.Duration(0)
	for _, m := range lost {
		if h.ending == "" {
			break
		}
		d := h.dead[m.WWID] + passed
		dead[m.WWID] = d
		switch {
		case h.root[m.WWID]:
			root = max(root, d)
		case m.Queues && !m.Bounded && d >= lostLimit:
			v.fail = append(v.fail, m)
		}
	}
	h.dead = dead
	v.end = limit > 0 && root >= limit
	return v
}

// heard takes systemd's answer, or that there was none: what it said before holds then.
func (h *hostEnd) heard(jobs []initJob, err error) {
	if err == nil {
		h.ending = endingOf(jobs)
	}
	h.unasked = 0
}

// watchHostEnd ends, while the host goes down, what its end would wait for. systemd is
// asked only while a map has no path: by who can still do it, since the programs of the
// root file system may be behind such a map.
func (d *Daemon) watchHostEnd(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	h := hostEnd{unasked: askEvery}
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		passed := min(time.Since(last), 2*lookEvery)
		last = time.Now()
		lost, err := d.pathless(ctx)
		if err != nil || len(lost) == 0 {
			h = hostEnd{unasked: askEvery}
			continue
		}
		if h.unasked += passed; h.unasked >= askEvery {
			was := h.ending
			h.heard(initJobs(initSocket, initLimit))
			if h.ending != "" && was == "" {
				d.log.printf(mpath.LevelWarning, "", "the host goes down (%s), and %s", h.ending, without(lost))
			}
		}
		if h.ending != "" {
			root, err := d.rootMaps(lost)
			if err != nil {
				d.log.printf(mpath.LevelWarning, "", "what the root file system stands on: %v: no queue ends", err)
				continue
			}
			h.root = root
		}
		v := h.look(passed, lost, d.opt.DeadRootLimit)
		for _, m := range v.fail {
			d.failQueue(ctx, m)
		}
		if v.end {
			d.endHost(h.ending, fmt.Sprintf("no path of the root file system for %s", d.opt.DeadRootLimit))
			h = hostEnd{} // the kernel has refused
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
	limit, end := context.WithTimeout(ctx, 10*time.Second)
	defer end()
	r, err := d.loop.command(limit, mpath.Command{Kind: mpath.CommandDisableQueueing, Map: m.WWID})
	if err != nil {
		d.log.printf(mpath.LevelError, m.Name, "%v", err)
	} else if r.Code != mpath.ReplyDone && r.Code != mpath.ReplyAlready {
		d.log.printf(mpath.LevelError, m.Name, "%s", r.Text)
	}
}

// rootMaps are those of the maps that / or /usr stands on. Nothing of it is read from
// a disk.
func (d *Daemon) rootMaps(maps []mpath.Pathless) (map[string]bool, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	mounts, err := sysfs.ParseMountinfo(text)
	if err != nil {
		return nil, err
	}
	tree, err := sysfs.OpenRoot(d.opt.SysDir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	under, err := sysfs.Foundations(tree, mounts)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, f := range under {
		for _, p := range f.Points {
			for _, m := range maps {
				if (p == "/" || p == "/usr") && m.Dev.Major == f.Major && m.Dev.Minor == f.Minor {
					found[m.WWID] = true
				}
			}
		}
	}
	return found, nil
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
		if root, err := d.rootMaps(lost); err != nil || len(root) == 0 {
			return false
		}
		if !said {
			said = true
			d.log.printf(mpath.LevelWarning, "", "the host goes down and its root file system has no path: waiting %s for one", rootLimit)
		}
		note.say(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (rootLimit + stopLimit + syncLimit).Microseconds()))
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
	ctx, end := context.WithTimeout(context.Background(), syncLimit)
	defer end()
	_, _ = d.loop.command(ctx, mpath.Command{Kind: mpath.CommandDisableQueueing}) // a queue would hold the writes of all
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

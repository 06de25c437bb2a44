package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pathkeeper/configs"
	"pathkeeper/daemon"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/server"
	"pathkeeper/sysfs"
)

// What multipath needs of a machine besides the other commands.

func (thisMachine) unprivileged() bool { return os.Geteuid() != 0 }

func (thisMachine) sleep(d time.Duration) { time.Sleep(d) }

func (thisMachine) hookHost() hookHost { return systemHost() }

// answers says whether our own daemon does; it knows more than a look does.
func (thisMachine) answers(ctx context.Context, at places) bool {
	_, err := server.NewClient(at.socket).Status(ctx)
	return err == nil
}

func (thisMachine) observed(ctx context.Context, at places, checks bool) (mpath.Snapshot, error) {
	return daemon.Observe(ctx, observeOptions(at, checks))
}

// resolve follows the links that a device is named by: /dev/disk/by-id/..., /dev/mapper/NAME.
func (thisMachine) resolve(name string) string {
	if real, err := filepath.EvalSymlinks(name); err == nil && strings.HasPrefix(name, "/") {
		return real
	}
	return name
}

func (thisMachine) exists(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode()&os.ModeDevice != 0 && st.Mode()&os.ModeCharDevice == 0
}

func (thisMachine) dial() (asker, error) {
	c, err := dialMultipathd(multipathdSockets(os.Getenv), socketWait())
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (thisMachine) once(ctx context.Context, r onceRequest) (daemon.OnceResult, error) {
	level := mpath.LevelError
	if r.level > 2 {
		level = mpath.LevelInfo
	}
	return daemon.Once(ctx, daemon.OnceOptions{
		Options: daemon.Options{Version: version, ReadNames: r.readNames, Level: level}, Edit: r.edit, Only: r.only,
		Commands: r.once.Commands, Reload: r.once.Reload, QueueOff: r.once.QueueOff, Retries: r.once.Retries, Limit: time.Duration(r.once.Limit), Warn: r.talk,
	})
}

func (simMachine) unprivileged() bool { return false }

func (m simMachine) sleep(d time.Duration) { m.s.Sleep(mpath.Span(d)) }

func (m simMachine) hookHost() hookHost { return simHost(m) }

func (m simMachine) answers(context.Context, places) bool { return m.s.Running() && !m.s.Paused() }

func (m simMachine) observed(_ context.Context, _ places, checks bool) (mpath.Snapshot, error) {
	return m.s.Observed(checks)
}

func (simMachine) resolve(name string) string { return name }

func (m simMachine) exists(name string) bool {
	_, err := sysfs.ReadDisk(m.s.Sysfs(), strings.TrimPrefix(name, "/dev/"))
	return err == nil
}

// dial: the simulated host has no sockets; its daemon is asked as if it had.
func (m simMachine) dial() (asker, error) {
	if !m.s.Running() {
		return nil, errNobody
	}
	return simAsker{m}, nil
}

func (m simMachine) once(_ context.Context, r onceRequest) (daemon.OnceResult, error) {
	o := r.once
	if r.only != nil {
		o.Only = r.only.Maps
	}
	s, err := m.s.Once(&o, r.only, r.edit)
	return daemon.OnceResult{Snapshot: s, Did: o.Did, Replies: o.Replies, Left: o.Left}, err
}

// resolved follows the links of the device argument.
func (r *multipathRun) resolved() string {
	name := r.on.resolve(r.name)
	if rest, ok := strings.CutPrefix(name, "/dev/"); ok && !strings.HasPrefix(rest, "mapper/") {
		return rest
	}
	return r.name
}

// dumpFor prints a configuration without the device entries that no device here
// matches, and with an entry for every map.
func dumpFor(std streams, c policy.Config, messages []configs.Message, s mpath.Snapshot) error {
	rules, _ := policy.Compile(c)
	of := func(d policy.Device) [4]string { return [4]string{d.Vendor, d.Product, d.Revision, d.Origin.String()} }
	used := map[[4]string]bool{}
	for _, p := range s.Paths {
		if p.WWID == "" {
			continue
		}
		for _, d := range rules.Matches(p.Seen.Identity) {
			used[of(d)] = true
		}
	}
	keep := func(d policy.Device) bool { return used[of(d)] }
	for _, m := range s.Maps {
		there := false
		for _, e := range c.Multipaths {
			there = there || e.WWID == m.WWID
		}
		if m.Known && !there {
			c.Multipaths = append(c.Multipaths, policy.Multipath{WWID: m.WWID})
		}
	}
	return dumpKept(std, c, messages, keep)
}

package sim

import (
	"slices"
	"strings"
	"testing"

	"pathkeeper/mpath"
)

// ask has an operator ask for something and wants exactly one reply, of that kind.
func (r *rig) ask(c mpath.Command, want mpath.ReplyCode, words ...string) mpath.Reply {
	r.Helper()
	got, ok := r.d.Command(c)
	if r.d.Err != nil {
		r.fail("%s: %v", c.Kind, r.d.Err)
	}
	if !ok {
		r.fail("%s: no reply", c.Kind)
	}
	if got.Code != want || got.OK != slices.Contains([]mpath.ReplyCode{mpath.ReplyDone, mpath.ReplyAlready, mpath.ReplyDeferred, mpath.ReplyKept}, want) {
		r.fail("%s: code %d, want %d: %s", c.Kind, got.Code, want, got.Text)
	}
	for _, w := range words {
		if !strings.Contains(got.Text, w) {
			r.fail("%s: %q does not say %q", c.Kind, got.Text, w)
		}
	}
	r.run(mpath.Second)
	if n := len(r.d.Replies(got.Seq)); n != 1 {
		r.fail("%s: %d replies", c.Kind, n)
	}
	return got
}

func TestCommandFailReinstate(t *testing.T) {
	r := newRig(t, 101, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	fail, reinstate := mpath.Command{Kind: mpath.CommandFailPath, Path: "sda"}, mpath.Command{Kind: mpath.CommandReinstatePath, Path: "8:0"}
	r.ask(reinstate, mpath.ReplyAlready)
	r.ask(fail, mpath.ReplyDone)
	r.wantGroups("mpatha", "[-sda sdb] | sdc sdd")
	r.run(5 * mpath.Minute) // its checker finds it well all the time
	r.wantGroups("mpatha", "[-sda sdb] | sdc sdd")
	r.ask(fail, mpath.ReplyAlready)
	// A load makes every path active: the operator's word holds through it.
	r.ask(mpath.Command{Kind: mpath.CommandReloadMap, Map: "mpatha"}, mpath.ReplyDone)
	r.wantGroups("mpatha", "[-sda sdb] | sdc sdd")
	r.ask(reinstate, mpath.ReplyDone)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")

	// It fails by itself and comes back: the operator's word holds all the same.
	r.ask(fail, mpath.ReplyDone)
	ds[0].Break(NoConnect)
	r.run(mpath.Minute)
	r.ask(reinstate, mpath.ReplyRefused, "checker")
	r.ask(fail, mpath.ReplyDone)
	ds[0].Break(Healthy)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[-sda sdb] | sdc sdd")
	r.ask(reinstate, mpath.ReplyDone)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.ask(mpath.Command{Kind: mpath.CommandFailPath, Path: "sdz"}, mpath.ReplyNotFound)
	r.ask(fail, mpath.ReplyDone)
	r.d.Reconfigure(r.cfg) // what was done by hand ends with the configuration
	r.run(10 * second)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.wantSound()
}

// Operators have failed every path: no_path_retry counts as for any other loss.
func TestCommandFailAllPaths(t *testing.T) {
	r := newRig(t, 102, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	a := r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	for _, d := range ds {
		r.ask(mpath.Command{Kind: mpath.CommandFailPath, Path: d.Name}, mpath.ReplyDone)
	}
	r.run(40 * second)
	r.wantSound()
	r.run(mpath.Minute)
	if len(a.errors) == 0 {
		r.fail("queueing for ever")
	}
	r.ask(mpath.Command{Kind: mpath.CommandReinstatePath, Path: "sdc"}, mpath.ReplyDone)
	r.run(10 * second)
	r.wantGroups("mpatha", "-sda -sdb | [sdc -sdd]")
	if !r.mapNamed("mpatha").live.multipaths()[0].queue {
		r.fail("does not queue again")
	}
}

func TestCommandRemoveAddPath(t *testing.T) {
	r := newRig(t, 103, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	remove := func(name string) mpath.Command { return mpath.Command{Kind: mpath.CommandRemovePath, Path: name} }
	r.ask(remove("/dev/sdb"), mpath.ReplyDone)
	r.ask(remove("sdb"), mpath.ReplyAlready)
	r.wantGroups("mpatha", "[sda] | sdc sdd")
	ds[1].Announce()
	r.run(2 * mpath.Minute)
	r.wantGroups("mpatha", "[sda] | sdc sdd")
	r.ask(remove("sdc"), mpath.ReplyDone)
	r.ask(remove("sdd"), mpath.ReplyDone)
	r.ask(remove("sda"), mpath.ReplyRefused, "last")
	r.ask(mpath.Command{Kind: mpath.CommandAddPath, Path: "sdb"}, mpath.ReplyDone, "mpatha")
	r.ask(mpath.Command{Kind: mpath.CommandAddPath, Path: "sdb"}, mpath.ReplyAlready)
	r.wantGroups("mpatha", "[sda sdb]")
	r.ask(mpath.Command{Kind: mpath.CommandAddPath, Path: "sdq"}, mpath.ReplyNotFound)
	r.d.Reconfigure(r.cfg) // the configuration is the last word
	r.run(10 * second)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.wantSound()
}

func TestCommandRemoveMap(t *testing.T) {
	r := newRig(t, 104, plain)
	l, _ := r.alua("one")
	r.alua("two")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	m.Open()
	remove := mpath.Command{Kind: mpath.CommandRemoveMap, Map: "mpatha"}
	r.ask(remove, mpath.ReplyBusy, "open 1 times", "/dev/mapper/mpatha")
	r.ask(mpath.Command{Kind: mpath.CommandRemoveUnused}, mpath.ReplyKept, "1 maps", "in use and kept: mpatha")
	if r.w.Map("mpathb") != nil {
		r.fail("mpathb is there")
	}
	r.w.After(1500*mpath.Millisecond, m.Close) // as udevd, who only looks
	r.ask(remove, mpath.ReplyDone)
	r.run(10 * mpath.Minute)
	if len(r.w.Maps()) > 0 {
		r.fail("made again unasked: %v", r.w.Maps())
	}
	r.ask(remove, mpath.ReplyAlready)
	r.ask(mpath.Command{Kind: mpath.CommandRemoveUnused}, mpath.ReplyAlready)
	r.ask(mpath.Command{Kind: mpath.CommandAddMap, Map: l.WWID()}, mpath.ReplyDone)
	r.ask(mpath.Command{Kind: mpath.CommandAddMap, Map: "mpatha"}, mpath.ReplyAlready)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.d.Reconfigure(r.cfg)
	r.run(10 * second)
	r.wantGroups("mpathb", "[sde sdf] | sdg sdh")
	r.ask(mpath.Command{Kind: mpath.CommandRemoveMap, Map: "nosuch"}, mpath.ReplyNotFound)
}

// A map that was removed comes back with a new path, as for multipathd.
func TestRemovedMapComesBackWithAPath(t *testing.T) {
	r := newRig(t, 113, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.ask(mpath.Command{Kind: mpath.CommandRemoveMap, Map: "mpatha"}, mpath.ReplyDone)
	ds[0].Announce() // that is no new path
	r.run(mpath.Minute)
	asked := r.w.Now()
	r.ask(mpath.Command{Kind: mpath.CommandAddPath, Path: "sda"}, mpath.ReplyRefused, "which an operator removed", "`add map`")
	if took := r.w.Now().Since(asked); took > 10*second {
		r.fail("the answer took %v", took)
	}
	if len(r.w.Maps()) > 0 {
		r.fail("made again unasked")
	}
	r.w.AddPath(l, 4, 1)
	r.run(20 * second)
	r.wantGroups("mpatha", "[sda sdb sde] | sdc sdd")
}

func TestCommandRemoveMapDeferred(t *testing.T) {
	r := newRig(t, 105, plain)
	r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	m.Open()
	remove := mpath.Command{Kind: mpath.CommandRemoveMap, Map: "mpatha", Arg: "deferred"}
	r.ask(remove, mpath.ReplyDeferred)
	r.ask(remove, mpath.ReplyAlready)
	r.run(mpath.Minute) // its paths are there: that is no reason to call it off
	if !m.deferred {
		r.fail("called off")
	}
	m.Close()
	r.run(2 * mpath.Minute)
	if len(r.w.Maps()) > 0 {
		r.fail("%v", r.w.Maps())
	}
}

func TestCommandSwitchGroup(t *testing.T) {
	r := newRig(t, 106, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	to := func(n string) mpath.Command {
		return mpath.Command{Kind: mpath.CommandSwitchGroup, Map: "mpatha", Arg: n}
	}
	r.ask(to("1"), mpath.ReplyAlready)
	for _, n := range []string{"0", "3", "", "x"} {
		r.ask(to(n), mpath.ReplyRefused, "1 to 2")
	}
	r.ask(to("2"), mpath.ReplyDone)
	r.run(5 * mpath.Minute) // failback is immediate, and yet the operator's word holds
	r.wantGroups("mpatha", "sda sdb | [sdc sdd]")
	ds[0].Break(NoConnect) // until something happens to a path
	r.run(mpath.Minute)
	ds[0].Break(Healthy)
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	ds[2].Break(NoConnect)
	ds[3].Break(NoConnect)
	r.run(mpath.Minute)
	r.ask(to("2"), mpath.ReplyRefused, "no path of group 2")
	r.wantSound()
}

func TestCommandQueueing(t *testing.T) {
	r := newRig(t, 107, plain)
	r.alua("one")
	r.alua("two")
	r.start(10 * second)
	queues := func(name string) bool { return r.mapNamed(name).live.multipaths()[0].queue }
	off, on := mpath.Command{Kind: mpath.CommandDisableQueueing, Map: "mpatha"}, mpath.Command{Kind: mpath.CommandRestoreQueueing, Map: "mpatha"}
	r.ask(on, mpath.ReplyAlready)
	r.ask(off, mpath.ReplyDone)
	r.ask(off, mpath.ReplyAlready)
	r.run(5 * mpath.Minute)
	r.ask(mpath.Command{Kind: mpath.CommandReloadMap, Map: "mpatha"}, mpath.ReplyDone)
	if queues("mpatha") || !queues("mpathb") {
		r.fail("mpatha queues or mpathb does not")
	}
	r.ask(on, mpath.ReplyDone)
	if !queues("mpatha") {
		r.fail("mpatha does not queue again")
	}
	off.Map, on.Map = "", ""
	r.ask(off, mpath.ReplyDone, "2 maps")
	if queues("mpatha") || queues("mpathb") {
		r.fail("one queues")
	}
	r.ask(on, mpath.ReplyDone, "2 maps")
	if !queues("mpatha") || !queues("mpathb") {
		r.fail("one does not queue")
	}
	r.ask(mpath.Command{Kind: mpath.CommandForceQueueing}, mpath.ReplyDone)
	r.ask(mpath.Command{Kind: mpath.CommandForceQueueing}, mpath.ReplyAlready)
	r.d.Terminate(true)
	if !queues("mpatha") {
		r.fail("the final stop ended queueing, though it was forced")
	}
}

// Restoring goes back to what was, where the configuration leaves queueing open.
func TestCommandRestoreUndecided(t *testing.T) {
	r := newRig(t, 108, strings.Replace(plain, "no_path_retry 12", "", 1))
	r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	m.live.multipaths()[0].queue = true // somebody's message
	r.run(mpath.Minute)
	r.ask(mpath.Command{Kind: mpath.CommandDisableQueueing, Map: "mpatha"}, mpath.ReplyDone)
	if m.live.multipaths()[0].queue {
		r.fail("queues")
	}
	r.ask(mpath.Command{Kind: mpath.CommandRestoreQueueing, Map: "mpatha"}, mpath.ReplyDone)
	if !m.live.multipaths()[0].queue {
		r.fail("does not queue as it did")
	}
}

func TestCommandSuspendResume(t *testing.T) {
	r := newRig(t, 109, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.write(m, l, 50*mpath.Millisecond)
	suspend, resume := mpath.Command{Kind: mpath.CommandSuspendMap, Map: "dm-0"}, mpath.Command{Kind: mpath.CommandResumeMap, Map: "mpatha"}
	r.ask(resume, mpath.ReplyAlready)
	r.ask(suspend, mpath.ReplyDone)
	r.ask(suspend, mpath.ReplyAlready)
	r.run(mpath.Minute)
	if !m.suspended {
		r.fail("resumed unasked")
	}
	for _, k := range []mpath.CommandKind{mpath.CommandReloadMap, mpath.CommandResizeMap, mpath.CommandDisableQueueing} {
		r.ask(mpath.Command{Kind: k, Map: "mpatha"}, mpath.ReplyRefused, "resume")
	}
	r.ask(mpath.Command{Kind: mpath.CommandFailPath, Path: "sda"}, mpath.ReplyRefused, "resume")
	r.d.Kill()
	r.start(mpath.Minute) // nor does the next process
	if !m.suspended {
		r.fail("resumed unasked by the next process")
	}
	r.ask(resume, mpath.ReplyDone)
	r.run(10 * second)
	r.wantSound()
	if m.Queued() > 0 {
		r.fail("I/O waits")
	}
}

// The name is what the configuration says, or nothing.
func TestCommandRename(t *testing.T) {
	r := newRig(t, 110, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	rename := mpath.Command{Kind: mpath.CommandRenameMap, Map: "mpatha"}
	r.ask(rename, mpath.ReplyAlready)
	rename.Arg = "ocr1"
	r.ask(rename, mpath.ReplyRefused, "alias ocr1")
	r.d.Kill()
	r.cfg = parse(t, plain+entry(l, "ocr1", ""))
	r.start(10 * second)
	r.mapNamed("mpatha") // a restart changes nothing
	r.ask(rename, mpath.ReplyDone)
	r.mapNamed("ocr1")
}

// Commands come while an action of the map is not answered: they wait, one after
// the other, and each has one reply in the end.
func TestCommandsWaitTheirTurn(t *testing.T) {
	r := newRig(t, 111, plain)
	r.alua("one")
	r.start(10 * second)
	var seqs []uint64
	for range 5 {
		seqs = append(seqs, r.d.Ask(mpath.Command{Kind: mpath.CommandReloadMap, Map: "mpatha"}))
		seqs = append(seqs, r.d.Ask(mpath.Command{Kind: mpath.CommandFailPath, Path: "sda"}))
		seqs = append(seqs, r.d.Ask(mpath.Command{Kind: mpath.CommandReinstatePath, Path: "sda"}))
	}
	r.run(20 * second)
	for _, s := range seqs {
		if got := r.d.Replies(s); len(got) != 1 || !got[0].OK {
			r.fail("command %d: %v", s, got)
		}
	}
	if n := r.d.Counts["LoadMap"]; n != 5 {
		r.fail("%d loads", n)
	}
}

// A command whose action never comes back has its reply at the limit, and so have
// those behind it.
func TestCommandLimit(t *testing.T) {
	r := newRig(t, 112, plain)
	r.alua("one")
	r.start(10 * second)
	r.w.Files.Hang("/run/pathkeeper/loading") // the word before a load is not written
	first := r.d.Ask(mpath.Command{Kind: mpath.CommandReloadMap, Map: "mpatha"})
	second := r.d.Ask(mpath.Command{Kind: mpath.CommandSwitchGroup, Map: "mpatha", Arg: "2"})
	var last uint64
	for range 300 { // more than wait at once
		last = r.d.Ask(mpath.Command{Kind: mpath.CommandResetStats, Map: "mpatha"})
	}
	if got := r.d.Replies(last); len(got) != 1 || got[0].Code != mpath.ReplyBusy {
		r.fail("command 302: %v", got)
	}
	r.run(40 * mpath.Second)
	for _, s := range []uint64{first, second} {
		got := r.d.Replies(s)
		if len(got) != 1 || got[0].Code != mpath.ReplyTimeout || got[0].OK {
			r.fail("command %d: %v", s, got)
		}
	}
}

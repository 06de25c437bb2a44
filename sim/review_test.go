package sim

import (
	"strings"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// oddSCSI is the way to the devices with one odd device among them.
type oddSCSI struct {
	SCSI
	device string
	never  bool   // no answer, ever
	errno  uint32 // the host takes no command
}

func (o *oddSCSI) Do(device string, r scsi.Request) scsi.Response {
	if device != o.device && o.device != "*" {
		return o.SCSI.Do(device, r)
	}
	if o.never {
		o.w.took = Forever
		return scsi.Response{}
	}
	if o.errno != 0 {
		return scsi.Response{Errno: o.errno}
	}
	return o.SCSI.Do(device, r)
}

// odd puts an odd device in the daemon's way.
func (r *rig) odd(device string) *oddSCSI {
	o := &oddSCSI{SCSI: SCSI{r.w}, device: device}
	r.d.ports.SCSI = o
	return o
}

// A path joins and, while the process is stopped in the middle of the load, comes
// to lead to a stranger: nobody has failed it, since it is in no live table.
func TestJoiningPathChangesWhileStoppedInALoad(t *testing.T) {
	for steps := range 14 {
		r := newRig(t, uint64(steps), plain)
		l, _ := r.alua("one")
		stranger := r.w.AddLUN(LUN{Name: "stranger"})
		r.start(10 * second)
		m := r.mapNamed("mpatha")
		r.write(m, l, 5*mpath.Millisecond)
		loads := r.d.Counts["LoadMap"]
		d := r.w.AddPath(l, 4, 1)
		for r.d.Counts["LoadMap"] == loads {
			r.run(20 * mpath.Millisecond / 1000)
		}
		r.run(mpath.Span(steps) * 300 * mpath.Millisecond / 1000)
		r.d.Stop()
		r.run(100 * mpath.Millisecond)
		if m.live.uses(d) {
			continue // too late: it is in use, and nothing tells of a swap
		}
		r.run(10 * second)
		d.Remap(stranger, false)
		r.run(10 * second)
		r.d.Continue()
		for range 2000 {
			r.run(mpath.Millisecond)
			if m.live.uses(d) {
				r.fail("stopped after step %d: the stranger stands in the live table", steps)
			}
		}
		r.run(mpath.Minute)
		if stranger.Blocks() > 0 {
			r.fail("stopped after step %d: %d blocks of the stranger are written", steps, stranger.Blocks())
		}
		r.wantSound()
	}
}

// A device that never answers its identification keeps nobody else waiting: not
// the maps at the start, not other devices later.
func TestDeviceThatNeverAnswersHoldsNothingUp(t *testing.T) {
	r := newRig(t, 40, plain)
	r.w.AddPath(r.w.AddLUN(LUN{Name: "dead"}), 9, 1) // sda
	l, _ := r.alua("one")
	r.odd("sda").never = true
	r.start(40 * second)
	r.wantGroups("mpatha", "[sdb sdc] | sdd sde")
	r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
	r.wantSound()
}

func TestManyDeadDevicesHoldNothingUp(t *testing.T) {
	r := newRig(t, 41, plain)
	dead := r.w.AddLUN(LUN{Name: "dead"})
	for h := range uint32(80) {
		r.w.AddPath(dead, 10+h, 1)
	}
	o := r.odd("*")
	o.never = true
	r.start(second)
	o.device = "none"
	l := r.w.AddLUN(LUN{Name: "one"})
	r.w.AddPath(l, 2, 1)
	r.run(mpath.Minute)
	r.wantGroups("mpathb", "[sdcc]")
}

// At a restart a path is offline and tells nothing of itself: it is there, so it
// did not leave, and the map stays as it is.
func TestUnidentifiedMemberIsNoDeparture(t *testing.T) {
	for _, how := range []string{"offline", "no answer"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, 42, plain)
			l, ds := r.alua("one")
			r.start(10 * second)
			m := r.mapNamed("mpatha")
			r.write(m, l, 20*mpath.Millisecond)
			r.d.Kill()
			ds[0].inquiry, ds[0].vpd00, ds[0].vpd80, ds[0].vpd83 = nil, nil, nil, nil
			if how == "offline" {
				ds[0].SetState("offline")
			} else {
				r.odd("sda").never = true
			}
			loads, messages := m.Loads, r.d.Counts["Message"]
			r.start(2 * mpath.Minute)
			if m.Loads != loads || r.d.Counts["Message"] != messages {
				r.fail("%d loads, %d messages", m.Loads-loads, r.d.Counts["Message"]-messages)
			}
			ds[0].SetState("running")
			r.d.ports.SCSI = SCSI{r.w}
			r.d.Unhang()
			r.run(8 * mpath.Minute)
			r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
			r.wantSound()
		})
	}
}

// The daemon is stopped for good before it has looked at the maps, and while a
// load is under way.
func TestFinalStopTooEarly(t *testing.T) {
	r := newRig(t, 43, plain+"defaults {\n queue_without_daemon yes\n}\n")
	r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.d.Kill()
	for after := range mpath.Span(40) {
		r.start(after * 2 * mpath.Millisecond)
		r.d.Terminate(true)
		if !contains(m.Table(), "queue_if_no_path") {
			r.fail("stopped after %d ms: %s", after*2, m.Table())
		}
	}
}

func TestFinalStopInALoad(t *testing.T) {
	for steps := range mpath.Span(12) {
		r := newRig(t, uint64(steps), plain)
		l, _ := r.alua("one")
		r.start(10 * second)
		loads := r.d.Counts["LoadMap"]
		r.w.AddPath(l, 4, 1)
		for r.d.Counts["LoadMap"] == loads {
			r.run(20 * mpath.Millisecond / 1000)
		}
		r.run(steps * 400 * mpath.Millisecond / 1000)
		r.d.Terminate(true)
		if m := r.mapNamed("mpatha"); contains(m.Table(), "queue_if_no_path") || m.suspended {
			r.fail("suspended %v, %s", m.suspended, m.Table())
		}
	}
}

// A map bears an old id, by which another disk goes, too: that disk is no path of it.
func TestTwinOfAnOldID(t *testing.T) {
	r := newRig(t, 44, plain)
	ata := func(naa string) *LUN {
		return r.w.AddLUN(LUN{Name: naa, Vendor: "ATA", Product: "ORADISK", Serial: "9YV1ABCD", Sectors: 1 << 20, NAA: naa})
	}
	one, two := ata("5000c50012345601"), ata("5000c50012345602")
	d := r.w.AddPath(one, 0, 0)
	old := ""
	for _, i := range scsi.Identify(scsi.Raw{Inquiry: d.inquiry, VPD00: d.vpd00, VPD80: d.vpd80, VPD83: d.vpd83}).IDs {
		if i.Kind == scsi.IDScsiID80 {
			old = i.Value
		}
	}
	m := r.w.addMap("voting1", "mpath-"+old)
	tab, x := &dmTable{}, &target{length: 1 << 20, kind: "multipath"}
	if errno := m.construct(tab, x, strings.Fields("0 0 1 1 service-time 0 1 1 8:0 1")); errno != 0 {
		t.Fatal(errno)
	}
	tab.targets = append(tab.targets, x)
	m.live = tab
	r.w.AddPath(two, 1, 0)
	r.start(30 * second)
	r.wantGroups("voting1", "[sda]")
	if p := r.pathView("sda"); p.WWID != old {
		r.fail("sda is of %s", p.WWID)
	}
	if p := r.pathView("sdb"); p.WWID == old {
		r.fail("sdb is taken for a path of %s", old)
	}
}

// A path of another size never joins, so it does not keep the others' loss from
// counting.
func TestRefusedPathDoesNotCountForQueueing(t *testing.T) {
	r := newRig(t, 45, plain+"overrides {\n no_path_retry 3\n}\n")
	l, ds := r.alua("one")
	r.start(10 * second)
	a := r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	l.Sectors /= 2
	r.w.AddPath(l, 4, 1)
	r.run(20 * second)
	for _, d := range ds {
		d.Break(NoConnect)
	}
	r.run(2 * mpath.Minute)
	if len(a.errors) == 0 {
		r.fail("I/O is queued for ever")
	}
}

// The hosts take no more commands, so that nobody learns anything of the paths,
// and all I/O fails: the queueing ends all the same.
func TestQueueingEndsWhereNothingCanBeLearned(t *testing.T) {
	r := newRig(t, 46, plain+"overrides {\n no_path_retry 3\n}\n")
	l, ds := r.alua("one")
	r.start(10 * second)
	a := r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	r.run(5 * second)
	r.odd("*").errno = eBUSY
	for _, d := range ds {
		d.Break(NoConnect)
	}
	r.run(3 * mpath.Minute)
	if len(a.errors) == 0 {
		r.fail("I/O is queued for ever")
	}
}

// A core with nothing to do is left alone.
func TestIdleIsIdle(t *testing.T) {
	r := newRig(t, 47, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.w.FailDM = 1000
	r.w.AddPath(l, 4, 1)
	r.run(8 * second)
	r.w.FailDM = 0
	ds[0].Delete()
	r.run(2 * mpath.Minute)
	steps := r.d.steps
	r.run(10 * mpath.Minute)
	if n := r.d.steps - steps; n > 10*60 {
		r.fail("%d steps in 10 minutes", n)
	}
}

// A map that somebody else made of a LUN that is no path by the configuration:
// its other paths join.
func TestOtherPathsOfAFoundMapJoin(t *testing.T) {
	r := newRig(t, 48, "defaults {\n find_multipaths strict\n}\n")
	l, ds := r.alua("one")
	r.start(20 * second)
	if len(r.w.Maps()) > 0 {
		r.fail("maps %v", r.w.Maps())
	}
	m := r.w.addMap("byhand", "mpath-"+l.WWID())
	tab, x := &dmTable{}, &target{length: l.Sectors, kind: "multipath"}
	if errno := m.construct(tab, x, strings.Fields("0 0 1 1 service-time 0 1 1 8:0 1")); errno != 0 {
		t.Fatal(errno)
	}
	tab.targets = append(tab.targets, x)
	m.live = tab
	r.w.uevent(m.event("change", "", 0))
	r.run(30 * second)
	for _, d := range ds {
		if !m.live.uses(d) {
			r.fail("%s is not in %s", d.Name, groups(m))
		}
	}
}

// answers steps a bare core: a list of what is there that was made before a device
// came must not take it away.
func TestOldListsTakeNothingAway(t *testing.T) {
	core := mpath.New()
	at := mpath.Instant(100 * second)
	step := func(ev mpath.Event) []mpath.Action {
		at = at.After(mpath.Millisecond)
		acts, _ := core.Step(at, ev)
		return acts
	}
	step(mpath.StateLoaded{})
	acts := step(mpath.Configured{Config: parse(t, plain)})
	var scan, list uint64
	for _, a := range acts {
		switch a := a.(type) {
		case mpath.Scan:
			scan = a.Seq
		case mpath.ListMaps:
			list = a.Seq
		}
	}
	var look mpath.Identify
	for _, a := range step(mpath.DeviceHint{Name: "sda", FromUdev: true}) {
		if i, ok := a.(mpath.Identify); ok {
			look = i
		}
	}
	id := scsi.Identity{WWID: "36001", IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: "36001"}}, PortGroup: -1}
	pid := mpath.PathID{Diskseq: 7}
	pid.Dev.Major, pid.Dev.Minor = 8, 0
	step(mpath.PathSeen{Seq: look.Seq, ID: pid, Name: "sda", Identity: id, Fresh: true, DevState: "running"})
	step(mpath.Scanned{Seq: scan})
	step(mpath.MapsListed{Seq: list})
	if n := len(core.Snapshot().Paths); n != 1 {
		t.Errorf("%d paths after an old scan, want 1", n)
	}
}

// Somebody else loads the table again, which makes every path active, also one that
// leads to a stranger: it is failed again at once.
func TestForeignLoadMakesPathsActive(t *testing.T) {
	r := newRig(t, 60, plain)
	_, ds := r.alua("one")
	stranger := r.w.AddLUN(LUN{Name: "stranger"})
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	ds[0].Break(NoConnect)
	r.run(20 * second)
	text := m.Table()
	ds[0].Remap(stranger, false)
	for after := range mpath.Span(20) {
		r.run(after * 300 * mpath.Millisecond)
		tab, x := &dmTable{}, &target{length: ds[0].Sectors, kind: "multipath"}
		if errno := m.construct(tab, x, strings.Fields(text)); errno != 0 {
			t.Fatal(errno)
		}
		tab.targets = append(tab.targets, x)
		m.live = tab
		r.w.uevent(m.event("change", "", 0))
		r.run(300 * mpath.Millisecond)
		if p := m.live.multipaths()[0].path(ds[0]); p != nil && p.active {
			r.fail("the path is active")
		}
	}
}

// The mark of a load stays behind (the process was killed right after it); later the
// administrator suspends the map, and the daemon starts: it is not ours to resume.
func TestOldMarkOfALoadIsNotForEver(t *testing.T) {
	r := newRig(t, 61, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	r.d.Kill()
	r.w.Files.Put("/run/pathkeeper/loading/"+l.WWID(), "")
	r.start(20 * second)
	r.d.Kill()
	m.suspend(true)
	r.start(mpath.Minute)
	if !m.suspended {
		r.fail("resumed what an administrator has suspended")
	}
}

// A LUN is write-protected at first and becomes writable (a replica is promoted).
func TestReadOnlyBecomesWritable(t *testing.T) {
	r := newRig(t, 62, plain)
	l, ds := r.alua("one")
	l.ReadOnly = true
	r.start(20 * second)
	l.ReadOnly = false
	for _, d := range ds {
		d.Announce()
	}
	r.run(mpath.Minute)
	if r.mapNamed("mpatha").live.readOnly {
		r.fail("the table stays read-only")
	}
	if n := r.mapNamed("mpatha").Loads; n > 3 {
		r.fail("%d loads", n)
	}
}

// The LUN has grown and every path says so: paths still come and go, the map keeps
// its size.
func TestGrownLUNStillGetsTables(t *testing.T) {
	r := newRig(t, 63, plain)
	l, ds := r.alua("one")
	r.start(20 * second)
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	was := l.Sectors
	l.Sectors *= 2
	for _, d := range ds {
		d.rescan()
		d.Announce()
	}
	r.run(10 * second)
	ds[1].Delete()
	r.run(20 * second)
	r.wantGroups("mpatha", "[sda] | sdc sdd")
	if n := r.mapNamed("mpatha").live.sectors(); n != was {
		r.fail("%d sectors, was %d", n, was)
	}
	r.wantSound()
}

// All paths have left before the daemon starts again: the recorded deadline still
// ends the queueing.
func TestDeadlineWithoutAnyPathAfterRestart(t *testing.T) {
	r := newRig(t, 64, plain+"overrides {\n no_path_retry 6\n}\n")
	l, ds := r.alua("one")
	r.start(10 * second)
	a := r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	r.run(5 * second)
	for _, d := range ds {
		d.Break(NoConnect)
	}
	r.run(10 * second)
	r.d.Kill()
	for _, d := range ds {
		d.Delete()
	}
	r.start(3 * mpath.Minute)
	if len(a.errors) == 0 {
		r.fail("I/O is queued for ever")
	}
}

// A name that could not be written once is not the end of names.
func TestNamesAfterAFullDisk(t *testing.T) {
	r := newRig(t, 65, plain)
	r.alua("one")
	r.w.Files.ReadOnly = []string{"/etc/multipath"}
	r.start(30 * second)
	r.w.Files.ReadOnly = nil
	r.d.Reconfigure(r.cfg)
	r.run(30 * second)
	l := r.w.AddLUN(LUN{Name: "two"})
	r.w.AddPath(l, 2, 1)
	r.run(30 * second)
	if n := r.w.Maps(); len(n) != 2 || !contains(strings.Join(n, " "), "mpath") {
		r.fail("maps %v", n)
	}
}

// An adopted map's LUN is known at the next boot too.
func TestAdoptedMapIsInWWIDs(t *testing.T) {
	r := newRig(t, 66, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	r.d.Kill()
	r.w.Files.Put("/etc/multipath/wwids", "")
	r.start(10 * second)
	if !contains(r.w.Files.Text("/etc/multipath/wwids"), l.WWID()) {
		r.fail("wwids: %q", r.w.Files.Text("/etc/multipath/wwids"))
	}
}

// A disk is offline when it is found and comes to life without any event.
func TestOfflineWhenFound(t *testing.T) {
	r := newRig(t, 67, plain)
	l := r.w.AddLUN(LUN{Name: "one"})
	r.start(5 * second)
	d := r.w.AddPath(l, 2, 1)
	d.inquiry, d.vpd00, d.vpd80, d.vpd83 = nil, nil, nil, nil
	d.SetState("offline")
	r.run(20 * second)
	d.SetState("running")
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[sda]")
}

// Somebody has made one map of two disks that share an old id: nothing is loaded.
func TestMapOfTwins(t *testing.T) {
	r := newRig(t, 70, plain)
	ata := func(naa string) *LUN {
		return r.w.AddLUN(LUN{Name: naa, Vendor: "ATA", Product: "ORADISK", Serial: "9YV1ABCD", Sectors: 1 << 20, NAA: naa})
	}
	d := r.w.AddPath(ata("5000c50012345601"), 0, 0)
	r.w.AddPath(ata("5000c50012345602"), 1, 0)
	old := ""
	for _, i := range scsi.Identify(scsi.Raw{Inquiry: d.inquiry, VPD00: d.vpd00, VPD80: d.vpd80, VPD83: d.vpd83}).IDs {
		if i.Kind == scsi.IDScsiID80 {
			old = i.Value
		}
	}
	m := r.w.addMap("voting1", "mpath-"+old)
	tab, x := &dmTable{}, &target{length: 1 << 20, kind: "multipath"}
	if errno := m.construct(tab, x, strings.Fields("0 0 1 1 service-time 0 2 1 8:0 1 8:16 1")); errno != 0 {
		t.Fatal(errno)
	}
	tab.targets = append(tab.targets, x)
	m.live = tab
	r.start(10 * second)
	r.d.Reconfigure(r.cfg)
	r.run(mpath.Minute)
	if m.Loads > 0 {
		r.fail("%d loads", m.Loads)
	}
	r.wantSaid("different LUNs")
}

// An action that the kernel does not answer is reported.
func TestHungActionIsReported(t *testing.T) {
	r := newRig(t, 71, plain)
	_, ds := r.alua("one")
	r.start(10 * second)
	r.d.ports.DM = deafDM{DM{r.w}}
	ds[0].Break(NoConnect)
	r.run(2 * mpath.Minute)
	r.wantSaid("no answer from the kernel")
}

// deafDM never answers a message.
type deafDM struct{ DM }

func (d deafDM) Ioctl(cmd uint32, b []byte) ([]byte, uint32) {
	if cmd&0xff == 14 {
		d.w.took = Forever
		return b, 0
	}
	return d.DM.Ioctl(cmd, b)
}

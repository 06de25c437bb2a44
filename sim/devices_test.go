package sim

import (
	"fmt"
	"slices"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// A path that is down comes back as another LUN.
func TestRemapWhileDown(t *testing.T) {
	for _, attention := range []bool{false, true} {
		t.Run(fmt.Sprint(attention), func(t *testing.T) {
			r := newRig(t, 10, plain)
			l, ds := r.alua("one")
			stranger := r.w.AddLUN(LUN{Name: "stranger"})
			r.start(10 * second)
			r.write(r.mapNamed("mpatha"), l, 5*mpath.Millisecond)
			r.run(5 * second)
			ds[0].Break(NoConnect)
			r.run(20 * second)
			ds[0].Remap(stranger, attention)
			ds[0].Break(Healthy)
			r.run(mpath.Minute)
			r.wantSaid("leads to another LUN")
			if p := r.pathView("sda"); p.Stranger != stranger.WWID() {
				r.fail("stranger %q", p.Stranger)
			}
			if r.mapNamed("mpatha").live.uses(ds[0]) {
				r.fail("the stranger stands in the table: %s", groups(r.mapNamed("mpatha")))
			}
			// A load for another reason must not bring it back.
			loads := r.mapNamed("mpatha").Loads
			r.w.AddPath(l, 4, 2)
			r.run(mpath.Minute)
			ds[3].Delete()
			r.run(mpath.Minute)
			if r.mapNamed("mpatha").Loads == loads || r.mapNamed("mpatha").live.uses(ds[0]) {
				r.fail("%d loads, %s", r.mapNamed("mpatha").Loads-loads, groups(r.mapNamed("mpatha")))
			}
			if stranger.Blocks() > 0 {
				r.fail("%d blocks of the stranger are written", stranger.Blocks())
			}
			r.wantSound()
			// The array's mapping is put right.
			ds[0].Remap(l, attention)
			r.run(mpath.Minute)
			r.wantGroups("mpatha", "[sda sdb] | sdc sde")
			r.wantSound()
		})
	}
}

// The same, while the daemon is away or stopped.
func TestRemapWhileTheDaemonIsAway(t *testing.T) {
	for _, how := range []string{"killed", "stopped"} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, 11, plain)
			l, ds := r.alua("one")
			stranger := r.w.AddLUN(LUN{Name: "stranger"})
			r.start(10 * second)
			r.write(r.mapNamed("mpatha"), l, 5*mpath.Millisecond)
			ds[0].Break(NoConnect)
			r.run(20 * second)
			if how == "killed" {
				r.d.Kill()
			} else {
				r.d.Stop()
			}
			ds[0].Remap(stranger, false)
			ds[0].Break(Healthy)
			r.run(mpath.Minute)
			if how == "killed" {
				r.start(second)
			} else {
				r.d.Continue()
			}
			r.w.AddPath(l, 4, 2)
			r.run(mpath.Minute)
			if stranger.Blocks() > 0 || r.mapNamed("mpatha").live.uses(ds[0]) {
				r.fail("%d blocks of the stranger are written; %s", stranger.Blocks(), groups(r.mapNamed("mpatha")))
			}
			r.wantSound()
		})
	}
}

func TestHotplugOneByOne(t *testing.T) {
	r := newRig(t, 12, plain)
	l := r.w.AddLUN(LUN{Name: "one"})
	l.SetAccess(2, NonOptimized)
	r.start(10 * second)
	r.w.AddPath(l, 2, 2)
	r.run(10 * second)
	r.wantGroups("mpatha", "[sda]")
	r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
	r.w.AddPath(l, 2, 1)
	r.run(10 * second)
	r.wantGroups("mpatha", "[sdb] | sda")
	r.w.AddPath(l, 3, 1)
	r.run(10 * second)
	r.wantGroups("mpatha", "[sdb sdc] | sda")
	d := r.w.AddPath(l, 3, 2)
	r.run(10 * second)
	r.wantGroups("mpatha", "[sdb sdc] | sda sdd")
	// A path is deleted and found again.
	d.Delete()
	r.run(5 * second)
	r.wantGroups("mpatha", "[sdb sdc] | sda")
	r.w.AddPath(l, 3, 2)
	r.run(5 * second)
	r.wantGroups("mpatha", "[sdb sdc] | sda sdd")
	if n := r.mapNamed("mpatha").Loads; n != 6 {
		r.fail("%d loads", n)
	}
	r.wantSound()
}

// The uevents of a deletion and a discovery are lost: the slow scan finds out.
func TestLostUevents(t *testing.T) {
	r := newRig(t, 13, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
	r.d.LoseUevents = 1000
	ds[1].Delete()
	r.w.AddPath(l, 5, 1)
	r.run(6 * mpath.Minute)
	r.wantGroups("mpatha", "[sda sde] | sdc sdd")
	r.wantSound()
}

func TestLastPathLeaves(t *testing.T) {
	r := newRig(t, 14, plain)
	_, ds := r.alua("one")
	r.start(10 * second)
	m := r.mapNamed("mpatha")
	m.Open()
	for _, d := range ds {
		d.Delete()
	}
	r.run(30 * second)
	if r.w.Map("mpatha") != m {
		r.fail("an open map was removed")
	}
	m.Close()
	r.run(30 * second)
	if r.w.Map("mpatha") != nil {
		r.fail("the map stays though nobody uses it")
	}
	if len(r.w.dead) > 0 {
		t.Errorf("%d deleted disks are still held", len(r.w.dead))
	}
}

// All paths leave an open map and come back: it works again.
func TestAllPathsComeBack(t *testing.T) {
	r := newRig(t, 14, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 20*mpath.Millisecond)
	for _, d := range ds {
		d.Delete()
	}
	r.run(15 * second)
	for _, d := range ds {
		r.w.AddPath(l, d.Host, d.TPG)
	}
	r.run(60 * second)
	r.wantGroups("mpatha", "[sde sdf] | sdg sdh")
	r.wantSound()
}

func TestInUseIsLeftAlone(t *testing.T) {
	for name, use := range map[string]func(*rig, *Disk){
		"mounted":            func(r *rig, d *Disk) { r.w.Mount(d.Name, "/srv") },
		"swap":               func(r *rig, d *Disk) { r.w.Swap(d.Name) },
		"mounted partition":  func(r *rig, d *Disk) { d.Parts = []Part{{1, 2048, 4096}}; r.w.Mount(d.Name+"1", "/boot") },
		"exclusively opened": func(_ *rig, d *Disk) { d.Exclusive = true },
		"held by a map": func(r *rig, d *Disk) {
			if _, err := r.w.AddLinear("vg-"+d.Name, "LVM-"+d.Name, d.Name, 0, 100); err != nil {
				r.fail("%v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 15, plain)
			l, ds := r.alua("one")
			for _, d := range ds {
				use(r, d)
			}
			r.cfg = parse(t, plain+entry(l, "ocr1", ""))
			r.start(2 * mpath.Minute)
			if slices.Contains(r.w.Maps(), "ocr1") {
				r.fail("a map was made of disks that are in use")
			}
			if name == "exclusively opened" {
				// Only the attempt tells: the claim is released.
				if files, _ := r.w.Files.List("/run/multipath/failed_wwids"); !slices.Equal(files, []string{l.WWID()}) {
					r.fail("failed marks %v", files)
				}
				for _, d := range ds {
					d.Exclusive = false
				}
				r.run(6 * mpath.Minute)
				r.wantGroups("ocr1", "[sda sdb] | sdc sdd")
				if files, _ := r.w.Files.List("/run/multipath/failed_wwids"); len(files) > 0 {
					r.fail("failed marks stay: %v", files)
				}
				return
			}
			p := r.pathView("sda")
			if p.WWID != "" || p.Decision.Reason == "" {
				r.fail("path %q, reason %q", p.WWID, p.Decision.Reason)
			}
		})
	}
}

func TestSizeMismatchIsRefused(t *testing.T) {
	r := newRig(t, 16, plain)
	l, _ := r.alua("one")
	r.start(10 * second)
	l.Sectors *= 2 // the array grew it: only paths found from now on see it
	r.w.AddPath(l, 4, 1)
	r.run(20 * second)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	if p := r.pathView("sde"); !contains(p.Refused, "sectors") {
		r.fail("refused %q", p.Refused)
	}
}

func TestNameCollision(t *testing.T) {
	r := newRig(t, 17, plain)
	r.w.addMap("mpatha", "LVM-xyz")
	l, _ := r.alua("one")
	r.w.Files.Put("/etc/multipath/bindings", "mpatha "+l.WWID()+"\n")
	r.start(20 * second)
	if m := r.w.Map("mpatha"); m == nil || m.uuid != "LVM-xyz" {
		r.fail("the other map is gone")
	}
	r.wantGroups(l.WWID(), "[sda sdb] | sdc sdd")
}

// The bindings write hangs: the map gets its WWID as its name, and the daemon
// does not wait.
func TestBindingsWriteHangs(t *testing.T) {
	r := newRig(t, 18, plain)
	l, _ := r.alua("one")
	r.w.Files.Hang("/etc/multipath")
	r.start(30 * second)
	r.wantGroups(l.WWID(), "[sda sdb] | sdc sdd")
	r.wantSaid("made durable")
	r.w.Files.Release()
	r.d.Unhang()
	r.run(30 * second)
	r.wantGroups(l.WWID(), "[sda sdb] | sdc sdd")
}

func TestBindingsReadOnly(t *testing.T) {
	r := newRig(t, 18, plain)
	l, _ := r.alua("one")
	r.w.Files.ReadOnly = []string{"/etc/multipath"}
	r.start(30 * second)
	r.wantGroups(l.WWID(), "[sda sdb] | sdc sdd")
}

// A disk behind libata, named in the configuration by its old "S" form.
func TestOldIDAndSecondClaimant(t *testing.T) {
	r := newRig(t, 19, plain)
	ata := func(serial string) *LUN {
		return r.w.AddLUN(LUN{Name: serial, Vendor: "ATA", Product: "ORADISK", Serial: serial, Sectors: 1 << 20})
	}
	one := ata("9YV1ABCD")
	d := r.w.AddPath(one, 0, 0)
	old := ""
	id := scsi.Identify(scsi.Raw{Inquiry: d.inquiry, VPD00: d.vpd00, VPD80: d.vpd80, VPD83: d.vpd83})
	for _, i := range id.IDs {
		if i.Kind == scsi.IDScsiID80 {
			old = i.Value
		}
	}
	if old == "" {
		t.Fatalf("no S form among %v", id.IDs)
	}
	r.cfg = parse(t, "defaults {\n user_friendly_names yes\n}\nmultipaths {\n multipath {\n  wwid "+old+"\n  alias voting1\n }\n}\n")
	r.start(20 * second)
	m := r.mapNamed("voting1")
	if m.UUID() != "mpath-"+id.WWID {
		r.fail("uuid %s, want the canonical id %s", m.UUID(), id.WWID)
	}
	if s := r.w.Files.Text("/etc/multipath/oldids"); !contains(s, old) || !contains(s, id.WWID) {
		r.fail("oldids %q", s)
	}
	// Another unit that prints the same S form, but has another canonical id.
	two := ata("9YV1ABCD")
	two.NAA = "5000c50012345678"
	r.w.AddPath(two, 1, 0)
	r.run(20 * second)
	if got := r.w.Maps(); len(got) != 1 {
		r.fail("maps %v", got)
	}
	if p := r.pathView("sdb"); p.WWID != "" {
		r.fail("the second claimant is admitted: %s", p.Decision.Reason)
	}
	// Whatever the order of arrival after a restart.
	r.d.Kill()
	d.Delete()
	r.start(20 * second)
	if p := r.pathView("sdb"); p.WWID != "" {
		r.fail("the second claimant is admitted: %s", p.Decision.Reason)
	}
}

func TestReadOnlyLUN(t *testing.T) {
	r := newRig(t, 20, plain)
	l, ds := r.alua("one")
	l.SetReadOnly(true)
	for _, d := range ds {
		d.Rescan()
	}
	r.start(20 * second)
	if m := r.mapNamed("mpatha"); !m.live.readOnly {
		r.fail("the table is writable")
	}
}

// Paths that never answer.
func TestHungPaths(t *testing.T) {
	r := newRig(t, 21, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	ds[0].Break(Hung)
	ds[1].Break(Hung)
	r.run(2 * mpath.Minute)
	r.wantGroups("mpatha", "-sda -sdb | [sdc sdd]")
	ds[0].Break(Healthy)
	ds[1].Break(Healthy)
	r.run(2 * mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.wantSound()
}

// Candidates that answer nonsense stay out, with their reason.
func TestNonsense(t *testing.T) {
	r := newRig(t, 22, plain)
	d := r.w.AddPath(r.w.AddLUN(LUN{Name: "one"}), 2, 1)
	d.Remap(nil, false)
	r.start(20 * second)
	if len(r.w.Maps()) > 0 {
		r.fail("maps %v", r.w.Maps())
	}
	if p := r.pathView("sda"); p.Seen.Identity.Problem == "" {
		r.fail("no reason: %+v", p.Decision)
	}
}

// A path that answers every check and fails every write is brought back at the
// pace of its checks, not at the speed of light.
func TestPathThatOnlyAnswersChecks(t *testing.T) {
	r := newRig(t, 23, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	r.write(r.mapNamed("mpatha"), l, 5*mpath.Millisecond)
	ds[0].FailIO = true
	r.run(10 * mpath.Minute)
	if n := r.d.Counts["Message"]; n < 10 || n > 200 {
		r.fail("%d messages in ten minutes", n)
	}
	ds[0].FailIO = false
	r.run(mpath.Minute)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.wantSound()
}

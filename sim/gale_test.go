package sim

import (
	"flag"
	"fmt"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

var (
	galeSeed  = flag.Uint64("gale.seed", 0, "run the gale of this seed alone, and tell it")
	galeSeeds = flag.Int("gale.seeds", 12, "how many gales")
)

// gale is a random story of what the storm of paths does not have: fabrics, hosts
// and ports cut, disks that lie, hang and are busy, LUNs that are resized and
// switch their controllers, sysfs and udevd out of order. Then everything is put
// right, and must be so.
type gale struct {
	*rig
	luns    []*LUN
	hosts   []*HBA
	ports   []*Port
	fabrics []*Fabric
	down    []func() // ends what is broken
}

func newGale(t *testing.T, seed uint64) *gale {
	g := &gale{rig: newRig(t, seed, plain+"overrides {\n no_path_retry queue\n}\n")}
	w := g.w
	a := w.AddArray("array")
	for i, name := range []string{"left", "right"} {
		f := w.AddFabric(name)
		g.fabrics = append(g.fabrics, f)
		transport := []Transport{FibreChannel, ISCSI, Unspecified}[seed%3]
		g.hosts = append(g.hosts, w.AddHBA(HBA{Number: uint32(i + 1), Transport: transport, Fabric: f}))
		for tpg := 1; tpg <= 2; tpg++ {
			g.ports = append(g.ports, a.AddPort(Port{TPG: tpg, Fabric: f}))
		}
	}
	for i := range 4 {
		l := w.AddLUN(LUN{Name: fmt.Sprintf("lun%d", i), Vendor: "SIMULATE", Product: "ARRAY", TPGS: uint8(1 + i%3), OneOwner: i == 1})
		l.SetAccess(2, NonOptimized)
		for _, p := range g.ports {
			l.Export(p, uint64(i))
		}
		g.luns = append(g.luns, l)
	}
	w.ScanAll()
	if *galeSeed != 0 {
		g.d.Log = t.Output()
	}
	g.start(15 * second)
	for _, l := range g.luns {
		g.write(g.mapNamed(w.MapOf(l).Name()), l, 100*mpath.Millisecond)
	}
	return g
}

func (g *gale) tell(format string, args ...any) {
	if *galeSeed != 0 {
		g.Logf("%9.3f **** %s", float64(g.w.now)/1e9, fmt.Sprintf(format, args...))
	}
}

func (g *gale) chance(n int) int { return g.w.rand.IntN(n) }

func (g *gale) later(what string, end func()) {
	g.tell("%s", what)
	done := false
	once := func() {
		if !done {
			done = true
			g.tell("end: %s", what)
			end()
		}
	}
	g.down = append(g.down, once)
	g.w.after(g.w.between(second, 90*second), once)
}

// blow does one random thing.
func (g *gale) blow() {
	ds := g.w.Disks()
	if len(ds) == 0 {
		g.w.ScanAll()
		return
	}
	d := ds[g.chance(len(ds))]
	l := g.luns[g.chance(len(g.luns))]
	h, p, f := g.hosts[g.chance(2)], g.ports[g.chance(4)], g.fabrics[g.chance(2)]
	lie := func(what string, q Quirk) { g.later(d.Name+" "+what, func() { d.Honest() }); d.Lie(q) }
	switch g.chance(20) {
	case 0:
		h.Cut()
		g.later(fmt.Sprintf("host%d is cut", h.Number), h.Mend)
	case 1, 2:
		p.Cut()
		g.later("port "+p.Name+" is cut", p.Mend)
	case 3:
		f.Cut()
		g.later(f.Name+" is cut", f.Mend)
	case 4:
		lie("hangs", Quirk{Hang: true})
	case 5:
		lie("is slow", Quirk{Slow: g.w.between(0, 20*second)})
	case 6:
		lie("loses commands", Quirk{Lost: true, Chance: 300})
	case 7:
		lie("is busy", Quirk{Status: []scsi.Status{scsi.StatusBusy, scsi.StatusTaskSetFull}[g.chance(2)]})
	case 8:
		lie("answers nonsense", Quirk{Data: []byte("nonsense")})
	case 9:
		lie("has bad sense", Quirk{Status: scsi.StatusCheckCondition, Sense: []byte{0xff, 1, 2}, Chance: 500})
	case 10:
		lie("cuts its data off", Quirk{Cut: 1 + g.chance(40)})
	case 11:
		d.Break(Stuck)
		g.later(d.Name+" is stuck", func() { d.Break(Healthy) })
	case 12:
		g.tell("%s deleted", d.Name)
		d.Delete()
		g.w.after(g.w.between(0, 30*second), func() { g.w.ScanAll() })
	case 13:
		g.tell("%s: its controllers change places", l.Name)
		a, b := l.Access(1), l.Access(2)
		l.SetAccess(1, b)
		l.SetAccess(2, a)
		l.AnnounceAccess()
	case 14:
		g.tell("%s hears of a reset, and of other things", l.Name)
		l.Attention(0x29, 0x00)
		d.Attention(0x3f, 0x0e)
		d.Attention(0x2a, 0x09)
	case 15:
		fault := g.w.BreakSysfs(SysfsFault{Path: []string{"sd*/size", "*/device/state", "block", "*/vpd_pg83"}[g.chance(4)], Errno: []uint32{eIO, eNODEV}[g.chance(2)]})
		g.later("sysfs "+fault.Path, func() { g.w.MendSysfs(fault) })
	case 16:
		fault := g.w.BreakSysfs(SysfsFault{Path: []string{"sd*/size", "*/device/state", "block"}[g.chance(3)], Hang: true, Times: 1 + g.chance(3)})
		g.later("sysfs hangs: "+fault.Path, func() { g.w.MendSysfs(fault) })
	case 17:
		g.w.Udev.Stop()
		g.later("udevd is stopped", g.w.Udev.Continue)
	case 18:
		g.tell("kill -9")
		g.d.Kill()
		g.w.after(g.w.between(0, 20*second), func() {
			if !g.d.Running() {
				g.d.Start(g.cfg)
			}
		})
	case 19:
		d.FailIO = true
		g.later(d.Name+" fails every write", func() { d.FailIO = false })
	}
}

// calm ends everything; then every path must be active, and the best group in use.
func (g *gale) calm() {
	g.tell("calm")
	for _, end := range g.down {
		end()
	}
	g.run(100 * second)
	g.w.ScanAll()
	for _, l := range g.luns {
		l.SetAccess(1, Optimized)
		l.SetAccess(2, NonOptimized)
	}
	g.run(12 * mpath.Minute)
	g.wantSound()
	for i, l := range g.luns {
		m := g.w.MapOf(l)
		if m == nil || m.Suspended() || m.draining != nil || m.Queued() > 0 || m.live.multipaths()[0].valid() != 4 {
			for _, p := range g.d.Snapshot().Paths {
				if p.WWID == l.WWID() {
					g.Logf("%s %s: %s, refused %q, stranger %q, size %d, %s", p.Name, p.HCTL, p.State, p.Refused, p.Stranger, p.Seen.Facts.Size, p.Decision.Reason)
				}
			}
			g.fail("%s is not well: %d hang", l.Name, g.d.Hung())
		}
		if mp := m.live.multipaths()[0]; mp.groups[mp.shownGroup()-1].paths[0].disk.access() != Optimized {
			g.fail("%s: not the best group: %s", l.Name, groups(m))
		}
		if a := g.apps[i]; g.w.now.Since(a.lastGood) > 2*second {
			g.fail("%s: nothing written for %d s", l.Name, g.w.now.Since(a.lastGood).Seconds())
		}
	}
}

func runGale(t *testing.T, seed uint64) uint64 {
	g := newGale(t, seed)
	for end := g.w.now.After(6 * mpath.Minute); g.w.now < end; {
		g.run(g.w.between(0, 8*second))
		g.blow()
	}
	g.calm()
	return g.d.Hash()
}

func TestGale(t *testing.T) {
	if *galeSeed != 0 {
		runGale(t, *galeSeed)
		return
	}
	for i := range *galeSeeds {
		seed := uint64(i + 1)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runGale(t, seed) })
	}
	if a, b := runGale(t, 1), runGale(t, 1); a != b {
		t.Errorf("two gales of one seed: %x and %x", a, b)
	}
}

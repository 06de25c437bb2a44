package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pathkeeper/configs"
	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// rig is a world with a daemon on it and an application that writes.
type rig struct {
	*testing.T
	w    *World
	d    *Daemon
	cfg  policy.Config
	apps []*app
}

const second = mpath.Second

// plain admits everything and waits for little.
const plain = `
defaults {
	find_multipaths greedy
	user_friendly_names yes
	polling_interval 5
	max_polling_interval 20
	checker_timeout 10
	no_path_retry 12
	failback immediate
	path_grouping_policy group_by_prio
}
`

func newRig(t *testing.T, seed uint64, conf string) *rig {
	t.Helper()
	w := New(seed)
	return &rig{T: t, w: w, d: NewDaemon(w), cfg: parse(t, conf)}
}

func parse(t testing.TB, conf string) policy.Config {
	t.Helper()
	cfg, _, err := configs.Parse([]configs.File{{Path: "/etc/multipath.conf", Data: []byte(conf)}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// alua makes a LUN with two paths to each of two controllers: groups 1 and 2.
func (r *rig) alua(name string) (*LUN, []*Disk) {
	l := r.w.AddLUN(LUN{Name: name})
	l.SetAccess(2, NonOptimized)
	return l, []*Disk{r.w.AddPath(l, 2, 1), r.w.AddPath(l, 3, 1), r.w.AddPath(l, 2, 2), r.w.AddPath(l, 3, 2)}
}

func (r *rig) start(s mpath.Span) {
	r.Helper()
	r.d.Start(r.cfg)
	r.run(s)
}

func (r *rig) run(s mpath.Span) {
	r.Helper()
	if err := r.d.Run(s); err != nil {
		r.fail("%v", err)
	}
}

// fail shows the notes of the daemon with the failure.
func (r *rig) fail(format string, args ...any) {
	r.Helper()
	for _, n := range r.d.Notes[max(0, len(r.d.Notes)-40):] {
		r.Log(n)
	}
	for _, m := range r.w.maps {
		r.Logf("%s (%s) suspended=%v open=%d queued=%d\n\t%s\n\t%s", m.name, m.uuid, m.suspended, m.open, m.Queued(), m.Table(), m.Status())
	}
	r.Fatalf("step %d at %.3f s: "+format, append([]any{r.d.steps, float64(r.w.now) / 1e9}, args...)...)
}

func (r *rig) mapNamed(name string) *Map {
	r.Helper()
	m := r.w.Map(name)
	if m == nil {
		r.fail("no map %s among %v", name, r.w.Maps())
	}
	return m
}

// groups says the live groups and paths: "sda sdb | sdc sdd", the current group
// in brackets, failed paths with a '-'.
func groups(m *Map) string {
	var out []string
	mp := m.live.multipaths()[0]
	for i, g := range mp.groups {
		var s []string
		for _, p := range g.paths {
			name := p.disk.Name
			if !p.active {
				name = "-" + name
			}
			s = append(s, name)
		}
		text := strings.Join(s, " ")
		if mp.shownGroup() == i+1 {
			text = "[" + text + "]"
		}
		out = append(out, text)
	}
	return strings.Join(out, " | ")
}

func (r *rig) wantGroups(name, want string) {
	r.Helper()
	if got := groups(r.mapNamed(name)); got != want {
		r.fail("groups of %s: %s, want %s", name, got, want)
	}
}

func (r *rig) said(text string) bool {
	return slices.ContainsFunc(r.d.Notes, func(l Logged) bool { return strings.Contains(l.String(), text) })
}

func (r *rig) wantSaid(text string) {
	r.Helper()
	if !r.said(text) {
		r.fail("nobody said %q", text)
	}
}

// app writes block after block through a map and remembers what was confirmed.
type app struct {
	m        *Map
	lun      *LUN
	every    mpath.Span
	next     uint64
	open     int
	good     map[uint64]uint64
	errors   []*IO
	slowest  mpath.Span
	lastGood mpath.Instant
}

// write starts an application on a map that writes every so often.
func (r *rig) write(m *Map, l *LUN, every mpath.Span) *app {
	a := &app{m: m, lun: l, every: every, good: map[uint64]uint64{}}
	m.Open()
	r.apps = append(r.apps, a)
	a.tick(r.w)
	return a
}

func (a *app) tick(w *World) {
	a.next++
	block, stamp := a.next%997, a.next
	if a.open < 32 {
		a.open++
		a.m.Write(a.lun, block, stamp, func(io *IO) {
			a.open--
			a.slowest = max(a.slowest, io.Ended.Since(io.Sent))
			if io.Err != "" {
				a.errors = append(a.errors, io)
				return
			}
			a.lastGood = io.Ended
			a.good[block] = max(a.good[block], stamp)
		})
	}
	w.after(a.every, func() { a.tick(w) })
}

// wantSound checks that no write was lost, failed or led astray.
func (r *rig) wantSound() {
	r.Helper()
	for _, a := range r.apps {
		if len(a.errors) > 0 {
			io := a.errors[0]
			r.fail("%d I/O errors, the first: block %d sent at %.3f: %s", len(a.errors), io.Block, float64(io.Sent)/1e9, io.Err)
		}
	}
	r.wantNoStrays()
}

func (r *rig) wantNoStrays() {
	r.Helper()
	if len(r.w.Strays) > 0 {
		r.fail("%d writes reached a stranger, the first: %s", len(r.w.Strays), r.w.Strays[0])
	}
	for _, a := range r.apps {
		for block := range uint64(997) {
			if stamp, ok := a.good[block]; ok && a.lun.blocks[block] < stamp {
				r.fail("%s: block %d has stamp %d, %d was confirmed", a.lun.Name, block, a.lun.blocks[block], stamp)
			}
		}
	}
}

func (r *rig) pathView(name string) mpath.PathView {
	r.Helper()
	for _, p := range r.d.Snapshot().Paths {
		if p.Name == name {
			return p
		}
	}
	r.fail("the core does not know %s", name)
	return mpath.PathView{}
}

func (r *rig) mapView(name string) mpath.MapView {
	r.Helper()
	for _, m := range r.d.Snapshot().Maps {
		if m.Name == name {
			return m
		}
	}
	r.fail("the core does not know map %s", name)
	return mpath.MapView{}
}

func entry(l *LUN, alias, more string) string {
	return fmt.Sprintf("multipaths {\n multipath {\n  wwid %s\n  alias %s\n  %s\n }\n}\n", l.WWID(), alias, more)
}

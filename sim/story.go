package sim

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"pathkeeper/configs"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/show"
)

// storyConfig is written as such files were in 2010: the old spellings count.
const storyConfig = `defaults {
        user_friendly_names yes
        selector "round-robin 0"
        failback immediate
        no_path_retry 12
        polling_interval 5
}
multipaths {
        multipath {
                wwid SATA_VBOX_HARDDISK_VB0db2f233-269850e0_
                alias voting1
                uid 501
                gid 503
                mode 660
        }
        multipath {
                wwid SATA_VBOX_HARDDISK_VB5a531910-25f4eb9a_
                alias ocr1
                uid 0
                gid 503
                mode 640
        }
        multipath {
                wwid 3600140500000000300000000000051ff
                alias mysql1
                uid 27
                gid 27
                mode 660
                path_selector "service-time 0"
        }
}
`

// Story tells, on a simulated host and in a second, what a RAC-like host sees of
// Pathkeeper: its disks appear under their names and with their owners, a path is
// pulled under verified I/O, everything fails over and back, the daemon is killed
// and comes back, a path is led to another LUN. The error says what of it did not
// come true.
func Story(out io.Writer) error {
	t := &teller{out: out, w: New(2010)}
	t.d = NewDaemon(t.w)
	t.d.ResetNodes = false // our rules tell udevd the owners
	for _, scene := range []func() error{t.storage, t.maps, t.failover, t.failback, t.restart, t.stranger} {
		if err := scene(); err != nil {
			return err
		}
	}
	return t.summary()
}

// teller is a story under way.
type teller struct {
	out    io.Writer
	w      *World
	d      *Daemon
	lun    *LUN
	paths  []*Disk
	told   int // notes
	writes storyWriter
}

// storyWriter writes block after block and reads back at the end.
type storyWriter struct {
	m       *Map
	sent    int
	errors  int
	slowest mpath.Span
	good    []uint64 // by block: the last stamp that was confirmed
}

func (t *teller) say(format string, args ...any) {
	fmt.Fprintf(t.out, format+"\n", args...)
}

func (t *teller) title(text string) {
	t.say("\n== %s", text)
}

// pass lets the time pass and tells what the daemon noted.
func (t *teller) pass(s mpath.Span) error {
	err := t.d.Run(s)
	for _, n := range t.d.Notes[t.told:] {
		t.say("   %8.3f s  %s: %s", float64(n.At)/1e9, n.Note.Object, n.Note.Text)
	}
	t.told = len(t.d.Notes)
	return err
}

func (t *teller) storage() error {
	t.title("storage appears: two disks behind libata, one LUN behind two controllers with two ports each")
	for i, serial := range []string{"VB0db2f233-269850e0", "VB5a531910-25f4eb9a"} {
		t.w.AddPath(t.w.AddLUN(LUN{Name: serial, Vendor: "ATA", Product: "VBOX HARDDISK", Serial: serial, Sectors: 10 << 21}), uint32(i), 0)
	}
	t.lun = t.w.AddLUN(LUN{Name: "mysql1", NAA: "600140500000000300000000000051ff", Sectors: 100 << 21})
	t.lun.SetAccess(2, NonOptimized)
	for _, at := range [][2]int{{2, 1}, {3, 1}, {2, 2}, {3, 2}} {
		t.paths = append(t.paths, t.w.AddPath(t.lun, uint32(at[0]), at[1]))
	}
	cfg, messages, err := configs.Parse([]configs.File{{Path: "/etc/multipath.conf", Data: []byte(storyConfig)}})
	if err != nil {
		return err
	}
	for _, m := range messages {
		t.say("   %s", m)
	}
	t.d.Start(cfg)
	return t.pass(10 * mpath.Second)
}

func (t *teller) nodes() []mpath.NodeSeen {
	var out []mpath.NodeSeen
	for _, m := range t.w.maps {
		n := m.Node
		out = append(out, mpath.NodeSeen{Dev: table.DevNum{Major: n.Major, Minor: n.Minor}, UID: n.UID, GID: n.GID, Mode: n.Mode})
	}
	return out
}

func (t *teller) maps() error {
	t.title("the maps, as multipath -ll prints them, and their owners")
	t.say("%s\n%s", show.Topology(t.d.Snapshot(), show.TopologyOptions{Native: true}), show.Maps(t.d.Snapshot(), t.nodes()))
	if got := strings.Join(t.w.Maps(), " "); got != "mysql1 ocr1 voting1" {
		return fmt.Errorf("maps %s, want mysql1 ocr1 voting1", got)
	}
	for name, want := range map[string]string{"voting1": "501:503 660", "ocr1": "0:503 640", "mysql1": "27:27 660"} {
		n := t.w.Map(name).Node
		if got := fmt.Sprintf("%d:%d %o", n.UID, n.GID, n.Mode); got != want {
			return fmt.Errorf("owner and mode of %s are %s, want %s", name, got, want)
		}
	}
	return nil
}

// blocks is how many blocks the application goes round.
const blocks = 4096

func (t *teller) write() {
	a := &t.writes
	a.sent++
	block, stamp := uint64(a.sent%blocks), uint64(a.sent)
	a.m.Write(t.lun, block, stamp, func(io *IO) {
		a.slowest = max(a.slowest, io.Ended.Since(io.Sent))
		if io.Err != "" {
			a.errors++
			return
		}
		a.good[block] = max(a.good[block], stamp)
	})
	t.w.After(5*mpath.Millisecond, t.write)
}

func (t *teller) topology() {
	s, _ := show.Select(t.d.Snapshot(), "mysql1")
	t.say("%s", strings.TrimRight(show.Topology(s, show.TopologyOptions{Native: true}), "\n"))
}

// want checks where I/O goes now: the names of the paths of the current group.
func (t *teller) want(names ...string) error {
	mp := t.w.Map("mysql1").live.multipaths()[0]
	var got []string
	for _, p := range mp.groups[mp.shownGroup()-1].paths {
		if p.active {
			got = append(got, p.disk.Name)
		}
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		return fmt.Errorf("I/O goes through %v, want %v", got, names)
	}
	return nil
}

func (t *teller) failover() error {
	t.title("under verified I/O, one path of the optimized controller is pulled, then the other")
	m := t.w.Map("mysql1")
	m.Open()
	t.writes = storyWriter{m: m, good: make([]uint64, blocks)}
	t.write()
	if err := t.pass(5 * mpath.Second); err != nil {
		return err
	}
	t.paths[0].Break(NoConnect)
	if err := errors.Join(t.pass(15*mpath.Second), t.want("sdd")); err != nil {
		return err
	}
	t.paths[1].Break(NoConnect)
	if err := errors.Join(t.pass(15*mpath.Second), t.want("sde", "sdf")); err != nil {
		return err
	}
	t.topology()
	return nil
}

func (t *teller) failback() error {
	t.title("both are plugged in again")
	t.paths[0].Break(Healthy)
	t.paths[1].Break(Healthy)
	if err := errors.Join(t.pass(30*mpath.Second), t.want("sdc", "sdd")); err != nil {
		return err
	}
	t.topology()
	return nil
}

func (t *teller) restart() error {
	t.title("the daemon is killed and comes back: nothing is loaded, nothing suspended")
	m := t.w.Map("mysql1")
	loads, suspends := m.Loads, m.Suspends
	t.d.Kill()
	if err := t.pass(10 * mpath.Second); err != nil {
		return err
	}
	t.d.Start(t.d.config.Config)
	if err := t.pass(20 * mpath.Second); err != nil {
		return err
	}
	if m.Loads != loads || m.Suspends != suspends {
		return fmt.Errorf("the restart made %d loads and %d suspensions", m.Loads-loads, m.Suspends-suspends)
	}
	return nil
}

func (t *teller) stranger() error {
	t.title("a path goes down and comes back as the way to another LUN")
	other := t.w.AddLUN(LUN{Name: "somebody else's", NAA: "600140500000000900000000000099aa", Sectors: 100 << 21})
	t.paths[0].Break(NoConnect)
	if err := t.pass(15 * mpath.Second); err != nil {
		return err
	}
	t.paths[0].Remap(other, false)
	t.paths[0].Break(Healthy)
	if err := errors.Join(t.pass(30*mpath.Second), t.want("sdd")); err != nil {
		return err
	}
	t.topology()
	if n := other.Blocks(); n > 0 {
		return fmt.Errorf("%d blocks of the other LUN were written", n)
	}
	return nil
}

func (t *teller) summary() error {
	a := &t.writes
	wrong := 0
	for block, stamp := range a.good {
		if stamp > 0 && t.lun.blocks[uint64(block)] < stamp {
			wrong++
		}
	}
	t.say("\n%d writes in %d simulated seconds: %d errors, %d wrong blocks, %d on a stranger's disk; the slowest took %.3f s",
		a.sent, t.w.now.Since(0).Seconds()-100, a.errors, wrong, len(t.w.Strays), float64(a.slowest)/1e9)
	if a.errors+wrong+len(t.w.Strays) > 0 {
		return errors.New("the I/O was not sound")
	}
	return nil
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pathkeeper/scenario"
	"pathkeeper/sim"
	"pathkeeper/sysfs"
)

// Programs that are not ours call multipath and multipathd and take apart what they
// print. Each client here is one such program: what it calls, and what it must find
// there by its own rules, which are written anew as facts (docs/clients.md says whose
// they are). What is true is not asked of our own printing, but of the simulated
// kernel's sysfs and of the script that made the host.

// plainHost has a LUN by two groups with a path that failed, one without any that
// works, one whose name is its WWID, a single disk that nobody wants and one that the
// blacklist keeps out.
const plainHost = `# A host for clients.
only: sim
lun db 64M A1 A2 B1 B2
lun log 3G A1 B1
lun gone 10G A1 B1
lun bare 1T A1 B1
lun single 64M C1
lun out 64M C1
alua db B nonoptimized
config <<END
defaults {
	find_multipaths yes
	user_friendly_names yes
	no_path_retry 12
	polling_interval 5
}
blacklist {
	wwid @wwid:out
}
multipaths {
	multipath {
		wwid @wwid:log
		alias pg-log_1
	}
	multipath {
		wwid @wwid:bare
		alias @wwid:bare
	}
	multipath {
		wwid @wwid:gone
		no_path_retry fail
	}
}
END
daemon start
expect daemon running
pass 2s
path db A2 offline
path gone A1 offline
path gone B1 offline
io w start /dev/mapper/pg-log_1
pass 22s
io w stop
`

// hostileHost has a name with blanks, quotes and letters beyond ASCII, and a map
// without any path that somebody else has made.
const hostileHost = `# Names that nobody expects.
only: sim
lun odd 64M A1 B1
config <<END
defaults {
	find_multipaths yes
}
multipaths {
	multipath {
		wwid @wwid:odd
		alias "my ""disk"" é|,;'x"
	}
}
END
run dmsetup create empty -u mpath-3600empty --table "0 131072 multipath 0 0 0 0"
daemon start
expect daemon running
pass 2s
`

// clientHost is a simulated host with what is true of it.
type clientHost struct {
	t    *testing.T
	s    *sim.Session
	maps []truthMap // by name
}

// truthMap is a map as sysfs and the script know it.
type truthMap struct {
	lun, name, wwid, dm, size string
	paths                     []truthPath // by kernel name
}

type truthPath struct {
	dev, devt, hctl string
	works           bool
	group           int
}

func newClientHost(t *testing.T, text string) *clientHost {
	t.Helper()
	script, err := scenario.Parse("host", text)
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	h := &clientHost{t: t, s: sim.NewSession(simOptions{seed: 1}.scriptOptions(".", streams{&told, io.Discard}))}
	if err := h.s.Play(script); err != nil {
		t.Fatalf("%v\n%s", err, told.String())
	}
	return h
}

// call runs a program of the host.
func (h *clientHost) call(words ...string) (out, talk string, code int) {
	h.t.Helper()
	var o, e bytes.Buffer
	code, err := h.s.Execute(words, &o, &e)
	if err != nil {
		h.t.Fatalf("%q: %v", words, err)
	}
	return o.String(), e.String(), code
}

// do plays a line of a script.
func (h *clientHost) do(line string) {
	h.t.Helper()
	c, err := scenario.ParseCommand("line", 1, line, scenario.Sim, func() (string, bool) { return "", false })
	if err == nil {
		err = h.s.Do(c)
	}
	if err != nil {
		h.t.Fatalf("%s: %v", line, err)
	}
}

func (h *clientHost) disk(name string) sysfs.Disk {
	h.t.Helper()
	d, err := sysfs.ReadDisk(h.s.Sysfs(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

// learn reads what is true of the maps from sysfs. sick are the paths that the script
// has broken, group says in which group a path's host is.
func (h *clientHost) learn(lunOf func(d sysfs.Disk) string, sick func(lun string, d sysfs.Disk) bool, group func(lun string, d sysfs.Disk) int) {
	h.t.Helper()
	names, err := sysfs.ListBlock(h.s.Sysfs())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, name := range names {
		d := h.disk(name)
		wwid, is := strings.CutPrefix(d.DM.UUID, "mpath-")
		if !is {
			continue
		}
		m := truthMap{name: d.DM.Name, wwid: wwid, dm: name, size: sizeWord(d.Sectors)}
		for _, slave := range d.Slaves {
			p := h.disk(slave)
			m.lun = lunOf(p)
			hctl := fmt.Sprintf("%d:%d:%d:%d", p.SCSI.Host, p.SCSI.Channel, p.SCSI.Target, p.SCSI.LUN)
			m.paths = append(m.paths, truthPath{slave, fmt.Sprintf("%d:%d", p.Major, p.Minor), hctl, !sick(m.lun, p), group(m.lun, p)})
		}
		slices.SortFunc(m.paths, func(a, b truthPath) int { return strings.Compare(a.dev, b.dev) })
		h.maps = append(h.maps, m)
	}
	slices.SortFunc(h.maps, func(a, b truthMap) int { return strings.Compare(a.name, b.name) })
}

// sizeWord is a size as people and multipath-tools write it.
func sizeWord(sectors uint64) string {
	size, unit := float64(sectors)/2, 0
	for ; size >= 1024; unit++ {
		size /= 1024
	}
	if size < 10 {
		return strconv.FormatFloat(size, 'f', 1, 64) + "KMGT"[unit:unit+1]
	}
	return strconv.FormatFloat(size, 'f', 0, 64) + "KMGT"[unit:unit+1]
}

// plainClients is the host that most clients are tried on.
func plainClients(t *testing.T) *clientHost {
	t.Helper()
	h := newClientHost(t, plainHost)
	luns := map[uint64]string{0: "db", 1: "log", 2: "gone", 3: "bare", 4: "single", 5: "out"}
	h.learn(func(d sysfs.Disk) string { return luns[d.SCSI.LUN] },
		func(_ string, d sysfs.Disk) bool { return d.SCSI.State == "offline" },
		func(lun string, d sysfs.Disk) int {
			if lun == "db" && d.SCSI.Target > 1 {
				return 2 // controller B is not optimized
			}
			return 1
		})
	for _, lun := range []string{"db", "log", "gone", "bare"} {
		m := h.lun(lun)
		if want := map[string]int{"db": 4}[lun]; len(m.paths) != max(want, 2) {
			t.Fatalf("%s has %d paths: %+v", lun, len(m.paths), m)
		}
	}
	if len(h.maps) != 4 || h.lun("db").works() != 3 || h.lun("gone").works() != 0 || h.lun("bare").name != h.lun("bare").wwid {
		t.Fatalf("this is not the host that is meant: %+v", h.maps)
	}
	return h
}

func (h *clientHost) lun(name string) truthMap {
	h.t.Helper()
	for _, m := range h.maps {
		if m.lun == name {
			return m
		}
	}
	h.t.Fatalf("LUN %s has no map", name)
	return truthMap{}
}

func (m truthMap) works() (n int) {
	for _, p := range m.paths {
		if p.works {
			n++
		}
	}
	return n
}

// devs are the kernel names of a map's paths.
func (m truthMap) devs() (out []string) {
	for _, p := range m.paths {
		out = append(out, p.dev)
	}
	return out
}

// clientCase is a program that is not ours.
type clientCase struct {
	who  string // its name, and the function where it has several
	argv string // what it runs, "@" words as scripts have them
	code int
	// reads takes the output apart by the client's rules and says what it would get
	// wrong. talk is standard error.
	reads func(h *clientHost, out, talk string) error
}

// TestClients holds our output against the rules of those who read it.
func TestClients(t *testing.T) {
	h := plainClients(t)
	for _, c := range slices.Concat(topologyClients(), tableClients(), jsonClients(), otherClients()) {
		t.Run(strings.ReplaceAll(c.who, " ", "_"), func(t *testing.T) {
			words, err := scenario.Words(c.argv)
			if err != nil {
				t.Fatal(err)
			}
			h.t = t
			out, talk, code := h.call(words...)
			if code != c.code {
				t.Errorf("%s: exit %d, not %d: %s%s", c.argv, code, c.code, out, talk)
			}
			if err := c.reads(h, out, talk); err != nil {
				t.Errorf("%s: %v\n%s%s", c.argv, err, out, talk)
			}
		})
	}
}

// differs compares what a client has read with what is true.
func differs[T any](what string, got, want T) error {
	if g, w := fmt.Sprintf("%v", got), fmt.Sprintf("%v", want); g != w {
		return fmt.Errorf("%s: read\n%s\nit is\n%s", what, g, w)
	}
	return nil
}

// lines splits as splitlines does.
func lines(out string) []string {
	if out == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/partition"
	"pathkeeper/sim"
)

func TestParseKpartx(t *testing.T) {
	for _, c := range []struct {
		args string
		want kpartxOptions
		bad  string
	}{
		{args: "/dev/sda", want: kpartxOptions{do: 'l', device: "/dev/sda"}},
		{args: "-un -p -part /dev/dm-3", want: kpartxOptions{do: 'u', noSync: true, delimiter: "-part", hasDelimiter: true, device: "/dev/dm-3"}},
		{args: "-avsrfg img", want: kpartxOptions{do: 'a', verbose: true, readOnly: true, force: true, scan: partition.Options{ForceGPT: true}, device: "img"}},
		{args: "img -d", want: kpartxOptions{do: 'd', device: "img"}},
		{args: "-p_ -tdos -- -d", want: kpartxOptions{do: 'l', delimiter: "_", hasDelimiter: true, scan: partition.Options{Only: partition.SchemeDOS}, device: "-d"}},
		{args: "-ns img other", want: kpartxOptions{do: 'l', device: "img"}},
		{args: "-t gpt img", want: kpartxOptions{do: 'l', scan: partition.Options{Only: partition.SchemeGPT}, device: "img"}},
		{args: "", bad: "0 are named"},
		{args: "a b c", bad: "3 are named"},
		{args: "-x img", bad: "no option -x"},
		{args: "img -p", bad: "-p wants a value"},
		{args: "-t sun img", bad: "tables of type sun are not read"},
		{args: "-t foo img", bad: "no type of table"},
	} {
		got, err := parseKpartx(strings.Fields(c.args))
		switch {
		case c.bad != "":
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%q: error %v, want %q", c.args, err, c.bad)
			}
		case err != nil || got != c.want:
			t.Errorf("%q: %+v %v\nwant %+v", c.args, got, err, c.want)
		}
	}
}

// parts is a host for kpartx: the simulated kernel, and a table that the test sets.
type parts struct {
	t      *testing.T
	w      *sim.World
	parent *sim.Map
	table  partition.Table
	size   table.Sectors
	err    error
}

func (p *parts) readTable(string, partition.Options) (kpartxFound, error) {
	return kpartxFound{Table: p.table, Size: p.size}, p.err
}
func (p *parts) ownNode(table.Name, table.DevNum, string) error { return nil }
func (p *parts) dropNode(table.Name)                            {}

func newParts(t *testing.T) *parts {
	w := sim.New(1)
	d := w.AddPath(w.AddLUN(sim.LUN{Name: "one", Sectors: 1 << 20}), 2, 1)
	m, err := w.AddLinear("ocr1", "mpath-3600a", d.Name, 0, 100000)
	if err != nil {
		t.Fatal(err)
	}
	return &parts{t: t, w: w, parent: m, size: 100000}
}

func (p *parts) gpt(ps ...partition.Partition) *parts {
	p.table = partition.Table{Scheme: partition.SchemeGPT, Partitions: ps}
	return p
}

// kpartx runs it on the map and gives what it printed and said.
func (p *parts) kpartx(args string) (out, talk string, code int) {
	p.t.Helper()
	o, err := parseKpartx(append(strings.Fields(args), "/dev/mapper/ocr1"))
	if err != nil {
		p.t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	k := &kpartx{o: o, host: p, dm: p.w.Ports().DM, std: streams{&stdout, &stderr}, waits: noWait{}, device: o.device}
	if err := k.identify(table.DevNum{Major: p.parent.Node.Major, Minor: p.parent.Node.Minor}, "ocr1"); err != nil {
		p.t.Fatal(err)
	}
	failed, err := k.work(loopDevice{})
	if err != nil {
		fmt.Fprintln(&stderr, err)
		failed = max(failed, 1)
	}
	return stdout.String(), stderr.String(), failed
}

// maps are the partition maps that the kernel has.
func (p *parts) maps() []string {
	var out []string
	for _, n := range p.w.Maps() {
		if m := p.w.Map(n); m != p.parent {
			out = append(out, fmt.Sprintf("%s %s %s", n, m.UUID(), m.Table()))
		}
	}
	return out
}

func (p *parts) wantMaps(want ...string) {
	p.t.Helper()
	if got := p.maps(); !cmp.Equal(got, want) {
		p.t.Errorf("maps %q\nwant %q", got, want)
	}
}

func TestKpartxMaps(t *testing.T) {
	one, two := partition.Partition{Number: 1, Start: 2048, Size: 4096}, partition.Partition{Number: 2, Start: 8192, Size: 4096}
	const map1, map2 = "ocr1-part1 part1-mpath-3600a 254:0 2048", "ocr1-part2 part2-mpath-3600a 254:0 8192"
	p := newParts(t).gpt(one, two)

	out, talk, code := p.kpartx("-l -p -part")
	if want := "ocr1-part1 : 0 4096 /dev/mapper/ocr1 2048\nocr1-part2 : 0 4096 /dev/mapper/ocr1 8192\n"; out != want || talk != "" || code != 0 {
		t.Errorf("list: %q %q %d, want %q", out, talk, code, want)
	}
	if out, _, _ := p.kpartx("-l"); !strings.HasPrefix(out, "ocr1p1 : 0") {
		t.Errorf("list: %q", out)
	}
	p.wantMaps()
	out, talk, code = p.kpartx("-av -p -part")
	if want := "add map ocr1-part1 (254:1): 0 4096 linear 254:0 2048\nadd map ocr1-part2 (254:2): 0 4096 linear 254:0 8192\n"; out != want || talk != "" || code != 0 {
		t.Errorf("add: %q %q %d, want %q", out, talk, code, want)
	}
	p.wantMaps(map1, map2)

	loads := p.w.Map("ocr1-part1").Loads
	if again, _, code := p.kpartx("-uv -p -part"); again != out || code != 0 {
		t.Errorf("again: %q %d", again, code)
	}
	if n := p.w.Map("ocr1-part1").Loads; n != loads {
		t.Errorf("a map that is right was loaded %d times", n-loads)
	}

	// An open map stays where it is, and is not removed.
	p.w.Map("ocr1-part1").Open()
	p.gpt(partition.Partition{Number: 1, Start: 4096, Size: 1000})
	out, talk, code = p.kpartx("-uv -p -part")
	if !strings.Contains(talk, "ocr1-part1 is left as it is: it is open 1 times") || code != 1 || out != "del devmap : ocr1-part2\n" {
		t.Errorf("moved while open: %q %q %d", out, talk, code)
	}
	p.wantMaps(map1)
	if _, talk, code = p.kpartx("-d"); code != 1 || !strings.Contains(talk, "in use") {
		t.Errorf("delete while open: %q %d", talk, code)
	}
	p.gpt()
	if _, talk, code = p.kpartx("-u"); code != 1 || !strings.Contains(talk, "in use") {
		t.Errorf("stale while open: %q %d", talk, code)
	}
	p.wantMaps(map1)
	p.w.Map("ocr1-part1").Close()

	// Renamed as the map is called, and moved, once nobody has it open.
	p.gpt(partition.Partition{Number: 1, Start: 4096, Size: 1000})
	if _, talk, code = p.kpartx("-u"); code != 0 {
		t.Errorf("rename: %q %d", talk, code)
	}
	p.wantMaps("ocr1p1 part1-mpath-3600a 254:0 4096")
	if out, _, code = p.kpartx("-dv"); out != "del devmap : ocr1p1\n" || code != 0 {
		t.Errorf("delete: %q %d", out, code)
	}
	p.wantMaps()
}

// TestKpartxTrouble: what cannot be done is said, and nothing is left of it.
func TestKpartxTrouble(t *testing.T) {
	p := newParts(t).gpt(partition.Partition{Number: 1, Start: 2048, Size: 4096}, partition.Partition{Number: 2, Start: 99000, Size: 4096})
	p.size = 1 << 20 // the kernel knows better
	if _, talk, code := p.kpartx("-a"); code != 1 || !strings.Contains(talk, "ocr1p2") {
		t.Errorf("beyond the end: %q %d", talk, code)
	}
	p.wantMaps("ocr1p1 part1-mpath-3600a 254:0 2048")

	p.gpt()
	p.table.Bad = "input/output error"
	if _, talk, code := p.kpartx("-u"); code != 1 || !strings.Contains(talk, "input/output error") {
		t.Errorf("unreadable: %q %d", talk, code)
	}
	p.table, p.err = partition.Table{}, errStuck
	if _, talk, code := p.kpartx("-u"); code != 1 || !strings.Contains(talk, "no answer") {
		t.Errorf("stuck: %q %d", talk, code)
	}
	p.err = nil
	if out, talk, code := p.kpartx("-uv"); code != 0 || out+talk != "" {
		t.Errorf("no table: %q %q %d", out, talk, code)
	}
	p.wantMaps("ocr1p1 part1-mpath-3600a 254:0 2048")
}

// TestKpartxRace: who opens a map between the look at it and the new table keeps it.
func TestKpartxRace(t *testing.T) {
	p := newParts(t).gpt(partition.Partition{Number: 1, Start: 2048, Size: 4096})
	p.kpartx("-a")
	p.gpt(partition.Partition{Number: 1, Start: 4096, Size: 4096})
	o, _ := parseKpartx([]string{"-u", "/dev/mapper/ocr1"})
	var talk bytes.Buffer
	opener := openOnLoad{p.w.Ports().DM, p.w.Map("ocr1p1")}
	k := &kpartx{o: o, host: p, dm: opener, std: streams{&talk, &talk}, waits: noWait{}, device: o.device}
	if err := k.identify(table.DevNum{Major: p.parent.Node.Major, Minor: p.parent.Node.Minor}, "ocr1"); err != nil {
		t.Fatal(err)
	}
	failed, err := k.work(loopDevice{})
	if failed != 1 || err != nil || !strings.Contains(talk.String(), "somebody opened it meanwhile") {
		t.Errorf("%d %v %q", failed, err, talk.String())
	}
	p.wantMaps("ocr1p1 part1-mpath-3600a 254:0 2048")
}

// openOnLoad opens a map when a table is loaded.
type openOnLoad struct {
	dmmap.Port
	m *sim.Map
}

func (o openOnLoad) Ioctl(cmd uint32, buf []byte) ([]byte, uint32) {
	out, errno := o.Port.Ioctl(cmd, buf)
	if cmd == dmmap.CmdLoad {
		o.m.Open()
	}
	return out, errno
}

// TestNoPartitions: a map with that feature gets none, unless forced.
func TestNoPartitions(t *testing.T) {
	for params, want := range map[string]bool{
		"1 no_partitions 0 1 1 service-time 0 1 1 8:0 1":                  true,
		"2 queue_if_no_path no_partitions 0 1 1 service-time 0 1 1 8:0 1": true,
		"1 queue_if_no_path 0 1 1 service-time 0 1 1 8:0 1":               false,
		"garbage": false,
	} {
		if got := forbidsPartitions([]table.Line{{Length: 8, Target: table.Multipath, Params: params}}); got != want {
			t.Errorf("%s: %v", params, got)
		}
	}
	p := newParts(t).gpt(partition.Partition{Number: 1, Start: 2048, Size: 4096})
	for _, force := range []bool{false, true} {
		k := &kpartx{o: kpartxOptions{do: kpartxAdd, force: force}, host: p, dm: p.w.Ports().DM, std: streams{io.Discard, io.Discard}, waits: noWait{}}
		if err := k.identify(table.DevNum{Major: p.parent.Node.Major, Minor: p.parent.Node.Minor}, "ocr1"); err != nil {
			t.Fatal(err)
		}
		k.parent.noPartitions = true
		if failed, err := k.work(loopDevice{}); failed != 0 || err != nil {
			t.Fatal(failed, err)
		}
		if got := len(p.maps()) > 0; got != force {
			t.Errorf("forced %v: maps %q", force, p.maps())
		}
	}
}

// TestListLogical: logical partitions are listed as kpartx 0.9.4 was seen to.
func TestListLogical(t *testing.T) {
	p := newParts(t)
	p.table = partition.Table{Scheme: partition.SchemeDOS, Partitions: []partition.Partition{
		{Number: 1, Start: 2048, Size: 4096},
		{Number: 2, Start: 8192, Size: 2},
		{Number: 3, Start: 100000, Size: 2000},
		{Number: 5, Start: 10240, Size: 2000, Container: 2},
		{Number: 6, Start: 14336, Size: 2000, Container: 2},
	}}
	out, _, _ := p.kpartx("-l")
	const want = `ocr1p1 : 0 4096 /dev/mapper/ocr1 2048
ocr1p2 : 0 2 /dev/mapper/ocr1 8192
ocr1p3 : 0 2000 /dev/mapper/ocr1 100000
ocr1p5 : 0 2000 /dev/dm-1 2048
ocr1p6 : 0 2000 /dev/dm-1 6144
`
	if out != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}

// TestReaderIsLeft: a read that never ends does not keep kpartx.
func TestReaderIsLeft(t *testing.T) {
	if os.Getenv("PATHKEEPER_TEST_STUCK") == "yes" {
		for {
			_ = unix.Pause()
		}
	}
	c := exec.Command(os.Args[0], "-test.run=^TestReaderIsLeft$")
	c.Env = append(os.Environ(), "PATHKEEPER_TEST_STUCK=yes")
	_, err := runBounded(c, 100*time.Millisecond)
	if !errors.Is(err, errStuck) {
		t.Errorf("got %v", err)
	}
}

// TestReadPartitions reads a simulated disk through the port.
func TestReadPartitions(t *testing.T) {
	w := sim.New(1)
	d := w.AddPath(w.AddLUN(sim.LUN{Name: "one", Sectors: 1 << 20}), 2, 1)
	found, err := readPartitions(w.Ports().Block, d.Name, partition.Options{})
	if err != nil || found.Size != 1<<20 || found.Table.Scheme != partition.SchemeNone {
		t.Errorf("%+v %v", found, err)
	}
	if _, err := readPartitions(w.Ports().Block, "sdzz", partition.Options{}); err == nil {
		t.Error("a disk that is not there was read")
	}
}

// Who lacks the right is not sent to load a module.
func TestNoLoop(t *testing.T) {
	for err, want := range map[error]string{unix.EACCES: "needs root", unix.EPERM: "needs root", unix.ENOENT: "modprobe loop"} {
		if have := noLoop(&fs.PathError{Op: "open", Path: "/dev/loop-control", Err: err}).Error(); !strings.Contains(have, want) {
			t.Errorf("%v: %s", err, have)
		}
	}
}

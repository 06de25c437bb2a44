package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/blockio"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
)

// fakeBlock has sda and sdb, and writes down what is done to them.
type fakeBlock struct {
	busy, gone string
	did        []string
	node       blockio.Node
	nodeErrno  uint32
}

func (f *fakeBlock) ReadAt(_ string, _ uint64, n uint32) ([]byte, uint32) {
	return make([]byte, n/2), eIO
}

func (f *fakeBlock) Info(string) (blockio.Info, uint32) { return blockio.Info{}, 0 }

func (f *fakeBlock) ProbeExclusive(name string) uint32 {
	f.did = append(f.did, "probe "+name)
	if name == f.busy {
		return eBUSY
	}
	return 0
}

func (f *fakeBlock) Hold(name string) (uint64, blockio.Info, uint32) {
	f.did = append(f.did, "hold "+name)
	if name == f.gone {
		return 0, blockio.Info{}, eNXIO
	}
	minor := uint32(name[2]-'a') * 16
	return uint64(minor) + 100, blockio.Info{Major: 8, Minor: minor, Diskseq: uint64(minor) + 1}, 0
}

func (f *fakeBlock) Release(id uint64) uint32 {
	f.did = append(f.did, fmt.Sprint("release ", id))
	return 0
}

func (f *fakeBlock) Node(path string) (blockio.Node, uint32) {
	f.did = append(f.did, "look at "+path)
	return f.node, f.nodeErrno
}

func (f *fakeBlock) SetNode(path string, n blockio.Node) (bool, uint32) {
	f.did = append(f.did, fmt.Sprintf("set %s to %+v", path, n))
	return true, 0
}

func holdOf(exclusive bool, names ...string) Ask {
	a := Ask{Kind: KindHold, Exclusive: exclusive}
	for _, n := range names {
		minor := uint32(n[2]-'a') * 16
		a.Paths = append(a.Paths, mpath.PathRef{ID: mpath.PathID{Dev: table.DevNum{Major: 8, Minor: minor}, Diskseq: uint64(minor) + 1}, Name: n})
	}
	return a
}

// TestHold: all devices or none, each of them the one that is meant.
func TestHold(t *testing.T) {
	other := holdOf(false, "sda", "sdb")
	other.Paths[1].ID.Diskseq = 99
	for _, c := range []struct {
		what  string
		block fakeBlock
		ask   Ask
		want  Answer
		did   []string
	}{
		{"all there", fakeBlock{}, holdOf(false, "sda", "sdb"), Answer{Held: []uint64{100, 116}}, []string{"hold sda", "hold sdb"}},
		{"exclusively", fakeBlock{}, holdOf(true, "sda"), Answer{Held: []uint64{100}}, []string{"probe sda", "hold sda"}},
		{
			"one is in use",
			fakeBlock{busy: "sdb"},
			holdOf(true, "sda", "sdb"),
			Answer{Errno: eBUSY, Detail: "sdb is opened exclusively by another program, or part of it is mounted or held"},
			[]string{"probe sda", "hold sda", "probe sdb", "release 100"},
		},
		{"one is gone", fakeBlock{gone: "sdb"}, holdOf(false, "sda", "sdb"), Answer{Errno: eNXIO, Detail: "sdb: errno 6"}, []string{"hold sda", "hold sdb", "release 100"}},
		{
			"another device has its name",
			fakeBlock{},
			other,
			Answer{Errno: eSTALE, Detail: "sdb is 8:16@17 now, not 8:16@99: another device has its name"},
			[]string{"hold sda", "hold sdb", "release 100", "release 116"},
		},
	} {
		got := Ports{Block: &c.block}.Perform(c.ask)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: -want +have:\n%s", c.what, d)
		}
		if d := cmp.Diff(c.did, c.block.did); d != "" {
			t.Errorf("%s: -want +have:\n%s", c.what, d)
		}
	}
	b := fakeBlock{}
	Ports{Block: &b}.Perform(Ask{Kind: KindRelease, Held: []uint64{1, 2}})
	if d := cmp.Diff([]string{"release 1", "release 2"}, b.did); d != "" {
		t.Error(d)
	}
	if a := (Ports{Block: &b}).Perform(Ask{Kind: KindReadDisk, Length: 512}); a.N != 256 || a.Errno != eIO {
		t.Errorf("a read: %+v", a)
	}
	if a := (Ports{}).Perform(Ask{}); a.Errno != eINVAL {
		t.Errorf("no request: %+v", a)
	}
}

// TestOwnerOfNode: what is negative stays as it is, 0 is root.
func TestOwnerOfNode(t *testing.T) {
	now := blockio.Node{Major: 1, Minor: 1, UID: 7, GID: 8, Mode: 0o600}
	for _, c := range []struct {
		owner mpath.Owner
		want  blockio.Node
	}{
		{mpath.Owner{UID: 501, GID: -1, Mode: -1}, blockio.Node{Major: 253, Minor: 3, UID: 501, GID: 8, Mode: 0o600}},
		{mpath.Owner{UID: -1, GID: 0, Mode: -1}, blockio.Node{Major: 253, Minor: 3, UID: 7, GID: 0, Mode: 0o600}},
		{mpath.Owner{UID: 0, GID: -1, Mode: 0}, blockio.Node{Major: 253, Minor: 3, UID: 0, GID: 8, Mode: 0}},
	} {
		b := fakeBlock{node: now}
		a := Ports{Nodes: &b}.Perform(Ask{Kind: KindOwner, Dev: table.DevNum{Major: 253, Minor: 3}, Owner: c.owner})
		if a.Errno != 0 {
			t.Errorf("%+v", a)
		}
		if d := cmp.Diff([]string{"look at dm-3", fmt.Sprintf("set dm-3 to %+v", c.want)}, b.did); d != "" {
			t.Error(d)
		}
	}
	b := fakeBlock{nodeErrno: eNOENT}
	if a := (Ports{Nodes: &b}).Perform(Ask{Kind: KindOwner}); a.Errno != eNOENT || len(b.did) != 1 {
		t.Errorf("no node: %+v, %v", a, b.did)
	}
}

// fakeTree is sysfs as a map.
type fakeTree map[string]string

func (f fakeTree) ReadAttr(path string, _ int) ([]byte, error) {
	text, ok := f[path]
	if !ok {
		return nil, sysfs.ErrAbsent
	}
	return []byte(text), nil
}

func (f fakeTree) ReadDir(path string) ([]string, error) {
	names, ok := f[path+"/"]
	if !ok {
		return nil, sysfs.ErrGone
	}
	return strings.Fields(names), nil
}

func (f fakeTree) ReadLink(string) (string, error) { return "", sysfs.ErrAbsent }

// TestScan: what cannot be a path is not even named; what leaves in the middle is
// left out; a kernel without diskseq is well.
func TestScan(t *testing.T) {
	tree := fakeTree{
		"block/":        "dm-0 fd0 loop1 nbd0 ram0 sda sdb sdc sr0 zram0",
		"block/sda/dev": "8:0\n", "block/sda/diskseq": "7\n",
		"block/sdb/dev": "8:16\n",
		"block/sr0/dev": "11:0\n", "block/dm-0/dev": "253:0\n",
	}
	a := Ports{Sysfs: tree}.Perform(Ask{Kind: KindScan})
	want := []mpath.Disk{{Name: "sda", Dev: table.DevNum{Major: 8}, Diskseq: 7}, {Name: "sdb", Dev: table.DevNum{Major: 8, Minor: 16}}}
	if d := cmp.Diff(want, a.Disks); d != "" || a.Errno != 0 {
		t.Errorf("%+v\n%s", a, d)
	}
	if a := (Ports{Sysfs: fakeTree{}}).Perform(Ask{Kind: KindScan}); a.Errno == 0 {
		t.Error("no sysfs, and no error")
	}
	for name, want := range map[string]bool{"dm-0": false, "dm-9": false, "dm-": false, "loop": false, "fda": true, "md/": true, "md:": true, "sda": true, "vda": true, "nvme0n1": true, "srx": true} {
		if Candidate(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

type errnoError uint32

func (e errnoError) Error() string   { return "read-only file system" }
func (e errnoError) Is(t error) bool { return false }

// TestErrorNumbers: each kind of error has the number that somebody decides on.
func TestErrorNumbers(t *testing.T) {
	for _, c := range []struct {
		err  error
		want uint32
	}{
		{nil, 0},
		{fmt.Errorf("reading: %w", sysfs.ErrGone), eNODEV},
		{fmt.Errorf("reading: %w", sysfs.ErrAbsent), eNOENT},
		{fs.ErrNotExist, eNOENT},
		{fs.ErrPermission, eACCES},
		{fs.ErrExist, eEXIST},
		{statefile.ErrReadOnly, eROFS},
		{errnoError(1), eROFS},
		{errors.New("read-only file system"), eIO},
		{errors.New("anything"), eIO},
	} {
		a := withError(Answer{}, c.err)
		if a.Errno != c.want || (a.Detail == "") != (c.err == nil) {
			t.Errorf("%v: %+v, want %d", c.err, a, c.want)
		}
	}
	names := map[uint32]mpath.Errno{
		0: mpath.ErrnoNone, eBUSY: mpath.ErrnoBusy, eINVAL: mpath.ErrnoInvalid, eNXIO: mpath.ErrnoGone, eNODEV: mpath.ErrnoGone, eNOENT: mpath.ErrnoGone,
		eNOMEM: mpath.ErrnoNoMem, eIO: mpath.ErrnoIO, eROFS: mpath.ErrnoReadOnly, eEXIST: mpath.ErrnoExists, ePERM: mpath.ErrnoDenied, eACCES: mpath.ErrnoDenied,
		eSTALE: mpath.ErrnoChanged, eTIMEUP: mpath.ErrnoTimeout, 99: mpath.ErrnoOther,
	}
	for n := range uint32(130) {
		want, ok := names[n]
		if !ok {
			want = mpath.ErrnoOther
		}
		if got := errnoOf(n); got != want {
			t.Errorf("errno %d: %v, want %v", n, got, want)
		}
	}
}

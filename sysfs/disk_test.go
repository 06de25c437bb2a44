package sysfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadDiskTcmLoop(t *testing.T) {
	root := open(t, plant(t, "tcm_loop"))
	want := Disk{
		Name: "sda", Major: 8, Minor: 0, Diskseq: 17, Sectors: 204800, Capability: 0x10,
		Path:     "devices/tcm_loop_0/tcm_loop_adapter_0/host2/target2:0:1/2:0:1:3/block/sda",
		Protocol: "scsi:unspec",
		Holders:  []Holder{{Name: "dm-0", DMName: "voting1", DMUUID: "mpath-360014050000000000000000000000001"}},
		IsSCSI:   true,
		SCSI: SCSI{
			Host: 2, Target: 1, LUN: 3, Vendor: "LIO-ORG ", Model: "disk0           ", Rev: "4.0 ",
			State: "running", TimeoutS: 30, AccessState: "active/optimized", PreferredPath: true,
			Inquiry: []byte("\x00\x00\x06\x32\x5b\x00\x10\x02LIO-ORG disk0           4.0 "),
			VPD00:   []byte("\x00\x00\x00\x04\x00\x80\x83\x86"),
			VPD80:   []byte("\x00\x80\x00\x04abcd"),
			VPD83:   []byte("\x00\x83\x00\x14\x01\x03\x00\x10\x60\x01\x40\x50\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"),
			SG:      "sg0",
		},
	}
	for _, tree := range []Tree{root, plain{root}} {
		got, err := ReadDisk(tree, "sda")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T (-want +got):\n%s", tree, diff)
		}
	}

	dm, err := ReadDisk(root, "dm-0")
	if err != nil {
		t.Fatal(err)
	}
	if want := (DM{Name: "voting1", UUID: "mpath-360014050000000000000000000000001"}); dm.DM != want || dm.Protocol != "undef" {
		t.Errorf("dm-0: %+v, protocol %q", dm.DM, dm.Protocol)
	}
	if diff := cmp.Diff([]string{"sda"}, dm.Slaves); diff != "" {
		t.Error(diff)
	}
	if got := InUse(dm, nil, nil); got != "" {
		t.Errorf("a partition map on a map is a use by others: %q", got)
	}
	if got := MemberOf(dm); len(got) != 1 || got[0].DMName != "voting1-part1" {
		t.Errorf("MemberOf(dm-0) = %+v", got)
	}
	part, err := ReadDisk(root, "dm-1")
	if err != nil || !part.DM.Suspended {
		t.Errorf("dm-1: %+v, %v", part.DM, err)
	}
	names, err := ListBlock(root)
	if diff := cmp.Diff([]string{"dm-0", "dm-1", "sda"}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
	holders, err := Holders(root, "sda")
	if diff := cmp.Diff(want.Holders, holders); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestTransports(t *testing.T) {
	root := open(t, plant(t, "transports"))
	for _, tc := range []struct{ name, hctl, protocol, node string }{
		{"sdb", "3:0:0:18446744073709551615", "scsi:fcp", "0x5005076801000abc"},
		{"sdc", "4:0:0:1", "scsi:iscsi", "iqn.2003-01.org.example:t1"},
		{"sdd", "5:0:0:0", "scsi:ata", "ata-3.00"},
		{"sde", "6:0:0:0", "scsi:sas", "0x5000c50012345678"},
		{"sdf", "7:0:0:0", "scsi:usb", "2-1.4"},
		{"nvme0n1", "", "nvme:pcie", ""},
		{"vda", "", "undef", ""},
	} {
		d, err := ReadDisk(root, tc.name)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		hctl := ""
		if d.IsSCSI {
			hctl = fmt.Sprintf("%d:%d:%d:%d", d.SCSI.Host, d.SCSI.Channel, d.SCSI.Target, d.SCSI.LUN)
		}
		if hctl != tc.hctl || d.Protocol != tc.protocol || d.TargetNode != tc.node {
			t.Errorf("%s: %q %q %q, want %q %q %q", tc.name, hctl, d.Protocol, d.TargetNode, tc.hctl, tc.protocol, tc.node)
		}
	}
	d, err := ReadDisk(root, "sdd")
	if err != nil {
		t.Fatal(err)
	}
	want := []Partition{
		{Name: "sdd1", Number: 1, Major: 8, Minor: 49, Start: 2048, Sectors: 4096},
		{Name: "sdd2", Number: 2, Major: 8, Minor: 50, Start: 8192, Sectors: 4096, Holders: []Holder{{Name: "md0"}}},
	}
	if diff := cmp.Diff(want, d.Partitions); diff != "" {
		t.Error(diff)
	}
	if got := InUse(d, nil, nil); got != "holder md0 (partition sdd2)" {
		t.Errorf("InUse = %q", got)
	}
}

func TestLeavingAndMissing(t *testing.T) {
	dir := plant(t, "transports")
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "outside"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := open(t, dir)
	for name, want := range map[string]error{"sdg": ErrGone, "sdz": ErrAbsent, "dangling": ErrAbsent, "": ErrAbsent, "..": ErrAbsent, "a/b": ErrAbsent} {
		if _, err := ReadDisk(root, name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	if _, err := ReadDisk(root, "evil"); err == nil {
		t.Error("a link out of the tree was followed")
	}
	if b, err := root.ReadAttr("block/evil", 100); err == nil {
		t.Errorf("read %q from outside the tree", b)
	}
	if _, err := Holders(root, "sdz"); !errors.Is(err, ErrAbsent) || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("errno is lost: %v", err)
	}
}

// Wherever a device vanishes in the walk, no half of it is reported.
func TestVanishesMidWalk(t *testing.T) {
	root := open(t, plant(t, "tcm_loop"))
	for _, errno := range []error{ErrAbsent, ErrGone} {
		whole := false
		for reads := 0; reads < 100 && !whole; reads++ {
			left := reads
			d, err := ReadDisk(vanishing{root, &left, errno}, "sda")
			switch {
			case err == nil && left < 0:
				t.Fatalf("after %d reads: half a disk %+v", reads, d)
			case err == nil:
				whole = true
			case !errors.Is(err, ErrGone):
				t.Fatalf("after %d reads: %v, want ErrGone", reads, err)
			}
		}
		if !whole {
			t.Error("the walk never came to its end")
		}
	}
}

// A disk that was replaced by another one of the same name between two reads.
func TestReplacedMidWalk(t *testing.T) {
	dir := plant(t, "tcm_loop")
	root := open(t, dir)
	seq := filepath.Join(dir, "devices/tcm_loop_0/tcm_loop_adapter_0/host2/target2:0:1/2:0:1:3/block/sda/diskseq")
	tree := onRead{Tree: plain{root}, path: "vpd_pg83", do: func() {
		if err := os.WriteFile(seq, []byte("18\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}}
	if d, err := ReadDisk(tree, "sda"); !errors.Is(err, ErrGone) {
		t.Errorf("%+v, %v", d, err)
	}
}

type onRead struct {
	Tree
	path string
	do   func()
}

func (o onRead) ReadAttr(path string, max int) ([]byte, error) {
	if strings.HasSuffix(path, o.path) {
		o.do()
	}
	return o.Tree.ReadAttr(path, max)
}

func TestNonsenseAttributes(t *testing.T) {
	for attr, text := range map[string]string{"dev": "8", "size": "many", "diskseq": "-1"} {
		dir := plant(t, "tcm_loop")
		at := filepath.Join(dir, "devices/tcm_loop_0/tcm_loop_adapter_0/host2/target2:0:1/2:0:1:3/block/sda", attr)
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadDisk(open(t, dir), "sda")
		if err == nil || errors.Is(err, ErrGone) || errors.Is(err, ErrAbsent) {
			t.Errorf("%s = %q: %v", attr, text, err)
		}
	}
}

func TestReadAttrLimit(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{0, 1, 511, 512, 513, 4096, 70000} {
		if err := os.WriteFile(filepath.Join(dir, "a"), []byte(strings.Repeat("x", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		root := open(t, dir)
		b, err := root.ReadAttr("a", size)
		if err != nil || len(b) != size {
			t.Errorf("size %d: %d bytes, %v", size, len(b), err)
		}
		if size == 0 {
			continue
		}
		if b, err := root.ReadAttr("a", size-1); !errors.Is(err, ErrTooLong) || b != nil {
			t.Errorf("size %d, one less allowed: %d bytes, %v", size, len(b), err)
		}
	}
}

func TestWriteAttr(t *testing.T) {
	dir := plant(t, "tcm_loop")
	w, err := OpenWritable(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := TriggerUevent(w, "sda", "change"); err != nil {
		t.Fatal(err)
	}
	b, err := w.ReadAttr("block/sda/uevent", MaxAttr)
	if err != nil || !strings.HasPrefix(string(b), "change") {
		t.Errorf("%q, %v", b, err)
	}
	for _, bad := range []struct{ name, action string }{{"sda", "explode"}, {"../sda", "change"}, {"sdz", "change"}} {
		if err := TriggerUevent(w, bad.name, bad.action); err == nil {
			t.Errorf("%+v was written", bad)
		}
	}
	if err := w.WriteAttr("block/sda/nothing", "1"); !errors.Is(err, ErrAbsent) {
		t.Errorf("%v", err)
	}
}

// The machine that the test runs on is a captured tree too.
func TestRealSysfs(t *testing.T) {
	root := open(t, "/sys")
	names, err := ListBlock(root)
	if err != nil {
		t.Skip(err)
	}
	for _, name := range names {
		d, err := ReadDisk(root, name)
		if err != nil {
			if errors.Is(err, ErrGone) {
				continue
			}
			t.Fatal(err)
		}
		if d.Path == "" || (d.Major == 0 && d.Minor == 0) {
			t.Errorf("%+v", d)
		}
	}
}

func BenchmarkReadDisk(b *testing.B) {
	root, err := OpenRoot("/sys")
	if err != nil {
		b.Skip(err)
	}
	defer root.Close()
	names, err := ListBlock(root)
	if err != nil || len(names) == 0 {
		b.Skip(err)
	}
	for b.Loop() {
		if _, err := ReadDisk(root, names[len(names)-1]); err != nil {
			b.Fatal(err)
		}
	}
}

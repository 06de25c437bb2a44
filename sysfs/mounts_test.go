package sysfs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMountinfo(t *testing.T) {
	text := `22 27 0:21 / /proc rw,relatime - proc proc rw
28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
36 35 98:0 /mnt1 /mnt\0402\134x\011y rw,noatime master:1 shared:7 - ext3 /dev/ro\040ot rw,errors=continue
40 28 0:44 / /data rw - btrfs /dev/sdb rw,space_cache
41 28 0:45 / /empty rw - tmpfs  rw
`
	want := []Mount{
		{Minor: 21, Point: "/proc", FSType: "proc", Source: "proc"},
		{Major: 8, Minor: 1, Point: "/", FSType: "ext4", Source: "/dev/sda1"},
		{Major: 98, Point: "/mnt 2\\x\ty", FSType: "ext3", Source: "/dev/ro ot"},
		{Minor: 44, Point: "/data", FSType: "btrfs", Source: "/dev/sdb"},
		{Minor: 45, Point: "/empty", FSType: "tmpfs"},
	}
	got, err := ParseMountinfo([]byte(text))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, bad := range []string{"x", "1 2 8:1 / / rw ext4 a b", "1 2 8 / / rw - ext4 a b", "1 2 3:4 / - e", "\n"} {
		if m, err := ParseMountinfo([]byte(bad)); err == nil && bad != "\n" {
			t.Errorf("%q: %+v", bad, m)
		}
	}
	if m, err := ParseMountinfo(nil); m != nil || err != nil {
		t.Error(m, err)
	}
}

func TestParseSwaps(t *testing.T) {
	text := "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" +
		"/dev/sda2                               partition\t1000\t\t0\t\t-2\n" +
		"/swap\\040file\\040(deleted)             file\t1000\t\t0\t\t-3\n"
	want := []Swap{{"/dev/sda2", "partition"}, {"/swap file (deleted)", "file"}}
	got, err := ParseSwaps([]byte(text))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if s, err := ParseSwaps([]byte("/dev/sda2 partition\n")); err == nil {
		t.Errorf("%+v", s)
	}
	if s, err := ParseSwaps(nil); s != nil || err != nil {
		t.Error(s, err)
	}
}

func TestInUse(t *testing.T) {
	disk := Disk{Name: "sda", Major: 8, Partitions: []Partition{
		{Name: "sda1", Major: 8, Minor: 1}, {Name: "sda2", Major: 8, Minor: 2},
	}}
	with := func(change func(*Disk)) Disk {
		d := disk
		d.Partitions = append([]Partition(nil), disk.Partitions...)
		change(&d)
		return d
	}
	mpath := Holder{"dm-0", "ocr1", "mpath-3600"}
	for _, tc := range []struct {
		name   string
		disk   Disk
		mounts []Mount
		swaps  []Swap
		want   string
	}{
		{name: "free", disk: disk, mounts: []Mount{{Major: 8, Minor: 16, Point: "/"}}, swaps: []Swap{{"/dev/sdaa", "partition"}}},
		{name: "whole disk", disk: disk, mounts: []Mount{{Major: 8, Point: "/srv"}}, want: "mounted on /srv"},
		{name: "partition", disk: disk, mounts: []Mount{{Major: 8, Minor: 1, Point: "/boot"}}, want: "mounted on /boot (partition sda1)"},
		{name: "btrfs", disk: disk, mounts: []Mount{{Minor: 44, Point: "/data", Source: "/dev/sda2"}}, want: "mounted on /data (partition sda2)"},
		{name: "swap", disk: disk, swaps: []Swap{{"/dev/sda2", "partition"}}, want: "swap (partition sda2)"},
		{name: "deleted swap node", disk: disk, swaps: []Swap{{"/dev/sda (deleted)", "partition"}}, want: "swap"},
		{name: "cciss", disk: Disk{Name: "cciss!c0d0", Major: 104}, swaps: []Swap{{"/dev/cciss/c0d0", "partition"}}, want: "swap"},
		{name: "LVM", disk: with(func(d *Disk) { d.Holders = []Holder{{"dm-4", "vg-root", "LVM-abc"}} }), want: "holder dm-4 (vg-root)"},
		{name: "multipath", disk: with(func(d *Disk) { d.Holders = []Holder{mpath} })},
		{name: "kpartx on a path", disk: with(func(d *Disk) { d.Holders = []Holder{{"dm-5", "sda1", "part1-devnode_8:0_Wh5pYvM"}} }), want: "holder dm-5 (sda1)"},
		{name: "multipath and LVM", disk: with(func(d *Disk) { d.Partitions[1].Holders = []Holder{mpath, {"dm-4", "vg-root", "LVM-abc"}} }), want: "holder dm-4 (vg-root) (partition sda2)"},
		{name: "leaving holder", disk: with(func(d *Disk) { d.Holders = []Holder{{Name: "dm-9"}} }), want: "holder dm-9"},
	} {
		if got := InUse(tc.disk, tc.mounts, tc.swaps); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestIsMultipath(t *testing.T) {
	for uuid, want := range map[string]bool{
		"mpath-360": true, "part1-mpath-360": true, "part12-mpath-360": true,
		"mpath-": false, "": false, "partx-mpath-360": false, "part-mpath-360": false, "LVM-mpath-360": false, "part1-part2-mpath-3": false,
	} {
		if got := IsMultipath(uuid); got != want {
			t.Errorf("%q: %v", uuid, got)
		}
	}
}

func FuzzParseMountinfo(f *testing.F) {
	f.Add([]byte("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw\n"))
	f.Add([]byte("22 27 0:21 / /proc rw - proc proc rw\n1 2 3:4 / / rw - \\777 \\ rw"))
	f.Fuzz(func(t *testing.T, text []byte) {
		mounts, err := ParseMountinfo(text)
		if err == nil && len(text) > 0 && len(mounts) != strings.Count(strings.TrimSuffix(string(text), "\n"), "\n")+1 && len(text) > 1 {
			t.Errorf("%d mounts", len(mounts))
		}
	})
}

func FuzzParseSwaps(f *testing.F) {
	f.Add([]byte("Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = ParseSwaps(text) })
}

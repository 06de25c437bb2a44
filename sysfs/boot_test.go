package sysfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A map under LVM on a partition map holds the root; one with btrfs is found by its
// name; one that holds data is none.
func TestFoundations(t *testing.T) {
	root, disk := builtDisks(t)
	disk("sda", "8:0", "")
	disk("dm-0", "253:0", "os", "sda")
	disk("dm-1", "253:1", "os-part2", "dm-0")
	disk("dm-2", "253:2", "vg-root", "dm-1")
	disk("dm-3", "253:3", "data", "sda")
	disk("dm-4", "253:4", "boot", "sda")
	tree, err := OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close() //nolint:errcheck // read only
	found, err := Foundations(tree, []Mount{
		{Major: 253, Minor: 2, Point: "/"},
		{Major: 253, Minor: 2, Point: "/usr"},
		{Major: 253, Minor: 3, Point: "/data"},
		{Major: 0, Minor: 31, Point: "/boot", Source: "/dev/mapper/boot"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(found)
	want := "[{253 0 dm-0 [/ /usr]} {253 1 dm-1 [/ /usr]} {253 2 dm-2 [/ /usr]} {253 4 dm-4 [/boot]}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// builtDisks is an empty sysfs, and what puts a block device into it: as a multipath map
// where it has a device-mapper name.
func builtDisks(t *testing.T) (root string, disk func(name, dev, dmName string, slaves ...string)) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "sys")
	disk = func(name, dev, dmName string, slaves ...string) {
		put := func(file, text string) {
			at := filepath.Join(root, "block", name, file)
			mkdir(t, filepath.Dir(at))
			if err := os.WriteFile(at, []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put("dev", dev)
		put("size", "2048")
		put("ro", "0")
		put("removable", "0")
		put("diskseq", "1")
		mkdir(t, filepath.Join(root, "block", name, "holders"))
		mkdir(t, filepath.Join(root, "block", name, "slaves"))
		if dmName != "" {
			put("dm/name", dmName)
			put("dm/uuid", "mpath-"+dmName)
			put("dm/suspended", "0")
		}
		for _, s := range slaves {
			put("slaves/"+s, "")
		}
	}
	return root, disk
}

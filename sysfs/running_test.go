package sysfs

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// What the running system stands on, by its mounts and swap areas.
func TestRunningOn(t *testing.T) {
	root, disk := builtDisks(t)
	disk("sda", "8:0", "")
	disk("dm-0", "253:0", "os", "sda")
	disk("dm-1", "253:1", "os-part2", "dm-0")
	disk("dm-2", "253:2", "data", "sda")
	disk("dm-3", "253:3", "second", "sda")
	disk("dm-4", "253:4", "swap", "sda")
	for _, d := range []string{"dm-1", "dm-3"} {
		mkdir(t, filepath.Join(root, "fs", "btrfs", "11-22", "devices", d))
	}
	mkdir(t, filepath.Join(root, "fs", "btrfs", "features"))
	tree, err := OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close() //nolint:errcheck // read only
	const swaps = "Filename Type Size Used Priority\n"
	for _, c := range []struct{ what, mounts, swaps, want string }{
		{"a partition", "1 0 253:1 / / rw - ext4 /dev/mapper/os-part2 rw", "", "[dm-1 dm-0] false"},
		{"data", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 253:2 / /data rw - ext4 /dev/dm-2 rw", "", "[] false"},
		{"/usr", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 253:2 / /usr rw - ext4 /dev/dm-2 rw", "", "[dm-2] false"},
		{"btrfs over two", "1 0 0:31 /@ / rw - btrfs /dev/disk/by-uuid/11-22 rw", "", "[dm-1 dm-0 dm-3] false"},
		{"an image below /sysroot", "1 0 0:31 / / ro - overlay composefs ro,lowerdir+=/run/x,datadir+=/sysroot/ostree/objects\n2 1 253:2 / /sysroot rw - xfs /dev/dm-2 rw", "", "[dm-2] false"},
		{"an overlay", "1 0 0:31 / / rw - overlay overlayroot rw,lowerdir=/media/root-ro,upperdir=/media/rw/up,workdir=/media/rw/w\n2 1 253:2 / /media/root-ro ro - ext4 /dev/dm-2 ro", "", "[dm-2] false"},
		{"an overlay of what is not seen", "1 0 0:31 / / rw - overlay overlay rw,lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work", "", "[] false"},
		{"nfs", "1 0 0:31 / / rw - nfs4 server:/root rw", "", "[] false"},
		{"zfs", "1 0 0:31 / / rw - zfs rpool/root rw", "", "[] true"},
		{"swap", "1 0 8:1 / / rw - ext4 /dev/sda1 rw", "/dev/dm-4 partition 100 0 -2\n/swapfile file 1 0 -3\n", "[dm-4] false"},
	} {
		mounts, err := ParseMountinfo([]byte(c.mounts + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		areas, err := ParseSwaps([]byte(swaps + c.swaps))
		if err != nil {
			t.Fatal(err)
		}
		g, err := RunningOn(tree, mounts, areas)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range g.Maps {
			names = append(names, f.Name)
		}
		if got := fmt.Sprintf("[%s] %v", strings.Join(names, " "), g.Unknown); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

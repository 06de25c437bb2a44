package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"pathkeeper/blockio"
	"pathkeeper/sysfs"
)

// udevPartitionsCommand is what the rules run for the partitions of a path.
func udevPartitionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "partitions forget|back DEVICE", Short: "Have the kernel forget the partitions of a path, or find them again", Args: takes(2, 2, "forget or back, and a disk"),
		Long: `Have the kernel forget the partitions of a disk that is a path of a multipath map
(they are the map's), or read the disk's partition table again when it is given
back. The table on the disk is not touched. A partition that somebody uses stays.`,
		RunE: func(_ *cobra.Command, args []string) error {
			name := filepath.Base(args[1])
			switch args[0] {
			case "forget":
				return forgetPartitions("/sys", name, blockio.New("/dev"))
			case "back":
				if errno := blockio.New("/dev").RereadPartitions(name); errno != 0 {
					return fmt.Errorf("reading the partition table of %s again: %w", name, unix.Errno(errno))
				}
				return nil
			default:
				return usagef("`pathkeeper udev partitions` wants forget or back, not %q", args[0])
			}
		},
	}
}

// partitionForgetter is blockio's part in it.
type partitionForgetter interface {
	ForgetPartition(device string, number uint32) (errno uint32)
}

// forgetPartitions forgets those that the kernel has now. One that is in use stays,
// and is told; the others go.
func forgetPartitions(root, name string, port partitionForgetter) error {
	tree, err := sysfs.OpenRoot(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	disk, err := sysfs.ReadDisk(tree, name)
	if err != nil {
		return err
	}
	var stay []string
	for _, p := range disk.Partitions {
		if errno := unix.Errno(port.ForgetPartition(name, p.Number)); errno != 0 && errno != unix.ENXIO {
			stay = append(stay, p.Name+" ("+errno.Error()+")")
		}
	}
	if len(stay) > 0 {
		return fmt.Errorf("forgetting the partitions of %s: %s stay", name, strings.Join(stay, ", "))
	}
	return nil
}

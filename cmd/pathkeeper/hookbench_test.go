package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"pathkeeper/policy"
)

// BenchmarkHook is one event of a disk on a host with 100,000 lines in bindings
// and 10,000 names of single disks. The budget of the hook is 50 ms.
func BenchmarkHook(b *testing.B) {
	h := newFakeHost(b)
	var lines strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&lines, "lun%d 3600a098000000000000%012d\n", i, i)
	}
	h.write("etc/multipath/bindings", lines.String())
	disks := make([]policy.Disk, 0, 10_000)
	for i := range 10_000 {
		disks = append(disks, policy.Disk{WWID: fmt.Sprintf("3600b%012d", i), Name: fmt.Sprintf("asm/d%d", i), Mode: -1})
	}
	env := []string{"ACTION=add", "DEVPATH=/devices/x/block/sda", "DEVNAME=/dev/sda", "DEVTYPE=disk", "SUBSYSTEM=block"}
	for name, on := range map[string]hookHost{"bindings": h.host, "bindings and names": namedHost{h.host, disks}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if hookMain(on, env, streams{io.Discard, io.Discard}) != exitDone {
					b.Fatal("the hook did not answer")
				}
			}
		})
	}
}

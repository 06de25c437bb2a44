package image

import (
	"fmt"
	"path"
	"strings"
)

// earlyModules are loaded by the initramfs: the root's disk, the agent's
// channel, the root's file system and the overlay over it. A module that is
// built into the kernel is skipped.
var earlyModules = []string{"virtio_pci", "virtio_blk", "virtio_console", "ext4", "overlay", "virtio_rng"}

// prunedModules are directories below the module tree's kernel/ that no
// scenario can need: they are two thirds of it.
var prunedModules = []string{
	"sound", "drivers/gpu", "drivers/media", "drivers/net/wireless", "drivers/net/ethernet", "drivers/staging",
	"drivers/iio", "drivers/hid", "drivers/input", "drivers/usb", "drivers/video", "drivers/bluetooth", "drivers/mtd",
	"drivers/hwmon", "drivers/isdn", "drivers/mmc", "drivers/platform", "drivers/power", "drivers/thunderbolt",
	"drivers/leds", "drivers/i2c", "drivers/rtc", "drivers/edac", "drivers/mfd", "drivers/comedi", "drivers/regulator",
	"drivers/accel", "drivers/net/can", "drivers/net/wwan", "drivers/net/usb", "net/bluetooth", "net/mac80211", "net/wireless",
}

// loadOrder resolves names against the text of modules.dep ("path.ko: dep.ko
// ..."), and returns the module files relative to the module directory, each
// after all that it needs. A name that is neither in dep nor in builtin (the
// text of modules.builtin) is an error.
func loadOrder(dep, builtin string, names []string) ([]string, error) {
	needs := map[string][]string{}
	file := map[string]string{}
	for line := range strings.Lines(dep) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		needs[name] = strings.Fields(rest)
		file[moduleName(name)] = name
	}
	inKernel := map[string]bool{}
	for line := range strings.Lines(builtin) {
		inKernel[moduleName(strings.TrimSpace(line))] = true
	}
	var order []string
	seen := map[string]bool{}
	var add func(f string)
	add = func(f string) {
		if seen[f] {
			return
		}
		seen[f] = true
		for _, d := range needs[f] {
			add(d)
		}
		order = append(order, f)
	}
	for _, n := range names {
		f, ok := file[n]
		if !ok {
			if inKernel[n] {
				continue
			}
			return nil, fmt.Errorf("module %s is neither in modules.dep nor in modules.builtin", n)
		}
		add(f)
		// A soft dependency of ext4 that modules.dep does not name.
		if n == "ext4" {
			if crc, ok := file["crc32c_generic"]; ok {
				add(crc)
			}
		}
	}
	return order, nil
}

// moduleName turns kernel/fs/ext4/ext4.ko into ext4, with '-' as '_'.
func moduleName(file string) string {
	base := path.Base(file)
	base, _, _ = strings.Cut(base, ".ko")
	return strings.ReplaceAll(base, "-", "_")
}

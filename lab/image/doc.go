// Package image builds the lab guest's root file system once: Debian 12 by
// debootstrap with a pinned package list for each variant, the distribution's own kernel
// unpacked from its package, and the multipath-tools of the same release with
// its units masked and its udev rules set aside, so that a scenario must ask
// for it.
//
// What a build yields stands in one directory of the cache, named by the hash
// of what it was made from:
//
//	root.img        ext4 without journal, attached read-only, shared by all guests
//	vmlinuz         Debian's kernel, unmodified
//	early/          the modules that the initramfs needs, and early/order
//	manifest.txt    every package of the root with its version, and the kernel's
package image

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// recipe counts the changes to what build does to the root beyond the lists and
// files that key hashes anyway: a new number means a new image.
const recipe = "6"

//go:embed packages.txt
var packageList string

//go:embed packages-clients.txt
var clientList string

// Variant names one of the images.
type Variant string

const (
	Plain   Variant = ""        // packages.txt: what every test run needs
	Clients Variant = "clients" // packages-clients.txt too: big, so only who asks for it builds it
)

// Image is a built image; its fields are paths.
type Image struct {
	Dir      string
	Root     string // ext4 image, for a read-only virtio-blk drive
	Kernel   string // bzImage
	Early    string // directory of *.ko and the file "order": one file name a line, in loading order
	Manifest string // text, one "package version" a line
}

// Packages returns a variant's pinned list, without comments.
func Packages(v Variant) []string {
	text := packageList
	if v == Clients {
		text += clientList
	}
	var out []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// CacheDir is where everything that the lab keeps between runs lies:
// $PATHKEEPER_LAB_CACHE, else pathkeeper-lab in the user's cache directory.
func CacheDir() (string, error) {
	if dir := os.Getenv("PATHKEEPER_LAB_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("where to keep the lab's image: %w; set PATHKEEPER_LAB_CACHE", err)
	}
	return filepath.Join(dir, "pathkeeper-lab"), nil
}

// key names an image by what decides its content.
func key(v Variant) string {
	from := []any{recipe, suite, Packages(v), earlyModules, prunedModules, maskedUnits, labTarget, agentService, denied}
	if v == Clients {
		from = append(from, dmmpSource, dmmpBuild)
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q", from)))
	return hex.EncodeToString(sum[:6])
}

func at(dir string) Image {
	return Image{
		Dir:      dir,
		Root:     filepath.Join(dir, "root.img"),
		Kernel:   filepath.Join(dir, "vmlinuz"),
		Early:    filepath.Join(dir, "early"),
		Manifest: filepath.Join(dir, "manifest.txt"),
	}
}

package sysfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a tree answers, in words: content, or which of our errors.
func answers(t Tree) map[string]string {
	out := map[string]string{}
	note := func(what string, value any, err error) {
		kind := ""
		for _, known := range []error{ErrAbsent, ErrGone, ErrTooLong} {
			if errors.Is(err, known) {
				kind = " " + known.Error()
			}
		}
		if err != nil {
			value = "error" + kind
		}
		out[what] = fmt.Sprint(value)
	}
	disks, err := ListBlock(t)
	note("list", disks, err)
	for _, d := range append(disks, "none", "evil") {
		disk, err := ReadDisk(t, d)
		note("disk "+d, disk, err)
		link, err := t.ReadLink("block/" + d)
		note("link "+d, link, err)
		names, err := t.ReadDir("block/" + d + "/holders")
		note("holders "+d, names, err)
		dev, err := t.ReadAttr("block/"+d+"/dev", 100)
		note("dev "+d, string(dev), err)
	}
	for _, odd := range []string{"..", "../outside", "/etc/passwd", "block/evil", "block/sdb/../../../outside", "block", "block/sdb/dev/x"} {
		b, err := t.ReadAttr(odd, 100)
		note("read "+odd, string(b), err)
		names, err := t.ReadDir(odd)
		note("dir "+odd, names, err)
	}
	return out
}

// A kernel without openat2 gives the same answers, and neither way leaves the tree.
func TestOldKernel(t *testing.T) {
	for _, name := range []string{"tcm_loop", "transports"} {
		dir := plant(t, name)
		if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "outside"), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		want := answers(open(t, dir))
		old := open(t, dir)
		old.old = true
		if diff := cmp.Diff(want, answers(old)); diff != "" {
			t.Errorf("%s (-openat2 +walked):\n%s", name, diff)
		}
		for what, got := range want {
			if strings.Contains(got, "secret") || strings.Contains(got, "root:") {
				t.Errorf("%s: %s leaves the tree", name, what)
			}
		}
	}
}

// Descriptors come back, also of a tree that is closed while others read in it.
func TestRootGivesBack(t *testing.T) {
	dir := plant(t, "tcm_loop")
	before := descriptors(t)
	for range 50 {
		root := open(t, dir)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, err := ReadDisk(root, "sda"); errors.Is(err, os.ErrClosed) {
						return
					} else if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		if err := root.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if err := root.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

type forgetter map[uint32]unix.Errno

func (f forgetter) ForgetPartition(_ string, number uint32) uint32 { return uint32(f[number]) }

// A partition in use stays and is told; the others go, and one that is gone already
// is no fault.
func TestForgetPartitions(t *testing.T) {
	h := newFakeHost(t)
	for _, n := range []string{"1", "2", "3"} {
		h.write("sys/block/sda/sda"+n+"/partition", n+"\n")
		h.write("sys/block/sda/sda"+n+"/dev", "8:"+n+"\n")
	}
	err := forgetPartitions(filepath.Join(h.dir, "sys"), "sda", forgetter{2: unix.EBUSY, 3: unix.ENXIO})
	if err == nil || !strings.Contains(err.Error(), "sda2 (device or resource busy) stay") || strings.Contains(err.Error(), "sda1") {
		t.Errorf("%v", err)
	}
	if err := forgetPartitions(filepath.Join(h.dir, "sys"), "sda", forgetter{}); err != nil {
		t.Error(err)
	}
}

// The disk comes before its partitions: what is said of them depends on it.
func TestTriggerAdd(t *testing.T) {
	h := newFakeHost(t)
	h.write("sys/block/sda/sda1/partition", "1\n")
	h.write("sys/block/sda/sda1/dev", "8:1\n")
	h.write("sys/class/block/sda/uevent", "")
	h.write("sys/class/block/sda1/uevent", "")
	if err := triggerAdd(filepath.Join(h.dir, "sys"), "sda"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"sda", "sda1"} {
		if b, err := os.ReadFile(filepath.Join(h.dir, "sys/class/block", n, "uevent")); err != nil || string(b) != "add" {
			t.Errorf("%s: %q, %v", n, b, err)
		}
	}
	if err := triggerAdd(filepath.Join(h.dir, "sys"), "sdx"); err != nil {
		t.Errorf("a disk that has left: %v", err)
	}
}

func TestParseWait(t *testing.T) {
	for text, ok := range map[string]bool{"0": true, "9.000042": true, "86400": true, "": false, "-1": false, "NaN": false, "1e9": false, "soon": false} {
		if d, err := parseWait(text); (err == nil) != ok || ok && d < 0 {
			t.Errorf("%q: %s, %v", text, d, err)
		}
	}
}

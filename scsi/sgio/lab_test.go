package sgio

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pathkeeper/scsi"
)

// disks finds the guest's SCSI disks that nobody can mind: scsi_debug's.
func disks(t *testing.T) (names, sgs []string) {
	t.Helper()
	if os.Getenv("PATHKEEPER_LAB") != "1" {
		t.Skip("needs scsi_debug disks: set PATHKEEPER_LAB=1 in a guest")
	}
	if err := Probe("/sys"); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob("/sys/block/sd*/device/model")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		model, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(model), "scsi_debug") {
			continue
		}
		sg, err := filepath.Glob(filepath.Dir(path) + "/scsi_generic/sg*")
		if err != nil || len(sg) != 1 {
			t.Fatalf("%s: generic device %v, %v: modprobe sg", path, sg, err)
		}
		names = append(names, strings.Split(path, "/")[3])
		sgs = append(sgs, filepath.Base(sg[0]))
	}
	if len(names) == 0 {
		t.Fatal("no scsi_debug disk: modprobe scsi_debug")
	}
	return names, sgs
}

func TestRealDevices(t *testing.T) {
	names, sgs := disks(t)
	want := NewDevice("/dev").Do(names[0], inquiry)
	if want.Errno != 0 || want.Status != scsi.StatusGood || len(want.Data) < 8 || want.Data[1] != 0x83 {
		t.Fatalf("SG_IO: %+v", want)
	}
	done := make(chan Completion, len(names))
	a, err := NewAsync("/dev", func(c Completion) { done <- c })
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for i := range names {
		if err := a.Submit(Job{Tag: uint64(i), Device: names[i], SG: sgs[i], Request: inquiry}); err != nil {
			t.Fatal(err)
		}
	}
	for range names {
		select {
		case c := <-done:
			r := c.Response
			if r.Errno != 0 || r.Status != scsi.StatusGood || r.Host != scsi.HostOK || len(r.Data) < 8 || r.Data[1] != 0x83 {
				t.Errorf("%s: %+v", c.Device, r)
			}
			if c.Tag == 0 && string(r.Data) != string(want.Data) {
				t.Errorf("sg gives % x, SG_IO % x", r.Data, want.Data)
			}
		case <-time.After(time.Minute):
			t.Fatal("no completion")
		}
	}
	// An unknown command: CHECK CONDITION, ILLEGAL REQUEST, with sense data.
	bad := NewDevice("/dev").Do(names[0], scsi.Request{CDB: []byte{0xff, 0, 0, 0, 0, 0}, TimeoutMS: 5000})
	if bad.Errno != 0 || bad.Status != scsi.StatusCheckCondition || len(bad.Sense) < 8 {
		t.Errorf("%+v", bad)
	}
}

package engine

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/scsi"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// notRead are the fields of a disk that sysfs.ReadFacts leaves out.
var notRead = []string{
	"Diskseq", "Removable", "Capability", "Partitions.Start", "Partitions.Sectors",
	"SCSI.Vendor", "SCSI.Model", "SCSI.Rev", "SCSI.Type", "SCSI.TimeoutS", "SCSI.PreferredPath", "SCSI.SG",
}

// The udev hook reads less of a disk than the daemon does. What it leaves out
// changes neither facts nor identity, or the two could disagree.
func TestFactsNeedNoMore(t *testing.T) {
	inquiry := append([]byte{0, 0, 5, 2, 31, 0, 0, 0}, "ATA     disk            1.0 "...)
	disk := sysfs.Disk{
		Name: "sda", Major: 8, Sectors: 1000, Protocol: sysfs.ProtocolATA, IsSCSI: true,
		Partitions: []sysfs.Partition{{Name: "sda1", Number: 1, Major: 8, Minor: 1, Holders: []sysfs.Holder{{Name: "dm-0", DMUUID: "mpath-3600"}}}},
		SCSI:       sysfs.SCSI{State: "running", AccessState: "active", Inquiry: inquiry, VPD80: []byte("\x00\x80\x00\x04abcd")},
	}
	rec := uevent.Record{Props: uevent.Props{{Key: "ID_SERIAL", Value: "disk_abcd"}}}
	mounts := []sysfs.Mount{{Major: 8, Minor: 1, Point: "/data"}}
	told := func(d sysfs.Disk) (any, scsi.Identity) {
		return FactsOf(d, rec, mounts, nil), CachedIdentity(d, "disk_abcd")
	}
	wantFacts, wantID := told(disk)
	for _, name := range notRead {
		d := disk
		d.Partitions = []sysfs.Partition{disk.Partitions[0]}
		v, last := reflect.ValueOf(&d).Elem(), name
		for _, in := range []string{"Partitions.", "SCSI."} {
			if len(name) > len(in) && name[:len(in)] == in {
				v, last = v.FieldByName(in[:len(in)-1]), name[len(in):]
				if v.Kind() == reflect.Slice {
					v = v.Index(0)
				}
			}
		}
		field := v.FieldByName(last)
		if !field.IsValid() || !field.IsZero() {
			t.Fatalf("%s: not a field that is left out", name)
		}
		switch field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Bool:
			field.SetBool(true)
		default:
			field.SetUint(7)
		}
		facts, id := told(d)
		if diff := cmp.Diff(wantFacts, facts) + cmp.Diff(wantID, id); diff != "" {
			t.Errorf("%s is asked for: read it in sysfs.ReadFacts\n%s", name, diff)
		}
	}
	// The test would see it: a field that is read changes something.
	d := disk
	d.Hidden = true
	if facts, _ := told(d); fmt.Sprint(facts) == fmt.Sprint(wantFacts) {
		t.Error("a hidden disk has the same facts")
	}
}

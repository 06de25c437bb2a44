package sim

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"pathkeeper/mpath"
)

// The published RAC host: both of its files and its bindings, unchanged.
func TestOracleRAC(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile("../testdata/oracle-rac/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	disks := func(r *rig, ids ...string) {
		for i, id := range ids {
			serial := strings.TrimSuffix(strings.TrimPrefix(id, "SATA_VBOX_HARDDISK_"), "_")
			r.w.AddPath(r.w.AddLUN(LUN{Name: id, Vendor: "ATA", Product: "VBOX HARDDISK", Serial: serial, Sectors: 5 << 21}), uint32(i+1), 0)
		}
	}
	var ids []string
	for _, w := range strings.Fields(read("multipath.conf") + read("bindings")) {
		if strings.HasPrefix(w, "SATA_") {
			ids = append(ids, w)
		}
	}
	t.Run("names", func(t *testing.T) {
		r := newRig(t, 1, read("multipath.conf"))
		r.w.Files.Put("/etc/multipath/bindings", read("bindings"))
		disks(r, ids...)
		r.start(20 * second)
		want := "mpath1 mpath2 mpath3 mpath4 ocr1 ocr2 ocr3 voting1 voting2 voting3"
		if got := strings.Join(r.w.Maps(), " "); got != want {
			r.fail("maps %s, want %s", got, want)
		}
		for _, n := range r.d.Snapshot().Maps {
			if strings.HasPrefix(n.Name, "mpath") && !strings.Contains(read("bindings"), n.Name+" ") {
				r.fail("%s is a new name", n.Name)
			}
		}
	})
	t.Run("owners", func(t *testing.T) {
		r := newRig(t, 1, read("asm-owner-mode.conf"))
		disks(r, "SATA_VBOX_HARDDISK_VBf6b74ff7-871d1de8_", "SATA_VBOX_HARDDISK_VB0db2f233-269850e0_", "SATA_VBOX_HARDDISK_VBa56f2571-0dd27b33_")
		r.start(20 * second)
		for i := range 3 {
			n := r.mapNamed(fmt.Sprintf("asm-disk%d", i+1)).Node
			if n.UID != 501 || n.GID != 503 || n.Mode != 0o660 {
				r.fail("asm-disk%d: %+v", i+1, n)
			}
		}
		r.run(10 * mpath.Minute)
		if r.d.Counts["LoadMap"] > 0 {
			r.fail("%d loads in peace", r.d.Counts["LoadMap"])
		}
	})
}

package sim

import (
	"errors"
	"strings"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/sysfs"
)

// attr reads an attribute of the world's sysfs.
func (r *rig) attr(path string) string {
	r.Helper()
	b, err := (Tree{r.w}).ReadAttr(path, sysfs.MaxAttr)
	if err != nil {
		r.fail("%v", err)
	}
	return strings.TrimSpace(string(b))
}

func (r *rig) wantAttr(path, want string) {
	r.Helper()
	if got := r.attr(path); got != want {
		r.fail("%s is %s, want %s", path, got, want)
	}
}

// wantNoHarm: nothing was written that can lose disks or fail I/O.
func (r *rig) wantNoHarm() {
	r.Helper()
	if len(r.w.Harms) > 0 {
		r.fail("harm: %q", r.w.Harms)
	}
}

const (
	port10 = "class/fc_remote_ports/rport-1:0-0/"
	port21 = "class/fc_remote_ports/rport-2:0-1/"
)

// A daemon writes every port's times, and again when the kernel has made a port anew.
// A restart finds them as they are and writes nothing.
func TestPortTimesAreWritten(t *testing.T) {
	const conf = plain + "defaults {\n fast_io_fail_tmo 3\n dev_loss_tmo 20\n eh_deadline 30\n max_retries 2\n}\n"
	r := newRig(t, 7, conf)
	w, _, hosts, _ := twin(t, FibreChannel)
	r.w, r.d = w, NewDaemon(w)
	w.ScanAll()
	r.wantAttr(port10+"dev_loss_tmo", "60")
	r.start(10 * second)
	for _, port := range []string{port10, port21} {
		r.wantAttr(port+"fast_io_fail_tmo", "3")
		r.wantAttr(port+"dev_loss_tmo", "66") // 12 x 5 s, a sixtieth and 5 s: more than 20
	}
	r.wantAttr("class/scsi_host/host1/eh_deadline", "30")
	r.wantAttr("class/scsi_disk/1:0:0:7/max_retries", "2")
	r.wantNoHarm()

	// The port is given up, and comes back as the kernel makes it.
	hosts[0].Cut()
	r.run(68 * second)
	if got := names(w.Disks()); got != "sdc=2:0:0:7 sdd=2:0:1:7" {
		r.fail("after dev_loss_tmo: %s", got)
	}
	hosts[0].Mend()
	r.wantAttr(port10+"fast_io_fail_tmo", "5") // its driver's
	r.run(20 * second)
	r.wantAttr(port10+"fast_io_fail_tmo", "3")
	r.wantAttr(port10+"dev_loss_tmo", "66")
	r.wantNoHarm()

	writes := 0
	w.BreakSysfs(SysfsFault{Path: "fc_remote_ports/*/*", Op: "write", Times: 1000, Errno: eINVAL})
	w.BreakSysfs(SysfsFault{Path: "scsi_*/*/*", Op: "write", Times: 1000, Errno: eINVAL, Then: func() { writes++ }})
	r.d.Kill()
	before := len(r.d.Notes)
	r.start(10 * second)
	for _, n := range r.d.Notes[before:] {
		if strings.Contains(n.Note.Object, "rport-") || strings.Contains(n.Note.Object, "host") {
			r.fail("a restart changes something: %s", n)
		}
	}
	if writes > 0 {
		r.fail("a restart writes to hosts and disks")
	}
	r.wantSound()
}

// A session gets recovery_tmo, and gets it again after somebody else has set another
// and the path was away.
func TestSessionTimeIsWritten(t *testing.T) {
	r := newRig(t, 8, plain)
	w, _, hosts, _ := twin(t, ISCSI)
	r.w, r.d = w, NewDaemon(w)
	w.ScanAll()
	r.start(10 * second)
	const session = "class/iscsi_session/session257/recovery_tmo"
	r.wantAttr(session, "5")
	if err := (Tree{w}).WriteAttr(session, "33"); err != nil {
		t.Fatal(err)
	}
	hosts[0].Cut()
	r.run(60 * second)
	r.wantAttr(session, "33")
	hosts[0].Mend()
	r.run(60 * second)
	r.wantAttr(session, "5")
	r.wantSound()
}

// A write that the kernel refuses is told and does not stop the map; it is tried
// again with the next scan.
func TestRefusedTimes(t *testing.T) {
	r := newRig(t, 9, plain)
	w, _, _, _ := twin(t, FibreChannel)
	r.w, r.d = w, NewDaemon(w)
	w.ScanAll()
	broken := w.BreakSysfs(SysfsFault{Path: "rport-1:0-0/dev_loss_tmo", Op: "write", Errno: eNOENT})
	r.start(10 * second)
	r.wantSaid("the kernel keeps its own")
	r.mapNamed("mpatha")
	w.MendSysfs(broken)
	r.run(310 * second)
	r.wantNoHarm()
	r.wantSound()
}

// max_sectors_kb is written before a map is made and before a path joins it, and to
// no member; a path that joins is never given less than the map.
func TestMaxSectors(t *testing.T) {
	r := newRig(t, 10, plain+"defaults {\n max_sectors_kb 512\n}\n")
	l, d := r.alua("data")
	r.start(10 * second)
	r.wantAttr("block/"+d[0].Name+"/queue/max_sectors_kb", "512")
	node := r.mapNamed("mpatha").kernelName()
	r.wantAttr("block/"+node+"/queue/max_sectors_kb", "512")

	r.d.Reconfigure(parse(t, plain+"defaults {\n max_sectors_kb 128\n}\n"))
	r.run(10 * second)
	r.wantAttr("block/"+d[0].Name+"/queue/max_sectors_kb", "512") // a member stays
	late := r.w.AddPath(l, 9, 1)
	r.run(20 * second)
	r.wantAttr("block/"+late.Name+"/queue/max_sectors_kb", "512") // the map has requests as large as this
	if n := r.mapNamed("mpatha").live.multipaths()[0].valid(); n != 5 {
		r.fail("%d paths", n)
	}
	r.wantNoHarm()
	r.wantSound()
}

// What the simulated kernel refuses, and what it calls harm.
func TestTimesRefusedByTheKernel(t *testing.T) {
	for _, tc := range []struct {
		writes string // "attribute=value", in order; the last one counts
		bad    error
		harms  int
	}{
		{writes: "fast_io_fail_tmo=59"},
		{writes: "fast_io_fail_tmo=60", bad: sysfs.ErrRefused},
		{writes: "fast_io_fail_tmo=off dev_loss_tmo=600"},
		{writes: "fast_io_fail_tmo=off dev_loss_tmo=601", bad: sysfs.ErrRefused},
		{writes: "dev_loss_tmo=infinity", bad: sysfs.ErrRefused},
		{writes: "dev_loss_tmo=2147483647"},
		{writes: "dev_loss_tmo=2147483647 fast_io_fail_tmo=601", bad: sysfs.ErrRefused},
		{writes: "dev_loss_tmo=5", harms: 1},
		{writes: "fast_io_fail_tmo=off dev_loss_tmo=0", harms: 1},
		{writes: "roles=1", bad: sysfs.ErrAbsent},
	} {
		w, _, hosts, _ := twin(t, FibreChannel)
		w.ScanAll()
		var err error
		for _, write := range strings.Fields(tc.writes) {
			name, value, _ := strings.Cut(write, "=")
			err = (Tree{w}).WriteAttr(port10+name, value)
		}
		if !errors.Is(err, tc.bad) || len(w.Harms) != tc.harms {
			t.Errorf("%s: %v, harms %q", tc.writes, err, w.Harms)
		}
		hosts[0].Cut()
		if err := (Tree{w}).WriteAttr(port10+"fast_io_fail_tmo", "7"); !errors.Is(err, sysfs.ErrBusy) {
			t.Errorf("a blocked port: %v", err)
		}
		w.Run(mpath.Second)
	}
}

// Without fast_io_fail_tmo a lost port is blocked for all of dev_loss_tmo, and its I/O
// with it: the kernel then takes no more than 600 s, and keeps more that it had before.
func TestPortIsNotBlockedForEver(t *testing.T) {
	for _, retry := range []string{"queue", "12"} {
		r := newRig(t, 11, plain+"overrides {\n no_path_retry queue\n}\n")
		w, _, _, _ := twin(t, FibreChannel)
		r.w, r.d = w, NewDaemon(w)
		w.ScanAll()
		r.start(10 * second)
		r.wantAttr(port10+"dev_loss_tmo", "2147483647")
		r.d.Reconfigure(parse(t, plain+"overrides {\n fast_io_fail_tmo off\n no_path_retry "+retry+"\n}\n"))
		r.run(10 * second)
		for _, port := range []string{port10, port21} {
			r.wantAttr(port+"fast_io_fail_tmo", "off")
			r.wantAttr(port+"dev_loss_tmo", "600")
		}
		r.wantNoHarm()
		r.wantSound()
	}
}

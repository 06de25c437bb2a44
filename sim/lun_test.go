package sim

import (
	"strings"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
)

// listen keeps the kernel's events as "ACTION NAME TEXT".
func listen(w *World) *[]string {
	var out []string
	w.Listen(func(e Uevent) { out = append(out, strings.TrimSpace(e.Action+" "+e.Name+" "+e.Text)) })
	return &out
}

func lone(t *testing.T, l LUN) (*World, *LUN, *Disk) {
	t.Helper()
	w := New(1)
	lun := w.AddLUN(l)
	return w, lun, w.AddPath(lun, 2, 1)
}

// The kernel hears of a new size by a unit attention, tells udevd, and changes
// the size that it shows only when it looks again.
func TestResize(t *testing.T) {
	w, l, d := lone(t, LUN{Name: "one", Vendor: "PLAIN", Product: "DISK", Sectors: 1000})
	events := listen(w)
	for _, size := range []uint64{2000, 500} {
		*events = nil
		was := d.Sectors
		l.blocks[900] = 1
		l.Resize(size)
		if s := sendTUR(w, "sda"); s != (sense{0x6, 0x2a, 0x09}) {
			t.Errorf("sense %+v", s)
		}
		if got := strings.Join(*events, ", "); got != "change 2:0:1:0 SDEV_UA=CAPACITY_DATA_HAS_CHANGED" {
			t.Errorf("events %s", got)
		}
		info, _ := sysfs.ReadDisk(Tree{w}, "sda")
		if info.Sectors != was {
			t.Errorf("sysfs has %d sectors before the rescan", info.Sectors)
		}
		*events = nil
		if err := (Tree{w}).WriteAttr("block/sda/device/rescan", "1"); err != nil {
			t.Error(err)
		}
		info, _ = sysfs.ReadDisk(Tree{w}, "sda")
		if info.Sectors != size || strings.Join(*events, ", ") != "change sda RESIZE=1" {
			t.Errorf("after the rescan: %d sectors, events %q", info.Sectors, *events)
		}
	}
	if l.Stamp(900) != 0 {
		t.Error("a block beyond the end is still there")
	}
}

func TestReadOnlyLUNRefusesWrites(t *testing.T) {
	w, l, d := lone(t, LUN{Name: "one"})
	m := mapOf(t, w, "0 0 1 1 service-time 0 1 1 8:0 1")
	l.SetReadOnly(true)
	io := m.Write(l, 1, 1, nil)
	w.Run(second)
	if !strings.HasPrefix(io.Err, "EREMOTEIO") || m.live.multipaths()[0].valid() != 1 || l.Blocks() > 0 {
		t.Errorf("write: %q, %d blocks, status %s", io.Err, l.Blocks(), m.Status())
	}
	if d.ReadOnly {
		t.Error("the kernel knows without looking")
	}
	d.Rescan()
	if !d.ReadOnly {
		t.Error("the kernel does not know")
	}
}

// mapOf makes a live multipath map m over what the table names.
func mapOf(t *testing.T, w *World, params string) *Map {
	t.Helper()
	m := w.addMap("m", "mpath-x")
	loadInto(t, w, params)
	return m
}

// What the kernel does with a unit attention: with the alua handler it sends the
// command again and only the event is left; without, the caller sees it.
func TestUnitAttentions(t *testing.T) {
	for _, tc := range []struct {
		asc, ascq uint8
		event     string
		swallowed bool
	}{
		{0x29, 0x00, "POWER_ON_RESET_OCCURRED", true},
		{0x29, 0x04, "POWER_ON_RESET_OCCURRED", true},
		{0x2a, 0x01, "MODE_PARAMETERS_CHANGED", true},
		{0x2a, 0x06, "ASYMMETRIC_ACCESS_STATE_CHANGED", true},
		{0x2a, 0x09, "CAPACITY_DATA_HAS_CHANGED", false},
		{0x3f, 0x03, "INQUIRY_DATA_HAS_CHANGED", true},
		{0x3f, 0x0e, "REPORTED_LUNS_DATA_HAS_CHANGED", true},
		{0x38, 0x07, "THIN_PROVISIONING_SOFT_THRESHOLD_REACHED", false},
		{0x28, 0x00, "", false},
	} {
		for _, alua := range []bool{false, true} {
			l := LUN{Name: "one", Vendor: "PLAIN", Product: "DISK"}
			if alua {
				l.TPGS = TPGSImplicit
			}
			w, _, d := lone(t, l)
			events := listen(w)
			d.Attention(tc.asc, tc.ascq)
			if r := (SCSI{w}).Do("sda", scsi.Inquiry(1000)); r.Status != scsi.StatusGood || d.Attentions() != 1 {
				t.Errorf("%x/%x: INQUIRY took it: %+v", tc.asc, tc.ascq, r)
			}
			got := sendTUR(w, "sda")
			if want := (sense{0x6, tc.asc, tc.ascq}); (got == want) == (alua && tc.swallowed) || got != want && got != (sense{}) {
				t.Errorf("%x/%x, alua %v: sense %+v", tc.asc, tc.ascq, alua, got)
			}
			want := ""
			if tc.event != "" {
				want = "change 2:0:1:0 SDEV_UA=" + tc.event
			}
			if text := strings.Join(*events, ", "); text != want {
				t.Errorf("%x/%x: events %q, want %q", tc.asc, tc.ascq, text, want)
			}
			if s := sendTUR(w, "sda"); s != (sense{}) {
				t.Errorf("%x/%x: it comes again: %+v", tc.asc, tc.ascq, s)
			}
		}
	}
}

// Attentions wait per nexus, in their order, none twice, a reset before all.
func TestAttentionOrder(t *testing.T) {
	w, l, a := lone(t, LUN{Name: "one", Vendor: "PLAIN", Product: "DISK"})
	b := w.AddPath(l, 3, 1)
	l.Attention(0x2a, 0x09)
	l.Attention(0x2a, 0x01)
	l.Attention(0x2a, 0x09)
	b.Attention(0x29, 0x00)
	b.Attention(0x2a, 0x06)
	for _, tc := range []struct {
		d    *Disk
		want []sense
	}{
		{a, []sense{{6, 0x2a, 0x09}, {6, 0x2a, 0x01}, {}}},
		{b, []sense{{6, 0x29, 0x00}, {6, 0x2a, 0x06}, {}}},
	} {
		for _, want := range tc.want {
			if got := sendTUR(w, tc.d.Name); got != want {
				t.Errorf("%s: %+v, want %+v", tc.d.Name, got, want)
			}
		}
	}
	// REPORT LUNS takes REPORTED LUNS DATA HAS CHANGED away.
	a.Attention(0x3f, 0x0e)
	r := SCSI{w}.Do("sda", scsi.Request{CDB: []byte{0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, InLen: 256, TimeoutMS: 1000})
	if len(r.Data) != 16 || a.Attentions() != 0 {
		t.Errorf("REPORT LUNS: % x, %d attentions", r.Data, a.Attentions())
	}
}

func TestPages(t *testing.T) {
	t10 := T10Designator("VENDOR", "serial 1")
	for _, tc := range []struct {
		name  string
		pages map[uint8][]byte
		want  string // WWID
	}{
		{"as ever", nil, "3600140500000000100000000000051ff"},
		{"T10 only", map[uint8][]byte{0x83: Page83(t10)}, "1VENDOR_serial_1"},
		{"EUI before T10", map[uint8][]byte{0x83: Page83(t10, EUIDesignator("0025385b71b01234"))}, "20025385b71b01234"},
		{"no page 83", map[uint8][]byte{0x83: nil}, ""},
		{"page 83 cut off", map[uint8][]byte{0x83: Page83(NAADesignator("600140500000000100000000000051ff"))[:12]}, ""},
		{"of a port only", map[uint8][]byte{0x83: Page83(Designator{CodeSet: 1, Association: 1, Kind: 4, ID: []byte{0, 0, 0, 1}})}, ""},
	} {
		w, _, d := lone(t, LUN{Name: "one", NAA: "600140500000000100000000000051ff", Pages: tc.pages})
		raw := scsi.Raw{Inquiry: (SCSI{w}).Do("sda", scsi.Inquiry(1000)).Data}
		for code, into := range map[uint8]*[]byte{0x00: &raw.VPD00, 0x80: &raw.VPD80, 0x83: &raw.VPD83} {
			*into = SCSI{w}.Do("sda", scsi.InquiryVPD(code, 255, 1000)).Data
		}
		if id := scsi.Identify(raw); tc.want != "" && id.WWID != tc.want || tc.want == "" && strings.HasPrefix(id.WWID, "36") {
			t.Errorf("%s: WWID %q (%s), want %q", tc.name, id.WWID, id.Problem, tc.want)
		}
		if got, err := sysfs.ReadDisk(Tree{w}, "sda"); err != nil || string(got.SCSI.VPD83) != string(d.vpd83) || (got.SCSI.VPD83 == nil) != (tc.name == "no page 83") {
			t.Errorf("%s: the cache has % x, %v", tc.name, got.SCSI.VPD83, err)
		}
	}
	// The kernel's cache says something else than the device.
	w, _, d := lone(t, LUN{Name: "one"})
	d.SetCache(0x83, Page83(NAADesignator("6001405999999999")))
	got, err := sysfs.ReadDisk(Tree{w}, "sda")
	if err != nil || string(got.SCSI.VPD83) == string(SCSI{w}.Do("sda", scsi.InquiryVPD(0x83, 255, 1000)).Data) {
		t.Errorf("cache and device agree: %v", err)
	}
	d.Rescan()
	if got, _ = sysfs.ReadDisk(Tree{w}, "sda"); string(got.SCSI.VPD83) != string(SCSI{w}.Do("sda", scsi.InquiryVPD(0x83, 255, 1000)).Data) {
		t.Error("a rescan does not read the page again")
	}
}

// SET TARGET PORT GROUPS: from a command, and from the kernel when dm switches to
// a group of an explicit LUN.
func TestExplicitALUA(t *testing.T) {
	stpg := scsi.Request{CDB: []byte{0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0}, Out: []byte{0, 0, 0, 0, 0, 0, 0, 2}, TimeoutMS: 1000}
	for _, tpgs := range []uint8{TPGSImplicit, TPGSExplicit, TPGSImplicit | TPGSExplicit} {
		w, l, a := lone(t, LUN{Name: "one", Vendor: "V", Product: "P", TPGS: tpgs, OneOwner: true})
		b := w.AddPath(l, 2, 2)
		l.SetAccess(2, Standby)
		r := SCSI{w}.Do("sdb", stpg)
		if explicit := tpgs&TPGSExplicit != 0; explicit != (l.Access(2) == Optimized) || explicit != (l.Access(1) == NonOptimized) || explicit != (r.Status == scsi.StatusGood) {
			t.Errorf("TPGS %d: %+v, groups %v %v", tpgs, r, l.Access(1), l.Access(2))
		}
		if a.Attentions() > 1 || b.Attentions() > 0 {
			t.Errorf("attentions %d %d", a.Attentions(), b.Attentions())
		}
		// The same by the kernel's handler.
		l.SetAccess(1, Optimized)
		l.SetAccess(2, Standby)
		m := mapOf(t, w, "0 1 alua 2 2 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1")
		io := m.Write(l, 1, 1, nil)
		w.Run(second)
		if io.Ended == 0 || io.Err != "" {
			t.Errorf("TPGS %d: write %q, status %s", tpgs, io.Err, m.Status())
		}
		want := "8:16 A 0" // explicit: the handler asked for the group
		if tpgs == TPGSImplicit {
			want = "8:16 F 1" // it could not: the write failed there and went the other way
		}
		if !strings.Contains(m.Status(), want) || (l.Switches() > 0) != (tpgs != TPGSImplicit) {
			t.Errorf("TPGS %d: status %s, %d switches", tpgs, m.Status(), l.Switches())
		}
	}
}

// What a disk answers that does not keep to the rules.
func TestQuirks(t *testing.T) {
	tur := scsi.Request{CDB: make([]byte, 6), TimeoutMS: 5000}
	garbage := []byte{0xff, 1, 2}
	for _, tc := range []struct {
		name string
		q    Quirk
		req  scsi.Request
		want func(scsi.Response) bool
		took mpath.Span // at least
	}{
		{"errno", Quirk{Errno: eIO}, tur, func(r scsi.Response) bool { return r.Errno == eIO }, 0},
		{"host status", Quirk{Host: scsi.HostBusBusy}, tur, func(r scsi.Response) bool { return r.Host == scsi.HostBusBusy }, 0},
		{"conflict", Quirk{Status: scsi.StatusReservationConflict}, tur, func(r scsi.Response) bool { return r.Status == scsi.StatusReservationConflict }, 0},
		{"garbage sense", Quirk{Status: scsi.StatusCheckCondition, Sense: garbage}, tur, func(r scsi.Response) bool { return string(r.Sense) == string(garbage) }, 0},
		{"no sense", Quirk{Status: scsi.StatusCheckCondition}, tur, func(r scsi.Response) bool { return r.Status == 2 && r.Sense == nil }, 0},
		{"short data", Quirk{Cut: 30}, scsi.Inquiry(1000), func(r scsi.Response) bool { return len(r.Data) == 6 }, 0},
		{"other data", Quirk{Data: []byte("nonsense")}, scsi.Inquiry(1000), func(r scsi.Response) bool { return string(r.Data) == "nonsense" }, 0},
		{"slow", Quirk{Slow: 3 * second}, tur, func(r scsi.Response) bool { return r.Status == 0 && r.Host == 0 }, 3 * second},
		{"too slow", Quirk{Slow: 7 * second}, tur, func(r scsi.Response) bool { return r.Host == scsi.HostTimeOut }, 5 * second},
		{"lost", Quirk{Lost: true}, tur, func(r scsi.Response) bool { return r.Host == scsi.HostTimeOut }, 5 * second},
		{"busy for ever", Quirk{Status: scsi.StatusBusy}, tur, func(r scsi.Response) bool { return r.Status == scsi.StatusBusy }, 5 * second},
		{"other page", Quirk{Pages: []uint8{0x83}, Errno: eIO}, scsi.InquiryVPD(0x80, 255, 1000), func(r scsi.Response) bool { return r.Errno == 0 }, 0},
		{"other command", Quirk{Opcodes: []uint8{opRead10}, Errno: eIO}, tur, func(r scsi.Response) bool { return r.Errno == 0 }, 0},
	} {
		w, _, d := lone(t, LUN{Name: "one"})
		q := d.Lie(tc.q)
		w.took = 0
		if r := (SCSI{w}).Do("sda", tc.req); !tc.want(r) || w.took < tc.took {
			t.Errorf("%s: %+v after %d ms", tc.name, r, w.took/mpath.Millisecond)
		}
		d.Honest(q)
		if r := (SCSI{w}).Do("sda", tur); r.Errno != 0 || r.Status != 0 || r.Host != 0 {
			t.Errorf("%s: honest: %+v", tc.name, r)
		}
	}
	// Once, and then no more; for a while, and the kernel waits for its end.
	w, _, d := lone(t, LUN{Name: "one"})
	d.Lie(Quirk{Errno: eIO, Times: 2})
	for i, want := range []uint32{eIO, eIO, 0} {
		if r := (SCSI{w}).Do("sda", tur); r.Errno != want {
			t.Errorf("command %d: %+v", i, r)
		}
	}
	d.Busy(scsi.StatusTaskSetFull, 2*second)
	w.took = 0
	if r := (SCSI{w}).Do("sda", tur); r.Status != 0 || w.took < 2*second {
		t.Errorf("TASK SET FULL for two seconds: %+v after %d", r, w.took)
	}
}

// What the kernel makes of the same for I/O: some are retried, some fail the
// path, some go to the application as they are.
func TestQuirksUnderIO(t *testing.T) {
	for _, tc := range []struct {
		name string
		q    Quirk
		err  string
		path string // state of sda after
	}{
		{"conflict", Quirk{Status: scsi.StatusReservationConflict}, "EBADE", "8:0 A 0"},
		{"medium error", Quirk{Status: scsi.StatusCheckCondition, Sense: sense{3, 0x11, 0}.fixed()}, "ENODATA", "8:0 A 0"},
		{"hardware error", Quirk{Status: scsi.StatusCheckCondition, Sense: sense{4, 0x44, 0}.fixed()}, "", "8:0 F 1"},
		{"garbage sense", Quirk{Status: scsi.StatusCheckCondition, Sense: []byte{0}}, "", "8:0 F 1"},
		{"transport", Quirk{Host: scsi.HostTransportFailFast}, "", "8:0 F 1"},
		{"task set full", Quirk{Status: scsi.StatusTaskSetFull, Until: mpath.Instant(105 * second)}, "", "8:0 A 0"},
		{"deferred error", Quirk{Status: scsi.StatusCheckCondition, Sense: []byte{0x71, 0, 4}, Times: 1}, "", "8:0 A 0"},
	} {
		w, l, d := lone(t, LUN{Name: "one"})
		w.AddPath(l, 3, 1)
		m := mapOf(t, w, "0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1")
		d.Lie(tc.q)
		io := m.Write(l, 1, 1, nil)
		w.Run(mpath.Minute)
		if io.Ended == 0 || !strings.HasPrefix(io.Err, tc.err) || (tc.err == "") != (io.Err == "") || !strings.Contains(m.Status(), tc.path) {
			t.Errorf("%s: %q, status %s", tc.name, io.Err, m.Status())
		}
	}
}

// Commands and I/O that do not come back before the fault ends.
func TestStuck(t *testing.T) {
	r := newRig(t, 77, plain)
	l, ds := r.alua("one")
	r.start(10 * second)
	a := r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	hang := ds[0].Lie(Quirk{Hang: true})
	ds[1].Break(Stuck)
	r.run(3 * mpath.Minute)
	if a.open == 0 || len(r.d.hung) == 0 {
		r.fail("%d writes and %d requests hang", a.open, len(r.d.hung))
	}
	ds[0].Honest(hang)
	ds[1].Break(Healthy)
	r.run(2 * mpath.Minute)
	if len(r.d.hung) > 0 {
		r.fail("%d requests hang still", len(r.d.hung))
	}
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.wantSound()
}

// A disk that is found while its port does not answer READ CAPACITY has no size
// until somebody rescans it.
func TestFoundWithoutSize(t *testing.T) {
	w := New(1)
	l := w.AddLUN(LUN{Name: "one", NoCapacity: true})
	l.SetAccess(1, Unavailable)
	d := w.AddPath(l, 2, 1)
	l.SetAccess(1, Optimized)
	if info, _ := sysfs.ReadDisk(Tree{w}, "sda"); info.Sectors != 0 {
		t.Errorf("%d sectors", info.Sectors)
	}
	d.Rescan()
	if info, _ := sysfs.ReadDisk(Tree{w}, "sda"); info.Sectors != l.Sectors {
		t.Errorf("%d sectors after the rescan", info.Sectors)
	}
}

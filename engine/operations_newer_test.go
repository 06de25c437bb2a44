package engine

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
)

// newerOperations are those of knobs, limits, of what one command may touch, and of
// devices that are identified by more than page 0x83.
func newerOperations() []operation {
	return slices.Concat(knobOperations(), identifyOperations(), checkOperations(), mapOperations(), stateOperations(), onlyOperations())
}

func hostWith(change func(h *host)) host { h := wellHost(); change(&h); return h }

func knobOperations() []operation {
	const port, session, hba = "class/fc_remote_ports/rport-1:0-0", "class/iscsi_session/session1", "class/scsi_host/host2"
	with := func(attrs map[string]string) host { return hostWith(func(h *host) { h.attrs = attrs }) }
	times := func(fail, loss string) host {
		return with(map[string]string{port + "/fast_io_fail_tmo": fail, port + "/dev_loss_tmo": loss})
	}
	knobs := func(dir string, list ...mpath.Knob) mpath.SetKnobs {
		return mpath.SetKnobs{Seq: 3, Dir: dir, Knobs: list}
	}
	fail, loss := mpath.Knob{Name: "fast_io_fail_tmo", Value: "5"}, mpath.Knob{Name: "dev_loss_tmo", Value: "700"}
	both := knobs(port, fail, loss)
	sda, sdb := mpath.PathRef{ID: mpath.PathID{Dev: table.DevNum{Major: 8}, Diskseq: 1}, Name: "sda"}, mpath.PathRef{ID: mpath.PathID{Dev: table.DevNum{Major: 8, Minor: 16}, Diskseq: 2}, Name: "sdb"}
	limit := mpath.LimitPaths{Seq: 4, WWID: "w1", KB: 128, Paths: []mpath.PathRef{sda, sdb}}
	live := limit
	live.Dev = table.DevNum{Major: 253, Minor: 4}
	sizes := func(dm string) host {
		attrs := map[string]string{"block/sda/queue/max_sectors_kb": "1280", "block/sdb/queue/max_sectors_kb": "128"}
		if dm != "" {
			attrs["block/dm-4/queue/max_sectors_kb"] = dm
		}
		return with(attrs)
	}
	return []operation{
		{"times of a port", both, Engine{}, times("off", "60")},
		{"times of a port that are so already", both, Engine{}, times("5", "700")},
		{"times of a port without one of them", both, Engine{}, with(map[string]string{port + "/fast_io_fail_tmo": "off"})},
		{"a port that is to fail later than it is given up now", knobs(port, mpath.Knob{Name: "fast_io_fail_tmo", Value: "100"}, mpath.Knob{Name: "dev_loss_tmo", Value: "200"}), Engine{}, times("off", "60")},
		{"dev_loss_tmo alone", knobs(port, loss), Engine{}, times("off", "60")},
		{"dev_loss_tmo that is to be raised, and is more", knobs(port, fail, mpath.Knob{Name: "dev_loss_tmo", Value: "66", Raise: true}), Engine{}, times("off", "600")},
		{"time of a session", knobs(session, mpath.Knob{Name: "recovery_tmo", Value: "5"}), Engine{}, with(map[string]string{session + "/recovery_tmo": "120"})},
		{"time of a session that is so already", knobs(session, mpath.Knob{Name: "recovery_tmo", Value: "5"}), Engine{}, with(map[string]string{session + "/recovery_tmo": "5"})},
		{"two numbers of a host, one of them absent", knobs(hba, mpath.Knob{Name: "no_such", Value: "1"}, mpath.Knob{Name: "eh_deadline", Value: "30"}, mpath.Knob{Name: "no_such_either", Value: "1"}), Engine{}, with(map[string]string{hba + "/eh_deadline": "off"})},
		{"no numbers", knobs(hba), Engine{}, with(nil)},
		{"max_sectors_kb before a map is made", limit, Engine{}, sizes("")},
		{"max_sectors_kb of what joins a map with more", live, Engine{}, sizes("512")},
		{"max_sectors_kb of what joins a map with less", live, Engine{}, sizes("64")},
		{"max_sectors_kb of what joins a map that is gone", live, Engine{}, sizes("")},
	}
}

func identifyOperations() []operation {
	well := wellHost()
	identify := mpath.Identify{Seq: 6, Name: "sda"}
	page := func(code byte, body []byte) []byte { return append([]byte{0, code, 0, byte(len(body))}, body...) }
	ata := func(h *host) {
		h.disk.SCSI.Inquiry = slices.Clone(well.inquiry)
		copy(h.disk.SCSI.Inquiry[8:], "ATA     WDC DISK        1.0 ")
		h.disk.SCSI.VPD80 = well.vpd[0x80]
		h.files["/run/udev/data/b8:0"] = "I:1\nE:ID_SERIAL=WDC_DISK_SN01\n"
	}
	plain := func(h *host) { h.plain = true }
	cached := func(h *host) { h.disk.SCSI.Inquiry, h.disk.SCSI.VPD83 = well.inquiry, well.vpd[0x83] }
	const mounted = "36 35 8:0 / /data rw - ext4 /dev/sda rw\n"
	lvm := sysfs.Holder{Name: "dm-5", DMName: "vg-lv", DMUUID: "LVM-x"}
	op := func(name string, eng Engine, change ...func(h *host)) operation {
		return operation{name, identify, eng, hostWith(func(h *host) {
			for _, c := range change {
				c(h)
			}
		})}
	}
	long := func(h *host) { // the first try has the id, the rest comes with the second
		p := append(slices.Clone(well.vpd[0x83]), make([]byte, 248)...)
		p[2], p[3] = 1, byte(len(p)-4-256)
		for i := len(well.vpd[0x83]); i+8 <= len(p); i += 8 {
			copy(p[i:], []byte{0x61, 0x14, 0, 4, 0, 0, 0, 9})
		}
		h.vpd[0x83] = p
	}
	join := mpath.LoadMap{
		Seq: 2, WWID: "w1", Name: "one", Size: 2048,
		Table: table.Table{First: 1, Groups: []table.Group{{Selector: "service-time", Paths: []table.Path{{Dev: table.DevNum{Major: 8}, Args: []string{"1"}}}}}},
		Paths: []mpath.PathRef{{ID: mpath.PathID{Dev: table.DevNum{Major: 8}, Diskseq: 1}, Name: "sda", Expect: lunID, SG: "sg0", HostNo: 2}},
	}
	return []operation{
		{"a path joins that has a long page", join, Engine{}, hostWith(long)},
		op("identify a disk that is mounted", Engine{}, plain, func(h *host) { h.files["/proc/self/mountinfo"] = mounted }),
		op("identify a disk with a logical volume", Engine{}, func(h *host) { h.disk.Holders = []sysfs.Holder{lvm} }),
		op("identify a disk whose partition is that of a map", Engine{}, plain, func(h *host) {
			h.disk.Holders = []sysfs.Holder{{Name: "dm-6", DMName: "one-part1", DMUUID: "part1-mpath-w1"}}
		}),
		op("identify a disk that the kernel remembers", Engine{}, cached),
		op("identify a disk with all that sysfs can say", Engine{}, plain, func(h *host) {
			h.port = sysfs.Port{HostNode: "0x1", HostPort: "0x2", TargetPort: "0x3", Adapter: "0000:00:05.0", MaxSectorsKB: 512}
			h.disk.Nexus, h.disk.ReadOnly, h.disk.Hidden, h.disk.SCSI.AccessState, h.disk.SCSI.Channel = "rport-2:0-1", true, true, "standby", 4
			h.disk.Major, h.disk.Minor = 65, 32
		}),
		op("identify a USB disk", Engine{}, plain, func(h *host) { h.disk.Protocol = sysfs.ProtocolUSB }),
		op("identify an RDAC array's disk", Engine{}, func(h *host) {
			h.vpd[0x00] = []byte{0, 0, 0, 4, 0, 0x80, 0x83, 0xc9}
			h.vpd[0xc9] = page(0xc9, append([]byte("vac1"), make([]byte, 40)...))
		}),
		op("identify a disk with a page 0xc9 of its own", Engine{}, plain, func(h *host) {
			h.vpd[0x00] = []byte{0, 0, 0, 4, 0, 0x80, 0x83, 0xc9}
			h.vpd[0xc9] = page(0xc9, make([]byte, 44))
		}),
		op("identify a 3PAR volume", Engine{}, func(h *host) {
			copy(h.inquiry[8:], "3PARdata")
			h.vpd[0x00] = []byte{0, 0, 0, 4, 0, 0x80, 0x83, 0xc0}
			body := append(make([]byte, 40), "volume.7\x00"...)
			body[0], body[39] = 4, 9
			h.vpd[0xc0] = page(0xc0, body)
		}),
		op("identify a 3PAR volume without that page", Engine{}, plain, func(h *host) { copy(h.inquiry[8:], "3PARdata") }),
		op("identify a disk with a page 0xc0 of its own", Engine{}, plain, func(h *host) { h.vpd[0x00] = []byte{0, 0, 0, 4, 0, 0x80, 0x83, 0xc0} }),
		op("identify a disk without a list of pages", Engine{}, plain, func(h *host) { delete(h.vpd, 0x00) }),
		op("identify quietly a disk behind libata", Engine{Quiet: true}, ata),
		op("identify quietly a disk behind libata that has no serial number", Engine{Quiet: true}, ata, func(h *host) { h.disk.SCSI.VPD80 = page(0x80, []byte("    ")) }),
		op("identify quietly a disk behind libata without page 0x80", Engine{Quiet: true}, ata, func(h *host) { h.disk.SCSI.VPD80 = nil }),
		op("identify quietly a disk that is not behind libata", Engine{Quiet: true}, ata, func(h *host) { h.disk.SCSI.Inquiry = well.inquiry }),
		op("identify quietly a disk without INQUIRY data", Engine{Quiet: true}, ata, func(h *host) { h.disk.SCSI.Inquiry = nil }),
		op("identify quietly a disk of whom nothing is remembered", Engine{Quiet: true}),
	}
}

func checkOperations() []operation {
	a := mpath.PathID{Dev: table.DevNum{Major: 8}, Diskseq: 1}
	check := mpath.StartCheck{Seq: 9, Path: a, Name: "sda", SG: "sg0", HostNo: 2, Checker: "tur", TimeoutMS: 10_000, Prio: "alua", PortGroup: 7, TPGS: 1, Expect: lunID}
	known := check
	known.Identify = true
	lost := check
	lost.PortGroup = -1
	reading := known
	reading.Checker, reading.Prio = "directio", ""
	ua := func(key, asc, ascq byte) scsi.Response {
		return scsi.Response{Status: scsi.StatusCheckCondition, Sense: []byte{0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0}}
	}
	news := ua(6, 0x3f, 0x0e)
	named := check
	named.Prio, named.PrioArgs, named.HCTL, named.Serial = "weightedpath", "hbtl 2:.:.:. 4 serial S.* 5", "2:0:1:3", "S1"
	return []operation{
		{"check a path in standby", known, Engine{}, hostWith(func(h *host) { h.tur = ua(2, 4, 0x0b) })},
		{"check a path in transition", known, Engine{}, hostWith(func(h *host) { h.tur, h.plain = ua(2, 4, 0x0a), true })},
		{"check a path whose port group nobody knows", lost, Engine{}, hostWith(func(h *host) {
			h.rtpg, h.plain = []byte{0, 0, 0, 12, 0, 0x8f, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0}, true
		})},
		{"check by reading, and identify", reading, Engine{}, wellHost()},
		{"check where the priority's command brings news", check, Engine{}, hostWith(func(h *host) { h.rtpgSays = &news })},
		{"check and identify where the priority's command brings news", known, Engine{}, hostWith(func(h *host) { h.rtpgSays, h.plain = &news, true })},
		{"check with a priority by its place", named, Engine{}, wellHost()},
		{"check a path that is offline", check, Engine{}, hostWith(func(h *host) { h.attrs = map[string]string{"block/sda/device/state": "offline"} })},
	}
}

func mapOperations() []operation {
	read := mpath.ReadMap{Seq: 7, UUID: "mpath-w1"}
	reading := func(what string, change func(h *host)) operation {
		return operation{"read a map " + what, read, Engine{}, hostWith(func(h *host) { h.plain = true; change(h) })}
	}
	const good = "multipath 0 0 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1"
	a, b := table.DevNum{Major: 8}, table.DevNum{Major: 8, Minor: 16}
	one := table.Table{First: 1, Groups: []table.Group{{Selector: "service-time", Paths: []table.Path{{Dev: a, Args: []string{"1"}}}}}}
	refs := []mpath.PathRef{{ID: mpath.PathID{Dev: a, Diskseq: 1}, Name: "sda"}}
	long := strings.Repeat("x", 130)
	ops := []operation{
		reading("without a table", func(h *host) { h.noTable = true }),
		reading("of another target", func(h *host) { h.tables = []string{"linear 8:0 0"} }),
		reading("of two targets", func(h *host) { h.tables = []string{"linear 8:0 0", "error"} }),
		reading("whose second target is another", func(h *host) { h.tables = []string{good, "error"} }),
		reading("whose table has no target", func(h *host) { h.tables = []string{} }),
		reading("whose table is nonsense", func(h *host) { h.tables = []string{"multipath nonsense"} }),
		reading("whose status is nonsense", func(h *host) { h.status = "nonsense" }),
		reading("that has two statuses", func(h *host) { h.statuses = []string{"multipath " + statusWell, "multipath " + statusWell} }),
		reading("that has no status", func(h *host) { h.statuses = []string{} }),
		reading("that the kernel has suspended by itself", func(h *host) { h.flags = 1 << 18 }),
		reading("that is to go at its last close", func(h *host) { h.deferred = true }),
		{"create without a size", mpath.CreateMap{Seq: 1, WWID: "w1", Name: "one", Table: one, Paths: refs, Owner: mpath.NoOwner()}, Engine{}, hostWith(func(h *host) { h.plain = true })},
		{"load a table without paths", mpath.LoadMap{Seq: 1, WWID: "w1", Name: "one", Size: 8, Table: table.Table{First: 1, Groups: []table.Group{{Selector: "service-time"}}}}, Engine{}, hostWith(func(h *host) { h.plain = true })},
		{"load a read-only table, without kpartx", mpath.LoadMap{Seq: 1, WWID: "w1", Name: "one", Size: 2048, Table: one, Paths: refs, ReadOnly: true, NoKpartx: true}, Engine{}, hostWith(func(h *host) { h.plain = true })},
		{"load where a path outside of the new table has failed", mpath.LoadMap{Seq: 1, WWID: "w1", Name: "one", Size: 2048, Table: one, Paths: refs}, Engine{}, hostWith(func(h *host) { h.plain, h.status = true, "2 0 0 0 2 1 A 0 1 2 8:0 A 0 0 1 E 0 1 2 8:16 F 1 0 1" })},
		{"load where the path that has failed is to fail", mpath.LoadMap{Seq: 1, WWID: "w1", Name: "one", Size: 2048, Table: one, Paths: refs, Fail: []table.DevNum{b, a}}, Engine{}, hostWith(func(h *host) { h.plain, h.status = true, statusFailed })},
		{"resume without kpartx", mpath.ResumeMap{Seq: 3, WWID: "w1", Name: "one", NoKpartx: true}, Engine{}, hostWith(func(h *host) { h.plain = true })},
		{"resize read-only, without kpartx", mpath.ResizeMap{Seq: 3, WWID: "w1", Name: "one", From: 2048, Size: 4096, Table: one, Paths: refs, ReadOnly: true, NoKpartx: true}, Engine{}, hostWith(func(h *host) { h.plain = true })},
		{"an empty message", mpath.Message{Seq: 3, WWID: "w1", Name: "one"}, Engine{}, wellHost()},
		{"a map that goes between its partitions and itself", mpath.RemoveMap{Seq: 3, WWID: "w1", Name: "one", Partitions: []string{"part1-mpath-w1"}}, Engine{}, hostWith(func(h *host) { h.status = "" })},
		{"remove with a partition of a bad id", mpath.RemoveMap{Seq: 3, WWID: "w1", Name: "one", Partitions: []string{long}}, Engine{}, wellHost()},
		{"rename with partitions of a bad id and to a bad name", mpath.RenameMap{Seq: 3, WWID: "w1", Name: "one", To: "two", Parts: []mpath.PartName{
			{UUID: long, Name: "one-part1", To: "two-part1"}, {UUID: "mpath-w1", Name: "one-part2", To: ""},
		}}, Engine{}, hostWith(func(h *host) { h.plain = true })},
	}
	for _, x := range []struct{ what, wwid, name string }{{"a bad id", long, "one"}, {"a bad name", "w1", "a/b"}} {
		for _, act := range []mpath.Action{
			mpath.CreateMap{Seq: 1, WWID: x.wwid, Name: x.name, Table: one},
			mpath.LoadMap{Seq: 1, WWID: x.wwid, Name: x.name, Table: one},
			mpath.ResumeMap{Seq: 1, WWID: x.wwid, Name: x.name},
			mpath.SuspendMap{Seq: 1, WWID: x.wwid, Name: x.name},
			mpath.RemoveMap{Seq: 1, WWID: x.wwid, Name: x.name},
			mpath.RenameMap{Seq: 1, WWID: x.wwid, Name: x.name, To: "two"},
			mpath.Message{Seq: 1, WWID: x.wwid, Name: x.name, Text: "fail_path 8:0"},
			mpath.ResizeMap{Seq: 1, WWID: x.wwid, Name: x.name, From: 1, Size: 2, Table: one},
		} {
			ops = append(ops, operation{fmt.Sprintf("%T of %s", act, x.what), act, Engine{}, wellHost()})
		}
	}
	return append(ops, shrinkOperations()...)
}

// shrinkOperations are about what sits on a map that is to become smaller.
func shrinkOperations() []operation {
	a := table.DevNum{Major: 8}
	one := table.Table{First: 1, Groups: []table.Group{{Selector: "service-time", Paths: []table.Path{{Dev: a, Args: []string{"1"}}}}}}
	refs := []mpath.PathRef{{ID: mpath.PathID{Dev: a, Diskseq: 1}, Name: "sda"}}
	shrink := mpath.ResizeMap{Seq: 3, WWID: "w1", Name: "one", From: 4096, Size: 2048, Table: one, Paths: refs}
	forced, same := shrink, shrink
	forced.Force, same.From = true, same.Size
	op := func(what string, act mpath.ResizeMap, change func(h *host)) operation {
		return operation{"shrink " + what, act, Engine{}, hostWith(func(h *host) { h.plain = true; change(h) })}
	}
	held := func(tables ...string) func(h *host) {
		return func(h *host) {
			h.disk.Holders, h.open = []sysfs.Holder{{Name: "dm-9", DMName: "vg-lv", DMUUID: "LVM-x"}}, 1
			h.tables = tables
		}
	}
	return []operation{
		op("by force, what is open", forced, func(h *host) { h.open = 1 }),
		op("to the size that it has", same, func(h *host) { h.open = 1 }),
		op("with a volume that ends in time", shrink, held("linear 253:3 0")),
		op("with a volume that ends too late", shrink, held("linear 253:3 1")),
		op("with a volume on another map too", shrink, held("linear 253:3 0", "linear 253:4 99")),
		op("with a volume whose second part ends too late", shrink, held("linear 253:3 0", "linear 253:3 99")),
		op("with a striped volume", shrink, held("striped 2 8 253:3 0 253:4 0")),
		op("with a volume whose place is nonsense", shrink, held("linear 253:3 x")),
		op("with a volume of more words", shrink, held("linear 253:3 0 1")),
		op("with a holder that is no map", shrink, func(h *host) { h.disk.Holders, h.open = []sysfs.Holder{{Name: "md0"}}, 1 }),
		op("with a holder of a bad id", shrink, func(h *host) {
			h.disk.Holders, h.open = []sysfs.Holder{{Name: "dm-9", DMName: "x", DMUUID: strings.Repeat("x", 130)}}, 1
		}),
		op("with a holder and an opener", shrink, func(h *host) {
			held("linear 253:3 0")(h)
			h.open = 2
		}),
		{"shrink with a volume, and what can go wrong", shrink, Engine{}, hostWith(held("linear 253:3 0"))},
	}
}

func stateOperations() []operation {
	kept := mpath.Kept{WWID: "w1", NoPathRetry: policy.RetryPolicy{Mode: policy.RetryCount, Checks: 12}, PollingInterval: 7, FlushOnLastDel: "unused"}
	list := []mpath.Kept{kept, kept, kept, kept, kept}
	list[1].DeferredRemove, list[2].QueueWithoutDaemon, list[3].QueueOff, list[4].QueueWas = true, true, true, true
	for i := range list {
		list[i].WWID = fmt.Sprint("w", i)
	}
	f := DefaultFiles()
	saved := func(boot string) host {
		return hostWith(func(h *host) {
			h.plain = true
			h.files[f.Bindings], h.files[f.PRKeys] = "mpatha w1\n", "0x12 w1\n"
			h.files[f.Deadlines] = "pathkeeper-deadlines 1\nboot " + boot + "\nretry w1 1000 pending\nmap w1 12 5 unused\n"
		})
	}
	return []operation{
		{"save deadlines and settings", mpath.SaveDeadlines{Seq: 4, Deadlines: []mpath.Deadline{{WWID: "w1", At: 1000}}, Kept: list}, Engine{}, wellHost()},
		{"start after another boot", nil, Engine{}, saved("another")},
		{"start to serve some maps", nil, Engine{Only: &Only{Maps: []string{"w1"}}}, saved("boot")},
		{"start to read the names alone", nil, Engine{ReadNames: true}, saved("boot")},
		{"start without any file", nil, Engine{}, hostWith(func(h *host) { h.plain, h.files = true, nil })},
		{"save no names", mpath.SaveNames{Seq: 4}, Engine{}, wellHost()},
		{"save wwids that are there", mpath.SaveWWIDs{Seq: 4, WWIDs: []string{"w1"}}, Engine{}, hostWith(func(h *host) { h.files[f.WWIDs] = "/w1/\n" })},
		{"save a bad name", mpath.SaveNames{Seq: 4, Bindings: []policy.Binding{{Alias: "a b", WWID: "w1"}}}, Engine{}, wellHost()},
		{"save a key that is there", mpath.SavePRKey{Seq: 4, Key: mpath.PRKey{WWID: "w1", Key: 0x12}}, Engine{}, hostWith(func(h *host) { h.files[f.PRKeys] = "0x0000000000000012 w1\n" })},
		{"save a key of a bad id", mpath.SavePRKey{Seq: 4, Key: mpath.PRKey{WWID: "", Key: 0x12}}, Engine{}, wellHost()},
	}
}

// onlyOperations are each kind of action, of a map that is meant and of one that is
// not, and with an engine that changes nothing.
func onlyOperations() []operation {
	a := mpath.PathID{Dev: table.DevNum{Major: 8}, Diskseq: 1}
	paths := []mpath.PathRef{{ID: a, Name: "sda"}}
	one := table.Table{First: 1, Groups: []table.Group{{Selector: "service-time", Paths: []table.Path{{Dev: a.Dev, Args: []string{"1"}}}}}}
	acts := func(w string) []mpath.Action {
		return []mpath.Action{
			mpath.CreateMap{Seq: 1, WWID: w, Name: "one", Size: 2048, Table: one, Paths: paths, Owner: mpath.NoOwner()},
			mpath.LoadMap{Seq: 1, WWID: w, Name: "one", Size: 2048, Table: one, Paths: paths},
			mpath.ResumeMap{Seq: 1, WWID: w, Name: "one"},
			mpath.RemoveMap{Seq: 1, WWID: w, Name: "one"},
			mpath.ReadSizes{Seq: 1, WWID: w, Paths: paths},
			mpath.ResizeMap{Seq: 1, WWID: w, Name: "one", From: 1024, Size: 2048, Table: one, Paths: paths},
			mpath.SuspendMap{Seq: 1, WWID: w, Name: "one"},
			mpath.RenameMap{Seq: 1, WWID: w, Name: "one", To: "two"},
			mpath.Message{Seq: 1, WWID: w, Name: "one", Text: "queue_if_no_path"},
			mpath.ForgetLoad{Seq: 1, WWID: w},
			mpath.MarkFailed{Seq: 1, WWID: w},
			mpath.LimitPaths{Seq: 1, WWID: w, KB: 64, Paths: paths},
			mpath.SaveWWIDs{Seq: 1, WWIDs: []string{w}},
			mpath.SaveWWIDs{Seq: 1, WWIDs: []string{"w1", w}},
			mpath.SaveDeadlines{Seq: 1},
			mpath.SaveNames{Seq: 1},
			mpath.SavePRKey{Seq: 1, Key: mpath.PRKey{WWID: w, Key: 1}},
			mpath.Trigger{Seq: 1, Name: "sda", Verb: "change"},
			mpath.SetOwner{Seq: 1, Dev: table.DevNum{Major: 253}, Owner: mpath.NoOwner()},
			mpath.SetKnobs{Seq: 1, Dir: "class/scsi_host/host2", Knobs: []mpath.Knob{{Name: "eh_deadline", Value: "30"}}},
			mpath.Scan{Seq: 1},
			mpath.StartCheck{Seq: 1, Path: a, Name: "sda", Checker: "tur", TimeoutMS: 1000},
			mpath.Identify{Seq: 1, Name: "sda"},
		}
	}
	var ops []operation
	add := func(what string, eng Engine, list []mpath.Action) {
		for _, act := range list {
			ops = append(ops, operation{fmt.Sprintf("%s, %T", what, act), act, eng, hostWith(func(h *host) { h.plain = true })})
		}
	}
	only := &Only{Maps: []string{"w1"}, Disks: []string{"sdb"}}
	add("of a map that is meant", Engine{Only: only}, acts("w1"))
	add("of a map that is not meant", Engine{Only: only}, acts("w2"))
	add("of one map among all disks", Engine{Only: &Only{Maps: []string{"w1"}}}, acts("w2"))
	add("of an observer", Engine{ReadOnly: true}, acts("w1"))
	return ops
}

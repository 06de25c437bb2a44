package engine

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// Time limits of the commands that identify a device, milliseconds.
const identifyTimeoutMS = 10_000

// unitAttentionTries is how often a command is sent again because the device
// had news to tell first (SAM-5 5.14).
const unitAttentionTries = 4

func (e *Engine) scan(a mpath.Scan) Step {
	return ask(Ask{Kind: KindScan}, func(r Answer) Step {
		if r.Errno != 0 {
			return done(mpath.Scanned{Seq: a.Seq, Bad: describe("listing the block devices", "sysfs", r)})
		}
		return done(mpath.Scanned{Seq: a.Seq, Disks: e.Only.disks(r.Disks)})
	})
}

// identification is one device being identified.
type identification struct {
	e      *Engine
	seq    uint64
	name   string
	disk   sysfs.Disk
	port   sysfs.Port
	udev   uevent.Record
	mnts   []sysfs.Mount
	swps   []sysfs.Swap
	bad    string // what could not be read, in words
	rdac   bool   // it has the page of an RDAC array
	volume string // its name, of a 3PAR array
}

// identify reads sysfs, udev's database, mounts and swaps, and asks the device
// itself who it is: sysfs has only the kernel's cache of that.
func (e *Engine) identify(a mpath.Identify) Step {
	id := &identification{e: e, seq: a.Seq, name: a.Name}
	return ask(Ask{Kind: KindDisk, Device: a.Name}, id.haveDisk)
}

func (id *identification) haveDisk(r Answer) Step {
	if r.Errno != 0 {
		return done(mpath.PathUnreadable{
			Seq: id.seq, Name: id.name, Gone: errnoOf(r.Errno) == mpath.ErrnoGone,
			Why: "its sysfs entry cannot be read: " + r.Detail,
		})
	}
	id.disk, id.port = r.Disk, r.Port
	return ask(Ask{Kind: KindFile, Path: id.e.Files.UdevDB + "/" + uevent.RecordName(r.Disk.Major, r.Disk.Minor)}, id.haveUdev)
}

func (id *identification) haveUdev(r Answer) Step {
	if r.Errno == 0 {
		id.udev, _ = uevent.ParseRecord(r.Bytes) // empty, if it is nonsense
	}
	return ask(Ask{Kind: KindFile, Path: id.e.Files.Mounts}, func(r Answer) Step {
		m, err := sysfs.ParseMountinfo(r.Bytes)
		if r.Errno != 0 || err != nil {
			id.bad = "the mounts cannot be read, so it may be in use"
		}
		id.mnts = m
		return ask(Ask{Kind: KindFile, Path: id.e.Files.Swaps}, func(r Answer) Step {
			s, err := sysfs.ParseSwaps(r.Bytes)
			if r.Errno != 0 && r.Errno != eNOENT || err != nil {
				id.bad = "the swaps cannot be read, so it may be in use"
			}
			id.swps = s
			return id.askDevice()
		})
	})
}

func (id *identification) askDevice() Step {
	if !id.disk.IsSCSI {
		return id.end(scsi.Identity{Problem: "not a SCSI disk"}, false)
	}
	if st := id.disk.SCSI.State; st != "running" || id.e.Quiet {
		// Nothing can be asked now. What the kernel remembers tells which map
		// the path belongs to; it proves nothing.
		return id.end(id.cached(), false)
	}
	q := &inquirer{device: id.disk.Name, id: id.pathID(), sg: id.disk.SCSI.SG, host: id.disk.SCSI.Host, timeoutMS: identifyTimeoutMS}
	return q.read(func(raw scsi.Raw, problem string) Step {
		raw.UdevSerial = ownSerial(raw, id.udevSerial())
		if problem != "" {
			ident := id.cached()
			if ident.WWID == "" {
				ident.Problem = problem
			}
			return id.end(ident, false)
		}
		return id.askVendor(q, scsi.Identify(raw))
	})
}

// askVendor looks for the page by which detect_checker tells an RDAC array, and for
// the name that a 3PAR array gives the volume, where the device says that it has
// them. Whether they can be read does not change who the device is.
func (id *identification) askVendor(q *inquirer, ident scsi.Identity) Step {
	pages, _ := scsi.DecodeVPD00(q.raw.VPD00)
	var page []byte
	switch {
	case slices.Contains(pages, pathcheck.PageVolumeAccess):
		return q.page(pathcheck.PageVolumeAccess, &page, func(string) Step {
			id.rdac = pathcheck.IsVolumeAccess(page)
			return id.end(ident, true)
		})
	case slices.Contains(pages, scsi.Page3PAR) && ident.Vendor == "3PARdata":
		return q.page(scsi.Page3PAR, &page, func(string) Step {
			id.volume, _ = scsi.Decode3PARName(page) // not every format of the page has one
			return id.end(ident, true)
		})
	}
	return id.end(ident, true)
}

func (id *identification) pathID() mpath.PathID {
	d := id.disk
	return mpath.PathID{Dev: table.DevNum{Major: d.Major, Minor: d.Minor}, Diskseq: d.Diskseq}
}

func (id *identification) udevSerial() string { return id.udev.Props.Value("ID_SERIAL") }

// cached identifies by what the kernel read when it scanned the device.
func (id *identification) cached() scsi.Identity { return CachedIdentity(id.disk, id.udevSerial()) }

// CachedIdentity identifies a disk by the kernel's cache, without any I/O. The
// udev hook and commands that must not touch a device use it.
func CachedIdentity(d sysfs.Disk, udevSerial string) scsi.Identity {
	s := d.SCSI
	raw := scsi.Raw{Inquiry: s.Inquiry, VPD00: s.VPD00, VPD80: s.VPD80, VPD83: s.VPD83}
	raw.UdevSerial = ownSerial(raw, udevSerial)
	return scsi.Identify(raw)
}

// ownSerial takes udev's serial for an id only where it adds one: ata_id's form,
// of a disk behind libata, and only if it bears the serial number that the
// device tells itself. Of every other disk udev has what scsi_id made of the
// pages that we read, or made of those of the LUN that was here before: taken
// for an id of this one, it would make a stranger bear the name of the LUN that
// it has replaced.
func ownSerial(raw scsi.Raw, udevSerial string) string {
	if inq, _ := scsi.DecodeInquiry(raw.Inquiry); inq.VendorField != "ATA     " {
		return ""
	}
	serial, _ := scsi.DecodeVPD80(raw.VPD80)
	if serial = strings.TrimSpace(serial); serial == "" || !strings.Contains(udevSerial, strings.Join(strings.Fields(serial), "_")) {
		return ""
	}
	return udevSerial
}

func (id *identification) end(ident scsi.Identity, fresh bool) Step {
	d := id.disk
	f := FactsOf(d, id.udev, id.mnts, id.swps)
	if f.InUse == "" && f.MemberOf == "" {
		f.InUse = id.bad
	}
	f.RDAC = id.rdac
	ev := mpath.PathSeen{
		Seq: id.seq, ID: id.pathID(),
		Name: d.Name, Identity: ident, Fresh: fresh, Facts: f, Node: d.TargetNode, Nexus: d.Nexus,
		Port:         mpath.PortNames{HostNode: id.port.HostNode, HostPort: id.port.HostPort, TargetPort: id.port.TargetPort, Adapter: id.port.Adapter},
		MaxSectorsKB: id.port.MaxSectorsKB, PageData: id.volume,
	}
	if d.IsSCSI {
		s := d.SCSI
		ev.SG, ev.DevState, ev.TimeoutS = s.SG, s.State, int(s.TimeoutS)
		ev.HCTL = fmt.Sprintf("%d:%d:%d:%d", s.Host, s.Channel, s.Target, s.LUN)
		ev.HostNo = s.Host
	}
	return done(ev)
}

// FactsOf gathers what policy goes by, the same for daemon, hook and commands.
func FactsOf(d sysfs.Disk, udev uevent.Record, mounts []sysfs.Mount, swaps []sysfs.Swap) policy.Facts {
	f := policy.Facts{
		Devnode: d.Name, DevType: "disk", Protocol: d.Protocol, Size: d.Sectors, ReadOnly: d.ReadOnly, Hidden: d.Hidden,
		USB: d.Protocol == sysfs.ProtocolUSB, InUse: sysfs.InUse(d, mounts, swaps),
		AccessState: d.SCSI.AccessState,
		HasUdev:     len(udev.Props) > 0, UIDValue: udev.Props.Value("ID_SERIAL"),
		Released: udev.Props.Value("DM_MULTIPATH_DEVICE_PATH") == "0",
	}
	for _, kv := range udev.Props {
		f.Properties = append(f.Properties, kv.Key)
	}
	for _, h := range sysfs.MemberOf(d) {
		if strings.HasPrefix(h.DMUUID, "mpath-") {
			f.MemberOf = h.DMUUID
		}
	}
	return f
}

// inquirer reads the pages that identify a device.
type inquirer struct {
	device, sg string
	id         mpath.PathID
	host       uint32
	timeoutMS  uint32
	raw        scsi.Raw
	full       bool // the last command found no room at the device or on its way
}

// read asks for INQUIRY and the pages 0x00, 0x83 and 0x80 and hands them over,
// or says in words why the device could not be asked.
func (q *inquirer) read(then func(raw scsi.Raw, problem string) Step) Step {
	return q.command(scsi.Inquiry(q.timeoutMS), 0, func(r scsi.Response) Step {
		if p := commandProblem("INQUIRY", r); p != "" {
			return then(q.raw, p)
		}
		q.raw.Inquiry = r.Data
		return q.page(0x00, &q.raw.VPD00, func(problem string) Step {
			if problem != "" {
				return then(q.raw, problem)
			}
			return q.page(0x83, &q.raw.VPD83, func(problem string) Step {
				if problem != "" {
					return then(q.raw, problem)
				}
				return q.page(0x80, &q.raw.VPD80, func(problem string) Step { return then(q.raw, problem) })
			})
		})
	})
}

// page reads one VPD page, again with its full length if it is longer than the
// first try. A page that the device refuses is missing, not a problem.
func (q *inquirer) page(code uint8, into *[]byte, then func(problem string) Step) Step {
	const first = 255
	what := fmt.Sprintf("INQUIRY page 0x%02x", code)
	return q.command(scsi.InquiryVPD(code, first, q.timeoutMS), 0, func(r scsi.Response) Step {
		if refused(r) {
			return then("")
		}
		if p := commandProblem(what, r); p != "" {
			return then(p)
		}
		*into = r.Data
		if len(r.Data) < first {
			return then("")
		}
		whole := 4 + int(r.Data[2])<<8 + int(r.Data[3])
		if whole <= len(r.Data) {
			return then("")
		}
		return q.command(scsi.InquiryVPD(code, uint16(min(whole, 0xffff)), q.timeoutMS), 0, func(r scsi.Response) Step {
			if p := commandProblem(what, r); p != "" {
				return then(p)
			}
			*into = r.Data
			return then("")
		})
	})
}

// command sends a command, again while the device has unit attentions to tell.
func (q *inquirer) command(req scsi.Request, tries int, then func(scsi.Response) Step) Step {
	return ask(Ask{Kind: KindSCSI, Device: q.device, ID: q.id, SG: q.sg, HostNo: q.host, SCSI: req, TimeoutMS: req.TimeoutMS}, func(a Answer) Step {
		r := a.SCSI
		q.full = noRoom(r)
		if tries < unitAttentionTries && r.Errno == 0 && r.Status == scsi.StatusCheckCondition {
			if s, _ := scsi.DecodeSense(r.Sense); s.Key == scsi.KeyUnitAttention {
				return q.command(req, tries+1, then)
			}
		}
		return then(r)
	})
}

// noRoom says whether a command was not carried out for want of room, in the
// device or on the way to it (our descriptors and the host's too): nothing was
// learned.
func noRoom(r scsi.Response) bool {
	switch r.Status {
	case scsi.StatusBusy, scsi.StatusTaskSetFull, scsi.StatusACAActive, scsi.StatusTaskAborted:
		return r.Errno == 0
	}
	switch r.Errno {
	case eBUSY, eNOMEM, eAGAIN, eMFILE, eNFILE:
		return true
	}
	return false
}

// refused says whether the device answered ILLEGAL REQUEST: it does not have
// the page.
func refused(r scsi.Response) bool {
	if r.Errno != 0 || r.Status != scsi.StatusCheckCondition {
		return false
	}
	s, _ := scsi.DecodeSense(r.Sense)
	return s.Key == scsi.KeyIllegalRequest
}

// commandProblem says in words what is wrong with a response, "" if nothing.
func commandProblem(what string, r scsi.Response) string {
	switch {
	case r.Errno != 0:
		return fmt.Sprintf("%s: errno %d", what, r.Errno)
	case r.Host != scsi.HostOK:
		return fmt.Sprintf("%s: %s", what, r.Host)
	case r.Status == scsi.StatusCheckCondition:
		s, err := scsi.DecodeSense(r.Sense)
		if err != nil {
			return what + ": check condition without readable sense"
		}
		return what + ": " + s.String()
	case r.Status != scsi.StatusGood:
		return fmt.Sprintf("%s: %s", what, r.Status)
	}
	return ""
}

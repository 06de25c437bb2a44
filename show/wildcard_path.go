package show

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// pathRow is one path as multipathd lists it. p is nil for a device of a kernel
// table that nobody has identified, m for a path whose map the kernel does not
// have: an orphan.
type pathRow struct {
	m  *mpath.MapView
	id mpath.PathID
	p  *mpath.PathView
}

// pathWildcards are the wildcards of paths, in the order of multipath-tools' table.
func pathWildcards() []wildcard[pathRow] {
	return []wildcard[pathRow]{
		{'w', "uuid", pathWWID},
		{'i', "hcil", func(_ *view, r pathRow) string { return r.hctl() }},
		{'d', "dev", func(_ *view, r pathRow) string { return r.name() }},
		{'D', "dev_t", func(_ *view, r pathRow) string { return r.id.Dev.String() }},
		{'t', "dm_st", pathDMState},
		{'o', "dev_st", pathDeviceState},
		{'T', "chk_st", pathCheckerState},
		{'s', "vend/prod/rev", ofSeen(func(s mpath.PathSeen) string { return pathProduct(s.Identity) })},
		{'c', "checker", func(_ *view, r pathRow) string { return r.checker() }},
		{'C', "next_check", pathNextCheck},
		{'p', "pri", func(_ *view, r pathRow) string { return strconv.Itoa(r.priority()) }},
		{'S', "size", ofSeen(func(s mpath.PathSeen) string { return Size(table.Sectors(s.Facts.Size)) })},
		{'z', "serial", ofSeen(func(s mpath.PathSeen) string { return s.Identity.Serial })},
		{'M', "marginal_st", func(_ *view, r pathRow) string { return marginal(r.p != nil && r.p.Marginal) }},
		{'m', "multipath", pathMap},
		{'N', "host WWNN", ofPort(func(p mpath.PortNames) string { return p.HostNode })},
		{'n', "target WWNN", ofSeen(func(s mpath.PathSeen) string { return orUndef(s.Node) })},
		{'R', "host WWPN", ofPort(func(p mpath.PortNames) string { return p.HostPort })},
		{'r', "target WWPN", ofPort(func(p mpath.PortNames) string { return p.TargetPort })},
		{'a', "host adapter", ofSeen(func(s mpath.PathSeen) string { return orUndef(s.Port.Adapter) })},
		{'G', "foreign", func(*view, pathRow) string { return "--" }},
		{'g', "vpd page data", ofSeen(func(s mpath.PathSeen) string { return orUndef(s.PageData) })},
		{'0', "failures", func(v *view, r pathRow) string { return strconv.FormatUint(uint64(v.dm(r.m, r.id.Dev).FailCount), 10) }},
		{'P', "protocol", ofSeen(func(s mpath.PathSeen) string { return s.Facts.Protocol })},
		{'I', "init_st", pathInitState},
		{'L', "LUN hex", func(_ *view, r pathRow) string { return lunHex(r.hctl()) }},
		{'A', "TPG", ofSeen(pathPortGroup)},
		{'k', "max_sectors_kb", ofSeen(func(s mpath.PathSeen) string { return numberOrNA(s.MaxSectorsKB) })},
	}
}

// ofSeen makes a value of what a path said when it was identified; of a device that
// nobody has identified it is "[undef]".
func ofSeen(text func(s mpath.PathSeen) string) func(*view, pathRow) string {
	return func(_ *view, r pathRow) string {
		if r.p == nil {
			return "[undef]"
		}
		return text(r.p.Seen)
	}
}

func (r pathRow) hctl() string {
	if r.p == nil || r.p.HCTL == "" {
		return "#:#:#:#"
	}
	return r.p.HCTL
}

func (r pathRow) name() string {
	if r.p == nil || r.p.Name == "" {
		return "-"
	}
	return r.p.Name
}

// checker gives the checker's name; in JSON programs know "(null)" for none.
func (r pathRow) checker() string {
	if r.p == nil || r.p.WWID == "" || r.p.Decision.Settings.Checker.V == "" {
		return "(null)"
	}
	return r.p.Decision.Settings.Checker.V
}

func (r pathRow) priority() int {
	if r.p == nil {
		return -1
	}
	return r.p.Priority
}

// named says whether a path is meant: by kernel name or device number, with /dev/ or
// without; a slash in it is the kernel's exclamation mark.
func (r pathRow) named(name string) bool {
	name = strings.ReplaceAll(strings.TrimPrefix(name, "/dev/"), "/", "!")
	return r.p != nil && r.p.Name == name || r.id.Dev.String() == name
}

func pathWWID(_ *view, r pathRow) string {
	switch {
	case r.p == nil:
		return ""
	case r.p.WWID != "":
		return r.p.WWID
	}
	return r.p.Seen.Identity.WWID
}

// pathDMState is the kernel's word, "undef" for a path in no table.
func pathDMState(v *view, r pathRow) string {
	if st := v.dm(r.m, r.id.Dev).State; st != table.PathUnknown {
		return st.String()
	}
	return "undef"
}

func pathDeviceState(_ *view, r pathRow) string {
	if r.p == nil || r.m == nil {
		return "unknown"
	}
	return deviceState(r.p.DevState)
}

func pathCheckerState(_ *view, r pathRow) string {
	if r.p == nil || r.m == nil {
		return "undef"
	}
	return checkerState(r.p, TopologyOptions{})
}

func pathProduct(id scsi.Identity) string {
	return missing(id.Vendor) + "," + missing(id.Model) + "," + missing(id.Rev)
}

// pathNextCheck draws what is left of the interval until the next check.
func pathNextCheck(v *view, r pathRow) string {
	if r.p == nil || r.m == nil {
		return "orphan"
	}
	return progress(r.p.NextCheck.Since(v.s.Now).Seconds(), r.p.Interval.Seconds())
}

func pathMap(_ *view, r pathRow) string {
	if r.m == nil {
		return "[orphan]"
	}
	return r.m.Name
}

// pathInitState says how far the identification came: ok; partial, where only the
// kernel remembers who it is; failed, where nobody knows.
func pathInitState(_ *view, r pathRow) string {
	switch {
	case r.p == nil || r.p.Seen.Identity.WWID == "":
		return "failed"
	case !r.p.Seen.Fresh:
		return "partial"
	}
	return "ok"
}

func pathPortGroup(s mpath.PathSeen) string {
	if s.Identity.PortGroup < 0 {
		return "[undef]"
	}
	return fmt.Sprintf("0x%04x", s.Identity.PortGroup)
}

// lunHex gives a LUN as SAM lays it out in eight bytes (scsilun_to_int in
// drivers/scsi/scsi_common.c is the way back): pairs of bytes, the lowest first.
func lunHex(hctl string) string {
	lun, err := strconv.ParseUint(hctl[strings.LastIndexByte(hctl, ':')+1:], 10, 64)
	if err != nil {
		return "0x0000000000000000"
	}
	return fmt.Sprintf("0x%04x%04x%04x%04x", lun&0xffff, lun>>16&0xffff, lun>>32&0xffff, lun>>48)
}

func orUndef(s string) string {
	if s == "" {
		return "[undef]"
	}
	return s
}

// ofPort makes a value of a Fibre Channel name: there is none elsewhere, and where
// there should be one the kernel may not have told it.
func ofPort(name func(p mpath.PortNames) string) func(*view, pathRow) string {
	return ofSeen(func(s mpath.PathSeen) string {
		switch text := name(s.Port); {
		case text != "":
			return text
		case s.Facts.Protocol == "scsi:fcp":
			return "[unknown]"
		}
		return "[undef]"
	})
}

package scsi

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Raw is what one logical unit answered by one path; nil is a page that it does
// not have or that could not be read. Pages are given as they came, uncut: a
// page shorter than its own length field is taken for a lie.
type Raw struct {
	Inquiry    []byte // standard INQUIRY data
	VPD00      []byte // supported pages
	VPD80      []byte // unit serial number
	VPD83      []byte // designators
	UdevSerial string // ID_SERIAL of udev's database, if there is one
}

// Identify says which logical unit answered. It is the one place where ids are
// made: daemon, udev hook, scsi-id command and every re-check use it.
//
// The canonical id is multipath-tools' choice from page 0x83. Where that page is
// absent or holds nothing that makes an id, it is what scsi_id, and so udev and
// multipath-tools, would take instead ("S" and page 0x80, "0" and a vendor
// specific designator), provided the unit also has a serial in page 0x80.
// Whatever allows two units to be taken for one leaves WWID empty, with the
// reason in Problem: answers that contradict each other, blank or malformed ids,
// ids that do not fit into 127 bytes.
func Identify(in Raw) Identity {
	id := Identity{PortGroup: -1, RelPort: -1}
	inq, err := DecodeInquiry(in.Inquiry)
	if err != nil {
		id.Problem = err.Error()
		if in.Inquiry == nil {
			id.Problem = "INQUIRY: no answer"
		}
		return id
	}
	id.Vendor, id.Model, id.Rev = inq.Vendor(), inq.Model(), inq.Rev()
	id.Libata = inq.VendorField == "ATA     "
	id.TPGS, id.Type = inq.TPGS, inq.Type
	if in.VPD80 != nil && pageProblem(in.VPD80, PageSerial, inq) == "" {
		id.Serial, _ = DecodeVPD80(in.VPD80) // its only error is one of the header
	}
	if in.VPD83 != nil && pageProblem(in.VPD83, PageIdentities, inq) == "" {
		id.PortGroup, id.RelPort = targetPort(in.VPD83)
	}
	canonical, problem := canonicalID(in, inq, id.Serial)
	id.WWID, id.Problem = canonical.Value, problem
	id.IDs = allIDs(in, canonical)
	return id
}

// Has reports whether the unit bears the id, and by which rule. A unit that is
// not identified bears none. Only of a unit behind libata does an "S" form
// (IDScsiID80, IDOldS) say which unit it is: arrays repeat a serial on many.
func (id Identity) Has(value string) (IDKind, bool) {
	if id.WWID == "" || value == "" {
		return IDUnknown, false
	}
	for _, have := range id.IDs {
		if have.Value == value {
			return have.Kind, true
		}
	}
	return IDUnknown, false
}

// SameLUN reports whether both are identified and of the same logical unit.
func (id Identity) SameLUN(other Identity) bool {
	return id.WWID != "" && id.WWID == other.WWID
}

// canonicalID gives the id by which the unit is known everywhere, or why there is none.
func canonicalID(in Raw, inq InquiryData, serial string) (ID, string) {
	switch {
	case !inq.IsDisk():
		return ID{}, fmt.Sprintf("INQUIRY: peripheral device type %#02x (%s) is not a disk", inq.Type, inq.TypeName())
	case inq.Qualifier != 0:
		return ID{}, fmt.Sprintf("INQUIRY: peripheral qualifier %d: no logical unit is connected here", inq.Qualifier)
	}
	var why error
	switch {
	case in.VPD83 != nil:
		if problem := pageProblem(in.VPD83, PageIdentities, inq); problem != "" {
			return ID{}, problem
		}
		best, err := bestDesignator(in.VPD83)
		if err == nil {
			return fromDesignator(best)
		}
		if errors.Is(err, ErrOverrun) && !preSPC3(in.VPD83) {
			return ID{}, err.Error()
		}
		why = err
	case lists(in.VPD00, PageIdentities):
		// The unit has ids that could not be read now. To take another one
		// would give one unit two names.
		return ID{}, "VPD page 0x83: listed by page 0x00, but there is no answer"
	default:
		why = fmt.Errorf("VPD page 0x83: the unit has none: %w", ErrNoData)
	}
	found, problem := fromScsiID(in, inq, serial)
	if problem != "" {
		return ID{}, why.Error() + "; " + problem
	}
	return found, ""
}

func fromDesignator(d Designator) (ID, string) {
	if why := d.blank(); why != "" {
		return ID{}, fmt.Sprintf("VPD page 0x83: %s %s", d, why)
	}
	wwid := strings.TrimRight(wwidForm(d, scsiIDSerialLen+vpdHeaderLen), " ")
	if len(wwid) >= WWIDBufferLen {
		return ID{}, fmt.Sprintf("VPD page 0x83: %s makes an id of %d bytes, %d are the most", d, len(wwid), WWIDBufferLen-1)
	}
	return ID{IDWWID, printable(wwid)}, ""
}

// fromScsiID is the fallback to what scsi_id takes. Its checks are weaker than
// multipath-tools', so only the forms that cannot come from a malformed
// designator are taken.
func fromScsiID(in Raw, inq InquiryData, serial string) (ID, string) {
	switch {
	case in.VPD80 == nil:
		return ID{}, "VPD page 0x80: the unit has no serial number either"
	case strings.Trim(serial, " 0") == "":
		problem := pageProblem(in.VPD80, PageSerial, inq)
		if problem == "" {
			problem = "VPD page 0x80: the serial number is blank"
		}
		return ID{}, problem
	case in.VPD00 == nil:
		return ID{}, "VPD page 0x00: no answer, so that scsi_id gives no id either"
	}
	r, err := ScsiID(in, ScsiIDAuto)
	switch {
	case err != nil:
		return ID{}, err.Error()
	case r.Raw == "":
		return ID{}, "scsi_id's rules give no id either"
	case r.Raw[0] != 'S' && r.Raw[0] != '0' && !preSPC3(in.VPD83):
		return ID{}, fmt.Sprintf("scsi_id would make %s of it, which other units could bear too", r.Serial)
	case strings.Trim(r.ShortID, "_0") == "":
		return ID{}, "the vendor specific designator is blank"
	case len(r.Serial) >= WWIDBufferLen:
		return ID{}, fmt.Sprintf("scsi_id's id has %d bytes, %d are the most", len(r.Serial), WWIDBufferLen-1)
	}
	return ID{IDScsiID, r.Serial}, ""
}

// preSPC3 recognizes page 0x83 of old Symmetrix disks: 16 bytes, a bare NAA 6.
func preSPC3(page []byte) bool {
	return len(page) == 20 && page[2] == 0 && page[3] == 16 && page[4]>>4 == 6 && page[6] != 0 && !allBytes(page[8:], 0)
}

// allIDs gathers every id once, the canonical one first. Ids that say nothing
// of the unit, only of its model, are left out.
func allIDs(in Raw, canonical ID) []ID {
	var out []ID
	add := func(kind IDKind, value string) {
		if value == "" {
			return
		}
		for _, have := range out {
			if have.Value == value {
				return
			}
		}
		out = append(out, ID{kind, value})
	}
	add(canonical.Kind, canonical.Value)
	if r, err := ScsiID(in, ScsiIDAuto); err == nil && strings.Trim(r.ShortID, "_") != "" {
		add(IDScsiID, r.Serial)
	}
	if r, err := ScsiID(in, ScsiIDPage80); err == nil && strings.Trim(r.ShortID, "_") != "" {
		add(IDScsiID80, r.Serial)
		add(IDOldS, oldBlanks(r.Raw))
	}
	add(IDUdevSerial, in.UdevSerial)
	return out
}

// oldBlanks makes one '_' of each run of white space, also of the one at the
// end, and of none behind a '_': so scsi_id of the 2000s printed with -u, and so
// the padding of libata's serials stands in files of that time.
func oldBlanks(raw string) string {
	var b strings.Builder
	last := byte('_')
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if isSpace(c) {
			if last == '_' {
				continue
			}
			c = '_'
		}
		b.WriteByte(c)
		last = c
	}
	return b.String()
}

// pageProblem says what is nonsense about a page that came; empty if nothing is.
func pageProblem(page []byte, code uint8, inq InquiryData) string {
	_, missing, err := vpdBody(page, code)
	switch {
	case err != nil:
		return err.Error()
	case missing > 0:
		return fmt.Sprintf("VPD page %#02x: the page says that it goes on for %d bytes, which did not come", code, missing)
	case page[0]&0x1f != inq.Type:
		return fmt.Sprintf("VPD page %#02x: device type %#02x, INQUIRY says %#02x", code, page[0]&0x1f, inq.Type)
	case page[0]>>5 != 0:
		return fmt.Sprintf("VPD page %#02x: peripheral qualifier %d: no logical unit is connected here", code, page[0]>>5)
	}
	return ""
}

func lists(vpd00 []byte, code uint8) bool {
	pages, err := DecodeVPD00(vpd00)
	if err != nil {
		return false
	}
	for _, p := range pages {
		if p == code {
			return true
		}
	}
	return false
}

// printable puts '_' for white space, control bytes and broken UTF-8, as udev
// would: an id is a line in state files and a word in tables.
func printable(s string) string {
	b := []byte(s)
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r <= ' ' || r == 0x7f || r == utf8.RuneError && n == 1 || r >= 0x80 && r <= 0x9f {
			for k := range n {
				b[i+k] = '_'
			}
		}
		i += n
	}
	return string(b)
}

// IsNAA reports whether an id is what an NAA designator of page 0x83 makes: "3" and 16
// or 32 lower case hex digits of which the first is the NAA's format, 2, 3, 5 or 6
// (SPC-4 7.8.6.6).
func IsNAA(wwid string) bool {
	if len(wwid) != 1+16 && len(wwid) != 1+32 || wwid[0] != '3' || !strings.ContainsRune("2356", rune(wwid[1])) {
		return false
	}
	return strings.Trim(wwid[1:], "0123456789abcdef") == "" && (wwid[1] == '6') == (len(wwid) == 1+32)
}

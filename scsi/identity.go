package scsi

// IDKind says by which rule an id string was made.
type IDKind uint8

// The ids that a logical unit can bear.
const (
	IDUnknown    IDKind = iota
	IDWWID              // multipath-tools' ranking of VPD 0x83 designators: the canonical id
	IDScsiID            // today's scsi_id --export ID_SERIAL
	IDScsiID80          // today's scsi_id -p 0x80 (the "S" form)
	IDOldS              // the "S" form as scsi_id of the 2000s printed it: padding kept as one '_'
	IDUdevSerial        // udev's ID_SERIAL, where it is none of the above (ata_id's form)
)

// ID is one id string of a logical unit.
type ID struct {
	Kind  IDKind
	Value string
}

// Identity is everything that says which logical unit this is. It is plain
// data: two Identities are of one LUN exactly if their WWID strings are equal.
type Identity struct {
	WWID      string // canonical; empty: not identified, see Problem
	Problem   string // why WWID is empty, in words
	IDs       []ID   // every id incl. the canonical one, best first, no doubles
	Vendor    string // INQUIRY bytes 8-15, trailing blanks cut
	Model     string // INQUIRY bytes 16-31, trailing blanks cut
	Rev       string // INQUIRY bytes 32-35
	Serial    string // VPD 0x80, blanks cut at both ends
	Libata    bool   // the raw vendor field is "ATA     "
	TPGS      uint8  // INQUIRY byte 5 bits 5-4: 0 none, 1 implicit, 2 explicit, 3 both
	PortGroup int    // target port group of this path from VPD 0x83 (type 5), -1 unknown
	RelPort   int    // relative target port identifier (type 4), -1 unknown
	Type      uint8  // peripheral device type, 0 = disk
}

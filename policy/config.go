// Package policy decides, purely, which devices become paths, which settings a
// map and its paths get, and which name: each value with its origin, each
// decision with its trace. configs reads files into the Config of this package.
package policy

import "fmt"

// Origin says where a setting comes from.
type Origin struct {
	File   string // path of the file; "" for everything built in
	Line   int    // from 1
	Column int    // from 1, in bytes
	Note   string // "built-in default", "built-in NETAPP,LUN", "detect_prio", "bindings"...
}

// String gives "/etc/multipath.conf:3:9" or the note.
func (o Origin) String() string {
	if o.File == "" {
		return o.Note
	}
	s := fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	if o.Note != "" {
		s += " (" + o.Note + ")"
	}
	return s
}

// Setting is one keyword's value as it stands in one place. Value is the
// canonical text (`yes`, `5`, `service-time 0`): what a dump would print.
type Setting struct {
	Keyword string // canonical spelling: `path_selector`, also where the file said `selector`
	Value   string
	Origin  Origin
}

// Layer is a list of settings in the order read; the last one of a keyword wins.
type Layer []Setting

// Lookup finds the winning setting of a keyword.
func (l Layer) Lookup(keyword string) (Setting, bool) {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].Keyword == keyword {
			return l[i], true
		}
	}
	return Setting{}, false
}

// Rule is one line of blacklist or blacklist_exceptions.
type Rule struct {
	Class   RuleClass
	Pattern string // POSIX ERE as written, quotes resolved; a leading `!` inverts
	Product string // only ClassDevice: Pattern is the vendor's; either may be ""
	Origin  Origin
}

// RuleClass is the kind of a blacklist rule.
type RuleClass uint8

// Classes of blacklist rules.
const (
	ClassUnknown RuleClass = iota
	ClassDevnode
	ClassWWID
	ClassProperty
	ClassProtocol
	ClassDevice
)

// Device is one `device` entry of the hardware table, of the file or built in.
type Device struct {
	Vendor, Product, Revision string // POSIX EREs, unanchored; "" matches all
	Layer                     Layer  // its settings, vendor/product/revision/product_blacklist not among them
	ProductBlacklist          string
	BuiltIn                   bool
	Disabled                  bool // switched off: it matches nothing. Only the native form can say so
	Origin                    Origin
}

// Multipath is one `multipath` entry of the multipaths section.
type Multipath struct {
	WWID   string // byte for byte as written
	Layer  Layer  // its settings, wwid not among them
	Origin Origin // of the wwid line
}

// Protocol is one `protocol` entry of overrides.
type Protocol struct {
	Type  string
	Layer Layer
}

// Config is everything the configuration files say, merged over what is built
// in. It is immutable once made.
type Config struct {
	Files               []string // what was read, in order
	Defaults            Layer    // of the files only; built-in defaults are in the code
	Blacklist           []Rule   // without the built-in ones, see BuiltinRules
	Exceptions          []Rule
	Devices             []Device // in table order, built-in first; matched from the end
	Overrides           Layer
	Protocols           []Protocol
	Multipaths          []Multipath
	OldKeywords         []Setting // keywords from before find_multipaths that were found, in order
	NVMeNativeMultipath bool      // /sys/module/nvme_core/parameters/multipath is Y

	// What only the native form can say.
	Disks []Disk // names of disks that stay single, in file order
	HA    HA
}

// Disk names a disk that stays single: a link, an owner and a mode that the udev
// hook gives it, without a map.
type Disk struct {
	WWID         string // any id of the LUN, byte for byte as written
	Name         string // of the link below /dev; it may have slashes: "oracleasm/ocr1"
	Owner, Group string // name or number; "" unset
	Mode         int    // -1 unset, else 0..0777
	Origin       Origin
}

// HA is what the cluster above the maps demands of them.
type HA struct {
	DeadlineSeconds int    // in which an I/O must end, well or not: the cluster's disk or watchdog time-out; 0: none is given
	Queueing        string // "allowed", "bounded" or "forbidden"; "" unset
	Origin          Origin
}

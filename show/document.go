package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"pathkeeper/mpath"
)

// DocumentVersion is the number that every JSON document bears. Fields are only
// ever added under one number; a field that goes or changes its meaning makes the
// next one.
const DocumentVersion = 1

// Document is what --json and the API give. Names are snake_case. Points in time
// are seconds before (…_ago_s) or after (…_in_s) the moment of the snapshot:
// the core has no wall clock. What is not known, or does not apply, is null; lists
// are never null where they are given. Sections that were not asked for are absent.
//
//	{
//	  "pathkeeper": 1,           version of this form
//	  "complete": true,          false: still starting, what is shown is a part
//	  "maps": [ Map… ],          by dm minor; those that the kernel has not yet, last
//	  "paths": [ Path… ]         by name, sda before sdaa
//	}
type Document struct {
	Pathkeeper int     `json:"pathkeeper"`
	Complete   bool    `json:"complete"`
	Maps       *[]Map  `json:"maps,omitempty"`
	Paths      *[]Path `json:"paths,omitempty"`
}

// Map is one multipath map.
type Map struct {
	Name        string  `json:"name"`        // the kernel's; of a map not made yet, the wanted one
	NameReason  string  `json:"name_reason"` // why it is called so
	WWID        string  `json:"wwid"`
	UUID        *string `json:"uuid"`  // dm UUID; null: the kernel does not have the map
	Sysfs       *string `json:"sysfs"` // "dm-3"
	Dev         *string `json:"dev"`   // "253:3"
	State       string  `json:"state"` // absent empty active read-only suspended
	SizeBytes   uint64  `json:"size_bytes"`
	Vendor      string  `json:"vendor"`
	Model       string  `json:"model"`
	OpenCount   int     `json:"open_count"`
	Features    string  `json:"features"`   // as in the kernel's table, "1 queue_if_no_path"
	Handler     string  `json:"hwhandler"`  // likewise, "1 alua"
	ReadAgoS    *int64  `json:"read_ago_s"` // when the kernel was last asked
	PathsTotal  int     `json:"paths_total"`
	PathsUsable int     `json:"paths_usable"` // working by checker and kernel

	NoPathRetry   Setting  `json:"no_path_retry"`
	Failback      Setting  `json:"failback"`
	Queueing      bool     `json:"queueing"`           // by the kernel's table
	QueueEndsInS  *int64   `json:"queue_ends_in_s"`    // queued I/O is failed then
	QueueExpired  bool     `json:"queue_expired"`      // it was, by no_path_retry
	FailbackInS   *int64   `json:"failback_in_s"`      // null: none is due
	OwnerWanted   Owner    `json:"owner_wanted"`       // what the configuration says
	OwnerFound    *Owner   `json:"owner_found"`        // the node's; null: not looked at
	OwnerDiffers  bool     `json:"owner_differs"`      // found is not as wanted
	OwnerDrift    *string  `json:"owner_drift"`        // the last drift that was put right
	Adopted       bool     `json:"adopted"`            // it was there before the daemon
	AdoptedDiffer []string `json:"adopted_differs_in"` // what a reload would change of it
	Busy          *string  `json:"busy"`               // the action in flight
	LastError     *string  `json:"last_error"`
	Loads         int      `json:"loads"`    // tables loaded since the daemon runs
	Switches      int      `json:"switches"` // groups switched likewise
	Faults        int      `json:"faults"`   // paths that failed likewise

	Groups  *[]Group `json:"groups,omitempty"`  // path groups of the kernel's table, in its order
	Waiting *[]Path  `json:"waiting,omitempty"` // paths that belong to the map and stand in no table
}

// Group is one path group.
type Group struct {
	Number   int    `json:"number"` // from 1
	Selector string `json:"selector"`
	Priority int    `json:"prio"`
	State    string `json:"state"`   // active enabled disabled undef
	Current  bool   `json:"current"` // the kernel uses it, or will next
	Paths    []Path `json:"paths"`
}

// Path is one block device: a path, or with map null one that was left alone.
type Path struct {
	Name           string   `json:"name"`
	HCTL           *string  `json:"hctl"`
	Dev            *string  `json:"dev"` // "8:16"
	Diskseq        uint64   `json:"diskseq"`
	Map            *string  `json:"map"`
	MapWWID        *string  `json:"map_wwid"`
	WWID           *string  `json:"wwid"` // what the device itself said when it was identified
	IDs            []string `json:"ids"`  // every id that it bears
	Vendor         string   `json:"vendor"`
	Model          string   `json:"model"`
	Rev            string   `json:"rev"`
	Serial         string   `json:"serial"`
	SizeBytes      uint64   `json:"size_bytes"`
	Protocol       string   `json:"protocol"`
	InTable        bool     `json:"in_table"`
	DMState        *string  `json:"dm_state"`      // active failed; null: in no table
	CheckerState   *string  `json:"checker_state"` // unchecked up down ghost shaky pending timeout disconnected wild
	CheckerMessage *string  `json:"checker_message"`
	StateAgoS      *int64   `json:"state_since_ago_s"`
	Checker        *string  `json:"checker"`
	NextCheckInS   *int64   `json:"next_check_in_s"`
	CheckIntervalS *int64   `json:"check_interval_s"`
	CheckOpen      bool     `json:"check_open"`   // asked, not answered yet
	HungForS       *int64   `json:"hung_for_s"`   // how long the check in flight is out; null: it is not overdue
	Hangs          int      `json:"hangs"`        // checks that were overdue since the path is known
	InDoubt        bool     `json:"in_doubt"`     // the device reported something that allows it to be another LUN
	DeviceState    *string  `json:"device_state"` // sysfs: running offline blocked …
	Priority       *int     `json:"prio"`
	AccessState    *string  `json:"access_state"` // ALUA, "active/optimized"
	Stranger       *string  `json:"stranger"`     // the WWID that answers instead of map_wwid
	Verdict        string   `json:"verdict"`      // admit reject maybe unknown; unreadable
	Reason         string   `json:"reason"`       // of the verdict
	Origin         *string  `json:"origin"`       // file:line:column of the rule that decided, or what else
	Why            *string  `json:"why"`          // what is wrong with it now; null: nothing
}

// Setting is a setting with the place that it comes from.
type Setting struct {
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Owner is owner and mode of a node. null: to be left as it is.
type Owner struct {
	UID  *int64  `json:"uid"`
	GID  *int64  `json:"gid"`
	Mode *string `json:"mode"` // octal, "0660"
}

// Section says what a Document holds.
type Section uint8

// Sections.
const (
	SectionUnknown  Section = iota
	SectionAll              // maps with their groups, and every device
	SectionTopology         // maps with their groups
	SectionMaps             // maps
	SectionPaths            // paths of maps
	SectionAllPaths         // every device, also those that are no paths
)

// NewDocument makes the document of a snapshot. nodes are the maps' nodes as they
// are now; for a map without one the daemon's last look counts.
func NewDocument(s mpath.Snapshot, what Section, nodes []mpath.NodeSeen) Document {
	v := newView(s)
	d := Document{Pathkeeper: DocumentVersion, Complete: s.Started}
	if what == SectionAll || what == SectionTopology || what == SectionMaps {
		list := []Map{}
		for _, m := range v.maps() {
			list = append(list, v.mapDoc(m, what != SectionMaps, nodes))
		}
		d.Maps = &list
	}
	if what == SectionAll || what == SectionPaths || what == SectionAllPaths {
		list := []Path{}
		for _, p := range v.paths() {
			if p.WWID != "" || what != SectionPaths {
				list = append(list, v.pathDoc(p))
			}
		}
		d.Paths = &list
	}
	return d
}

// JSON gives the document as text, indented, with a closing newline. It is ASCII
// as far as control goes: what a terminal could obey is escaped.
func (d Document) JSON() []byte { return JSON(d) }

// JSON gives any document of this package in the same form.
func JSON(document any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		// Strings, numbers and booleans only: there is nothing that can fail.
		panic("show: document does not encode: " + err.Error())
	}
	return escapeControl(b.Bytes())
}

// escapeControl escapes what encoding/json leaves as it is although no terminal
// should see it: DEL, the C1 controls, marks that turn the direction of text. All
// of them can only stand in strings.
func escapeControl(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		r, n := utf8.DecodeRune(in)
		switch {
		case r < 0x7f || unicode.IsPrint(r):
			out = append(out, in[:n]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		in = in[n:]
	}
	return out
}

package policy

import "pathkeeper/scsi"

// NameRequest asks for the name of the map of one LUN.
type NameRequest struct {
	Identity scsi.Identity
	Settings Settings // as Decide gave them for a path of the LUN
	State    State
	DMNames  []UsedName // of all device-mapper devices that exist, the LUN's own map among them
	OldAlias string     // name of the LUN's map if it has one, else ""
	ReadOnly bool       // the bindings file cannot be written
}

// NameSource says where a map's name comes from.
type NameSource uint8

// Sources of names.
const (
	NameUnknown NameSource = iota
	NameFromWWID
	NameFromConfig   // alias in the multipaths section
	NameFromBindings // a line there, old or new
	NameKept         // the name that the map has, since the wanted one is taken
)

// String gives "wwid", "config", "bindings", "kept" or "unknown".
func (s NameSource) String() string {
	switch s {
	case NameFromWWID:
		return "wwid"
	case NameFromConfig:
		return "config"
	case NameFromBindings:
		return "bindings"
	case NameKept:
		return "kept"
	default:
		return "unknown"
	}
}

// MapName is the answer to a NameRequest.
type MapName struct {
	Name   string
	Source NameSource
	Added  *Binding // bindings line to be made durable before the name is used
	OldID  *OldID   // record to be made durable before the name is used
	Reason string   // one clause
	Origin Origin
	// Refused says why the name that was wanted is not given; "" it is.
	Refused string
}

// Name gives a LUN's map its name: the alias of the multipaths section, else
// with user_friendly_names the bindings table's, else the WWID. A name that
// another device-mapper device bears is never given: the map keeps the name it
// has, or is called by its WWID.
func (c *Compiled) Name(r NameRequest) MapName {
	wwid := r.Identity.WWID
	var ids []string
	for _, key := range keys(r.Identity) {
		if holder, known := r.State.OldIDs.Holder(key.Value); !known || holder == wwid || key.Value == wwid {
			ids = append(ids, key.Value)
		}
	}
	own := r.Settings.Alias.V
	fallback := func(refused string) MapName {
		if r.OldAlias != "" && refused != "" {
			return MapName{Name: r.OldAlias, Source: NameKept, Refused: refused, Reason: "keeps its name: " + refused}
		}
		n := MapName{Name: wwid, Source: NameFromWWID, Refused: refused, Reason: "the WWID: no alias, and user_friendly_names is no"}
		if refused != "" {
			n.Reason = "the WWID: " + refused
		}
		return n
	}
	if own != "" {
		taken := newTakenNames(r.DMNames, nil, ids)
		if who, used := taken.by(own); used {
			return fallback("alias " + own + " is taken by " + who)
		}
		return MapName{Name: own, Source: NameFromConfig, Reason: "alias of " + r.Settings.MatchedID, Origin: r.Settings.Alias.Origin}
	}
	if !r.Settings.UserFriendly.V {
		return fallback("")
	}
	f := Friendly(FriendlyRequest{
		WWID: wwid, IDs: ids, Prefix: r.Settings.AliasPrefix.V, OldAlias: r.OldAlias,
		DMNames: r.DMNames, ReadOnly: r.ReadOnly, index: r.State.indexed(), reservedBy: c.aliases,
	})
	if f.Alias == "" {
		return fallback(f.Reason)
	}
	n := MapName{Name: f.Alias, Source: NameFromBindings, Added: f.Added, Reason: f.Reason, Origin: Origin{Note: "bindings"}}
	if _, known := r.State.OldIDs.Holder(f.ID); f.ID != wwid && !known {
		n.OldID = &OldID{Old: f.ID, Canonical: wwid}
	}
	return n
}

package mpath

import (
	"slices"

	"pathkeeper/policy"
)

// Basis is what the core's decisions are made from and a Snapshot does not show.
// With both, a command can decide again, and try what another line would change.
type Basis struct {
	Config   policy.Config
	State    policy.State
	ReadOnly bool              // no line can be added to the bindings
	WWIDs    []string          // of the wwids file, sorted
	Failed   []string          // of failed_wwids, sorted
	Names    []policy.UsedName // of all device-mapper devices, and those that maps are about to get
	Devices  []DeviceFacts     // of every device that was identified
}

// DeviceFacts are the facts of one device as the core completes them for Decide.
type DeviceFacts struct {
	ID    PathID
	Facts policy.Facts
	TPG   int // target port group of the path, -1 unknown
}

// Facts finds those of a device.
func (b Basis) Facts(id PathID) (DeviceFacts, bool) {
	for _, d := range b.Devices {
		if d.ID == id {
			return d, true
		}
	}
	return DeviceFacts{}, false
}

// Basis copies what decisions are made from. Like a Snapshot it is never changed.
func (mc *Machine) Basis() Basis {
	b := Basis{
		State: mc.state, ReadOnly: mc.readOnly, WWIDs: slices.Clone(mc.wwids), Failed: slices.Clone(mc.failed), Names: mc.usedNames(),
	}
	if mc.rules != nil {
		b.Config = mc.rules.Config()
	}
	for _, p := range mc.paths {
		b.Devices = append(b.Devices, DeviceFacts{ID: p.id, Facts: mc.factsOf(p), TPG: p.tpg()})
	}
	return b
}

// Rules is the configuration in force, nil before there is one. It is never changed,
// but replaced.
func (mc *Machine) Rules() *policy.Compiled { return mc.rules }

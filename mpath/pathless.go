package mpath

import (
	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
)

// Pathless is a map of the kernel's that has no path to send I/O to.
type Pathless struct {
	WWID   string
	Name   string
	Dev    table.DevNum
	Queues bool // its I/O waits; else it fails
	// Bounded: no_path_retry counts, or will, and ends the queueing.
	Bounded bool
}

// Pathless lists the maps without a usable path, as the kernel's status says: that is
// what decides whether I/O waits. A suspended map is none: its I/O waits for its resume.
func (mc *Machine) Pathless() []Pathless {
	var list []Pathless
	for _, m := range mc.maps {
		if m.known && m.have.Live && m.have.Target == "multipath" && !m.have.Suspended && m.have.Status.AllFailed() {
			list = append(list, Pathless{
				WWID: m.wwid, Name: m.label(), Dev: m.have.Dev, Queues: m.have.Table.QueueIfNoPath(), Bounded: !m.queue.expired && (m.queue.at != 0 || m.settingOK && m.settings.NoPathRetry.V.Mode == policy.RetryCount),
			})
		}
	}
	return list
}

package policy

import "pathkeeper/scsi"

// Waits of find_multipaths smart, seconds.
const (
	findWaitBuiltIn = -10 // of find_multipaths_timeout
	findWaitUnknown = 1   // of a device that no entry describes, where the time-out is negative
)

// FindWait is how many seconds find_multipaths smart holds a LUN's only path back
// for a second one (find_multipaths_timeout): a positive time-out counts for every
// device, a negative one for those that an entry of the hardware table or of a
// devices section describes; for others it is a second, not to slow the boot down.
func (c *Compiled) FindWait(id scsi.Identity) int {
	r := &resolver{config: &c.config, devices: c.matchDevices(id), trace: &tracer{}}
	wait := r.number("find_multipaths_timeout", findWaitBuiltIn, -maxInt).V
	if wait == 0 {
		wait = findWaitBuiltIn
	}
	switch {
	case wait > 0:
		return wait
	case len(r.devices) > 0:
		return -wait
	default:
		return findWaitUnknown
	}
}

package pathcheck

import (
	"fmt"

	"pathkeeper/scsi"
)

// maxTries is how often a command is sent: a device reports each unit attention
// once, and more than four in a row mean trouble.
const maxTries = 5

// driverTimeout is DRIVER_TIMEOUT in the low nibble of the driver status, as
// kernels before 5.14 told a time-out (include/scsi/scsi.h).
const driverTimeout = 0x06

// outcome is what one answer to a command means for the path.
type outcome struct {
	good    bool // the device did the command
	retry   bool // send it again; verdict holds if there is no try left
	verdict Verdict
}

// command sends one SCSI command up to maxTries times and collects what its
// answers say on the side.
type command struct {
	name  string
	req   scsi.Request
	tries int
	doubt bool
}

func (c *command) ask() *Request {
	c.tries++
	req := c.req
	return &Request{SCSI: &req}
}

// judge takes an answer: another try is due, or an outcome is final.
func (c *command) judge(r scsi.Response) (again bool, o outcome) {
	o = judge(c.name, r)
	c.doubt = c.doubt || o.verdict.IdentityDoubt
	o.verdict.IdentityDoubt = c.doubt
	return o.retry && c.tries < maxTries, o
}

// judge reads one answer as tur does; what is special to another command
// is added by its checker.
func judge(name string, r scsi.Response) outcome {
	say := func(s State) outcome {
		return outcome{verdict: Verdict{State: s, Message: name + ": " + r.String()}}
	}
	again := func() outcome {
		o := say(StateDown)
		o.retry = true
		return o
	}
	if r.Errno != 0 {
		return outcome{verdict: errnoVerdict(name, r.Errno)}
	}
	if r.Status == scsi.StatusReservationConflict {
		// Another host holds the unit, and the unit told so: the path works.
		return outcome{verdict: Verdict{State: StateUp, Message: name + ": " + r.Status.String()}}
	}
	switch {
	case r.Host == scsi.HostTimeOut, r.Host == scsi.HostOK && r.DriverStatus&0xf == driverTimeout:
		return outcome{verdict: Verdict{State: StateTimeout, Message: name + ": no answer in time"}}
	case r.Host == scsi.HostNoConnect, r.Host == scsi.HostBadTarget, r.Host == scsi.HostTransportFailFast:
		return say(StateDown)
	}
	switch r.Status {
	case scsi.StatusBusy, scsi.StatusTaskSetFull, scsi.StatusACAActive, scsi.StatusTaskAborted:
		// Looked at before the other host statuses: a full queue may bear one too.
		return outcome{verdict: inconclusive(name + ": " + r.Status.String())}
	}
	switch r.Host {
	case scsi.HostOK:
	case scsi.HostBusBusy, scsi.HostAbort, scsi.HostError, scsi.HostReset, scsi.HostSoftError,
		scsi.HostImmRetry, scsi.HostRequeue, scsi.HostTransportDisrupted:
		return again()
	default:
		return say(StateDown)
	}
	switch r.Status {
	case scsi.StatusGood:
		return outcome{good: true, verdict: Verdict{State: StateUp, Message: name + ": GOOD"}}
	case scsi.StatusCheckCondition:
	default:
		return say(StateDown)
	}
	sense, err := scsi.DecodeSense(r.Sense)
	if err != nil {
		return say(StateDown)
	}
	if sense.Deferred {
		return again() // it tells of an earlier command; this one was not done
	}
	switch {
	case sense.Key == scsi.KeyUnitAttention:
		o := again()
		o.verdict.IdentityDoubt = sense.IdentityDoubt()
		return o
	case sense.Key == scsi.KeyRecovered:
		o := say(StateUp)
		o.good = true
		return o
	case sense.Key == scsi.KeyAborted:
		return again()
	case sense.Is(scsi.KeyNotReady, 0x04, 0x0b):
		return say(StateGhost)
	case sense.Is(scsi.KeyNotReady, 0x04, 0x0a):
		return say(StatePending)
	case sense.Is(scsi.KeyIllegalRequest, 0x25, 0x00):
		return say(StateDisconnected)
	}
	return say(StateDown)
}

// wrongKind is the verdict on an answer to something that was not asked.
func wrongKind(name string) Step {
	return Step{Done: true, Verdict: Verdict{State: StateWild, Message: fmt.Sprintf("%s: answered without being asked", name)}}
}

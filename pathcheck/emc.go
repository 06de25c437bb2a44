package pathcheck

import (
	"fmt"

	"pathkeeper/scsi"
)

// unitReport is VPD page 0xC0 of a CLARiiON or VNX, its unit path report: which
// storage processor has the LUN, and whether the host is registered for failover
// (drivers/scsi/device_handler/scsi_dh_emc.c, parse_sp_info_reply).
type unitReport struct {
	state     uint8 // byte 4: 0 unbound or LUNZ, 1 bound, 2 owned by this processor
	defaultSP uint8 // byte 5
	thisSP    uint8 // byte 8
	// failover: initiator type 3 (byte 27), failover mode PNR or ALUA (byte 28) and
	// arraycommpath (byte 30 bit 2).
	failover bool
	normal   bool // byte 48: no firmware update is under way
}

const (
	pageUnitReport = 0xc0
	unitReportLen  = 128 // bytes asked for; the fields used end at byte 48
)

func decodeUnitReport(b []byte) (unitReport, error) {
	if len(b) < 49 || b[1] != pageUnitReport || b[9] != 0 {
		return unitReport{}, fmt.Errorf("%d bytes came in an unknown format", len(b))
	}
	mode := b[28] & 0x07
	return unitReport{
		state: b[4], defaultSP: b[5], thisSP: b[8],
		failover: b[27] == 3 && (mode == 4 || mode == 6) && b[30]&0x04 != 0,
		normal:   b[48] == 0,
	}, nil
}

func unitReportCommand(timeoutMS uint32) command {
	return command{name: "INQUIRY page 0xc0", req: scsi.InquiryVPD(pageUnitReport, unitReportLen, timeoutMS)}
}

// emcClariion asks for the unit path report and, where this processor has the
// LUN, reads its first block: an inactive snapshot is bound but cannot be read.
type emcClariion struct {
	cmd    command
	params Params
	read   *readSector0
}

func newEMCClariion(p Params) *emcClariion {
	return &emcClariion{cmd: unitReportCommand(p.TimeoutMS), params: p}
}

func (c *emcClariion) Start() Step { return Step{Ask: c.cmd.ask()} }

func (c *emcClariion) Answer(r Response) Step {
	if c.cmd.tries == 0 {
		return wrongKind(c.cmd.name)
	}
	if c.read != nil {
		s := c.read.Answer(r)
		s.Verdict.IdentityDoubt = s.Done && (s.Verdict.IdentityDoubt || c.cmd.doubt)
		return s
	}
	again, o := c.cmd.judge(r.SCSI)
	switch {
	case again:
		return Step{Ask: c.cmd.ask()}
	case !o.good:
		return Step{Done: true, Verdict: o.verdict}
	}
	u, err := decodeUnitReport(r.SCSI.Data)
	switch {
	case err != nil:
		return c.end(StateDown, err.Error())
	case !u.failover:
		return c.end(StateDown, "the host is not registered for failover at the array (initiator type, failover mode, arraycommpath)")
	case !u.normal:
		return c.end(StateShaky, "the array is not in normal operation")
	case u.state == 0:
		return c.end(StateDown, "the LUN is unbound, or LUNZ")
	case u.state == 2:
		c.read = newReadSector0(c.params)
		return c.read.Start()
	}
	return c.end(StateUp, "the other storage processor has the LUN")
}

func (c *emcClariion) end(s State, msg string) Step {
	return Step{Done: true, Verdict: Verdict{State: s, Message: c.cmd.name + ": " + msg, IdentityDoubt: c.cmd.doubt}}
}

// emcPrio is the state of the LUN at this processor, 0 to 2, and 2 more where
// this one is its default owner.
type emcPrio struct{ cmd command }

func newEMCPrio(p PrioParams) *emcPrio { return &emcPrio{unitReportCommand(p.TimeoutMS)} }

func (c *emcPrio) Start() PrioStep { return PrioStep{Ask: c.cmd.ask()} }

func (c *emcPrio) Answer(r Response) PrioStep {
	again, data, bad := c.cmd.data(r)
	switch {
	case again:
		return PrioStep{Ask: c.cmd.ask()}
	case bad != "":
		return c.cmd.keep("emc", bad)
	}
	u, err := decodeUnitReport(data)
	switch {
	case err != nil:
		return c.cmd.keep("emc", c.cmd.name+": "+err.Error())
	case u.state > 2:
		return c.cmd.keep("emc", fmt.Sprintf("page 0xc0: LUN state %d is not known", u.state))
	}
	prio := int(u.state)
	if u.defaultSP == u.thisSP {
		prio += 2
	}
	return c.cmd.value(prio)
}

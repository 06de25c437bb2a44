package pathcheck

import "pathkeeper/scsi"

// hpSW checks the active/standby arrays of the hp_sw handler (HSV, MSA): the
// serial number shows that the target is there, TEST UNIT READY whether this
// controller is the active one. A standby controller answers it with a check
// condition: ghost.
type hpSW struct {
	cmd     command
	timeout uint32
	testing bool
}

func newHPSW(p Params) *hpSW {
	return &hpSW{timeout: p.TimeoutMS, cmd: command{
		name: "INQUIRY page 0x80", req: scsi.InquiryVPD(scsi.PageSerial, 252, p.TimeoutMS),
	}}
}

func (c *hpSW) Start() Step { return Step{Ask: c.cmd.ask()} }

func (c *hpSW) Answer(r Response) Step {
	if c.cmd.tries == 0 {
		return wrongKind(c.cmd.name)
	}
	again, o := c.cmd.judge(r.SCSI)
	switch {
	case again:
		return Step{Ask: c.cmd.ask()}
	case o.good && !c.testing:
		c.testing = true
		c.cmd = command{name: "TEST UNIT READY", req: scsi.TestUnitReady(c.timeout), doubt: c.cmd.doubt}
		return Step{Ask: c.cmd.ask()}
	case c.testing && o.verdict.State == StateDown && r.SCSI.Status == scsi.StatusCheckCondition:
		o.verdict.State = StateGhost
	}
	return Step{Done: true, Verdict: o.verdict}
}

// hpSWPrio is 4 for the active controller, 2 for the standby one, 0 for one that
// answers anything else.
type hpSWPrio struct{ cmd command }

func newHPSWPrio(p PrioParams) *hpSWPrio {
	return &hpSWPrio{command{name: "TEST UNIT READY", req: scsi.TestUnitReady(p.TimeoutMS)}}
}

func (c *hpSWPrio) Start() PrioStep { return PrioStep{Ask: c.cmd.ask()} }

func (c *hpSWPrio) Answer(r Response) PrioStep {
	again, _, bad := c.cmd.data(r)
	switch {
	case again:
		return PrioStep{Ask: c.cmd.ask()}
	case bad == "":
		return c.cmd.value(4)
	case r.SCSI.Errno != 0 || r.SCSI.Host != scsi.HostOK || r.SCSI.Status != scsi.StatusCheckCondition:
		return c.cmd.keep("hp_sw", bad)
	}
	if s, err := scsi.DecodeSense(r.SCSI.Sense); err == nil && s.Is(scsi.KeyNotReady, 0x04, 0x02) {
		return c.cmd.value(2)
	}
	return c.cmd.value(0)
}

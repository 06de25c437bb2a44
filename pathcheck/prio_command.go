package pathcheck

// data takes the answer to a prioritizer's command: another try is due, the data
// came, or bad says why not.
func (c *command) data(r Response) (again bool, data []byte, bad string) {
	if c.tries == 0 {
		return false, nil, "answered without being asked"
	}
	again, o := c.judge(r.SCSI)
	switch {
	case again:
		return true, nil, ""
	case !o.good:
		return false, nil, o.verdict.Message
	}
	return false, r.SCSI.Data, ""
}

// keep ends a query without a priority: the former one stays.
func (c *command) keep(prio, message string) PrioStep {
	return PrioStep{Done: true, Prio: PrioResult{TPG: -1, Message: "prio " + prio + ": " + message, IdentityDoubt: c.doubt}}
}

// value ends a query with a priority.
func (c *command) value(n int) PrioStep {
	return PrioStep{Done: true, Prio: PrioResult{OK: true, Priority: n, TPG: -1, IdentityDoubt: c.doubt}}
}

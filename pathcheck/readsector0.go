package pathcheck

import (
	"fmt"

	"pathkeeper/scsi"
)

// readSector0Len is how much readsector0 reads, bytes.
const readSector0Len = 4096

// readSector0 reads the first 4 KiB by a SCSI command, so that neither cache nor
// partition is in the way. Where the block length is not known it asks for it
// first. It judges like tur; multipath-tools calls a standby path faulty here.
type readSector0 struct {
	cmd     command
	timeout uint32
	reading bool
}

func newReadSector0(p Params) *readSector0 {
	c := &readSector0{timeout: p.TimeoutMS}
	if p.BlockLen != 0 && p.BlockLen <= readSector0Len {
		c.read(p.BlockLen)
	} else {
		c.cmd = command{name: "READ CAPACITY(10)", req: scsi.ReadCapacity10(p.TimeoutMS)}
	}
	return c
}

// read goes on with the read itself; blockLen is at most 4 KiB.
func (c *readSector0) read(blockLen uint32) {
	c.reading = true
	c.cmd = command{
		name:  "READ(10) of block 0",
		req:   scsi.Read10(0, uint16(readSector0Len/blockLen), blockLen, c.timeout),
		doubt: c.cmd.doubt,
	}
}

func (c *readSector0) Start() Step { return Step{Ask: c.cmd.ask()} }

func (c *readSector0) Answer(r Response) Step {
	if c.cmd.tries == 0 {
		return wrongKind(c.cmd.name)
	}
	again, o := c.cmd.judge(r.SCSI)
	switch {
	case again:
		return Step{Ask: c.cmd.ask()}
	case !o.good:
		return Step{Done: true, Verdict: o.verdict}
	case !c.reading:
		capacity, err := scsi.DecodeReadCapacity10(r.SCSI.Data)
		if err != nil {
			return c.end(StateDown, err.Error())
		}
		c.read(capacity.BlockLen)
		return Step{Ask: c.cmd.ask()}
	case len(r.SCSI.Data) < int(c.cmd.req.InLen):
		return c.end(StateDown, fmt.Sprintf("%s: %d bytes came, %d are wanted", c.cmd.name, len(r.SCSI.Data), c.cmd.req.InLen))
	}
	return Step{Done: true, Verdict: o.verdict}
}

func (c *readSector0) end(s State, message string) Step {
	return Step{Done: true, Verdict: Verdict{State: s, Message: message, IdentityDoubt: c.cmd.doubt}}
}

package pathcheck

import "fmt"

// directReadLen is how much directio reads, bytes: a multiple of every logical
// block that a disk with a 4 KiB page cache can have.
const directReadLen = 4096

// Errnos that a block device's read has besides those of errno.go
// (block/blk-core.c, blk_errors).
const (
	eNODATA = 61  // medium error
	eBADE   = 52  // reservation conflict
	eREMOTE = 121 // target error
	eNOLINK = 67  // transport error: the path
)

// directIO reads the first block through the block device, past the page cache:
// it takes the way of the application's I/O, driver and queue included.
type directIO struct {
	timeout uint32
	asked   bool
}

func newDirectIO(p Params) *directIO { return &directIO{timeout: p.TimeoutMS} }

func (d *directIO) Start() Step {
	d.asked = true
	return Step{Ask: &Request{Read: &Read{Length: directReadLen, TimeoutMS: d.timeout}}}
}

func (d *directIO) Answer(r Response) Step {
	const name = "direct read of block 0"
	if !d.asked {
		return wrongKind(name)
	}
	say := func(s State, format string, args ...any) Step {
		return Step{Done: true, Verdict: Verdict{State: s, Message: name + ": " + fmt.Sprintf(format, args...)}}
	}
	switch r.Errno {
	case 0:
		if r.Bytes != directReadLen {
			return say(StateDown, "%d bytes came, %d are wanted", r.Bytes, directReadLen)
		}
		return say(StateUp, "%d bytes", r.Bytes)
	case eBADE:
		// Another host holds the unit, and the unit told so: the path works.
		return say(StateUp, "EBADE (errno %d): reservation conflict", eBADE)
	case eINVAL:
		return say(StateWild, "EINVAL (errno %d): the device takes no direct reads of %d bytes", eINVAL, directReadLen)
	case eIO:
		return say(StateDown, "EIO (errno %d)", eIO)
	case eNODATA:
		return say(StateDown, "ENODATA (errno %d): medium error", eNODATA)
	case eNOLINK:
		return say(StateDown, "ENOLINK (errno %d): transport error", eNOLINK)
	case eREMOTE:
		return say(StateDown, "EREMOTEIO (errno %d): target error", eREMOTE)
	}
	return Step{Done: true, Verdict: errnoVerdict(name, r.Errno)}
}

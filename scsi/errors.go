package scsi

import "errors"

// What can be wrong with an answer. Every decoder wraps one of these with what
// was read and what stood there.
var (
	// ErrShort: fewer bytes than the smallest valid answer.
	ErrShort = errors.New("answer is too short")
	// ErrWrongPage: the device echoed another page code than the one asked for.
	ErrWrongPage = errors.New("device answered with another page")
	// ErrNoData: the answer is well formed and lacks what was looked for
	// (multipath-tools: ENODATA).
	ErrNoData = errors.New("answer has no usable entry")
	// ErrInvalid: an entry breaks its own format (multipath-tools: EINVAL).
	ErrInvalid = errors.New("entry is malformed")
	// ErrOverrun: an entry says it is longer than the answer (multipath-tools: EOVERFLOW).
	ErrOverrun = errors.New("entry reaches beyond the end of the answer")
)

package pathcheck

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/scsi"
)

// inquiryPrio is a prioritizer that goes by the vendor's part of the standard
// INQUIRY data.
type inquiryPrio struct {
	name  string
	cmd   command
	value func(inquiry []byte) (prio int, err error)
}

func newInquiryPrio(name string, timeoutMS uint32, value func([]byte) (int, error)) *inquiryPrio {
	return &inquiryPrio{name: name, cmd: command{name: "INQUIRY", req: scsi.LongInquiry(timeoutMS)}, value: value}
}

func (c *inquiryPrio) Start() PrioStep { return PrioStep{Ask: c.cmd.ask()} }

func (c *inquiryPrio) Answer(r Response) PrioStep {
	again, data, bad := c.cmd.data(r)
	switch {
	case again:
		return PrioStep{Ask: c.cmd.ask()}
	case bad != "":
		return c.cmd.keep(c.name, bad)
	}
	prio, err := c.value(data)
	if err != nil {
		return c.cmd.keep(c.name, err.Error())
	}
	return c.cmd.value(prio)
}

// newHDS spreads the LUNs of a Hitachi modular array over its two controllers: 1
// where the controller's number and the LUN's are both even or both odd. Byte 49
// is the controller, a digit; byte 47 the last hex digit of the LUN's number.
func newHDS(p PrioParams) *inquiryPrio {
	return newInquiryPrio("hds", p.TimeoutMS, func(b []byte) (int, error) {
		if len(b) < 51 {
			return 0, fmt.Errorf("INQUIRY: %d bytes came, the controller's number is byte 49", len(b))
		}
		ctrl, err := strconv.ParseUint(string(b[49]), 10, 8)
		ldev, err2 := strconv.ParseUint(string(b[47]), 16, 8)
		if err != nil || err2 != nil {
			return 0, fmt.Errorf("INQUIRY: controller %q and LDEV %q are no numbers", b[49], b[47])
		}
		if ctrl%2 == ldev%2 {
			return 1, nil
		}
		return 0, nil
	})
}

// Bounds of datacore's own time-out, milliseconds.
const (
	datacoreTimeout    = 2000
	datacoreTimeoutMin = 500
	datacoreTimeoutMax = 20000
)

// newDatacore prefers the paths to the server that prio_args names: 1 where its
// name, bytes 112 to 127, contains that, else 0.
func newDatacore(p PrioParams) (Prioritizer, error) {
	sds, timeout := "", datacoreTimeout
	for _, arg := range strings.Fields(p.Args) {
		key, v, _ := strings.Cut(arg, "=")
		n, err := strconv.Atoi(v)
		switch {
		case key == "preferredsds" && v != "":
			sds = v
		case key == "timeout" && err == nil && n >= datacoreTimeoutMin && n <= datacoreTimeoutMax:
			timeout = n
		default:
			return nil, fmt.Errorf("prioritizer datacore: prio_args %q: it takes preferredsds=NAME and timeout=%d..%d (ms)", arg, datacoreTimeoutMin, datacoreTimeoutMax)
		}
	}
	if sds == "" {
		return nil, fmt.Errorf("prioritizer datacore: prio_args %q: preferredsds=NAME is missing", p.Args)
	}
	return newInquiryPrio("datacore", uint32(timeout), func(b []byte) (int, error) {
		if len(b) < 113 {
			return 0, fmt.Errorf("INQUIRY: %d bytes came, the server's name begins at byte 112", len(b))
		}
		if strings.Contains(string(b[112:min(len(b), 128)]), sds) {
			return 1, nil
		}
		return 0, nil
	}), nil
}

package pathcheck

import (
	"fmt"

	"pathkeeper/scsi"
)

// sysfsPrio values what the kernel's device handler knows of the path's port
// group, without a command: the numbers are alua's.
type sysfsPrio struct {
	rank  alua
	group scsi.PortGroup
	asked string
}

func newSysfsPrio(p PrioParams) (Prioritizer, error) {
	a, err := newALUA(p)
	if err != nil {
		return nil, fmt.Errorf("prioritizer sysfs: %w", err)
	}
	return &sysfsPrio{rank: *a.(*alua)}, nil
}

func (c *sysfsPrio) ask(attr string) PrioStep {
	c.asked = attr
	return PrioStep{Ask: &Request{Attr: attr}}
}

func (c *sysfsPrio) Start() PrioStep { return c.ask("access_state") }

func (c *sysfsPrio) Answer(r Response) PrioStep {
	keep := func(state, message string) PrioStep {
		return PrioStep{Done: true, Prio: PrioResult{TPG: c.rank.id.PortGroup, State: state, Message: "prio sysfs: " + message}}
	}
	switch {
	case c.asked == "":
		return keep("", "answered without being asked")
	case r.Errno != 0:
		return keep("", fmt.Sprintf("%s: %s", c.asked, errnoText(r.Errno)))
	case c.asked == "access_state":
		s, ok := accessState(r.Text)
		if !ok {
			return keep("", fmt.Sprintf("access_state %q is not known", r.Text))
		}
		if s == scsi.AccessTransitioning {
			return keep(s.String(), "the port group is in transition")
		}
		c.group.State = s
		return c.ask("preferred_path")
	}
	c.group.Pref = r.Text == "1"
	return PrioStep{Done: true, Prio: PrioResult{OK: true, Priority: c.rank.value(c.group), TPG: c.rank.id.PortGroup, State: c.group.State.String()}}
}

// accessState reads the kernel's word (drivers/scsi/scsi_sysfs.c, sdev_access_states).
func accessState(text string) (scsi.AccessState, bool) {
	for _, s := range []scsi.AccessState{
		scsi.AccessOptimized, scsi.AccessNonOptimized, scsi.AccessStandby, scsi.AccessUnavailable,
		scsi.AccessLBADependent, scsi.AccessOffline, scsi.AccessTransitioning,
	} {
		if s.String() == text {
			return s, true
		}
	}
	return 0, false
}

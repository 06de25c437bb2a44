package pathcheck

import (
	"fmt"
	"strings"

	"pathkeeper/scsi"
)

const (
	// rtpgLen is the first buffer for port groups, bytes: 255 groups of 2 ports.
	rtpgLen = 4096
	// rtpgLenMax bounds what a target can make us read, bytes.
	rtpgLenMax = 1 << 16
	// prefBonus is what the preferred bit adds.
	prefBonus = 80
)

// alua asks REPORT TARGET PORT GROUPS and values the state of the path's group:
// optimized 50, non-optimized 10, LBA dependent 5, standby 1, others 0, and 80
// more for a preferred group. The preferred bit of an optimized group counts
// only with the argument exclusive_pref_bit, so that by default the two kinds of
// a preferred controller's paths share a group.
type alua struct {
	cmd           command
	id            scsi.Identity
	exclusivePref bool
	grown         bool // asked again with a longer buffer: at most once
}

func newALUA(p PrioParams) (Prioritizer, error) {
	a := &alua{id: p.Identity}
	for _, arg := range strings.Fields(p.Args) {
		if arg != "exclusive_pref_bit" {
			return nil, fmt.Errorf("prioritizer alua: prio_args %q: unknown word; it takes exclusive_pref_bit", arg)
		}
		a.exclusivePref = true
	}
	a.request(rtpgLen, p.TimeoutMS)
	return a, nil
}

func (a *alua) request(length, timeoutMS uint32) {
	a.cmd = command{
		name:  "REPORT TARGET PORT GROUPS",
		req:   scsi.ReportTargetPortGroups(false, length, timeoutMS),
		doubt: a.cmd.doubt,
	}
}

func (a *alua) Start() PrioStep {
	if a.id.TPGS == 0 {
		return PrioStep{Done: true, Prio: PrioResult{
			OK: true, Priority: 1, TPG: -1,
			Message: "prio alua: INQUIRY says no target port groups (TPGS 0): priority 1 as by const",
		}}
	}
	return PrioStep{Ask: a.cmd.ask()}
}

func (a *alua) Answer(r Response) PrioStep {
	if a.cmd.tries == 0 {
		return a.keep("", "answered without being asked")
	}
	again, o := a.cmd.judge(r.SCSI)
	if again {
		return PrioStep{Ask: a.cmd.ask()}
	}
	if !o.good {
		state := ""
		if o.verdict.State == StatePending && !o.verdict.Inconclusive {
			state = scsi.AccessTransitioning.String()
		}
		return a.keep(state, o.verdict.Message)
	}
	groups, err := scsi.DecodePortGroups(r.SCSI.Data)
	if groups.Need > a.cmd.req.InLen && groups.Need <= rtpgLenMax && !a.grown {
		a.grown = true
		a.request(groups.Need, a.cmd.req.TimeoutMS)
		return PrioStep{Ask: a.cmd.ask()}
	}
	group, found := a.find(groups)
	switch {
	case !found && err != nil:
		return a.keep("", err.Error())
	case !found:
		return a.keep("", fmt.Sprintf("%s: %d groups came, none is that of this path (group %d, port %d by page 0x83)",
			a.cmd.name, len(groups.Groups), a.id.PortGroup, a.id.RelPort))
	case group.State == scsi.AccessTransitioning:
		// To value it now would move the map twice: once to nothing, once to what comes.
		step := a.keep(group.State.String(), fmt.Sprintf("%s: group %d is in transition", a.cmd.name, group.ID))
		step.Prio.TPG = int(group.ID)
		return step
	}
	return PrioStep{Done: true, Prio: PrioResult{
		OK: true, Priority: a.value(group), TPG: int(group.ID), State: group.State.String(), IdentityDoubt: a.cmd.doubt,
	}}
}

func (a *alua) find(groups scsi.PortGroups) (scsi.PortGroup, bool) {
	if a.id.PortGroup >= 0 {
		return groups.Find(a.id.PortGroup)
	}
	return groups.FindPort(a.id.RelPort)
}

func (a *alua) value(g scsi.PortGroup) int {
	prio := 0
	switch g.State {
	case scsi.AccessOptimized:
		prio = 50
	case scsi.AccessNonOptimized:
		prio = 10
	case scsi.AccessLBADependent:
		prio = 5
	case scsi.AccessStandby:
		prio = 1
	}
	if g.Pref && (g.State != scsi.AccessOptimized || a.exclusivePref) {
		prio += prefBonus
	}
	return prio
}

// keep ends the query without a priority: the former one stays.
func (a *alua) keep(state, message string) PrioStep {
	return PrioStep{Done: true, Prio: PrioResult{
		TPG: a.id.PortGroup, State: state, Message: "prio alua: " + message, IdentityDoubt: a.cmd.doubt,
	}}
}

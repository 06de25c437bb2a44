package mpath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
)

// Broken is a law that does not hold: a bug of the core, never of the world.
type Broken struct {
	Law    string
	Detail string
}

// Error makes it an error.
func (b Broken) Error() string { return "law broken: " + b.Law + ": " + b.Detail }

// CheckActions holds the actions of one step against the laws of the design.
// It is called right after Step, by the simulator always and by the daemon too:
// it looks only at what the step touched.
func (mc *Machine) CheckActions(acts []Action) []Broken {
	var out []Broken
	bad := func(law, format string, args ...any) {
		out = append(out, Broken{law, fmt.Sprintf(format, args...)})
	}
	out = append(out, mc.breaches...)
	mc.breaches = nil
	for i, a := range acts {
		if !mc.started && changesMap(a) {
			bad(lawFirstPicture, "%s", ActionText(a))
		}
		switch a := a.(type) {
		case CreateMap:
			mc.checkLoad(bad, a.WWID, a.Table, a.Paths, a.Fail)
			if a.Name == "" {
				bad(lawName, "%s", a.WWID)
			}
			for _, m := range mc.maps {
				if m.wwid != a.WWID && m.known && m.have.Name == a.Name {
					bad(lawNameOfOneLUN, "%s is %s, asked for %s", a.Name, m.wwid, a.WWID)
				}
			}
		case LoadMap:
			mc.checkLoad(bad, a.WWID, a.Table, a.Paths, a.Fail)
			mc.checkPart(bad, a)
			if m := mc.mapOf(a.WWID); m != nil && m.have.Live && m.have.Size != a.Size {
				bad(lawSize, "%s: %d sectors, the load has %d", a.Name, m.have.Size, a.Size)
			}
		case ResizeMap:
			mc.checkLoad(bad, a.WWID, a.Table, a.Paths, nil)
			if m := mc.mapOf(a.WWID); m != nil {
				for _, d := range m.have.Table.Devs() {
					if m.kernelFailed(d) {
						bad(lawFlush, "%s: %s", a.Name, d)
					}
				}
			}
			for _, r := range a.Paths {
				if p := mc.path(r.ID); p != nil && uint64(a.Size) != p.seen.Facts.Size {
					bad(lawSizesMix, "%s: %s has %d sectors, the map gets %d", a.Name, r.ID, p.seen.Facts.Size, a.Size)
				}
			}
		case RenameMap:
			if m := mc.mapOf(a.WWID); m != nil && m.part.exact && a.To != m.part.plan.To {
				bad(lawPlanned, "%s is renamed to %s, the plan says %q", a.Name, a.To, m.part.plan.To)
			}
		case StartCheck:
			for _, b := range acts[i+1:] {
				if c, ok := b.(StartCheck); ok && c.Path == a.Path {
					bad(lawOneCheck, "%s", a.Path)
				}
			}
		case Message:
			mc.checkMessage(bad, a)
		case SetKnobs:
			checkKnobs(bad, a)
		case LimitPaths:
			mc.checkLimit(bad, a)
		case RemoveMap:
			m := mc.mapOf(a.WWID)
			if m == nil {
				continue
			}
			if n := m.have.Open - len(a.Partitions); n > 0 && !a.Deferred {
				bad(lawRemoveOpen, "%s is open %d times", a.Name, n)
			}
			if a.Deferred && m.removal != removalOperator && !m.settings.DeferredRemove.V {
				bad(lawRemoveOpen, "%s: deferred_remove is off", a.Name)
			}
		}
	}
	return out
}

// breach notes a law that is broken in the middle of a step; CheckActions tells it.
func (mc *Machine) breach(law, format string, args ...any) {
	mc.breaches = append(mc.breaches, Broken{law, fmt.Sprintf(format, args...)})
}

// changesMap says whether an action changes what the kernel has.
func changesMap(a Action) bool {
	switch a.(type) {
	case CreateMap, LoadMap, ResizeMap, RemoveMap, RenameMap, SuspendMap, ResumeMap, Message:
		return true
	}
	return false
}

func (mc *Machine) checkMessage(bad report, a Message) {
	m := mc.mapOf(a.WWID)
	if m == nil || m.ask != a.Seq {
		bad(lawOneQuestion, "%s: %s", a.WWID, a.Text)
		return
	}
	verb, arg, _ := strings.Cut(a.Text, " ")
	switch verb {
	case "fail_path", "reinstate_path":
		d, err := table.ParseDevNum(arg)
		failed := m.kernelFailed(d)
		if p := mc.pathByDev(d); verb == "fail_path" && p != nil && p.reinstated != 0 && p.reinstated >= m.haveAt {
			failed = false // it was reinstated since the map was read: failing it is an edge
		}
		if in := slices.Contains(m.have.Table.Devs(), d); err != nil || !in || failed == (verb == "fail_path") {
			bad(lawEdges, "%s: %s: in the table %v, failed %v", a.Name, a.Text, in, failed)
		}
	case "fail_if_no_path":
		counted := m.settings.NoPathRetry.V.Mode == policy.RetryCount || m.settings.NoPathRetry.V.Mode == policy.RetryQueue
		if m.settingOK && counted && !m.queue.expired && !m.queueOff && !m.flushing && !mc.stopping {
			bad(lawQueueOff, "%s: %s", a.Name, a.Reason)
		}
	}
}

// checkKnobs holds what is wanted of a remote port against the one order of its times
// that loses no disk: I/O fails before the port is given up.
func checkKnobs(bad report, a SetKnobs) {
	fail, loss, raise := -1, -1, false
	for _, k := range a.Knobs {
		n, err := strconv.Atoi(k.Value)
		switch {
		case k.Name == "dev_loss_tmo" && (err != nil || n <= 0):
			bad(lawPortTimes, "%s: dev_loss_tmo %q", a.Dir, k.Value)
		case k.Name == "dev_loss_tmo":
			loss, raise = n, k.Raise
		case k.Name == "fast_io_fail_tmo" && err == nil:
			fail = n
		}
	}
	if fail >= 0 && loss >= 0 && fail >= loss && !raise {
		bad(lawPortTimes, "%s: fast_io_fail_tmo %d, dev_loss_tmo %d", a.Dir, fail, loss)
	}
}

func (mc *Machine) checkLimit(bad report, a LimitPaths) {
	for _, r := range a.Paths {
		if p := mc.path(r.ID); p == nil || p.inTable || p.wwid != a.WWID || len(mc.find.holders[r.ID.Dev]) > 0 {
			bad(lawLimit, "%s: %s", a.WWID, r.ID)
		}
	}
}

// checkPart holds a load against what an apply or a reload is doing to its map.
func (mc *Machine) checkPart(bad report, a LoadMap) {
	m := mc.mapOf(a.WWID)
	if m == nil {
		return
	}
	if a.Rollback && m.rolled > 1 {
		bad(lawOneRollback, "%s: %s", a.Name, a.Reason)
	}
	p := &m.part
	if p.since == 0 || p.loadedAt != 0 || a.Rollback {
		return
	}
	if another := p.another(a.Table); another != "" {
		bad(lawPlanned, "%s: %s", a.Name, another)
	}
	if p.exact && !p.plan.Has(PlanReload) {
		if beyond := m.beyondPlan(a.Table); beyond != "" {
			bad(lawPlanned, "%s: the plan has no load: %s", a.Name, beyond)
		}
		return
	}
	for _, r := range a.Paths {
		if q := mc.path(r.ID); m.have.Live && (p.asked == 0 || q != nil && q.answeredFor < p.asked) {
			bad(lawAskedFirst, "%s: %s", a.Name, r.ID)
		}
	}
}

func (mc *Machine) checkLoad(bad func(law, format string, args ...any), wwid string, t table.Table, refs []PathRef, fail []table.DevNum) {
	m := mc.mapOf(wwid)
	if m == nil {
		bad(lawLoadOfMap, "%s", wwid)
		return
	}
	if m.rebuilds > 0 && m.rebuiltAt == mc.now {
		return // it was asked for before the panic that has made the map forget its paths
	}
	devs := t.Devs()
	if len(devs) == 0 {
		bad(lawEmptyTable, "%s", wwid)
	}
	if len(devs) != len(refs) {
		bad(lawHeld, "%s: %d paths, %d held", wwid, len(devs), len(refs))
	}
	lun := ""
	for _, r := range refs {
		p := mc.path(r.ID)
		if p != nil && lun == "" {
			lun = p.seen.Identity.WWID
		}
		switch {
		case p == nil:
			bad(lawKnownPaths, "%s: %s", wwid, r.ID)
		case p.decision.Verdict != policy.VerdictAdmit && !slices.Contains(m.have.Table.Devs(), r.ID.Dev):
			bad(lawLeftAlone, "%s: %s: %s", wwid, r.ID, p.decision.Reason)
		case p.wwid != wwid:
			bad(lawOneWWID, "%s: %s is of %s", wwid, r.ID, p.wwid)
		case lun != "" && p.seen.Identity.WWID != lun: // though both bear the map's id
			bad(lawOneLUN, "%s: %s is %s, others are %s", wwid, r.ID, p.seen.Identity.WWID, lun)
		case !p.proven():
			bad(lawVerified, "%s: %s", wwid, r.ID)
		case !p.up() && !slices.Contains(fail, r.ID.Dev):
			bad(lawFailAgain, "%s: %s", wwid, r.ID)
		}
		if !slices.Contains(devs, r.ID.Dev) {
			bad(lawHeldInLoad, "%s: %s", wwid, r.ID)
		}
	}
}

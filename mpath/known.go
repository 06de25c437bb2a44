package mpath

import (
	"slices"

	"pathkeeper/policy"
)

// knownState is the one open write of the wwids file, and the one open question
// about it.
type knownState struct {
	ask     uint64
	writing []string
	pending []string // sorted
	failed  []string // sorted: to be written again later

	find   uint64
	asked  []string // what find is about, sorted
	unsure []string // to be asked about next
}

// saveWWIDs makes LUNs known for the next boot.
func (mc *Machine) saveWWIDs() {
	k := &mc.known
	if k.ask != 0 || len(k.pending) == 0 {
		return
	}
	k.ask, k.writing, k.pending = mc.nextSeq(), k.pending, nil
	mc.act(SaveWWIDs{Seq: k.ask, WWIDs: slices.Clone(k.writing)})
}

func (mc *Machine) wwidsSaved(e ActionDone) {
	writing := mc.known.writing
	mc.known.ask, mc.known.writing = 0, nil
	if e.Errno != ErrnoNone {
		for _, w := range writing { // again with the next scan
			mc.known.failed = addSorted(mc.known.failed, w)
		}
		mc.note(LevelWarning, "wwids", "cannot be written: "+e.Detail+": after a reboot new LUNs are claimed only where the configuration names them")
	}
}

// lookUp notes a device that is left alone and would not be, stood its LUN in the
// wwids file: `multipath -a` writes there beside us, and udev's hook reads it for
// every event. Whoever claims and who makes the map must not differ for long.
func (mc *Machine) lookUp(p *path) {
	if !mc.configured || !mc.loaded || p.wwid != "" || p.decision.Verdict == policy.VerdictAdmit {
		return
	}
	f := mc.factsOf(p)
	if f.InWWIDs {
		return
	}
	f.InWWIDs = true
	if mc.rules.Decide(p.seen.Identity, f, mc.stateNow()).Verdict == policy.VerdictAdmit {
		mc.known.unsure = append(mc.known.unsure, idStrings(p.seen.Identity)...)
	}
}

// lookingUp says whether the wwids file is still to be asked about a device.
func (mc *Machine) lookingUp(p *path) bool {
	return slices.ContainsFunc(idStrings(p.seen.Identity), func(id string) bool {
		return slices.Contains(mc.known.unsure, id) || mc.known.find != 0 && hasSorted(mc.known.asked, id)
	})
}

// findWWIDs asks which LUNs others have written into the wwids file.
func (mc *Machine) findWWIDs() {
	k := &mc.known
	if k.find != 0 || len(k.unsure) == 0 {
		return
	}
	slices.Sort(k.unsure)
	k.find, k.asked, k.unsure = mc.nextSeq(), slices.Compact(k.unsure), nil
	mc.act(FindWWIDs{Seq: k.find, WWIDs: slices.Clone(k.asked)})
}

// forgetWWID takes out what somebody took out of the wwids file: the hook reads that, and
// does not claim such a LUN any more. A map that is there stays.
func (mc *Machine) forgetWWID(c *command) {
	k, w := &mc.known, c.Arg
	switch {
	case slices.Contains(k.writing, w) || hasSorted(k.pending, w) || hasSorted(k.failed, w):
		mc.finish(c, ReplyRefused, w+" is being written into the wwids file, as its map is made: remove the map first")
		return
	case !hasSorted(mc.wwids, w):
		mc.finish(c, ReplyAlready, w+" is not known to be in the wwids file")
		return
	}
	mc.wwids = dropSorted(mc.wwids, w)
	k.asked = dropSorted(k.asked, w) // the answer may be of the file as it was
	for _, p := range slices.Clone(mc.paths) {
		if p.wwid == "" && slices.Contains(idStrings(p.seen.Identity), w) {
			mc.decide(p)
			mc.decideOthers(p)
		}
	}
	mc.finish(c, ReplyDone, w+" is out of the wwids file: its LUN is claimed only where the configuration or find_multipaths says so")
}

// takeWWIDs decides anew about the devices whose LUNs are known now.
func (mc *Machine) takeWWIDs(e WWIDsFound) {
	if e.Seq == 0 || e.Seq != mc.known.find {
		return
	}
	asked := mc.known.asked
	mc.known.find, mc.known.asked = 0, nil
	var found []string
	for _, w := range e.WWIDs {
		if hasSorted(asked, w) && !hasSorted(mc.wwids, w) {
			mc.wwids = addSorted(mc.wwids, w)
			found = addSorted(found, w)
		}
	}
	if found == nil {
		return
	}
	for _, p := range slices.Clone(mc.paths) {
		if p.wwid == "" && slices.ContainsFunc(idStrings(p.seen.Identity), func(id string) bool { return hasSorted(found, id) }) {
			mc.decide(p)
			mc.decideOthers(p)
		}
	}
}

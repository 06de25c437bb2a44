package main

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/engine"
	"pathkeeper/policy"
	"pathkeeper/rules"
	"pathkeeper/scsi"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// stateFiles is what the state files say.
type stateFiles struct {
	policy policy.State
	wwids  statefile.WWIDs
	failed []string
}

// readState reads the state files; one that cannot be read counts as empty, as it
// does for the daemon.
func readState(h hookHost) stateFiles {
	files := h.places()
	read := func(name string) []byte {
		b, err := h.stateFile(name)
		if err != nil {
			return nil
		}
		return b
	}
	var s stateFiles
	bindings, _ := statefile.ParseBindings(read(files.Bindings))
	lines := bindings.Lines()
	s.policy.Bindings = make(policy.Bindings, 0, len(lines))
	for _, b := range lines {
		s.policy.Bindings = append(s.policy.Bindings, policy.Binding{Alias: b.Alias, WWID: b.WWID})
	}
	old, _ := statefile.ParseOldIDs(read(files.OldIDs))
	for _, o := range old.All() {
		s.policy.OldIDs = append(s.policy.OldIDs, policy.OldID{Old: o.Old, Canonical: o.Canonical})
	}
	s.wwids, _ = statefile.ParseWWIDs(read(files.WWIDs))
	names, _ := h.stateList(files.FailedDir)
	for _, n := range names {
		s.failed = append(s.failed, statefile.FailedWWID(n))
	}
	return s
}

// decider has everything that a decision of the hook depends on.
type decider struct {
	host  hookHost
	tree  sysfs.Tree
	rules *policy.Compiled
	state stateFiles
}

// pathProperties is the answer to an event of a disk.
func (d *decider) pathProperties(disk sysfs.Disk, env uevent.Props) []rules.KV {
	who := d.host.manager()
	if theirs := env.Value(claimProperty); !who.ours && theirs != "" {
		return append(rules.LeftProperties(who.String(), theirs), rules.DiskProperties(policy.Decision{Claim: policy.ClaimNo}, rules.DiskOwner{})...)
	}
	a := d.path(disk, env, who)
	a.facts.Partitions = len(disk.Partitions) > 0
	out := rules.PathProperties(a.decision, a.facts)
	return append(out, rules.DiskProperties(a.decision, d.diskOwner(a.decision.Single))...)
}

// Properties of a disk that its own events before wrote, and that rules of
// multipath-tools may have written in this one: a decision goes by the former.
const (
	claimProperty         = "DM_MULTIPATH_DEVICE_PATH"
	waitUntilProperty     = "FIND_MULTIPATHS_WAIT_UNTIL"
	waitCancelledProperty = "FIND_MULTIPATHS_WAIT_CANCELLED"
)

// answer is a decision about a disk, and how far the wait for a second path is.
type answer struct {
	decision policy.Decision
	facts    rules.PathFacts
}

// path decides about a disk, on a host with this manager.
func (d *decider) path(disk sysfs.Disk, env uevent.Props, who manager) (a answer) {
	before := d.before(disk)
	a.facts.WaitUntil, a.facts.Cancelled = before.Value(waitUntilProperty), before.Value(waitCancelledProperty)
	rec := withEvent(before, env)
	mounts, swaps, problem := readUse(d.host)
	facts := engine.FactsOf(disk, rec, mounts, swaps)
	if problem != "" && facts.InUse == "" && facts.MemberOf == "" {
		facts.InUse = problem
	}
	if t := env.Value("DEVTYPE"); t != "" {
		facts.DevType = t
	}
	id := identify(disk, rec)
	facts.TPGS = id.TPGS != 0
	facts.NoDaemon = who.nobody
	for _, i := range id.IDs {
		facts.InWWIDs = facts.InWWIDs || d.state.wwids.Has(i.Value)
		facts.Failed = facts.Failed || slices.Contains(d.state.failed, i.Value)
	}
	a.decision = d.decide(id, &facts)
	if a.decision.Claim == policy.ClaimMaybe {
		// Only then it matters, and only then it is worth to read all the others.
		facts.OtherPaths = d.otherPaths(disk.Name, id)
		if facts.OtherPaths == 0 && disk.SCSI.State == "running" && d.host.held(disk.Name) {
			facts.InUse = "opened exclusively by another program"
			if now, err := sysfs.ReadFacts(d.tree, disk.Name); err == nil {
				facts.MemberOf = engine.FactsOf(now, rec, mounts, swaps).MemberOf
			}
		}
		a.decision = d.rules.Decide(id, facts, d.state.policy)
	}
	dev := strconv.FormatUint(uint64(disk.Major), 10) + ":" + strconv.FormatUint(uint64(disk.Minor), 10)
	f := &a.facts
	f.Wait, f.Left, f.Begun = d.host.wait(dev, d.rules.FindWait(id), a.decision.Claim == policy.ClaimMaybe)
	return a
}

// decide decides before it is known whether the LUN has a map, and looks only where
// that would change the answer: to look means to read of every map.
func (d *decider) decide(id scsi.Identity, facts *policy.Facts) policy.Decision {
	without := d.rules.Decide(id, *facts, d.state.policy)
	if without.Claim == policy.ClaimYes || without.Claim == policy.ClaimFinal {
		return without // a map speaks for a disk, never against it
	}
	facts.MapExists = true
	with := d.rules.Decide(id, *facts, d.state.policy)
	same := with.Claim == without.Claim && with.Verdict == without.Verdict && with.Reason == without.Reason
	if !same && d.mapExists(id) {
		return with
	}
	facts.MapExists = false
	return without
}

// identify goes by the kernel's cache: the hook sends nothing to any device.
func identify(disk sysfs.Disk, rec uevent.Record) scsi.Identity {
	if !disk.IsSCSI {
		return scsi.Identity{Problem: "not a SCSI disk"}
	}
	return engine.CachedIdentity(disk, rec.Props.Value("ID_SERIAL"))
}

// before is what udev's database has of a device: what its last event left.
func (d *decider) before(disk sysfs.Disk) uevent.Props {
	b, err := d.host.udevRecord(uevent.RecordName(disk.Major, disk.Minor))
	if err != nil {
		return nil
	}
	rec, err := uevent.ParseRecord(b)
	if err != nil {
		return nil
	}
	return rec.Props
}

// record is what udev knows of a device that the event is not about.
func (d *decider) record(disk sysfs.Disk) uevent.Record { return uevent.Record{Props: d.before(disk)} }

// withEvent is what udev knows of the event's device: its database, and over that
// what the event's rules have found up to now; but not what they have said of the
// claim.
func withEvent(before, env uevent.Props) uevent.Record {
	rec := uevent.Record{Props: slices.Clone(before)}
	for _, kv := range env {
		if kv.Key == claimProperty || kv.Key == waitUntilProperty || kv.Key == waitCancelledProperty {
			continue
		}
		// A name that comes twice counts once, with its last value.
		rec.Props = slices.DeleteFunc(rec.Props, func(have uevent.KV) bool { return have.Key == kv.Key })
		rec.Props = append(rec.Props, kv)
	}
	slices.SortStableFunc(rec.Props, func(a, b uevent.KV) int { return strings.Compare(a.Key, b.Key) })
	return rec
}

func readUse(h hookHost) (mounts []sysfs.Mount, swaps []sysfs.Swap, problem string) {
	b, err := h.mountinfo()
	if err == nil {
		mounts, err = sysfs.ParseMountinfo(b)
	}
	if err != nil {
		return nil, nil, "the mounts cannot be read, so it may be in use"
	}
	b, err = h.swapList()
	if err == nil {
		swaps, err = sysfs.ParseSwaps(b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return mounts, nil, "the swaps cannot be read, so it may be in use"
	}
	return mounts, swaps, ""
}

// mapExists looks for a map of the LUN under any of its ids.
func (d *decider) mapExists(id scsi.Identity) bool {
	names, err := sysfs.ListBlock(d.tree)
	if err != nil {
		return false
	}
	for _, n := range names {
		if !strings.HasPrefix(n, "dm-") {
			continue
		}
		b, err := d.tree.ReadAttr("block/"+n+"/dm/uuid", sysfs.MaxAttr)
		if err != nil {
			continue
		}
		if wwid, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "mpath-"); ok {
			if _, ours := id.Has(wwid); ours {
				return true
			}
		}
	}
	return false
}

// otherPaths counts other disks of the same LUN.
func (d *decider) otherPaths(name string, id scsi.Identity) int {
	names, err := sysfs.ListBlock(d.tree)
	if err != nil || id.WWID == "" {
		return 0
	}
	n, own := 0, d.kernelID(name)
	for _, other := range names {
		if other == name || !strings.HasPrefix(other, "sd") {
			continue
		}
		if has := d.kernelID(other); own != "" && has != "" && has != own {
			continue // another LUN: the many others of a large host are not read
		}
		disk, err := sysfs.ReadFacts(d.tree, other)
		if err == nil && identify(disk, d.record(disk)).SameLUN(id) {
			n++
		}
	}
	return n
}

// kernelID is the id that the kernel made of a disk's page 0x83, the same for all
// paths of a LUN (scsi_vpd_lun_id); "" where it made none.
func (d *decider) kernelID(name string) string {
	b, err := d.tree.ReadAttr("block/"+name+"/device/wwid", sysfs.MaxAttr)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

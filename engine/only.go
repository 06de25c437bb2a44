package engine

import (
	"slices"

	"pathkeeper/mpath"
)

// Only is what an engine may change for a command that is about some of the maps: the
// core is shown the disks of these maps alone, and what it wants of any other map is
// not done.
type Only struct {
	Disks []string // kernel names; nil: all
	Maps  []string // WWIDs
}

func (o *Only) disks(all []mpath.Disk) []mpath.Disk {
	if o == nil || o.Disks == nil {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(d mpath.Disk) bool { return !slices.Contains(o.Disks, d.Name) })
}

// held answers an action that is not about the maps that are meant. ok: it is not to
// be carried out.
func (o *Only) held(a mpath.Action) (s Step, ok bool) {
	if o == nil {
		return Step{}, false
	}
	open := func(wwid string) (Step, bool) { return Step{}, !slices.Contains(o.Maps, wwid) }
	switch a := a.(type) {
	case mpath.CreateMap:
		return open(a.WWID)
	case mpath.LoadMap:
		return open(a.WWID)
	case mpath.ResumeMap:
		return open(a.WWID)
	case mpath.RemoveMap:
		return open(a.WWID)
	case mpath.ReadSizes:
		return open(a.WWID)
	case mpath.ResizeMap:
		return open(a.WWID)
	case mpath.SuspendMap:
		return open(a.WWID)
	case mpath.RenameMap:
		return open(a.WWID)
	case mpath.Message:
		return open(a.WWID)
	case mpath.ForgetLoad:
		return open(a.WWID)
	case mpath.MarkFailed:
		return open(a.WWID)
	case mpath.LimitPaths:
		return open(a.WWID)
	case mpath.SetKnobs:
		// A port is for the paths of others as well: what those want is not known.
		return Step{}, o.Disks != nil
	case mpath.SaveDeadlines:
		// What is not looked at would be missing in the file.
		return done(mpath.ActionDone{Seq: a.Seq}), true
	case mpath.SaveWWIDs:
		if slices.ContainsFunc(a.WWIDs, func(w string) bool { return !slices.Contains(o.Maps, w) }) {
			return done(mpath.ActionDone{Seq: a.Seq}), true
		}
	}
	return Step{}, false
}

package engine

import (
	"fmt"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
)

// removeMap removes a map's partition maps, then the map. Nothing is removed if a
// partition is in use, unless the removal is deferred: then each goes at its last
// close.
func (e *Engine) removeMap(a mpath.RemoveMap) Step {
	c, err := startChange(a.Seq, a.WWID, a.Name)
	if err != nil {
		return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	var parts []table.UUID
	for _, s := range a.Partitions {
		u, err := table.ParseUUID(s)
		if err != nil {
			return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
		}
		parts = append(parts, u)
	}
	return c.unused(parts, 0, a.Deferred, func() Step { return c.removeAll(parts, a.Deferred, false) })
}

// unused sees that no partition map is open, and nobody but the partition maps has the
// map open: there are so many of them.
func (c *changing) unused(parts []table.UUID, there int32, deferred bool, then func() Step) Step {
	if deferred {
		return then()
	}
	if len(parts) == 0 {
		return c.onlyParts(there, then)
	}
	return query(dmmap.QueryInfo{Map: dmmap.ByUUID(parts[0])}, dmmap.DecodeInfo, func(i dmmap.Info, r Answer, bad string) Step {
		if bad == "" && i.OpenCount > 0 {
			return c.fail(mpath.ErrnoBusy, fmt.Sprintf("its partition %s is open %d times", i.Name, i.OpenCount))
		}
		if bad != "" && errnoOf(r.Errno) != mpath.ErrnoGone {
			return c.fail(errnoOf(r.Errno), bad)
		}
		if bad == "" {
			there++
		}
		return c.unused(parts[1:], there, deferred, then)
	})
}

// onlyParts sees that a map with partitions is open no more often than they are: else
// they would be gone, and the map would stay.
func (c *changing) onlyParts(there int32, then func() Step) Step {
	if there == 0 {
		return then() // the kernel says it
	}
	return query(dmmap.QueryInfo{Map: c.ref()}, dmmap.DecodeInfo, func(i dmmap.Info, r Answer, bad string) Step {
		switch {
		case bad != "":
			return c.fail(errnoOf(r.Errno), bad)
		case i.OpenCount > there:
			return c.fail(mpath.ErrnoBusy, fmt.Sprintf("it is open %d times besides its partitions", i.OpenCount-there))
		}
		return then()
	})
}

// removeAll removes them; some says that partition maps are gone already.
func (c *changing) removeAll(parts []table.UUID, deferred, some bool) Step {
	remove := dmmap.Remove{Map: c.ref(), Udev: dmmap.MapUdev(false, false, true), Deferred: deferred}
	if len(parts) > 0 {
		remove.Map = dmmap.ByUUID(parts[0])
	}
	return query(remove, dmmap.DecodeInfo, func(i dmmap.Info, r Answer, bad string) Step {
		gone := len(parts) > 0 && errnoOf(r.Errno) == mpath.ErrnoGone
		switch {
		case bad != "" && !gone && some:
			return c.remakeParts(func() Step { return c.fail(errnoOf(r.Errno), bad) })
		case bad != "" && !gone:
			return c.fail(errnoOf(r.Errno), bad)
		case len(parts) > 0:
			return c.removeAll(parts[1:], deferred, some || !gone)
		case i.DeferredRemove: // it is open
			return c.succeed()
		}
		return done(mpath.ActionDone{Seq: c.seq})
	})
}

// remakeParts has udev look at a map that stays though partition maps of it are gone:
// somebody opened it in the middle. Its rule makes them again.
func (c *changing) remakeParts(then func() Step) Step {
	return query(dmmap.QueryInfo{Map: c.ref()}, dmmap.DecodeInfo, func(i dmmap.Info, _ Answer, bad string) Step {
		if bad != "" {
			return then()
		}
		path := fmt.Sprintf("block/dm-%d/uevent", i.Dev.Minor)
		return ask(Ask{Kind: KindSetAttr, Path: path, Text: "change"}, func(Answer) Step { return then() })
	})
}

// suspendMap suspends a map for an operator. Nothing is flushed: queued I/O stays
// queued.
func (e *Engine) suspendMap(a mpath.SuspendMap) Step {
	c, err := startChange(a.Seq, a.WWID, a.Name)
	if err != nil {
		return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	return dm(dmmap.Suspend{Map: c.ref()}, c.end)
}

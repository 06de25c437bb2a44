package engine

import (
	"fmt"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
)

// renameMap renames a map, then its partition maps.
func (e *Engine) renameMap(a mpath.RenameMap) Step {
	c, err := startChange(a.Seq, a.WWID, a.Name)
	if err != nil {
		return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	to, err := table.KernelName(a.To)
	if err != nil {
		return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	return renameOne(c.uuid, c.name, to, dmmap.MapUdev(false, a.NoKpartx, false), func(r Answer, bad string) Step {
		if bad != "" {
			return c.fail(errnoOf(r.Errno), bad)
		}
		return c.renameParts(a.Parts, "")
	})
}

// renameOne renames a map of a UUID. The kernel renames by name alone, and the name
// may be another map's by now.
func renameOne(uuid table.UUID, name, to table.Name, udev dmmap.Udev, then func(r Answer, bad string) Step) Step {
	return query(dmmap.QueryInfo{Map: dmmap.ByName(name)}, dmmap.DecodeInfo, func(i dmmap.Info, r Answer, bad string) Step {
		if bad == "" && i.UUID != uuid {
			r.Errno, bad = eSTALE, "renaming "+name.String()+": it is another map now, "+i.UUID.Kernel()
		}
		if bad != "" {
			return then(r, bad)
		}
		return dm(dmmap.Rename{Map: dmmap.ByName(name), To: to, Udev: udev}, then)
	})
}

// renameParts renames partition maps, whoever has them open: what they show stays. One
// that cannot be renamed keeps its name, and that is told; udev's rule tries it again.
func (c *changing) renameParts(parts []mpath.PartName, said string) Step {
	if len(parts) == 0 {
		return c.renamed(said)
	}
	p := parts[0]
	next := func(why string) Step {
		if why != "" && said == "" {
			said = fmt.Sprintf("renamed, but not its partition %s: %s", p.Name, why)
		}
		return c.renameParts(parts[1:], said)
	}
	uuid, err := table.ParseUUID(p.UUID)
	if err != nil {
		return next(err.Error())
	}
	name, err := table.KernelName(p.Name)
	if err != nil {
		return next(err.Error())
	}
	to, err := table.KernelName(p.To)
	if err != nil {
		return next(err.Error())
	}
	return renameOne(uuid, name, to, dmmap.NodeUdev(), func(r Answer, bad string) Step {
		if errnoOf(r.Errno) == mpath.ErrnoGone {
			bad = ""
		}
		return next(bad)
	})
}

// renamed ends a rename with what the kernel has now.
func (c *changing) renamed(said string) Step {
	return truth(c.ref(), func(t mpath.Truth, e mpath.Errno, bad string) Step {
		if e != mpath.ErrnoNone {
			return done(mpath.ActionDone{Seq: c.seq, Errno: e, Detail: "done, but its state cannot be read: " + bad})
		}
		return done(mpath.ActionDone{Seq: c.seq, Detail: said, HasTruth: true, Truth: t})
	})
}

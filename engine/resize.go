package engine

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/sysfs"
)

// readSizes reads the size of each path, after the kernel was made to ask the
// device again: it notices a change of capacity by itself only at a rescan.
func (e *Engine) readSizes(a mpath.ReadSizes) Step {
	ev := mpath.SizesRead{Seq: a.Seq}
	var next func(paths []mpath.PathRef) Step
	next = func(paths []mpath.PathRef) Step {
		if len(paths) == 0 {
			return done(ev)
		}
		ref := paths[0]
		put := func(r Answer) Step {
			size := mpath.PathSize{ID: ref.ID, Sectors: table.Sectors(r.Disk.Sectors)}
			if why := notSame(ref, r); why != "" {
				size = mpath.PathSize{ID: ref.ID, Bad: why}
			}
			ev.Sizes = append(ev.Sizes, size)
			return next(paths[1:])
		}
		read := func(then Next) Step { return ask(Ask{Kind: KindDisk, Device: ref.Name}, then) }
		return read(func(r Answer) Step {
			if notSame(ref, r) != "" || slices.Contains(a.Standby, ref.ID) || a.Stale != 0 && table.Sectors(r.Disk.Sectors) != a.Stale {
				return put(r)
			}
			return ask(Ask{Kind: KindSetAttr, Path: "block/" + ref.Name + "/device/rescan", Text: "1"}, func(w Answer) Step {
				if w.Errno != 0 {
					return put(Answer{Errno: w.Errno, Detail: describe("rescanning", ref.Name, w)})
				}
				return read(put)
			})
		})
	}
	return next(a.Paths)
}

// notSame says why what was read is not the size of the path that was meant.
func notSame(ref mpath.PathRef, r Answer) string {
	if r.Errno != 0 {
		return describe("reading the size", ref.Name, r)
	}
	if got := (mpath.PathID{Dev: table.DevNum{Major: r.Disk.Major, Minor: r.Disk.Minor}, Diskseq: r.Disk.Diskseq}); got != ref.ID {
		return fmt.Sprintf("%s is %s now, not %s: another device has its name", ref.Name, got, ref.ID)
	}
	return ""
}

// resizeMap loads a table of another size and resumes with a flush. The kernel does
// the suspend inside that one call, so that no death of this process can fall
// between suspend and resume; the word in /run is for a resume that fails half-way.
// The file system is not frozen (DM_SKIP_LOCKFS_FLAG): no block moves, and a freeze
// waits for writers, among which may be our own log.
func (e *Engine) resizeMap(a mpath.ResizeMap) Step {
	c, err := startChange(a.Seq, a.WWID, a.Name)
	if err != nil {
		return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	c.loading = e.loadingFile(a.WWID)
	return c.watch(c.hold(a.Paths, false, func() Step {
		return c.mayShrink(a, func() Step {
			return c.announce(func() Step {
				return c.load(a.Size, a.Table, a.ReadOnly, func(r Answer, bad string) Step {
					if bad != "" {
						return c.fail(errnoOf(r.Errno), bad)
					}
					return c.recheck(a.Paths, func(why string) Step {
						if why != "" {
							return c.takeBack(mpath.ErrnoChanged, why)
						}
						return c.flushInto(a)
					})
				})
			})
		})
	}))
}

// flushInto makes the table of the new size live. A flush switches queueing off
// for its time and fails what waits for a path, so every path must work.
func (c *changing) flushInto(a mpath.ResizeMap) Step {
	return truth(c.ref(), func(t mpath.Truth, errno mpath.Errno, bad string) Step {
		if errno != mpath.ErrnoNone {
			return c.takeBack(errno, "before the resize: "+bad)
		}
		if c.late {
			return c.takeBack(mpath.ErrnoChanged, stoodStill)
		}
		for _, g := range t.Status.Groups {
			for _, p := range g.Paths {
				if p.State == table.PathFailed {
					return c.takeBack(mpath.ErrnoChanged, "the kernel has failed path "+p.Dev.String()+" meanwhile: a resize would fail I/O that waits for it")
				}
			}
		}
		return c.exchange(true, a.NoKpartx, c.succeed)
	})
}

// mayShrink sees that nothing beyond the new end is in use.
func (c *changing) mayShrink(a mpath.ResizeMap, then func() Step) Step {
	if a.Size >= a.From || a.Force {
		return then()
	}
	return query(dmmap.QueryInfo{Map: c.ref()}, dmmap.DecodeInfo, func(i dmmap.Info, r Answer, bad string) Step {
		if bad != "" {
			return c.fail(errnoOf(r.Errno), bad)
		}
		s := &shrinking{c: c, a: a, dev: i.Dev, then: then}
		return ask(Ask{Kind: KindDisk, Device: fmt.Sprintf("dm-%d", i.Dev.Minor)}, func(r Answer) Step {
			if r.Errno != 0 {
				return c.fail(errnoOf(r.Errno), describe("reading the holders", a.Name, r))
			}
			if n := int(i.OpenCount) - len(r.Disk.Holders); n > 0 {
				return s.refuse(fmt.Sprintf("it is open %d times by users whose end cannot be told", n))
			}
			return s.holders(r.Disk.Holders)
		})
	})
}

// shrinking looks for what a smaller map would cut off.
type shrinking struct {
	c    *changing
	a    mpath.ResizeMap
	dev  table.DevNum
	then func() Step
}

func (s *shrinking) refuse(why string) Step {
	return s.c.fail(mpath.ErrnoBusy, fmt.Sprintf("shrinking from %d to %d sectors: %s; nothing was changed, force does it all the same", s.a.From, s.a.Size, why))
}

// holders looks at the maps that sit on this one: partitions and logical volumes.
func (s *shrinking) holders(list []sysfs.Holder) Step {
	if len(list) == 0 {
		return s.partitions(s.a.Paths)
	}
	h := list[0]
	label := h.Name
	if h.DMName != "" {
		label += " (" + h.DMName + ")"
	}
	uuid, err := table.ParseUUID(h.DMUUID)
	if h.DMUUID == "" || err != nil {
		return s.refuse(label + " sits on it, and where that ends cannot be told")
	}
	return query(dmmap.QueryTable{Map: dmmap.ByUUID(uuid)}, decodeLines, func(l infoLines, _ Answer, bad string) Step {
		if bad != "" {
			return s.refuse(label + " sits on it, and its table cannot be read: " + bad)
		}
		for _, line := range l.lines {
			end, ok := endOn(line, s.dev)
			if !ok {
				return s.refuse(label + " sits on it with a " + line.Target + " target, and where that ends cannot be told")
			}
			if end > s.a.Size {
				return s.refuse(fmt.Sprintf("%s ends at sector %d", label, end))
			}
		}
		return s.holders(list[1:])
	})
}

// endOn gives the sector of a device behind the end of a linear target; 0 where
// the target is on another device.
func endOn(l table.Line, dev table.DevNum) (end table.Sectors, ok bool) {
	var start table.Sectors
	f := strings.Fields(l.Params)
	if l.Target != "linear" || len(f) != 2 {
		return 0, false
	}
	if f[0] != dev.String() {
		return 0, true
	}
	if _, err := fmt.Sscan(f[1], &start); err != nil {
		return 0, false
	}
	return start + l.Length, true
}

// partitions looks at what the kernel knows of the paths' own partitions.
func (s *shrinking) partitions(paths []mpath.PathRef) Step {
	if len(paths) == 0 {
		return s.then()
	}
	return ask(Ask{Kind: KindDisk, Device: paths[0].Name}, func(r Answer) Step {
		if r.Errno != 0 {
			return s.c.fail(mpath.ErrnoChanged, describe("reading the partitions", paths[0].Name, r))
		}
		for _, p := range r.Disk.Partitions {
			if end := table.Sectors(p.Start + p.Sectors); end > s.a.Size {
				return s.refuse(fmt.Sprintf("partition %d ends at sector %d", p.Number, end))
			}
		}
		return s.partitions(paths[1:])
	})
}

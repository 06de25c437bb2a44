package engine

import (
	"errors"
	"fmt"
	"slices"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/statefile"
)

// encoder is a typed device-mapper call.
type encoder interface{ Encode() (dmmap.Call, error) }

// dm carries one call. bad is "" for success, else what was tried, on what and
// what the kernel said.
func dm(req encoder, then func(r Answer, bad string) Step) Step {
	c, err := req.Encode()
	if err != nil {
		return then(Answer{Errno: eINVAL}, err.Error())
	}
	return dmCall(c, then)
}

func dmCall(c dmmap.Call, then func(r Answer, bad string) Step) Step {
	return ask(Ask{Kind: KindDM, DM: c}, func(r Answer) Step {
		if err := c.Err(r.Errno); err != nil {
			return then(r, err.Error())
		}
		return then(r, "")
	})
}

// query carries a call whose answer may need more room than it was given.
func query[T any](req encoder, decode func([]byte) (T, error), then func(v T, r Answer, bad string) Step) Step {
	c, err := req.Encode()
	if err != nil {
		var none T
		return then(none, Answer{Errno: eINVAL}, err.Error())
	}
	return queryCall(c, decode, then)
}

func queryCall[T any](c dmmap.Call, decode func([]byte) (T, error), then func(v T, r Answer, bad string) Step) Step {
	var none T
	return dmCall(c, func(r Answer, bad string) Step {
		if bad != "" {
			return then(none, r, bad)
		}
		v, err := decode(r.Bytes)
		if errors.Is(err, dmmap.ErrBufferFull) {
			bigger, err := c.Grow()
			if err != nil {
				return then(none, Answer{Errno: eNOMEM}, err.Error())
			}
			return queryCall(bigger, decode, then)
		}
		if err != nil {
			return then(none, Answer{Errno: eINVAL}, err.Error())
		}
		return then(v, r, "")
	})
}

// listMaps lists every dm device. Kernels before 5.13 do not name UUIDs in the
// list; those are asked one by one.
func (e *Engine) listMaps(a mpath.ListMaps) Step {
	return query(dmmap.QueryList{}, dmmap.DecodeList, func(list []dmmap.Entry, _ Answer, bad string) Step {
		if bad != "" {
			return done(mpath.MapsListed{Seq: a.Seq, Bad: bad})
		}
		return fillUUIDs(list, 0, func(bad string) Step {
			ev := mpath.MapsListed{Seq: a.Seq, Bad: bad}
			for _, m := range list {
				if !m.HasUUID {
					continue
				}
				ev.Maps = append(ev.Maps, mpath.MapRef{Name: m.Name.Kernel(), UUID: m.UUID.Kernel(), Dev: m.Dev, EventNr: m.EventNr})
			}
			return done(ev)
		})
	})
}

// fillUUIDs leaves those without a UUID that are gone by now. What cannot be asked for
// another reason may be a map of ours: taken for another device's, it would seem to have
// been removed.
func fillUUIDs(list []dmmap.Entry, i int, then func(bad string) Step) Step {
	for i < len(list) && list[i].HasUUID {
		i++
	}
	if i == len(list) {
		return then("")
	}
	return query(dmmap.QueryInfo{Map: dmmap.ByName(list[i].Name)}, dmmap.DecodeInfo, func(info dmmap.Info, r Answer, bad string) Step {
		switch {
		case bad == "":
			list[i].HasUUID, list[i].UUID, list[i].EventNr = true, info.UUID, info.EventNr
		case errnoOf(r.Errno) != mpath.ErrnoGone:
			return then(bad)
		}
		return fillUUIDs(list, i+1, then)
	})
}

func (e *Engine) readMap(a mpath.ReadMap) Step {
	uuid, err := table.ParseUUID(a.UUID)
	if err != nil {
		return done(mpath.MapRead{Seq: a.Seq, UUID: a.UUID, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	return truth(dmmap.ByUUID(uuid), func(t mpath.Truth, errno mpath.Errno, bad string) Step {
		return done(mpath.MapRead{Seq: a.Seq, UUID: a.UUID, Errno: errno, Detail: bad, Truth: t})
	})
}

// infoLines is the answer of a table or status query.
type infoLines struct {
	info  dmmap.Info
	lines []table.Line
}

func decodeLines(b []byte) (infoLines, error) {
	i, l, err := dmmap.DecodeLines(b)
	return infoLines{i, l}, err
}

// truthTries is how often table and status are read again where they do not fit
// each other: a load may come between the two.
const truthTries = 3

// truth reads everything about a map.
func truth(ref dmmap.Ref, then func(t mpath.Truth, errno mpath.Errno, bad string) Step) Step {
	return truthTry(ref, truthTries, then)
}

func truthTry(ref dmmap.Ref, tries int, then func(t mpath.Truth, errno mpath.Errno, bad string) Step) Step {
	return query(dmmap.QueryTable{Map: ref}, decodeLines, func(tab infoLines, r Answer, bad string) Step {
		if bad != "" {
			return then(mpath.Truth{}, errnoOf(r.Errno), bad)
		}
		return query(dmmap.QueryStatus{Map: ref}, decodeLines, func(st infoLines, r Answer, bad string) Step {
			if bad != "" {
				return then(mpath.Truth{}, errnoOf(r.Errno), bad)
			}
			t, err := truthOf(tab, st)
			if err != nil {
				if tries > 1 {
					return truthTry(ref, tries-1, then)
				}
				return then(mpath.Truth{}, mpath.ErrnoInvalid, err.Error())
			}
			return then(t, mpath.ErrnoNone, "")
		})
	})
}

func truthOf(tab, st infoLines) (mpath.Truth, error) {
	i := st.info
	t := mpath.Truth{
		Name: i.Name.Kernel(), UUID: i.UUID.Kernel(), Dev: i.Dev, Live: i.LiveTable, Suspended: i.Suspended || i.InternalSuspend,
		ReadOnly: i.ReadOnly, Deferred: i.DeferredRemove, Open: int(i.OpenCount), EventNr: i.EventNr,
	}
	for _, l := range tab.lines {
		t.Size += l.Length
	}
	if !i.LiveTable || len(tab.lines) == 0 {
		return t, nil
	}
	t.Target = tab.lines[0].Target
	if len(tab.lines) != 1 || t.Target != "multipath" {
		if len(tab.lines) > 1 {
			t.Target = fmt.Sprintf("%d-target", len(tab.lines))
		}
		return t, nil
	}
	var err error
	if t.Table, err = table.Parse(tab.lines[0].Params); err != nil {
		return t, err
	}
	if len(st.lines) != 1 {
		return t, fmt.Errorf("status of %s: %d targets, the table has one", t.Name, len(st.lines))
	}
	if t.Status, err = table.ParseStatus(st.lines[0].Params); err != nil {
		return t, err
	}
	return t, table.Match(t.Table, t.Status)
}

// changing is one action that changes a map.
type changing struct {
	seq  uint64
	uuid table.UUID
	name table.Name
	held []uint64 // devices held open

	loading   string // the file that says a table is being exchanged
	announced bool   // it is there
	late      bool   // the process stood still since the action was decided

	changed []mpath.FoundPath // paths that are not what they were taken for
}

func startChange(seq uint64, wwid, name string) (*changing, error) {
	u, err := table.MapUUID(wwid)
	if err != nil {
		return nil, err
	}
	n, err := table.KernelName(name)
	if err != nil {
		return nil, err
	}
	return &changing{seq: seq, uuid: u, name: n}, nil
}

func (c *changing) ref() dmmap.Ref { return dmmap.ByUUID(c.uuid) }

// fail ends the action with an error, after the truth was read so that nothing
// is assumed.
func (c *changing) fail(errno mpath.Errno, detail string) Step {
	return c.release(func() Step {
		return truth(c.ref(), func(t mpath.Truth, e mpath.Errno, _ string) Step {
			return c.withdraw(e != mpath.ErrnoNone || t.Suspended, func() Step {
				return done(mpath.ActionDone{Seq: c.seq, Errno: errno, Detail: detail, HasTruth: e == mpath.ErrnoNone, Truth: t, Changed: c.changed})
			})
		})
	})
}

func (c *changing) succeed() Step {
	return c.release(func() Step {
		return truth(c.ref(), func(t mpath.Truth, e mpath.Errno, bad string) Step {
			return c.withdraw(false, func() Step {
				if e != mpath.ErrnoNone {
					return done(mpath.ActionDone{Seq: c.seq, Errno: e, Detail: "done, but its state cannot be read: " + bad})
				}
				return done(mpath.ActionDone{Seq: c.seq, HasTruth: true, Truth: t})
			})
		})
	})
}

func (c *changing) release(then func() Step) Step {
	if len(c.held) == 0 {
		return then()
	}
	return ask(Ask{Kind: KindRelease, Held: c.held}, func(Answer) Step { return then() })
}

// hold opens the devices of a table and compares who they are: device numbers
// are reused, and from here to the load none can be.
func (c *changing) hold(paths []mpath.PathRef, exclusive bool, then func() Step) Step {
	return ask(Ask{Kind: KindHold, Paths: paths, Exclusive: exclusive}, func(r Answer) Step {
		if r.Errno != 0 {
			errno := errnoOf(r.Errno)
			if errno == mpath.ErrnoGone { // one of them: it says nothing of the map
				errno = mpath.ErrnoChanged
			}
			return c.fail(errno, "opening the paths: "+r.Detail)
		}
		c.held = r.Held
		return then()
	})
}

// load writes the inactive table, read-only where the paths are.
func (c *changing) load(size table.Sectors, t table.Table, ro bool, then func(r Answer, bad string) Step) Step {
	if err := t.Check(); err != nil {
		return then(Answer{Errno: eINVAL}, "table of "+c.name.String()+": "+err.Error())
	}
	line, err := t.Line(size)
	if err != nil {
		return then(Answer{Errno: eINVAL}, "table of "+c.name.String()+": "+err.Error())
	}
	return dm(dmmap.Load{Map: c.ref(), ReadOnly: ro, Lines: []table.Line{line}}, func(r Answer, bad string) Step {
		if r.Errno == eROFS && !ro {
			return c.load(size, t, true, then)
		}
		return then(r, bad)
	})
}

// failAll fails paths one by one, right after the resume that made them active.
func (c *changing) failAll(devs []table.DevNum, then func() Step) Step {
	if len(devs) == 0 {
		return then()
	}
	return dm(dmmap.Message{Map: c.ref(), Text: dmmap.FailPath(devs[0])}, func(_ Answer, bad string) Step {
		if bad != "" {
			return c.fail(mpath.ErrnoOther, bad)
		}
		return c.failAll(devs[1:], then)
	})
}

func (e *Engine) createMap(a mpath.CreateMap) Step {
	c, err := startChange(a.Seq, a.WWID, a.Name)
	if err != nil {
		return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	c.loading = e.loadingFile(a.WWID)
	return c.watch(c.hold(a.Paths, true, func() Step {
		return dm(dmmap.Create{Name: c.name, UUID: c.uuid}, func(r Answer, bad string) Step {
			if bad != "" {
				return c.fail(errnoOf(r.Errno), bad)
			}
			return c.load(a.Size, a.Table, a.ReadOnly, func(r Answer, bad string) Step {
				if bad != "" {
					return c.undoCreate(r, bad)
				}
				return c.recheck(a.Paths, func(why string) Step {
					if c.late {
						why = stoodStill
					}
					if why != "" {
						return c.undoCreate(Answer{Errno: eSTALE}, why)
					}
					return dm(dmmap.Resume{Map: c.ref(), Udev: dmmap.MapUdev(false, a.NoKpartx, false)}, func(r Answer, bad string) Step {
						if bad != "" {
							return c.undoCreate(r, bad)
						}
						return c.failAll(a.Fail, func() Step { return c.ownNode(a.Owner) })
					})
				})
			})
		})
	}))
}

// stoodStill is why an action is given up before it takes effect.
const stoodStill = "the process stood still meanwhile: the paths must be checked again first"

// watch notes if an answer comes late, until the operation ends.
func (c *changing) watch(s Step) Step {
	if s.Next == nil {
		return s
	}
	next := s.Next
	s.Next = func(r Answer) Step {
		c.late = c.late || r.Late
		return c.watch(next(r))
	}
	return s
}

// undoCreate takes an empty map away again.
func (c *changing) undoCreate(r Answer, bad string) Step {
	return c.release(func() Step {
		return dm(dmmap.Remove{Map: c.ref(), Udev: dmmap.MapUdev(false, false, true)}, func(_ Answer, again string) Step {
			ended := func() Step {
				return done(mpath.ActionDone{Seq: c.seq, Errno: errnoOf(r.Errno), Detail: bad, Changed: c.changed})
			}
			if again == "" {
				return ended()
			}
			bad += "; and the empty map stays: " + again
			return c.announce(ended) // it is suspended, and the next process must know by whom
		})
	})
}

// ownNode gives a new map's node its owner at once; the rules say the same to
// udevd, and the daemon looks again after each event.
func (c *changing) ownNode(o mpath.Owner) Step {
	if !o.Set() {
		return c.succeed()
	}
	return query(dmmap.QueryInfo{Map: c.ref()}, dmmap.DecodeInfo, func(i dmmap.Info, _ Answer, bad string) Step {
		if bad != "" {
			return c.succeed()
		}
		return ask(Ask{Kind: KindOwner, Dev: i.Dev, Owner: o}, func(Answer) Step { return c.succeed() })
	})
}

func (e *Engine) loadMap(a mpath.LoadMap) Step {
	c, err := startChange(a.Seq, a.WWID, a.Name)
	if err != nil {
		return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	c.loading = e.loadingFile(a.WWID)
	return c.watch(c.hold(a.Paths, false, func() Step {
		return c.load(a.Size, a.Table, a.ReadOnly, func(r Answer, bad string) Step {
			if bad != "" {
				return c.fail(errnoOf(r.Errno), bad)
			}
			return c.recheck(a.Paths, func(why string) Step {
				if why != "" {
					return c.takeBack(mpath.ErrnoChanged, why)
				}
				return c.announce(func() Step { return c.swap(a) })
			})
		})
	}))
}

// swap makes the loaded table live with one resume: the kernel suspends inside
// it, without flushing and without failing what is queued. A resume that fails
// leaves the map suspended; it is tried again, at last with the former table.
//
// Right before it the status is read once more: a path that the kernel has failed
// since the load was decided would come back active, and nobody has looked at
// what is behind it.
func (c *changing) swap(a mpath.LoadMap) Step {
	return truth(c.ref(), func(t mpath.Truth, errno mpath.Errno, bad string) Step {
		if errno != mpath.ErrnoNone {
			return c.takeBack(errno, "before the new table: "+bad)
		}
		if c.late {
			return c.takeBack(mpath.ErrnoChanged, stoodStill)
		}
		for _, d := range a.Table.Devs() {
			if p, ok := t.Status.Path(d); ok && p.State == table.PathFailed && !slices.Contains(a.Fail, d) {
				return c.takeBack(mpath.ErrnoChanged, "the kernel has failed path "+d.String()+" meanwhile: the new table would make it active again")
			}
		}
		return c.exchange(false, a.NoKpartx, func() Step { return c.failAll(a.Fail, c.succeed) })
	})
}

// takeBack ends a load whose table is not live yet.
func (c *changing) takeBack(errno mpath.Errno, why string) Step {
	return dm(dmmap.Clear{Map: c.ref()}, func(_ Answer, bad string) Step {
		if bad != "" {
			why += "; and the loaded table stays: " + bad
		}
		return c.fail(errno, why)
	})
}

// exchange resumes with the loaded table; then goes on where that went well. With
// flush the kernel waits for the I/O in flight, as a change of size needs.
func (c *changing) exchange(flush, noKpartx bool, then func() Step) Step {
	udev := dmmap.MapUdev(!flush, noKpartx, false) // who uses the map looks at it again when its size has changed
	return dm(dmmap.Resume{Map: c.ref(), Udev: udev, Flush: flush}, func(r Answer, bad string) Step {
		if bad == "" {
			return then()
		}
		return dm(dmmap.Clear{Map: c.ref()}, func(Answer, string) Step {
			return dm(dmmap.Resume{Map: c.ref(), Udev: udev}, func(_ Answer, again string) Step {
				if again != "" {
					bad += "; and the former table cannot be resumed: " + again
				}
				return c.fail(errnoOf(r.Errno), bad)
			})
		})
	})
}

// announce leaves word for the next process that a table is being exchanged: if
// that process finds the map suspended, it was us, and it may resume it. The word
// is below /run; where it cannot be written the load goes on without it.
func (c *changing) announce(then func() Step) Step {
	return ask(Ask{Kind: KindWriteFile, Path: c.loading, Mode: statefile.ModePrivate}, func(r Answer) Step {
		c.announced = r.Errno == 0
		return then()
	})
}

// withdraw takes the word back, unless the map is suspended still.
func (c *changing) withdraw(suspended bool, then func() Step) Step {
	if !c.announced || suspended {
		return then()
	}
	return ask(Ask{Kind: KindRemove, Path: c.loading}, func(Answer) Step { return then() })
}

// resumeMap resumes a map that a load left suspended. What that load brought is
// old by now and is thrown away first.
func (e *Engine) resumeMap(a mpath.ResumeMap) Step {
	c, err := startChange(a.Seq, a.WWID, a.Name)
	if err != nil {
		return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	c.loading, c.announced = e.loadingFile(a.WWID), true
	return dm(dmmap.Clear{Map: c.ref()}, func(r Answer, bad string) Step {
		if bad != "" {
			return c.fail(errnoOf(r.Errno), bad)
		}
		return dm(dmmap.Resume{Map: c.ref(), Udev: dmmap.MapUdev(true, a.NoKpartx, false)}, c.end)
	})
}

func (c *changing) end(r Answer, bad string) Step {
	if bad != "" {
		return c.fail(errnoOf(r.Errno), bad)
	}
	return c.succeed()
}

func (e *Engine) message(a mpath.Message) Step {
	c, err := startChange(a.Seq, a.WWID, a.Name)
	if err != nil {
		return done(mpath.ActionDone{Seq: a.Seq, Errno: mpath.ErrnoInvalid, Detail: err.Error()})
	}
	return dm(dmmap.Message{Map: c.ref(), Text: a.Text}, c.end)
}

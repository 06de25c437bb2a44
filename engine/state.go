package engine

import (
	"bytes"
	"fmt"
	"path"
	"slices"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
)

// State files: read once at the start, written as a whole by the one
// crash-safe writer.

// fileDone ends an action whose last step was a write.
func fileDone(seq uint64, what, name string) Next {
	return func(r Answer) Step {
		ev := mpath.ActionDone{Seq: seq, Errno: errnoOf(r.Errno)}
		if r.Errno != 0 {
			ev.Detail = describe(what, name, r)
		}
		return done(ev)
	}
}

// edit changes a state file's content. A nil result: nothing to change.
type edit func(have []byte) (want []byte, err error)

// update reads a state file, edits it and writes it as a whole: statefile.Edit in steps.
// Any trouble ends the action; then goes on where there is none.
func (e *Engine) update(seq uint64, name string, change edit, then func() Step) Step {
	return e.updateAgain(seq, name, change, then, statefile.EditTries)
}

func (e *Engine) updateAgain(seq uint64, name string, change edit, then func() Step, tries int) Step {
	return ask(Ask{Kind: KindFile, Path: name}, func(r Answer) Step {
		if r.Errno != 0 && r.Errno != eNOENT {
			return fileDone(seq, "reading", name)(r)
		}
		want, err := change(r.Bytes)
		if err != nil {
			return done(mpath.ActionDone{Seq: seq, Errno: mpath.ErrnoInvalid, Detail: name + ": " + err.Error()})
		}
		if want == nil {
			return then()
		}
		return ask(Ask{Kind: KindReplaceFile, Path: name, Was: r.Bytes, Bytes: want, Mode: statefile.ModePrivate}, func(r Answer) Step {
			if r.Errno == eAGAIN && tries > 1 {
				return e.updateAgain(seq, name, change, then, tries-1)
			}
			if r.Errno != 0 {
				return fileDone(seq, "writing", name)(r)
			}
			return then()
		})
	})
}

// changed gives what is to be written, nil where that is what is there.
func changed(have, want []byte) []byte {
	if bytes.Equal(have, want) {
		return nil
	}
	return want
}

// saveNames writes the old ids first: a name that stands in bindings under an
// old id must find its record.
func (e *Engine) saveNames(a mpath.SaveNames) Step {
	oldIDs := func(have []byte) (want []byte, err error) {
		file, _ := statefile.ParseOldIDs(have)
		ids := make([]statefile.OldID, 0, len(a.OldIDs))
		for _, o := range a.OldIDs {
			ids = append(ids, statefile.OldID{Old: o.Old, Canonical: o.Canonical})
		}
		next, err := file.AddAll(ids)
		return changed(have, next.Bytes()), err
	}
	bindings := func(have []byte) (want []byte, err error) {
		file, _ := statefile.ParseBindings(have)
		lines := make([]statefile.Binding, 0, len(a.Bindings))
		for _, b := range a.Bindings {
			lines = append(lines, statefile.Binding{Alias: b.Alias, WWID: b.WWID})
		}
		next, err := file.AddAll(lines)
		return changed(have, next.Bytes()), err
	}
	return e.update(a.Seq, e.Files.OldIDs, oldIDs, func() Step {
		return e.update(a.Seq, e.Files.Bindings, bindings, func() Step { return done(mpath.ActionDone{Seq: a.Seq}) })
	})
}

// saveWWIDs makes LUNs known for the next boot and takes their failed marks away.
func (e *Engine) saveWWIDs(a mpath.SaveWWIDs) Step {
	add := func(have []byte) (want []byte, err error) {
		file, _ := statefile.ParseWWIDs(have)
		next, err := file.AddAll(a.WWIDs)
		return changed(have, next.Bytes()), err
	}
	return e.update(a.Seq, e.Files.WWIDs, add, func() Step { return e.unmark(a.Seq, a.WWIDs) })
}

// findWWIDs looks which LUNs stand in the wwids file, where others write too.
func (e *Engine) findWWIDs(a mpath.FindWWIDs) Step {
	return ask(Ask{Kind: KindFile, Path: e.Files.WWIDs}, func(r Answer) Step {
		ev := mpath.WWIDsFound{Seq: a.Seq}
		if r.Errno == 0 {
			file, _ := statefile.ParseWWIDs(r.Bytes)
			ev.WWIDs = slices.DeleteFunc(slices.Clone(a.WWIDs), func(w string) bool { return !file.Has(w) })
		}
		return done(ev)
	})
}

// unmark takes the failed marks of LUNs away, one by one.
func (e *Engine) unmark(seq uint64, wwids []string) Step {
	if len(wwids) == 0 {
		return done(mpath.ActionDone{Seq: seq})
	}
	return ask(Ask{Kind: KindRemove, Path: path.Join(e.Files.FailedDir, statefile.FailedName(wwids[0]))}, func(r Answer) Step {
		if r.Errno != 0 && r.Errno != eNOENT {
			return fileDone(seq, "removing the failed mark", wwids[0])(r)
		}
		return e.unmark(seq, wwids[1:])
	})
}

// loadingFile is there while the table of a map is being exchanged.
func (e *Engine) loadingFile(wwid string) string {
	return path.Join(e.loadingDir(), statefile.FailedName(wwid))
}

func (e *Engine) loadingDir() string { return path.Join(path.Dir(e.Files.Deadlines), "loading") }

func (e *Engine) markFailed(a mpath.MarkFailed) Step {
	name := path.Join(e.Files.FailedDir, statefile.FailedName(a.WWID))
	return ask(Ask{Kind: KindWriteFile, Path: name, Mode: statefile.ModePrivate}, fileDone(a.Seq, "writing the failed mark", a.WWID))
}

func (e *Engine) forgetLoad(a mpath.ForgetLoad) Step {
	return ask(Ask{Kind: KindRemove, Path: e.loadingFile(a.WWID)}, func(r Answer) Step {
		if r.Errno == eNOENT {
			r = Answer{}
		}
		return fileDone(a.Seq, "removing the mark of a load", a.WWID)(r)
	})
}

// keptFlags are the words of the deadlines file for what a map's settings switch on.
var keptFlags = [...]string{"deferred_remove", "queue_without_daemon", "queueing_disabled", "queued_before"}

func keptOf(k statefile.Kept) mpath.Kept {
	retry, _ := policy.ParseRetry(k.NoPathRetry) // unset where it is of another version
	has := func(i int) bool { return slices.Contains(k.Flags, keptFlags[i]) }
	return mpath.Kept{
		WWID: k.WWID, NoPathRetry: retry, PollingInterval: k.PollingS, FlushOnLastDel: k.FlushOnLastDel,
		DeferredRemove: has(0), QueueWithoutDaemon: has(1), QueueOff: has(2), QueueWas: has(3),
	}
}

func (e *Engine) saveDeadlines(a mpath.SaveDeadlines) Step {
	list := statefile.Deadlines{Boot: e.BootID}
	for _, d := range a.Deadlines {
		list.List = append(list.List, statefile.Deadline{WWID: d.WWID, AtNS: int64(d.At), Expired: d.Expired})
	}
	for _, k := range a.Kept {
		line := statefile.Kept{WWID: k.WWID, NoPathRetry: k.NoPathRetry.String(), PollingS: k.PollingInterval, FlushOnLastDel: k.FlushOnLastDel}
		for i, on := range [...]bool{k.DeferredRemove, k.QueueWithoutDaemon, k.QueueOff, k.QueueWas} {
			if on {
				line.Flags = append(line.Flags, keptFlags[i])
			}
		}
		list.Maps = append(list.Maps, line)
	}
	return ask(Ask{Kind: KindWriteFile, Path: e.Files.Deadlines, Bytes: list.Bytes(), Mode: statefile.ModePrivate},
		fileDone(a.Seq, "writing", e.Files.Deadlines))
}

// savePRKey gives a LUN its reservation key, or takes it away.
func (e *Engine) savePRKey(a mpath.SavePRKey) Step {
	change := func(have []byte) (want []byte, err error) {
		file, _ := statefile.ParsePRKeys(have)
		next := file
		if a.Key.Key == 0 {
			next, _ = file.Remove(a.Key.WWID)
		} else {
			next, err = file.Set(statefile.PRKey{WWID: a.Key.WWID, Key: a.Key.Key, APTPL: a.Key.APTPL})
		}
		return changed(have, next.Bytes()), err
	}
	return e.update(a.Seq, e.Files.PRKeys, change, func() Step { return done(mpath.ActionDone{Seq: a.Seq}) })
}

// trigger asks for the uevent of a path, then for those of its partitions: what
// udev says of them depends on what it says of the disk.
func (e *Engine) trigger(a mpath.Trigger) Step {
	ended := func(r Answer) Step { return fileDone(a.Seq, "triggering a uevent", a.Name)(r) }
	return ask(eventAsk("block/"+a.Name, a.Verb), func(r Answer) Step {
		switch {
		case errnoOf(r.Errno) == mpath.ErrnoGone:
			return ended(Answer{}) // it left meanwhile: nothing to tell
		case r.Errno != 0:
			return ended(r)
		}
		return ask(Ask{Kind: KindDisk, Device: a.Name}, func(r Answer) Step {
			return eventsOf(a, r.Disk.Partitions, ended)
		})
	})
}

func eventAsk(place, verb string) Ask {
	return Ask{Kind: KindSetAttr, Path: place + "/uevent", Text: verb}
}

// eventsOf asks for those of the partitions, one after the other. One that has
// left is passed over, and so is what cannot be asked for: the disk's has been.
func eventsOf(a mpath.Trigger, parts []sysfs.Partition, ended func(Answer) Step) Step {
	if len(parts) == 0 {
		return ended(Answer{})
	}
	return ask(eventAsk("block/"+a.Name+"/"+parts[0].Name, a.Verb), func(Answer) Step { return eventsOf(a, parts[1:], ended) })
}

func (e *Engine) setOwner(a mpath.SetOwner) Step {
	return ask(Ask{Kind: KindOwner, Dev: a.Dev, Owner: a.Owner}, fileDone(a.Seq, "setting owner and mode", fmt.Sprintf("/dev/dm-%d", a.Dev.Minor)))
}

// LoadState reads every state file and ends in StateLoaded. Kernel is what the
// caller found of the running kernel. A file that is not there is empty; one
// that cannot be read or understood keeps what could be read, with a note.
func (e *Engine) LoadState(kernel policy.Kernel, notes func(string)) Step {
	ev := mpath.StateLoaded{Kernel: kernel, ReadOnly: e.ReadNames}
	read := func(name string, take func([]byte), then func() Step) Step {
		return ask(Ask{Kind: KindFile, Path: name}, func(r Answer) Step {
			switch r.Errno {
			case 0:
				take(r.Bytes)
			case eNOENT:
			default:
				notes(describe("reading", name, r))
				if name == e.Files.Bindings {
					ev.ReadOnly = true // what is not read must not be overwritten
				}
			}
			return then()
		})
	}
	warn := func(name string, ws []statefile.Problem) {
		for _, w := range ws {
			notes(name + ": " + w.String())
		}
	}
	return read(e.Files.Bindings, func(b []byte) {
		list, ws := statefile.ParseBindings(b)
		warn(e.Files.Bindings, ws)
		for _, x := range list.Lines() {
			ev.Bindings = append(ev.Bindings, policy.Binding{Alias: x.Alias, WWID: x.WWID})
		}
	}, func() Step {
		return read(e.Files.WWIDs, func(b []byte) {
			list, ws := statefile.ParseWWIDs(b)
			warn(e.Files.WWIDs, ws)
			ev.WWIDs = list.All()
		}, func() Step {
			return read(e.Files.OldIDs, func(b []byte) {
				list, ws := statefile.ParseOldIDs(b)
				warn(e.Files.OldIDs, ws)
				for _, x := range list.All() {
					ev.OldIDs = append(ev.OldIDs, policy.OldID{Old: x.Old, Canonical: x.Canonical})
				}
			}, func() Step {
				return read(e.Files.Deadlines, func(b []byte) {
					d, ws := statefile.ParseDeadlines(b)
					warn(e.Files.Deadlines, ws)
					if e.Only != nil {
						// Whose disks are not looked at seems to have lost them all, and its
						// queued I/O would be failed at the deadline without a question.
						return
					}
					// Those of another boot are of another clock.
					for _, x := range d.Since(e.BootID) {
						ev.Deadlines = append(ev.Deadlines, mpath.Deadline{WWID: x.WWID, At: mpath.Instant(x.AtNS), Expired: x.Expired})
					}
					for _, x := range d.KeptSince(e.BootID) {
						ev.Kept = append(ev.Kept, keptOf(x))
					}
				}, func() Step {
					return read(e.Files.PRKeys, func(b []byte) {
						keys, ws := statefile.ParsePRKeys(b)
						warn(e.Files.PRKeys, ws)
						for _, k := range keys.All() {
							ev.PRKeys = append(ev.PRKeys, mpath.PRKey{WWID: k.WWID, Key: k.Key, APTPL: k.APTPL})
						}
					}, func() Step { return e.loadMarks(ev) })
				})
			})
		})
	})
}

// loadMarks ends LoadState with what stands in directories.
func (e *Engine) loadMarks(ev mpath.StateLoaded) Step {
	list := func(dir string, into *[]string, then func() Step) Step {
		return ask(Ask{Kind: KindList, Path: dir}, func(r Answer) Step {
			for _, n := range r.Names {
				if w := statefile.FailedWWID(n); w != "" {
					*into = append(*into, w)
				}
			}
			slices.Sort(*into)
			return then()
		})
	}
	return list(e.Files.FailedDir, &ev.Failed, func() Step {
		return list(e.loadingDir(), &ev.Loading, func() Step { return done(ev) })
	})
}

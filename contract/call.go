package contract

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

type request interface{ Encode() (dmmap.Call, error) }

// send makes a call, with larger buffers as long as the decoder asks for them.
func send[T any](c *Case, r request, decode func([]byte) (T, error)) (T, string) {
	var none T
	call, err := r.Encode()
	for err == nil {
		out, errno := c.p.DM.Ioctl(call.Cmd, call.Buf)
		if errno != 0 {
			return none, errnoName(errno)
		}
		v, derr := decode(out)
		if derr == nil {
			return v, "ok"
		}
		if !errors.Is(derr, dmmap.ErrBufferFull) {
			err = derr
			break
		}
		call, err = call.Grow()
	}
	c.check("send", err)
	return none, "?"
}

// state is what struct dm_ioctl tells of a map.
func state(i dmmap.Info) string {
	return fmt.Sprintf("%s event=%d", flags(i), i.EventNr)
}

func flags(i dmmap.Info) string {
	words := []string{i.Name.Kernel()}
	if !i.UUID.IsZero() {
		words = append(words, i.UUID.Kernel())
	}
	for _, w := range []struct {
		is   bool
		word string
	}{
		{i.LiveTable, "live"},
		{i.InactiveTable, "inactive"},
		{i.Suspended, "suspended"},
		{i.InternalSuspend, "internal"},
		{i.ReadOnly, "ro"},
		{i.DeferredRemove, "deferred"},
		{i.UeventGenerated, "uevent"},
	} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return fmt.Sprintf("%s targets=%d open=%d", strings.Join(words, " "), i.TargetCount, i.OpenCount)
}

// tell makes a call whose answer is a map's state.
func (c *Case) tell(asked string, r request) {
	i, answer := send(c, r, dmmap.DecodeInfo)
	if answer == "ok" {
		c.learn(i)
		answer = "ok " + state(i)
	}
	c.line(asked, answer)
}

// learn remembers a map's number: its major differs from kernel to kernel.
func (c *Case) learn(i dmmap.Info) {
	if !i.Dev.IsZero() {
		c.major = i.Dev.Major
		c.devs[i.Dev.String()] = fmt.Sprintf("dm-%d", i.Dev.Minor)
	}
}

func ref(name string) dmmap.Ref { return dmmap.ByName(kernelName(name)) }

func kernelName(name string) table.Name {
	n, err := table.KernelName(name)
	if err != nil {
		panic("contract: the name " + name + ": " + err.Error())
	}
	return n
}

func uuid(text string) table.UUID {
	u, err := table.ParseUUID(text)
	if err != nil {
		panic("contract: the UUID " + text + ": " + err.Error())
	}
	return u
}

func (c *Case) create(name, id string) {
	c.tell(strings.TrimSpace("create "+name+" "+id), dmmap.Create{Name: kernelName(name), UUID: uuid(id)})
}

// load loads one multipath target of 32768 sectors.
func (c *Case) load(name, params string) {
	c.tell("load "+name+" "+params, dmmap.Load{Map: ref(name), Lines: []table.Line{{Length: sizeOfOne, Target: "multipath", Params: c.meant(params)}}})
}

// sizeOfOne is the size of the LUNs one and two, sectors.
const sizeOfOne = 32768

func (c *Case) loadLines(name string, readOnly bool, lines ...table.Line) {
	var text []string
	for i := range lines {
		text = append(text, lines[i].String())
		lines[i].Params = c.meant(lines[i].Params)
	}
	what := "load "
	if readOnly {
		what = "load read-only "
	}
	c.tell(what+name+" "+strings.Join(text, " / "), dmmap.Load{Map: ref(name), ReadOnly: readOnly, Lines: lines})
}

func (c *Case) resume(name string)  { c.tell("resume "+name, dmmap.Resume{Map: ref(name)}) }
func (c *Case) suspend(name string) { c.tell("suspend "+name, dmmap.Suspend{Map: ref(name)}) }

func (c *Case) suspendFlush(name string) {
	c.tell("suspend with flush "+name, dmmap.Suspend{Map: ref(name), Flush: true, LockFS: true})
}

func (c *Case) resumeFlush(name string) {
	c.tell("resume with flush "+name, dmmap.Resume{Map: ref(name), Flush: true, LockFS: true})
}

// remove removes a map. What the kernel says of the state of a map that is gone
// means nothing, so only the flags are told.
func (c *Case) remove(name string) { c.removal("remove ", name, false) }

func (c *Case) removeDeferred(name string) { c.removal("remove deferred ", name, true) }

func (c *Case) removal(what, name string, deferred bool) {
	i, answer := send(c, dmmap.Remove{Map: ref(name), Deferred: deferred}, dmmap.DecodeInfo)
	if answer == "ok" && i.DeferredRemove {
		answer += " deferred"
	}
	if answer == "ok" && i.UeventGenerated {
		answer += " uevent"
	}
	c.line(what+name, answer)
}

func (c *Case) rename(name, to string) {
	c.tell("rename "+name+" to "+to, dmmap.Rename{Map: ref(name), To: kernelName(to)})
}

func (c *Case) clear(name string) { c.tell("clear "+name, dmmap.Clear{Map: ref(name)}) }
func (c *Case) info(name string)  { c.tell("info "+name, dmmap.QueryInfo{Map: ref(name)}) }

// message sends words to the map. The event that it may bring comes a moment
// later, from a worker of the kernel, so the answer's number is not told.
func (c *Case) message(name, text string) {
	c.messageAt(name, 0, text)
}

func (c *Case) messageAt(name string, sector table.Sectors, text string) {
	asked := "message " + name + " " + text
	if sector > 0 {
		asked = fmt.Sprintf("message %s at %d %s", name, sector, text)
	}
	i, answer := send(c, dmmap.Message{Map: ref(name), Sector: sector, Text: c.meant(text)}, dmmap.DecodeInfo)
	if answer == "ok" {
		answer += " " + flags(i)
		c.quiet(name)
	}
	c.line(asked, answer)
}

// quiet waits until the number of the map's events stays.
func (c *Case) quiet(name string) {
	read := func() uint32 {
		i, _ := send(c, dmmap.QueryInfo{Map: ref(name)}, dmmap.DecodeInfo)
		return i.EventNr
	}
	c.rig.Quiet(read)
}

func (c *Case) texts(asked string, r request) {
	lines, answer := send(c, r, func(b []byte) ([]table.Line, error) {
		_, l, err := dmmap.DecodeLines(b)
		return l, err
	})
	if answer == "ok" {
		var text []string
		for _, l := range lines {
			text = append(text, l.String())
		}
		answer = "ok " + strings.Join(text, " / ")
	}
	c.line(asked, strings.TrimSpace(answer))
}

func (c *Case) table(name string)  { c.texts("table "+name, dmmap.QueryTable{Map: ref(name)}) }
func (c *Case) status(name string) { c.texts("status "+name, dmmap.QueryStatus{Map: ref(name)}) }

func (c *Case) loadedTable(name string) {
	c.texts("loaded table "+name, dmmap.QueryTable{Map: ref(name), Inactive: true})
}

func (c *Case) deps(name string) {
	devs, answer := send(c, dmmap.QueryDeps{Map: ref(name)}, dmmap.DecodeDeps)
	for _, d := range devs {
		answer += " " + d.String()
	}
	c.line("deps "+name, answer)
}

// list is the kernel's list of maps with their event numbers, "-" for none.
func (c *Case) list() string {
	entries, answer := send(c, dmmap.QueryList{}, dmmap.DecodeList)
	if answer != "ok" {
		return answer
	}
	var words []string
	for _, e := range entries {
		words = append(words, fmt.Sprintf("%s %s event=%d", e.Name.Kernel(), e.UUID.Kernel(), e.EventNr))
	}
	if words == nil {
		return "-"
	}
	return strings.Join(words, ", ")
}

func (c *Case) lists() { c.line("list", c.list()) }

// live makes a map with a table that is live.
func (c *Case) live(name, params string) {
	c.create(name, "mpath-contract-"+name)
	c.load(name, params)
	c.resume(name)
}

func (c *Case) minor(name string) (uint32, bool) {
	i, answer := send(c, dmmap.QueryInfo{Map: ref(name)}, dmmap.DecodeInfo)
	c.learn(i)
	return i.Dev.Minor, answer == "ok"
}

// openMap opens a map's node, as an application does; one at a time for a map.
func (c *Case) openMap(name string) {
	minor, ok := c.minor(name)
	if !ok {
		c.line("open "+name, "there is no such map")
		return
	}
	id, errno := c.rig.Open(minor)
	if errno == 0 {
		c.open[name] = id
	}
	c.line("open "+name, errnoName(errno))
}

func (c *Case) closeMap(name string) {
	if id, ok := c.open[name]; ok {
		c.rig.Close(id)
		delete(c.open, name)
	}
	c.line("close "+name, "ok")
}

// write starts a write to an open map; ended and pending tell of it.
func (c *Case) write(name, io string, block uint64) {
	id, ok := c.open[name]
	if !ok {
		c.check("write to "+name, errors.New("it is not open"))
		return
	}
	c.ios[io] = c.rig.Write(id, block)
	c.line("write "+name+" "+io, "sent")
}

func (c *Case) ended(io string) {
	result, _ := c.rig.Ended(c.ios[io], true)
	c.line("end of "+io, result)
}

// pending looks whether a write waits.
func (c *Case) pending(io string) {
	result, ended := c.rig.Ended(c.ios[io], false)
	if !ended {
		result = "waits"
	}
	c.line("look at "+io, result)
}

// uevents tells the uevents since the last call; least of them are waited for.
func (c *Case) uevents(least int) {
	list, err := c.rig.Events(least)
	c.check("uevents", err)
	// Path events that come in one go come newest first, and whether two come in one
	// go is chance: they are told in the order of their DM_SEQNUM.
	slices.SortStableFunc(list, func(a, b Event) int {
		if a.Name != b.Name || a.seqnum() == 0 || b.seqnum() == 0 {
			return 0
		}
		return a.seqnum() - b.seqnum()
	})
	var words []string
	for _, e := range list {
		name := c.symbol(e.Name)
		if e.Subsystem != "block" {
			name = e.Subsystem + " " + name
		}
		words = append(words, strings.Join(append([]string{name, e.Action}, e.Props...), " "))
	}
	if words == nil {
		words = []string{"none"}
	}
	c.line("uevents", strings.Join(words, ", "))
}

func (c *Case) arm() {
	_, answer := send(c, dmmap.ArmPoll{}, func([]byte) (struct{}, error) { return struct{}{}, nil })
	c.rig.Arm()
	c.line("arm poll", answer)
}

func (c *Case) woken() {
	c.line("poll", map[bool]string{true: "woken", false: "asleep"}[c.rig.Woken()])
}

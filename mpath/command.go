package mpath

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
)

// CommandKind is what an operator wants.
type CommandKind uint8

// The commands. Those that name no map are for the whole host.
const (
	CommandUnknown CommandKind = iota
	CommandFailPath
	CommandReinstatePath
	CommandAddPath
	CommandRemovePath
	CommandAddMap          // make a map that was removed
	CommandRemoveMap       // Arg "deferred": at its last close, if it is open
	CommandRemoveUnused    // every map that nobody uses
	CommandResizeMap       // Force: shrink below what is in use
	CommandReloadMap       // load its table anew; Map "": of all maps
	CommandRenameMap       // to the configured name; Arg, if set, says which one is meant
	CommandResetStats      // Map "": of all maps
	CommandSwitchGroup     // Arg: the group's number, from 1
	CommandDisableQueueing // Map "": all maps; Arg ForHostEnd: until the host is down, or this daemon
	CommandRestoreQueueing // Map "": all maps
	CommandForceQueueing   // queueing outlives the daemon, whatever queue_without_daemon says
	CommandUnforceQueueing
	CommandSuspendMap
	CommandResumeMap
	CommandSetMarginal   // Path: it is flaky, by an operator's word
	CommandUnsetMarginal // Path, or Map: all paths of it
	CommandReassign      // whoever uses a path below the map is to use the map
	// What is known of persistent reservations: whoever makes one tells it.
	CommandSetPRStatus // Arg, if set: the paths that are registered, "sda,sdb"
	CommandUnsetPRStatus
	CommandSetPRHold
	CommandUnsetPRHold
	CommandSetPRKey // Arg: "0x123abc", ":aptpl" may follow
	CommandUnsetPRKey
	CommandForgetWWID // Arg: the WWID that was taken out of the wwids file
)

// ForHostEnd is the Arg of a CommandDisableQueueing that the host's end is the reason of.
const ForHostEnd = "host-ends"

var commandNames = [...]string{
	"", "fail path", "reinstate path", "add path", "remove path", "add map", "remove map", "remove unused maps", "resize map", "reload map",
	"rename map", "reset statistics", "switch group", "disable queueing", "restore queueing", "force queueing", "unforce queueing", "suspend map", "resume map",
	"set marginal", "unset marginal", "reassign", "set reservation status", "unset reservation status", "set reservation hold", "unset reservation hold",
	"set reservation key", "unset reservation key", "forget wwid",
}

// String gives the command's words.
func (k CommandKind) String() string {
	if int(k) < len(commandNames) {
		return commandNames[k]
	}
	return fmt.Sprintf("command %d", k)
}

// MarshalText gives the command's words.
func (k CommandKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads them.
func (k *CommandKind) UnmarshalText(b []byte) error {
	for i, n := range commandNames {
		if n == string(b) {
			*k = CommandKind(i)
			return nil
		}
	}
	return fmt.Errorf("there is no command %q", b)
}

// Command is what an operator asks for. It is answered by exactly one Reply with
// its Seq, whoever chose that.
type Command struct {
	Seq   uint64
	Kind  CommandKind
	Map   string // its name, WWID or "dm-3"
	Path  string // kernel name or device number
	Arg   string
	Force bool
	// Within is how long who asks waits for the reply; 0: as long as the core lets a
	// command live. What has not begun by then is not done any more.
	Within Span
}

// ReplyCode sums up a Reply.
type ReplyCode uint8

// Codes of replies. Done, Already, Deferred and Kept are success.
const (
	ReplyUnknown  ReplyCode = iota
	ReplyDone               // it was done
	ReplyAlready            // it was so already
	ReplyDeferred           // it will be done by itself: at the last close, at the next check
	ReplyNotFound           // no such path or map
	ReplyBusy               // somebody uses the map
	ReplyRefused            // it would do harm, or makes no sense now: Text says why and what to do
	ReplyFailed             // it was tried and the kernel said no
	ReplyTimeout            // not done in time
	ReplyKept               // done, but for maps that are in use: those were kept
)

var replyNames = [...]string{"", "done", "already so", "deferred", "not found", "busy", "refused", "failed", "timed out", "kept"}

// String gives the code's words.
func (c ReplyCode) String() string {
	if int(c) < len(replyNames) {
		return replyNames[c]
	}
	return fmt.Sprintf("reply %d", c)
}

// MarshalText gives the code's words.
func (c ReplyCode) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads them.
func (c *ReplyCode) UnmarshalText(b []byte) error {
	for i, n := range replyNames {
		if n == string(b) {
			*c = ReplyCode(i)
			return nil
		}
	}
	return fmt.Errorf("there is no reply %q", b)
}

// Reply answers a Command.
type Reply struct {
	Seq  uint64
	OK   bool
	Code ReplyCode
	Text string // what is true now; where not OK also why, and what to do
}

const (
	commandLimit = 30 * Second // a command has its answer by then
	maxCommands  = 256         // more than that at once are refused
)

// command is one that waits or is being carried out.
type command struct {
	Command
	wwid  string // of its map, "" of none
	path  PathID
	since Instant
	until Instant
	// stage counts the steps done; ask is the question that the command has put,
	// answer what came.
	stage    int
	ask      uint64
	answered bool
	answer   ActionDone
	sizes    SizesRead
	waits    string // what for, if it is said
	batch    uint64 // Seq of the command for all maps that it is part of, 0 none
}

// batch is a command for all maps.
type batch struct {
	seq   uint64
	kind  CommandKind
	left  int
	done  []string
	kept  []string
	wrong []string
}

// takeCommand takes a command in. It is carried out when it is its turn: one after
// the other on each map, and none while an action of that map is not answered.
func (mc *Machine) takeCommand(e Command) {
	if len(mc.commands) >= maxCommands {
		mc.reply(Reply{Seq: e.Seq, Code: ReplyBusy, Text: fmt.Sprintf("%s: %d commands wait already; ask again in a moment", e.Kind, maxCommands)})
		return
	}
	c := &command{Command: e, since: mc.now, until: mc.now.After(e.limit())}
	if mc.stopping {
		mc.finish(c, ReplyRefused, "the daemon is stopping")
		return
	}
	switch e.Kind {
	case CommandUnknown:
		mc.finish(c, ReplyRefused, "no such command")
		return
	case CommandForceQueueing, CommandUnforceQueueing:
		mc.force(c)
		return
	case CommandForgetWWID:
		mc.forgetWWID(c)
		return
	case CommandRemoveUnused, CommandResetStats, CommandReloadMap, CommandDisableQueueing, CommandRestoreQueueing:
		if e.Map == "" || e.Kind == CommandRemoveUnused {
			mc.forAll(e)
			return
		}
	}
	mc.commands = append(mc.commands, c)
}

// limit is when a command is to have its reply.
func (e Command) limit() Span {
	if e.Within > 0 {
		return min(e.Within, commandLimit)
	}
	return commandLimit
}

// forAll makes one command for each map.
func (mc *Machine) forAll(e Command) {
	b := batch{seq: e.Seq, kind: e.Kind}
	kind := e.Kind
	if kind == CommandRemoveUnused {
		kind = CommandRemoveMap
	}
	for _, m := range mc.maps {
		if !m.known {
			continue
		}
		b.left++
		mc.commands = append(mc.commands, &command{
			Command: Command{Kind: kind, Map: m.wwid, Arg: e.Arg, Force: e.Force}, batch: e.Seq, since: mc.now, until: mc.now.After(e.limit()),
		})
	}
	if b.left == 0 {
		mc.reply(Reply{Seq: e.Seq, OK: true, Code: ReplyAlready, Text: "there is no map"})
		return
	}
	mc.batches = append(mc.batches, b)
}

// runCommands carries out what can be: of each map the oldest one.
func (mc *Machine) runCommands() {
	if len(mc.commands) == 0 {
		return
	}
	busy := map[string]bool{}
	for _, c := range slices.Clone(mc.commands) {
		if mc.stopping {
			mc.finish(c, ReplyFailed, "not done: the daemon is stopping")
			continue
		}
		if mc.now >= c.until {
			mc.late(c)
			continue
		}
		if !mc.started || !mc.resolve(c) || busy[c.wwid] && c.wwid != "" {
			continue
		}
		busy[c.wwid] = true
		mc.runCommand(c)
	}
}

// late ends a command that was not done in time.
func (mc *Machine) late(c *command) {
	why := "it was not its turn yet"
	m := mc.mapOf(c.wwid)
	switch {
	case !mc.started:
		why = "the first picture of the host is not complete yet"
	case c.ask != 0 && m != nil:
		why = "the kernel has not answered; it is done when it does, see `show maps`"
	case m != nil && m.ask != 0:
		why = m.label() + " is busy: " + m.askWhat
	case m != nil && m.lastError != "":
		why = m.lastError
	case c.waits != "":
		why = c.waits
	case c.stage > 0:
		why = "what it waits for has not come"
	}
	mc.finish(c, ReplyTimeout, fmt.Sprintf("not done within %d s: %s", max(c.until.Since(c.since).Seconds(), 1), why))
}

// resolve finds what a command is for; false: it was refused.
func (mc *Machine) resolve(c *command) bool {
	if c.wwid != "" || c.stage > 0 {
		return true
	}
	switch c.Kind {
	case CommandAddPath:
		return true
	case CommandFailPath, CommandReinstatePath, CommandRemovePath, CommandSetMarginal, CommandUnsetMarginal:
		if c.Kind == CommandUnsetMarginal && c.Path == "" {
			break
		}
		p := mc.pathNamed(c.Path)
		if p == nil {
			mc.finish(c, ReplyNotFound, "no device "+c.Path+" is known; `show paths --all` lists them")
			return false
		}
		if p.wwid == "" {
			mc.finish(c, ReplyNotFound, p.seen.Name+" is a path of no map: "+p.decision.Reason)
			return false
		}
		c.path, c.wwid = p.id, p.wwid
		return true
	}
	m := mc.mapNamed(c.Map)
	if m == nil {
		mc.finish(c, ReplyNotFound, "no map "+c.Map+" is known; `show maps` lists them")
		return false
	}
	c.wwid = m.wwid
	return true
}

// pathNamed finds a path by kernel name or device number.
func (mc *Machine) pathNamed(s string) *path {
	s = strings.TrimPrefix(s, "/dev/")
	if d, err := table.ParseDevNum(s); err == nil {
		return mc.pathByDev(d)
	}
	if ps := mc.find.names[s]; len(ps) > 0 {
		return ps[len(ps)-1]
	}
	return nil
}

// mapNamed finds a map by "dm-3", name or WWID, in that order.
func (mc *Machine) mapNamed(s string) *mmap {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "/dev/mapper/"), "/dev/")
	var byName *mmap
	for _, m := range mc.maps {
		if m.known && fmt.Sprintf("dm-%d", m.have.Dev.Minor) == s {
			return m
		}
		if m.label() == s || byName == nil && m.name == s {
			byName = m
		}
	}
	if byName != nil {
		return byName
	}
	return mc.mapOf(s)
}

// finish ends a command with its reply.
func (mc *Machine) finish(c *command, code ReplyCode, text string) {
	mc.commands = slices.DeleteFunc(mc.commands, func(o *command) bool { return o == c })
	object := cmp.Or(c.Path, c.Map)
	m := mc.mapOf(c.wwid)
	if m != nil {
		object = cmp.Or(c.Path, m.label())
	}
	r := Reply{Seq: c.Seq, Code: code, Text: strings.Join(slices.DeleteFunc([]string{object, text}, func(s string) bool { return s == "" }), ": ")}
	r.OK = code == ReplyDone || code == ReplyAlready || code == ReplyDeferred || code == ReplyKept
	if c.batch == 0 {
		if r.OK {
			mc.note(LevelNotice, object, fmt.Sprintf("%s (operator): %s", c.Kind, text))
		}
		mc.reply(r)
		return
	}
	i := slices.IndexFunc(mc.batches, func(b batch) bool { return b.seq == c.batch })
	b := &mc.batches[i]
	switch {
	case r.OK:
		b.done = append(b.done, object)
	case code == ReplyBusy && c.Kind == CommandRemoveMap:
		b.kept = append(b.kept, object)
	default:
		b.wrong = append(b.wrong, r.Text)
	}
	if b.left--; b.left > 0 {
		return
	}
	r = Reply{Seq: b.seq, OK: len(b.wrong) == 0, Code: ReplyDone}
	r.Text = fmt.Sprintf("%s: %d maps", b.kind, len(b.done))
	if len(b.kept) > 0 {
		r.Code = ReplyKept
		r.Text += "; in use and kept: " + strings.Join(b.kept, ", ")
	}
	if !r.OK {
		r.Code = ReplyFailed
		r.Text += "; not done: " + strings.Join(b.wrong, "; ")
	}
	mc.batches = slices.Delete(mc.batches, i, i+1)
	mc.note(LevelNotice, "operator", r.Text)
	mc.reply(r)
}

func (mc *Machine) reply(r Reply) { mc.act(r) }

// commandAnswer gives the answer of a question to the command that has put it.
func (mc *Machine) commandAnswer(e ActionDone) {
	for _, c := range mc.commands {
		if c.ask == e.Seq && e.Seq != 0 {
			c.ask, c.answered, c.answer = 0, true, e
		}
	}
}

// askFor puts a command's question: one of a map's, like every other.
func (mc *Machine) askFor(c *command, m *mmap, what string, a Action) {
	c.answered = false
	mc.ask(m, what, a)
	c.ask = m.ask
}

// outcome ends a command whose last question was answered.
func (mc *Machine) outcome(c *command, text string) {
	switch e := c.answer; e.Errno {
	case ErrnoNone:
		mc.finish(c, ReplyDone, text)
	case ErrnoBusy:
		mc.finish(c, ReplyBusy, e.Detail)
	default:
		mc.finish(c, ReplyFailed, e.Detail)
	}
}

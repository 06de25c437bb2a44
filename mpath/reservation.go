package mpath

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What is known of the persistent reservations of maps. The core makes none: those
// who do (mpathpersist) tell it, and ask it again. A state is lost with the process,
// since nobody watches the LUN meanwhile; the keys are in the prkeys file.

// PRState is what is known of a registration or a reservation.
type PRState uint8

// What is known of it.
const (
	PRUnknown PRState = iota // nobody has said yet
	PRUnset
	PRSet
)

// String gives "unknown", "unset" or "set".
func (s PRState) String() string {
	switch s {
	case PRUnset:
		return "unset"
	case PRSet:
		return "set"
	}
	return "unknown"
}

// PRKey is a reservation key: of a LUN as the prkeys file has it, or of a map as it
// counts. Key 0 is none.
type PRKey struct {
	WWID  string
	Key   uint64
	APTPL bool // to survive a power loss of the target
}

// String gives "0x123abc", with ":aptpl" where it is to survive, or "none".
func (k PRKey) String() string {
	switch {
	case k.Key == 0:
		return "none"
	case k.APTPL:
		return fmt.Sprintf("0x%x:aptpl", k.Key)
	}
	return fmt.Sprintf("0x%x", k.Key)
}

// ParsePRKey reads a key as String gives it and as reservation_key has it: up to 16
// hexadecimal digits, 0x before them or not.
func ParsePRKey(text string) (PRKey, error) {
	digits, flag, flagged := strings.Cut(text, ":")
	if flagged && flag != "aptpl" {
		return PRKey{}, fmt.Errorf("reservation key %.40q: %w", text, errKey)
	}
	if rest, ok := strings.CutPrefix(digits, "0x"); ok {
		digits = rest
	} else {
		digits = strings.TrimPrefix(digits, "0X")
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || len(digits) > 16 || n == 0 {
		return PRKey{}, fmt.Errorf("reservation key %.40q: %w", text, errKey)
	}
	return PRKey{Key: n, APTPL: flagged}, nil
}

var errKey = fmt.Errorf("want 1 to 16 hexadecimal digits, not all 0; :aptpl may follow")

// ReservationView is what is known of a map's reservation.
type ReservationView struct {
	Status PRState // that this host is registered
	Hold   PRState // that this host holds the reservation
	Key    PRKey   // that counts
}

// keyState is the one open write of the prkeys file.
type keyState struct {
	ask uint64
	key PRKey
}

// reservation gives what is known of a map's reservation. Without a key there is
// none to know of.
func (mc *Machine) reservation(m *mmap) ReservationView {
	v := ReservationView{Status: m.registered, Hold: m.reserved, Key: mc.keyOf(m)}
	if v.Key.Key == 0 {
		v.Status, v.Hold = max(v.Status, PRUnset), max(v.Hold, PRUnset)
	}
	return v
}

// keyOf gives the reservation key of a map: the one in its configuration, or where
// that says `file` the one in the prkeys file.
func (mc *Machine) keyOf(m *mmap) PRKey {
	switch text := m.settings.ReservationKey.V; text {
	case "":
		return PRKey{}
	case "file":
		if i, ok := mc.keyAt(m.wwid); ok {
			return mc.keys[i]
		}
		return PRKey{}
	default:
		k, err := ParsePRKey(text)
		if err != nil {
			return PRKey{} // configs lets none of that kind through
		}
		k.WWID = m.wwid
		return k
	}
}

func (mc *Machine) keyAt(wwid string) (int, bool) {
	return slices.BinarySearchFunc(mc.keys, wwid, func(k PRKey, w string) int { return cmp.Compare(k.WWID, w) })
}

// putKey takes over what the file says now.
func (mc *Machine) putKey(k PRKey) {
	i, ok := mc.keyAt(k.WWID)
	keys := slices.Clone(mc.keys)
	if ok {
		keys = slices.Delete(keys, i, i+1)
	}
	if k.Key != 0 {
		keys = slices.Insert(keys, i, k)
	}
	mc.keys = keys
}

// ofReservation says whether a command is about what is known of a reservation. Such
// a one does nothing to the map and waits for none of its actions.
func (k CommandKind) ofReservation() bool {
	return k >= CommandSetPRStatus && k <= CommandUnsetPRKey
}

func (mc *Machine) runReservation(c *command, m *mmap) {
	put := func(at *PRState, want PRState) {
		code := ReplyDone
		if *at == want {
			code = ReplyAlready
		}
		*at = want
		mc.stirMap(m)
		mc.finish(c, code, c.Kind.String()+": noted")
	}
	switch c.Kind {
	case CommandSetPRStatus:
		if mc.setRegistered(c, m) {
			put(&m.registered, PRSet)
		}
	case CommandUnsetPRStatus:
		for _, p := range mc.pathsOf(m) {
			p.registered = false
		}
		m.reserved = PRUnset // who is not registered holds nothing
		put(&m.registered, PRUnset)
	case CommandSetPRHold:
		put(&m.reserved, PRSet)
	case CommandUnsetPRHold:
		put(&m.reserved, PRUnset)
	case CommandSetPRKey, CommandUnsetPRKey:
		mc.runPRKey(c, m)
	}
}

// setRegistered notes which paths are registered: those of the list, all without
// one. false: a name in it is no path of the map.
func (mc *Machine) setRegistered(c *command, m *mmap) bool {
	want := mc.pathsOf(m)
	if c.Arg != "" {
		want = nil
		for _, name := range strings.Split(c.Arg, ",") {
			p := mc.pathNamed(name)
			if p == nil || p.wwid != m.wwid {
				mc.finish(c, ReplyNotFound, name+" is no path of it")
				return false
			}
			want = append(want, p)
		}
	}
	for _, p := range mc.pathsOf(m) {
		p.registered = slices.Contains(want, p)
	}
	return true
}

// runPRKey changes a line of the prkeys file.
func (mc *Machine) runPRKey(c *command, m *mmap) {
	switch {
	case c.answered && c.answer.Errno == ErrnoNone:
		mc.finish(c, ReplyDone, "written")
	case c.answered:
		mc.finish(c, ReplyFailed, c.answer.Detail)
	case c.ask != 0:
	case mc.key.ask != 0:
		c.waits = "another key is being written"
	default:
		key := PRKey{}
		if c.Kind == CommandSetPRKey {
			var err error
			if key, err = ParsePRKey(c.Arg); err != nil {
				mc.finish(c, ReplyRefused, err.Error())
				return
			}
		}
		key.WWID = m.wwid
		mc.key = keyState{ask: mc.nextSeq(), key: key}
		c.ask = mc.key.ask
		mc.act(SavePRKey{Seq: mc.key.ask, Key: key})
	}
}

// keySaved takes the answer of a write of the prkeys file, though nobody wait for it
// any more.
func (mc *Machine) keySaved(e ActionDone) {
	if e.Errno == ErrnoNone {
		mc.putKey(mc.key.key)
	} else {
		mc.note(LevelError, "prkeys", "a reservation key cannot be written: "+e.Detail)
	}
	mc.key = keyState{}
	mc.commandAnswer(e)
}

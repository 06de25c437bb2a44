package pathcheck

import "fmt"

// String is multipathd's internal word, as in `show status`: up, down, ghost...
func (s State) String() string {
	switch s {
	case StateUnknown:
		return "unchecked"
	case StateUp:
		return "up"
	case StateDown:
		return "down"
	case StateGhost:
		return "ghost"
	case StateShaky:
		return "shaky"
	case StatePending:
		return "pending"
	case StateTimeout:
		return "timeout"
	case StateDisconnected:
		return "disconnected"
	case StateWild:
		return "wild"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// ParseState is the inverse of String.
func ParseState(word string) (State, error) {
	for s := StateUnknown; s <= StateWild; s++ {
		if s.String() == word {
			return s, nil
		}
	}
	return StateUnknown, fmt.Errorf("path state %q: no such state", word)
}

// Shown is the word of the command line's tables (wildcard %T): ready, faulty...
func (s State) Shown() string {
	switch s {
	case StateUp:
		return "ready"
	case StateDown:
		return "faulty"
	case StateGhost, StateShaky, StateDisconnected:
		return s.String()
	case StatePending:
		return "i/o pending"
	case StateTimeout:
		return "i/o timeout"
	}
	return "undef"
}

// Stored is the state that a path keeps after a check: timeout and
// disconnected count as down. Pending and wild are no states to keep.
func (s State) Stored() State {
	if s == StateTimeout || s == StateDisconnected {
		return StateDown
	}
	return s
}

// Usable reports whether I/O may be sent by the path: up or ghost.
func (s State) Usable() bool { return s == StateUp || s == StateGhost }

package record

import (
	"fmt"
	"strings"

	"pathkeeper/mpath"
)

// longText bounds what stands for an event or action that has no short form.
const longText = 160

func short(s string) string {
	if len(s) > longText {
		return s[:longText] + "..."
	}
	return s
}

// Because says an event in a few words.
func Because(ev mpath.Event) string { return strings.TrimSpace(because(ev)) }

func because(ev mpath.Event) string {
	switch e := ev.(type) {
	case mpath.Wake:
		return "time passed"
	case mpath.Configured:
		return fmt.Sprintf("configuration read: %d devices, %d multipaths", len(e.Config.Devices), len(e.Config.Multipaths))
	case mpath.StateLoaded:
		return fmt.Sprintf("state files read: %d bindings, %d wwids", len(e.Bindings), len(e.WWIDs))
	case mpath.Scanned:
		return fmt.Sprintf("sysfs has %d disks %s", len(e.Disks), e.Bad)
	case mpath.MapsListed:
		return fmt.Sprintf("device-mapper has %d devices %s", len(e.Maps), e.Bad)
	case mpath.PathSeen:
		return fmt.Sprintf("%s (%s) says it is %s %s", e.Name, e.ID.Dev, e.Identity.WWID, e.Identity.Problem)
	case mpath.CheckDone:
		s := fmt.Sprintf("check of %s: %s", e.Path.Dev, e.Verdict.State.Shown())
		if e.Verdict.Message != "" {
			s += ": " + e.Verdict.Message
		}
		if e.Identified && !e.Same {
			s += ", and it is another LUN: " + e.Found
		}
		return s
	case mpath.MapRead:
		if e.Errno != mpath.ErrnoNone {
			return fmt.Sprintf("reading %s: %s %s", e.UUID, e.Errno, e.Detail)
		}
		return fmt.Sprintf("the kernel says of %s: %s", e.Truth.Name, e.Truth.Status)
	case mpath.ActionDone:
		if e.Errno != mpath.ErrnoNone {
			return fmt.Sprintf("answer to %d: %s %s", e.Seq, e.Errno, e.Detail)
		}
		return fmt.Sprintf("answer to %d: done", e.Seq)
	case mpath.KnobsSet:
		s := "/sys/" + e.Dir + " has"
		for _, k := range e.Knobs {
			s += fmt.Sprintf(" %s %s", k.Name, k.Is)
			if k.Was != k.Is {
				s += fmt.Sprintf(" (it was %s)", k.Was)
			}
		}
		if e.Gone {
			return "/sys/" + e.Dir + " is gone"
		}
		return s + " " + e.Detail
	case mpath.WWIDsFound:
		return "the wwids file has " + strings.Join(e.WWIDs, " ")
	case mpath.MapEvent:
		return "device-mapper's event"
	case mpath.DeviceHint:
		switch {
		case e.Name == "":
			return fmt.Sprintf("uevent of %s: it reported %s", e.HCTL, e.Attention)
		case e.Remove:
			return fmt.Sprintf("uevent: %s (%s) left", e.Name, e.Dev)
		}
		return fmt.Sprintf("uevent: %s (%s) changed", e.Name, e.Dev)
	}
	return short(mpath.EventText(ev))
}

// Doing says an action in a few words, with its reason.
func Doing(a mpath.Action) string {
	switch a := a.(type) {
	case mpath.Note:
		return a.Object + ": " + a.Text
	case mpath.Message:
		return fmt.Sprintf("%s: message %q, because %s", a.Name, a.Text, a.Reason)
	case mpath.CreateMap:
		return fmt.Sprintf("%s: create with %q, because of %s", a.Name, a.Table, a.Reason)
	case mpath.LoadMap:
		return fmt.Sprintf("%s: load %q, because %s", a.Name, a.Table, a.Reason)
	case mpath.ResumeMap:
		return fmt.Sprintf("%s: resume, because %s", a.Name, a.Reason)
	case mpath.RemoveMap:
		return fmt.Sprintf("%s: remove, because %s", a.Name, a.Reason)
	case mpath.RenameMap:
		return fmt.Sprintf("%s: rename to %s, because %s", a.Name, a.To, a.Reason)
	case mpath.SetOwner:
		return fmt.Sprintf("%s: owner %s, because %s", a.Dev, a.Owner, a.Reason)
	case mpath.SetKnobs:
		s := a.Dir + ":"
		for _, k := range a.Knobs {
			s += " " + k.Name + map[bool]string{true: " at least ", false: " "}[k.Raise] + k.Value
		}
		return s + " where it is otherwise, because of " + a.Reason
	case mpath.LimitPaths:
		return fmt.Sprintf("%s: max_sectors_kb of %d paths before they join, because of %s", a.WWID, len(a.Paths), a.Reason)
	case mpath.StartCheck:
		return fmt.Sprintf("check %s (%s) with %s", a.Name, a.Path.Dev, a.Checker)
	}
	return short(mpath.ActionText(a))
}

// Asks says whether an action only asks something: it changes nothing, and a person
// who looks for decisions need not see it.
func Asks(a mpath.Action) bool {
	switch a.(type) {
	case mpath.Scan, mpath.ListMaps, mpath.Identify, mpath.ReadMap, mpath.StartCheck:
		return true
	}
	return false
}

// mentions says whether a text has one of some words, each standing alone.
func mentions(text string, words []string) bool {
	for _, w := range words {
		for at := 0; w != ""; {
			i := strings.Index(text[at:], w)
			if i < 0 {
				break
			}
			i += at
			if (i == 0 || !inWord(text[i-1])) && (i+len(w) == len(text) || !inWord(text[i+len(w)])) {
				return true
			}
			at = i + 1
		}
	}
	return false
}

func inWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// Filter picks the steps of one map or path out of a replay. The names that belong
// to it are learned on the way.
type Filter struct {
	words []string
	path  bool
}

// NewFilter makes a filter for a map (name, WWID) or, with path, for a path (kernel
// name, 8:16).
func NewFilter(of string, path bool) *Filter {
	return &Filter{words: []string{strings.TrimPrefix(strings.TrimPrefix(of, "/dev/mapper/"), "/dev/")}, path: path}
}

// Takes says whether a step is about it: itself, or an action that came out.
func (f *Filter) Takes(s Played) bool {
	if s.Event == nil {
		return true
	}
	f.learn(s)
	if mentions(mpath.EventText(s.Event), f.words) {
		return true
	}
	for _, a := range s.Acts {
		if mentions(mpath.ActionText(a), f.words) {
			return true
		}
	}
	return false
}

// Picks says whether one action is about it.
func (f *Filter) Picks(a mpath.Action) bool { return mentions(mpath.ActionText(a), f.words) }

func (f *Filter) learn(s Played) {
	also := func(names ...string) {
		if mentions(strings.Join(names, " "), f.words) {
			for _, n := range names {
				if n != "" && !mentions(n, f.words) && len(f.words) < 64 {
					f.words = append(f.words, n)
				}
			}
		}
	}
	switch e := s.Event.(type) {
	case mpath.PathSeen:
		if f.path {
			also(e.Name, e.ID.Dev.String())
		}
	case mpath.MapRead:
		if !f.path && e.Errno == mpath.ErrnoNone {
			also(e.Truth.Name, strings.TrimPrefix(e.Truth.UUID, "mpath-"))
		}
	}
	for _, a := range s.Acts {
		switch a := a.(type) {
		case mpath.StartCheck:
			if f.path {
				also(a.Name, a.Path.Dev.String())
			}
		case mpath.CreateMap:
			if !f.path {
				also(a.Name, a.WWID)
			}
		case mpath.Message:
			if !f.path {
				also(a.Name, a.WWID)
			}
		}
	}
}

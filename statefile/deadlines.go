package statefile

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// deadlinesMagic is the first line: the format and its version.
const deadlinesMagic = "pathkeeper-deadlines 1"

// Deadline is when a map without paths stops queueing. It outlives a restart of
// the daemon, not one of the machine.
type Deadline struct {
	WWID    string
	AtNS    int64 // CLOCK_BOOTTIME, nanoseconds
	Expired bool  // queueing was switched off by it
}

// Kept is what is to be known of a map whose devices may all be gone: then nothing
// else says how long it may queue.
type Kept struct {
	WWID           string
	NoPathRetry    string // "unset", "fail", "queue", or a number of checks
	PollingS       int
	FlushOnLastDel string   // "never", "always", "unused"
	Flags          []string // "deferred_remove", "queue_without_daemon", "queueing_disabled", "queued_before"
}

// Deadlines is the content of the deadlines file:
//
//	pathkeeper-deadlines 1
//	boot <boot id>
//	retry <WWID> <ns of CLOCK_BOOTTIME> pending|expired
//	map <WWID> <no_path_retry> <polling_interval> <flush_on_last_del> [<flag>...]
//
// Lines with another first word are kept: a later version may write them.
type Deadlines struct {
	Boot  string     // /proc/sys/kernel/random/boot_id, without newline
	List  []Deadline // sorted by WWID when printed
	Maps  []Kept     // likewise
	Other []string   // lines not understood, as they are
}

// ParseDeadlines reads the file. A file of another version is a problem, and
// gives no deadlines.
func ParseDeadlines(data []byte) (Deadlines, []Problem) {
	var d Deadlines
	var problems []Problem
	doc := readDocument(data)
	if len(doc) == 1 && doc[0] == "" {
		return d, nil
	}
	if doc[0] != deadlinesMagic {
		return d, []Problem{{Line: 1, Text: fmt.Sprintf("%.40q is not %q", doc[0], deadlinesMagic)}}
	}
	for i, line := range doc[1:] {
		w := words(line)
		switch {
		case line == "":
		case len(w) == 2 && w[0] == "boot":
			d.Boot = w[1]
		case len(w) == 4 && w[0] == "retry":
			entry, ok := deadlineOf(w)
			if ok {
				d.List = append(d.List, entry)
				continue
			}
			problems = append(problems, Problem{Line: i + 2, Text: "is no deadline, dropped"})
		case len(w) >= 5 && w[0] == "map":
			k, ok := keptOf(w)
			if ok {
				d.Maps = append(d.Maps, k)
				continue
			}
			problems = append(problems, Problem{Line: i + 2, Text: "is no map's settings, dropped"})
		default:
			d.Other = append(d.Other, line)
		}
	}
	return d, problems
}

func deadlineOf(w []string) (Deadline, bool) {
	wwid, ok := unescape(w[1])
	at, err := strconv.ParseInt(w[2], 10, 64)
	if !ok || err != nil || at < 0 || w[3] != "pending" && w[3] != "expired" {
		return Deadline{}, false
	}
	return Deadline{WWID: wwid, AtNS: at, Expired: w[3] == "expired"}, true
}

func keptOf(w []string) (Kept, bool) {
	wwid, ok := unescape(w[1])
	n, err := strconv.Atoi(w[3])
	if !ok || err != nil || n < 0 {
		return Kept{}, false
	}
	return Kept{WWID: wwid, NoPathRetry: w[2], PollingS: n, FlushOnLastDel: w[4], Flags: append([]string(nil), w[5:]...)}, true
}

// KeptSince gives the maps' settings of a boot.
func (d Deadlines) KeptSince(boot string) []Kept {
	if boot == "" || d.Boot != boot {
		return nil
	}
	return slices.Clone(d.Maps)
}

// Since gives the deadlines that belong to a boot; those of another are void,
// since their clock began anew.
func (d Deadlines) Since(boot string) []Deadline {
	if boot == "" || d.Boot != boot {
		return nil
	}
	return append([]Deadline(nil), d.List...)
}

// Bytes is the file's content.
func (d Deadlines) Bytes() []byte {
	out := deadlinesMagic + "\n"
	if d.Boot != "" {
		out += "boot " + d.Boot + "\n"
	}
	list := append([]Deadline(nil), d.List...)
	sort.SliceStable(list, func(i, j int) bool { return list[i].WWID < list[j].WWID })
	for _, e := range list {
		word := "pending"
		if e.Expired {
			word = "expired"
		}
		out += "retry " + escape(e.WWID) + " " + strconv.FormatInt(e.AtNS, 10) + " " + word + "\n"
	}
	maps := slices.Clone(d.Maps)
	slices.SortStableFunc(maps, func(a, b Kept) int { return strings.Compare(a.WWID, b.WWID) })
	for _, k := range maps {
		out += strings.Join(append([]string{"map", escape(k.WWID), k.NoPathRetry, strconv.Itoa(k.PollingS), k.FlushOnLastDel}, k.Flags...), " ") + "\n"
	}
	for _, line := range d.Other {
		out += line + "\n"
	}
	return []byte(out)
}

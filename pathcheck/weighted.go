package pathcheck

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/policy/ere"
)

// weighted gives each path the number that the configuration gives to its name:
// prio_args is what to look at and then pairs of an expression and a priority.
// The first expression that matches counts, 0 where none does.
type weighted struct{ result PrioResult }

func newWeighted(p PrioParams) (Prioritizer, error) {
	words := strings.Fields(p.Args)
	if len(words) < 3 || len(words)%2 == 0 {
		return nil, fmt.Errorf("prioritizer weightedpath: prio_args %q: want hbtl, devname or serial, then pairs of an expression and a priority", p.Args)
	}
	name := ""
	switch words[0] {
	case "hbtl":
		name = p.HCTL
	case "devname":
		name = p.Name
	case "serial":
		name = p.Serial
	default:
		return nil, fmt.Errorf("prioritizer weightedpath: prio_args %q: %s is not known; it takes hbtl, devname, serial", p.Args, words[0])
	}
	w := &weighted{PrioResult{OK: true, TPG: -1}}
	found := false
	for i := 1; i < len(words); i += 2 {
		re, err := ere.Compile(strings.Trim(words[i], `"`))
		if err != nil {
			return nil, fmt.Errorf("prioritizer weightedpath: prio_args: %w", err)
		}
		n, err := strconv.Atoi(words[i+1])
		if err != nil || n < 0 {
			return nil, fmt.Errorf("prioritizer weightedpath: prio_args: %q is no priority", words[i+1])
		}
		if !found && re.Match(name) {
			found, w.result.Priority = true, n
		}
	}
	return w, nil
}

func (w *weighted) Start() PrioStep { return PrioStep{Done: true, Prio: w.result} }

func (w *weighted) Answer(Response) PrioStep { return w.Start() }

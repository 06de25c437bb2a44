package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// asker is the daemon of a host as its socket's clients see it.
type asker interface {
	ask(command string) (reply string, err error)
	Close()
}

// delegateFlush has the daemon remove what is to be removed. A map in use is asked for
// again as often as -R says.
func (r *multipathRun) delegateFlush(client asker) (ok bool, err error) {
	command := "del maps"
	if r.task == taskFlush {
		command = commandLine([]string{"del", "map", plainName(r.name)})
	}
	for n := 0; ; n++ {
		reply, err := client.ask(command)
		if err != nil {
			return false, err
		}
		text, ok := verdictOf(reply)
		if ok {
			return true, nil
		}
		if n >= r.retries || !strings.Contains(text, "in use") && strings.TrimSpace(text) != "fail" {
			r.say(0, "%s", busy(fmt.Sprintf("the daemon did not do `%s`: %s", command, r.whyNot(text))))
			return false, nil
		}
		r.on.sleep(time.Second)
	}
}

// whyNot puts what the daemon said into one line. Its socket does not say who uses a
// map, so it is said how to find that out.
func (r *multipathRun) whyNot(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" || text == "fail" {
		text = "it only says that it failed; is there such a map, and nobody who uses it? Its log says more"
	}
	switch {
	case !strings.Contains(text, "in use"):
	case r.task == taskFlushAll:
		text += ": what `multipath -l -v1` lists now; `lsblk` and `fuser -vm` tell who uses it"
	case r.task == taskFlush:
		text += ": `lsblk` and `fuser -vm /dev/mapper/" + plainName(r.name) + "` tell who uses it"
	}
	return text
}

// plainName takes the folder off a device's name: the daemon knows maps by name, WWID
// or dm-3.
func plainName(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "/dev/mapper/"), "/dev/")
}

// delegateMake has the daemon read its configuration and act on it, or do so for one
// device, and prints the maps that it has changed.
func (r *multipathRun) delegateMake(ctx context.Context, client asker) (ok bool, err error) {
	if r.grouping != "" || r.ignore || r.readNames {
		r.say(2, "-p, -i and -B do not count: a daemon runs, and its configuration decides")
	}
	if r.level >= 3 {
		s, err := r.look(ctx, false)
		if err != nil {
			return false, err
		}
		r.listPaths(s)
	}
	before, err := listMaps(client)
	if err != nil {
		return false, err
	}
	commands, err := r.orders(ctx, before)
	if err != nil {
		return false, err
	}
	for _, c := range commands {
		reply, err := client.ask(c)
		if err != nil {
			return false, err
		}
		if text, ok := verdictOf(reply); !ok {
			r.say(0, "the daemon did not do `%s`: %s", c, r.whyNot(text))
			return false, nil
		}
	}
	if r.reload && r.name == "" {
		return true, nil // as there: it is scheduled, and nothing is printed
	}
	after, err := r.settled(client)
	if err != nil {
		return false, err
	}
	return true, r.printChanged(client, before, after)
}

// orders are the commands of a call: for all maps a reconfiguration, for one device
// only what that needs.
func (r *multipathRun) orders(ctx context.Context, maps []listedMap) ([]string, error) {
	switch {
	case r.name == "" && r.reload:
		return []string{"reconfigure all"}, nil
	case r.name == "":
		return []string{"reconfigure"}, nil
	}
	s, err := r.look(ctx, false)
	if err != nil {
		return nil, err
	}
	wwid, ok := r.wwidOf(s)
	if !ok {
		return nil, fmt.Errorf("%s is no map, and no device that could be a path of one; `multipathd show maps` lists the maps, `multipathd show devices` the devices", r.name)
	}
	if slices.ContainsFunc(maps, func(m listedMap) bool { return m.wwid == wwid }) {
		if r.reload {
			return []string{commandLine([]string{"reload", "map", wwid})}, nil
		}
		return nil, nil // it is there; what it is to be otherwise, the next reconfiguration does
	}
	var out []string
	for _, p := range s.Paths {
		if p.WWID == "" && p.Seen.Identity.WWID == wwid {
			out = append(out, "add path "+p.Name)
		}
	}
	return append(out, commandLine([]string{"add", "map", wwid})), nil
}

// listedMap is a map as the daemon lists it.
type listedMap struct {
	wwid, name string
	loads      int
}

// listMaps asks the daemon for its maps. The WWID stands last: it may hold anything.
func listMaps(client asker) ([]listedMap, error) {
	reply, err := client.ask(`show maps raw format "%2|%n|%w"`)
	if err != nil {
		return nil, err
	}
	text, ok := verdictOf(reply)
	if !ok {
		return nil, fmt.Errorf("the daemon does not list its maps: %s", strings.Join(strings.Fields(text), " "))
	}
	var out []listedMap
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimRight(line, "\n"), "|", 3)
		if len(f) != 3 {
			continue // "ok": it has none
		}
		loads, _ := strconv.Atoi(strings.TrimSpace(f[0]))
		out = append(out, listedMap{wwid: strings.TrimSpace(f[2]), name: strings.TrimSpace(f[1]), loads: loads})
	}
	return out, nil
}

// How long the daemon is waited for, and how long its list of maps must stay the same
// to count as done.
const (
	settleLimit = 30 * time.Second
	settleTurn  = 200 * time.Millisecond
	settleTurns = 4
)

// settled waits until the daemon has done what a reconfiguration asks for.
func (r *multipathRun) settled(client asker) (maps []listedMap, err error) {
	same := 0
	for waited := time.Duration(0); same < settleTurns; waited += settleTurn {
		if waited >= settleLimit {
			r.say(1, "the daemon is still at it after %s; `multipath -ll` shows what comes of it", settleLimit)
			return maps, nil
		}
		r.on.sleep(settleTurn)
		state, err := client.ask("show daemon")
		if err != nil {
			return nil, err
		}
		now, err := listMaps(client)
		if err != nil {
			return nil, err
		}
		busy := strings.Contains(state, "configure") || strings.Contains(state, "pending") || strings.Contains(state, "startup")
		if same++; busy || !slices.Equal(now, maps) {
			same = 0
		}
		maps = now
	}
	return maps, nil
}

// printChanged prints the maps that came, or got a new table or name.
func (r *multipathRun) printChanged(client asker, before, after []listedMap) error {
	for _, m := range after {
		action := "create"
		if i := slices.IndexFunc(before, func(b listedMap) bool { return b.wwid == m.wwid }); i >= 0 {
			switch b := before[i]; {
			case b.loads != m.loads:
				action = "reload"
			case b.name != m.name:
				action = "rename"
			default:
				continue
			}
		}
		if r.level == 0 {
			continue
		}
		if r.level == 1 {
			io.WriteString(r.std.out, m.name+"\n")
			continue
		}
		reply, err := client.ask(commandLine([]string{"show", "map", m.wwid, "topology"}))
		if err != nil {
			return err
		}
		if text, ok := verdictOf(reply); ok {
			if first, rest, found := strings.Cut(text, ": "); found && !strings.ContainsAny(first, " \n") {
				text = rest // it may say by itself what was done last
			}
			io.WriteString(r.std.out, action+": "+withoutBold(text, r.std.out))
		}
	}
	return nil
}

package mpath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// benchOnce is the shell of a core that serves one command of a host without a daemon:
// it asks what is next after each step, and every second.
type benchOnce struct {
	*Once
	only []string // WWIDs of the maps that may be changed; nil: all
	at   Instant  // when it asks again
}

const askOnce = 1 * Second

// beginOnce reads "once only=w1,w2 limit=10 retries=2 reload queue-off"; the commands
// come before it, each with "then".
func (b *bench) beginOnce(args []string) error {
	o := &Once{Commands: b.then, Config: b.configured, Limit: Minute}
	for _, a := range args {
		key, val, _ := strings.Cut(a, "=")
		n, err := strconv.Atoi(val)
		switch key {
		case "only":
			o.Only, err = strings.Split(val, ","), nil
		case "reload", "queue-off":
			o.Reload, o.QueueOff, err = o.Reload || key == "reload", o.QueueOff || key == "queue-off", nil
		case "retries":
			o.Retries = n
		case "limit":
			o.Limit = Span(n) * Second
		default:
			return fmt.Errorf("no such word: %s", key)
		}
		if err != nil {
			return err
		}
	}
	b.once, b.then = &benchOnce{Once: o, only: o.Only}, nil
	b.askOnce()
	return nil
}

// stopOnce is a signal.
func (b *bench) stopOnce() {
	if ev := b.once.Stop(b.mc, b.now, "it was interrupted"); ev != nil {
		b.step(ev)
	}
	b.askOnce()
}

// askOnce tells the core what is next, until nothing is.
func (b *bench) askOnce() {
	for n := 0; b.once != nil && !b.dead; n++ {
		if b.dead = n > restlessAtOnce; b.dead {
			b.broken = append(b.broken, Broken{Law: "the core comes to rest", Detail: fmt.Sprintf("it is told what is next %d times at once", n)})
			return
		}
		o := b.once
		o.at = b.now.After(askOnce)
		ev, only, done := o.Next(b.mc, b.now)
		if only != nil {
			o.only = only
			b.say("once: only %v from now on", only)
		}
		if done {
			b.say("once: done; did %v, left %q", o.Did, o.Left)
			for _, r := range o.Replies {
				b.say("  replied %s: %s", r.Code, r.Text)
			}
			b.once = nil
		}
		switch e := ev.(type) {
		case nil:
			return
		case Configured:
			b.say("once: configured, reconfigure=%v", e.Reconfigure)
		case Command:
			b.say("once: %s %s", e.Kind, e.Map)
		case Stopping:
			b.say("once: stopping, final=%v", e.Final)
		}
		b.step(ev)
	}
}

// heldBack says that an action is of a map that is not meant: it is not done, and has
// no answer.
func (b *bench) heldBack(a Action) bool {
	if b.once == nil || b.once.only == nil {
		return false
	}
	_, wwid, _ := b.effect(a)
	return wwid != "" && !slices.Contains(b.once.only, wwid)
}

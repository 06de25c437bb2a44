package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"pathkeeper/daemon"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/show"
	"pathkeeper/statefile"
)

// onceLimit is how long multipath works where no daemon runs: a device that hangs
// holds it up no longer.
const onceLimit = time.Minute

// onceRequest is what a machine without a daemon is to do.
type onceRequest struct {
	once      mpath.Once
	only      *engine.Only
	edit      func(*policy.Config)
	readNames bool
	level     int // verbosity
	talk      func(string)
}

// make makes maps and brings them into line with the configuration.
func (r *multipathRun) make(ctx context.Context) (ok bool, err error) {
	client, err := r.dial()
	switch {
	case err == nil:
		defer client.Close()
		return r.delegateMake(ctx, client)
	case !errors.Is(err, errNobody):
		return false, err
	}
	req := r.request()
	req.once.Reload, req.once.QueueOff = r.reload, !r.queueing
	if r.name != "" {
		s, err := r.look(ctx, false)
		if err != nil {
			return false, err
		}
		if req.only, err = r.onlyOf(s); err != nil {
			return false, err
		}
	}
	if r.level >= 3 {
		s, err := r.look(ctx, true)
		if err != nil {
			return false, err
		}
		r.listPaths(s)
	}
	res, err := r.on.once(ctx, req)
	if err != nil {
		return false, err
	}
	return r.made(res), nil
}

// dial connects to the daemon, unless nobody shall be asked.
func (r *multipathRun) dial() (asker, error) {
	if r.alone {
		return nil, errNobody
	}
	return r.on.dial()
}

func (r *multipathRun) request() onceRequest {
	return onceRequest{
		once: mpath.Once{Limit: mpath.Span(onceLimit), Retries: r.retries}, edit: r.edit, readNames: r.readNames, level: r.level,
		talk: func(text string) { r.say(2, "%s", text) },
	}
}

// made prints the maps that were changed, and says what could not be done.
func (r *multipathRun) made(res daemon.OnceResult) (ok bool) {
	ok = true
	for _, d := range res.Did {
		r.changed(res.Snapshot, d.WWID, d.What)
	}
	known := false
	for _, m := range res.Snapshot.Maps {
		known = known || m.Known
		if m.LastError != "" {
			ok = false
			r.say(0, "%s: %s", m.Name, m.LastError)
		}
	}
	for _, a := range res.Replies {
		if !a.OK {
			ok = false
			r.say(0, "%s", a.Text)
		}
	}
	if res.Left != "" {
		ok = false
		r.say(0, "%s", res.Left)
	}
	if known {
		r.say(2, "no daemon runs: a path that fails or comes back is not noticed until one does, `systemctl start pathkeeper`")
	}
	return ok
}

// changed prints one map and what was done to it.
func (r *multipathRun) changed(s mpath.Snapshot, wwid, action string) {
	one, ok := show.Select(s, wwid)
	if !ok || len(one.Maps) == 0 || !one.Maps[0].Known {
		return
	}
	one.Maps[0].LastAction = action
	io.WriteString(r.std.out, show.Verbose(one, r.level, show.TopologyOptions{Actions: true, Bold: terminalOut(r.std.out)}))
}

// onlyOf limits what is done to the map that the device argument stands for.
func (r *multipathRun) onlyOf(s mpath.Snapshot) (*engine.Only, error) {
	wwid, ok := r.wwidOf(s)
	if !ok {
		return nil, fmt.Errorf("%s is no map, and no device that could be a path of one; `multipath -l -v1` lists the maps, `pathkeeper show paths --all` the devices", r.name)
	}
	only := &engine.Only{Disks: []string{}, Maps: []string{wwid}}
	for _, p := range s.Paths {
		if p.WWID == wwid || p.Seen.Identity.WWID == wwid {
			only.Disks = append(only.Disks, p.Name)
		}
	}
	return only, nil
}

// wwidOf finds the WWID that the device argument stands for: of a map or a device of
// that name, then by the bindings file and the aliases of the configuration, and at
// last as a WWID itself.
func (r *multipathRun) wwidOf(s mpath.Snapshot) (string, bool) {
	name := r.resolved()
	if w, ok := wwidOf(s, name); ok {
		return w, true
	}
	if text, err := r.on.stateFiles().Read(engine.DefaultFiles().Bindings); err == nil {
		bindings, _ := statefile.ParseBindings(text)
		for _, b := range bindings.Lines() {
			if b.Alias == name {
				return wwidOf(s, b.WWID)
			}
		}
	}
	if cfg, _, err := r.on.config(r.at); err == nil {
		for _, m := range cfg.Multipaths {
			for _, set := range m.Layer {
				if set.Keyword == "alias" && set.Value == name {
					return wwidOf(s, m.WWID)
				}
			}
		}
	}
	return "", false
}

// wwidOf finds the WWID of the map or the device of a name.
func wwidOf(s mpath.Snapshot, name string) (string, bool) {
	if one, ok := show.Select(s, name); ok && len(one.Maps) > 0 {
		return one.Maps[0].WWID, true
	} else if ok && len(one.Paths) > 0 {
		return one.Paths[0].WWID, true
	}
	for _, p := range s.Paths {
		id := p.Seen.Identity
		_, says := id.Has(name)
		if id.WWID != "" && (says || p.Name == name || p.ID.Dev.String() == name) {
			return id.WWID, true
		}
	}
	return "", false
}

// flush removes a map, or all that nobody uses.
func (r *multipathRun) flush(ctx context.Context) (ok bool, err error) {
	if cfg, _, err := r.on.config(r.at); err == nil && !r.retried {
		for _, s := range cfg.Defaults {
			if n, err := strconv.Atoi(s.Value); s.Keyword == "remove_retries" && err == nil && n >= 0 {
				r.retries = n
			}
		}
	}
	client, err := r.dial()
	switch {
	case err == nil:
		defer client.Close()
		return r.delegateFlush(client)
	case !errors.Is(err, errNobody):
		return false, err
	}
	s, err := r.look(ctx, false)
	if err != nil {
		return false, err
	}
	req := r.request()
	// No disk is looked at: a map goes whatever its paths do.
	req.only = &engine.Only{Disks: []string{}}
	if r.task == taskFlushAll {
		for _, m := range s.Maps {
			if m.Known {
				req.only.Maps = append(req.only.Maps, m.WWID)
			}
		}
		if len(req.only.Maps) == 0 {
			return true, nil
		}
		req.once.Commands = []mpath.Command{{Kind: mpath.CommandRemoveUnused}}
	} else {
		wwid, found := r.wwidOf(s)
		one, there := show.Select(s, wwid)
		if !found || !there || len(one.Maps) == 0 || !one.Maps[0].Known {
			return false, fmt.Errorf("there is no map %s; `multipath -l -v1` lists them", r.name)
		}
		req.only.Maps = []string{wwid}
		req.once.Commands = []mpath.Command{{Kind: mpath.CommandRemoveMap, Map: wwid}}
	}
	res, err := r.on.once(ctx, req)
	if err != nil {
		return false, err
	}
	return r.flushed(res, req.only.Maps), nil
}

// flushed says what is still there.
func (r *multipathRun) flushed(res daemon.OnceResult, wwids []string) (ok bool) {
	ok = res.Left == ""
	if !ok {
		r.say(0, "%s", res.Left)
	}
	for _, a := range res.Replies {
		kept := false
		for _, m := range res.Snapshot.Maps {
			for _, w := range wwids {
				kept = kept || m.WWID == w && m.Known
			}
		}
		if !a.OK || kept {
			ok = false
			r.say(0, "%s", busy(a.Text))
		}
	}
	return ok
}

// busy puts the words that programs look for before the refusal of a map in use.
func busy(text string) string {
	if strings.Contains(text, "in use") || strings.Contains(text, ": open ") {
		return "map in use: " + text
	}
	return text
}

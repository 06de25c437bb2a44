package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/statefile"
)

// wwids answers -a, -w and -W: they change the file that says which LUNs are multipath
// devices, and no map.
func (r *multipathRun) wwids(ctx context.Context) (ok bool, err error) {
	s, err := r.look(ctx, false)
	if err != nil {
		return false, err
	}
	name, said := engine.DefaultFiles().WWIDs, ""
	var gone []string
	change := func(have []byte) ([]byte, error) {
		before, _ := statefile.ParseWWIDs(have)
		list, text, err := r.changedWWIDs(s, before)
		if err != nil {
			return nil, err
		}
		said = text
		gone = slices.DeleteFunc(before.All(), list.Has)
		return list.Bytes(), nil
	}
	if err := statefile.Edit(r.on.stateFiles(), name, statefile.ModePrivate, change); err != nil {
		return false, err
	}
	_, err = fmt.Fprintln(r.std.out, said)
	r.forget(ctx, gone)
	return err == nil, err
}

// forgetLimit is how long the daemon may take to hear what left the file.
const forgetLimit = 2 * time.Second

// forget tells the daemon what it knew from the file. Another manager's, and one that
// does not answer, reads the file by itself some time.
func (r *multipathRun) forget(ctx context.Context, wwids []string) {
	ctx, end := context.WithTimeout(ctx, forgetLimit)
	defer end()
	for _, w := range wwids {
		if _, err := r.on.command(ctx, r.at, mpath.Command{Kind: mpath.CommandForgetWWID, Arg: w}); err != nil {
			r.say(3, "the daemon was not told that %s is out of the wwids file: %v", w, err)
			return
		}
	}
}

// changedWWIDs is what the file shall hold, and what is said of it.
func (r *multipathRun) changedWWIDs(s mpath.Snapshot, list statefile.WWIDs) (statefile.WWIDs, string, error) {
	if r.task == taskResetWWIDs {
		var wwids []string
		for _, m := range s.Maps {
			if m.Known {
				wwids = append(wwids, m.WWID)
			}
		}
		empty, _ := statefile.ParseWWIDs(nil)
		next, err := empty.AddAll(wwids)
		return next, "successfully reset wwids", err
	}
	wwid, ok := r.wwidOf(s)
	if !ok && r.literal() {
		wwid, ok = r.name, true // its LUN may be gone, or not there yet
	}
	if !ok {
		return list, "", fmt.Errorf("%s is no map, and no device that says which LUN it is; `pathkeeper show paths --all` lists the devices", r.name)
	}
	return changeWWIDs(list, wwid, r.task)
}

// literal says whether a name that no device and no map bears is a WWID itself. Anything
// may be taken out of the file; what goes into it must not be a mistyped device.
func (r *multipathRun) literal() bool {
	return !strings.Contains(r.name, "/") && r.task == taskRemoveWWID || couldBeWWID(r.name)
}

// couldBeWWID says whether a word that names nothing here may be a LUN's WWID, and no
// mistyped device.
func couldBeWWID(name string) bool {
	return !strings.Contains(name, "/") && len(name) > 8 && strings.ContainsAny(name, "0123456789") && !regexp.MustCompile(deviceName).MatchString(name)
}

// deviceName is what the kernel calls devices.
const deviceName = `^(sd[a-z]+[0-9]*|dm-[0-9]+|dasd[a-z]+[0-9]*|nvme[0-9]+(c[0-9]+)?(n[0-9]+)?(p[0-9]+)?|[0-9]+:[0-9]+)$`

// changeWWIDs adds or removes a WWID, and says so in multipath's words.
func changeWWIDs(list statefile.WWIDs, wwid string, task multipathTask) (statefile.WWIDs, string, error) {
	if task == taskAddWWID {
		next, err := list.Add(wwid)
		return next, fmt.Sprintf("wwid '%s' added", wwid), err
	}
	next, was := list.Remove(wwid)
	if !was {
		return list, fmt.Sprintf("wwid '%s' not in wwids file", wwid), nil
	}
	return next, fmt.Sprintf("wwid '%s' removed", wwid), nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"pathkeeper/engine"
	"pathkeeper/statefile"
)

// wwids answers -a, -w and -W: they change the file that says which LUNs are multipath
// devices, and no map.
func (r *multipathRun) wwids(ctx context.Context) (ok bool, err error) {
	s, err := r.look(ctx, false)
	if err != nil {
		return false, err
	}
	files, name := r.on.stateFiles(), engine.DefaultFiles().WWIDs
	have, err := files.Read(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("reading %s: %w", name, err)
	}
	list, _ := statefile.ParseWWIDs(have)
	said := ""
	if r.task == taskResetWWIDs {
		var wwids []string
		for _, m := range s.Maps {
			if m.Known {
				wwids = append(wwids, m.WWID)
			}
		}
		empty, _ := statefile.ParseWWIDs(nil)
		if list, err = empty.AddAll(wwids); err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		said = "successfully reset wwids"
	} else {
		wwid, ok := r.wwidOf(s)
		if !ok && r.task == taskRemoveWWID && list.Has(r.name) {
			wwid, ok = r.name, true // its LUN may be gone
		}
		if !ok {
			return false, fmt.Errorf("%s is no map, and no device that says which LUN it is; `pathkeeper show paths --all` lists the devices", r.name)
		}
		if list, said, err = changeWWIDs(list, wwid, r.task); err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
	}
	if text := list.Bytes(); string(text) != string(have) {
		if err := files.WriteAtomic(name, text, statefile.ModePrivate); err != nil {
			return false, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	_, err = fmt.Fprintln(r.std.out, said)
	return err == nil, err
}

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

package sim

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"pathkeeper/sysfs"
)

// SysfsFault makes sysfs go wrong. It applies to paths whose last components
// match Path: "sda/size", "*/device/vpd_pg83", "block" for the list of all disks.
type SysfsFault struct {
	Path string // path.Match for each component
	Op   string // "read", "list", "read link", "write"; "" for any
	// After is how many matching calls go well first, Times how many then go
	// wrong; 0: until it is taken back.
	After, Times int

	Errno uint32 // ENODEV, ENXIO: the device is gone; ENOENT; EIO; others
	Hang  bool   // no answer before the fault is taken back
	// Garbage takes the place of an attribute's text, if not nil.
	Garbage *string
	// Then, which may be nil, is done at the first call that matches, before it
	// is answered: a device that leaves in mid-walk.
	Then func()

	seen, used int
}

// BreakSysfs adds a fault. It is a handle to take it back with.
func (w *World) BreakSysfs(f SysfsFault) *SysfsFault {
	w.sysfsFaults = append(w.sysfsFaults, &f)
	return &f
}

// MendSysfs takes faults back, all of them if none is named.
func (w *World) MendSysfs(fs ...*SysfsFault) {
	if len(fs) == 0 {
		w.sysfsFaults = nil
	}
	w.sysfsFaults = slices.DeleteFunc(w.sysfsFaults, func(f *SysfsFault) bool { return slices.Contains(fs, f) })
	w.thaw()
}

var errSysfs = errors.New("input/output error")

// sysfsFault is what becomes of a call: other text, an error, or nothing.
func (w *World) sysfsFault(op, p string) (text *string, err error) {
	for _, f := range w.sysfsFaults {
		if !f.matches(op, p) {
			continue
		}
		if f.seen++; f.seen <= f.After || f.Times > 0 && f.used >= f.Times {
			continue
		}
		f.used++
		if f.used == 1 && f.Then != nil {
			f.Then()
		}
		switch {
		case f.Hang:
			w.took = Forever
			f.used--
			return nil, fmt.Errorf("%s %s: %w", op, p, errSysfs)
		case f.Errno == eNODEV || f.Errno == eNXIO:
			return nil, fmt.Errorf("%s %s: %w", op, p, sysfs.ErrGone)
		case f.Errno == eNOENT:
			return nil, fmt.Errorf("%s %s: %w", op, p, sysfs.ErrAbsent)
		case f.Errno != 0:
			return nil, fmt.Errorf("%s %s: errno %d: %w", op, p, f.Errno, errSysfs)
		case f.Garbage != nil:
			return f.Garbage, nil
		}
	}
	return nil, nil
}

const eNOENT = 2

func (f *SysfsFault) matches(op, p string) bool {
	if f.Op != "" && f.Op != op {
		return false
	}
	want, got := strings.Split(f.Path, "/"), strings.Split(p, "/")
	if len(got) < len(want) {
		return false
	}
	got = got[len(got)-len(want):]
	for i := range want {
		if ok, err := path.Match(want[i], got[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

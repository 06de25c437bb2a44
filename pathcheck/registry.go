package pathcheck

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnknown: there is no checker or prioritizer of that name.
var ErrUnknown = errors.New("no such name")

// Checkers lists the names that New takes, sorted.
func Checkers() []string { return []string{"directio", "none", "readsector0", "tur"} }

// Prioritizers lists the names that NewPrio takes, sorted.
func Prioritizers() []string { return []string{"alua", "const"} }

// New makes one check of the checker with that name (path_checker).
func New(name string, p Params) (Checker, error) {
	switch name {
	case "none":
		return none{}, nil
	case "directio", "readsector0":
		// Both ask whether the first blocks can be read past every cache. We do
		// it by SCSI READ, which hangs without costing a thread.
		return newReadSector0(p), nil
	case "tur":
		return newTUR(p), nil
	}
	return nil, fmt.Errorf("path checker %q: %w; known are %s", name, ErrUnknown, strings.Join(Checkers(), ", "))
}

// NewPrio makes one query of the prioritizer with that name (prio). The
// prioritizer's arguments are checked here.
func NewPrio(name string, p PrioParams) (Prioritizer, error) {
	switch name {
	case "alua":
		return newALUA(p)
	case "const":
		return constant{}, nil
	}
	return nil, fmt.Errorf("prioritizer %q: %w; known are %s", name, ErrUnknown, strings.Join(Prioritizers(), ", "))
}

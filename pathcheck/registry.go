package pathcheck

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnknown: there is no checker or prioritizer of that name.
var ErrUnknown = errors.New("no such name")

// Checkers lists the names that New takes, sorted.
func Checkers() []string {
	return []string{"directio", "emc_clariion", "hp_sw", "none", "rdac", "readsector0", "tur"}
}

// Prioritizers lists the names that NewPrio takes, sorted.
func Prioritizers() []string {
	return []string{"alua", "const", "datacore", "emc", "hds", "hp_sw", "rdac", "sysfs", "weightedpath"}
}

// New makes one check of the checker with that name (path_checker).
func New(name string, p Params) (Checker, error) {
	switch name {
	case "none":
		return none{}, nil
	case "directio":
		return newDirectIO(p), nil
	case "emc_clariion":
		return newEMCClariion(p), nil
	case "hp_sw":
		return newHPSW(p), nil
	case "rdac":
		return newRDAC(p), nil
	case "readsector0":
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
	case "datacore":
		return newDatacore(p)
	case "emc":
		return newEMCPrio(p), nil
	case "hds":
		return newHDS(p), nil
	case "hp_sw":
		return newHPSWPrio(p), nil
	case "rdac":
		return newRDACPrio(p), nil
	case "sysfs":
		return newSysfsPrio(p)
	case "weightedpath":
		return newWeighted(p)
	}
	return nil, fmt.Errorf("prioritizer %q: %w; known are %s", name, ErrUnknown, strings.Join(Prioritizers(), ", "))
}

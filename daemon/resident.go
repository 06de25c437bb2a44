package daemon

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// holdProgram brings every page of the program's code and constants into memory,
// where mlockall keeps them: with MCL_ONFAULT a page that was never touched would
// have to come from the root file system, and that may hang on a map that waits for
// this very process. It reads its own memory (proc(5), /proc/pid/mem), a byte of each
// page.
func holdProgram() error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		return err
	}
	defer memory.Close()
	var one [1]byte
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		from, to, ok := programPart(lines.Text(), self)
		for at := from; ok && at < to; at += int64(os.Getpagesize()) {
			if _, err := memory.ReadAt(one[:], at); err != nil {
				return fmt.Errorf("reading the program's page at %x: %w", at, err)
			}
		}
	}
	return lines.Err()
}

// programPart takes a line of /proc/self/maps and gives its addresses where it is of
// the program's file and is not written to.
func programPart(line, self string) (from, to int64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || len(f[1]) < 2 || f[1][0] != 'r' || f[1][1] == 'w' || strings.Join(f[5:], " ") != self {
		return 0, 0, false
	}
	a, b, found := strings.Cut(f[0], "-")
	from, errFrom := strconv.ParseInt(a, 16, 64)
	to, errTo := strconv.ParseInt(b, 16, 64)
	return from, to, found && errFrom == nil && errTo == nil
}

package main

import (
	"strings"
	"testing"
)

// The old command lines are read without a crash, and what is not understood is an
// error with a text.
func FuzzOldCommandLines(f *testing.F) {
	for _, s := range []string{"-ll -v2 mpatha", "-g -u -s /block/sda", "--whitelisted --device=/dev/sda", "-p", "--", "-", "-v", "-lv", "--=", "-s=", "--enable --option a:b --outfile x", "--allow a --find_multipaths y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		if o, err := parseMultipath(args); err == nil && (o.level < 0 || o.level > 9) {
			t.Errorf("level %d", o.level)
		} else if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
		if o, err := parseMpathconf(args); err != nil && err.Error() == "" || err == nil && o.enable && o.disable {
			t.Errorf("mpathconf: %v %v", o, err)
		}
		if _, err := parseScsiID(args); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

package daemon

import (
	"os"
	"strings"
	"testing"
)

// Every page of the program's code is in memory afterwards: the kernel counts as much
// resident as there is.
func TestHoldProgram(t *testing.T) {
	if err := holdProgram(); err != nil {
		t.Fatal(err)
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	parts, size := 0, ""
	inside := false
	for line := range strings.Lines(string(text)) {
		if _, _, ok := programPart(line, self); ok {
			inside = true
			parts++
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case !inside:
		case key == "Size":
			size = value
		case key == "Rss":
			if value != size {
				t.Errorf("part %d: %s resident of %s", parts, value, size)
			}
			inside = false
		}
	}
	if parts < 2 {
		t.Errorf("%d parts of %s: its code and its constants at least", parts, self)
	}
}

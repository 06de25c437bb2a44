package scenario

import (
	"errors"
	"strings"
	"testing"
)

// Somebody types: the body comes from the lines behind, and a mistake has its line.
func TestParseCommand(t *testing.T) {
	rest := []string{"one", "two", "END", "three"}
	more := func() (string, bool) {
		if len(rest) == 0 {
			return "", false
		}
		line := rest[0]
		rest = rest[1:]
		return line, true
	}
	c, err := ParseCommand("line", 7, "  config <<END ", Sim, more)
	if err != nil || c.Body != "one\ntwo\n" || c.Line != 7 || len(rest) != 1 {
		t.Errorf("%+v %v %q", c, err, rest)
	}
	_, err = ParseCommand("line", 9, "config <<STOP", Sim, more)
	var at *Error
	if !errors.As(err, &at) || at.Line != 9 || !strings.Contains(err.Error(), "no line STOP ends the body; usage: config") {
		t.Errorf("%v", err)
	}
	if _, err := ParseCommand("line", 1, "guest freeze", Sim, more); err == nil || !strings.Contains(err.Error(), "guest is only: lab") {
		t.Errorf("%v", err)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"port", "probe", "path", "expect map", "expect maps", "io"}
	for typed, want := range map[string]string{
		"prot": "port", "patth": "path", "pobe": "probe", "expct map": "expect map", "xyzzy": "", "": "", "p": "", "oi": "io", "expect mapz": "expect map",
	} {
		if got := Nearest(typed, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

// Who could play a script goes by its verbs, options and programs.
func TestAllows(t *testing.T) {
	for text, want := range map[string]Side{
		"both\nrun pathkeeper show maps\nrun dmsetup remove x\nwait ok pathkeeper show maps\n": Both,
		"only: lab\nsay x\nrun true\n":           Lab,
		"only: lab\nrun <<END\ntrue\nEND\n":      Lab,
		"only: lab\nwait x cat /x\n":             Lab,
		"only: lab\nscsi_debug max_luns=1\n":     Lab,
		"only: lab\nboot: systemd\nsay x\n":      Both,
		"only: sim\ndaemon kill at=load\n":       Sim,
		"only: sim\nuevents overrun\n":           Sim,
		"only: sim\ndaemon kill\nlun x 1M A1\n":  Both,
		"only: sim\nexpect udev x:A1 ID_X=[0]\n": Both,
	} {
		s, err := Parse("x", text)
		if err != nil || s.Allows() != want {
			t.Errorf("%q: %v %v, want %v", text, s, err, want)
		}
	}
	s, err := Parse("x", "# One thing. And\n# another.\n\nboth\nsay x\n# not this\n")
	if err != nil || s.Title() != "One thing" || s.Prose != "One thing. And another." {
		t.Errorf("%+v %v", s, err)
	}
}

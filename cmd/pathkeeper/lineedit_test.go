package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openPTY gives both ends of a terminal.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine gives no terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// typist types a line whenever he sees an empty prompt.
type typist struct {
	bytes.Buffer
	t     *testing.T
	at    io.Writer
	lines []string
}

func (s *typist) Write(b []byte) (int, error) {
	if string(b) == "\r\x1b[Kmultipathd> " && len(s.lines) > 0 {
		if _, err := io.WriteString(s.at, s.lines[0]); err != nil {
			s.t.Error(err)
		}
		s.lines = s.lines[1:]
	}
	return s.Buffer.Write(b)
}

// Keys are typed at a real terminal; lines come out, and it is left as it was.
func TestTerminalLines(t *testing.T) {
	master, slave := openPTY(t)
	before, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	// Completion; a word is mended in the middle; history; a line is given up; the end.
	// Each line is typed when its prompt is there, as people do.
	screen := &typist{t: t, at: master, lines: []string{
		"sho\tma\x1b[D\x1b[Dx\x1b[3~\x1b[Ha\x7f\x1b[F\x7fmaps\r", "\x1b[A\r", "nonsense\x03show paths\x17maps\r", "\x04",
	}}
	term, err := newTerminal(slave, screen, multipathdWords)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for {
		line, err := term.line("multipathd> ")
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, line)
	}
	want := []string{"show xmaps", "show xmaps", "show maps"}
	if fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("have %q, want %q", have, want)
	}
	if !strings.Contains(screen.String(), "multipathd> show ") {
		t.Errorf("the screen has %q", screen.String())
	}
	after, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: %+v, %+v, %v", before, after, err)
	}
}

func TestLineEditor(t *testing.T) {
	for keys, want := range map[string]string{
		"show\x01x":             "xshow|1",
		"show \x15":             "|0",
		"show maps\x02\x02\x0b": "show ma|7",
		"a b\x17\x17c":          "c|1",
		"rei\t":                 "reinstate |10",
		"re\t":                  "re|2",
		"show top\t":            "show topology |14",
		"xyz\t":                 "xyz|3",
		"é\x7fü":                "ü|1",
	} {
		e := lineEditor{words: multipathdWords}
		for _, k := range keys {
			e.key(k)
		}
		if have := fmt.Sprintf("%s|%d", string(e.text), e.at); have != want {
			t.Errorf("%q: have %s, want %s", keys, have, want)
		}
	}
	e := lineEditor{words: multipathdWords}
	for _, k := range "re\t" {
		e.key(k)
	}
	if len(e.choices) < 5 {
		t.Errorf("re may be completed by %q", e.choices)
	}
}

func FuzzLineEditor(f *testing.F) {
	f.Add("show\tmaps\r\x10\x02\x0b")
	f.Fuzz(func(t *testing.T, keys string) {
		e := lineEditor{words: multipathdWords}
		for _, k := range keys {
			if e.key(k) == typedLine {
				e.take()
			}
			if e.at < 0 || e.at > len(e.text) || len(e.text) > maxTyped || len(e.history) > maxHistory {
				t.Fatalf("the cursor is at %d of %d, %d in the history", e.at, len(e.text), len(e.history))
			}
		}
	})
}

package configs

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// A large file takes moments and a bounded room, whatever stands in it.
func TestLargeFilesAreQuick(t *testing.T) {
	const small, large = 256 << 10, 10 << 20
	tests := []struct {
		line  string
		bytes int
	}{
		{"}\n", small},
		{"x {\n", small},
		{"\n", small},
		{"a b\n", small},
		{"x ", large},
		{"\"", large},
		{"\x00a", large},
		{"blacklist {\nwwid %d\n}\n", small},
		{"devices {\ndevice {\nvendor %d\nproduct x\nproduct_blacklist y\n}\n}\n", small},
		{"devices {\ndevice {\nvendor a\nproduct x\nfeatures \"1 queue_if_no_path\"\n}\n}\n", small},
		{"multipaths {\nmultipath {\nwwid %d\nalias a\n}\n}\n", large},
		{"multipaths {\nmultipath {\nwwid a\nalias %d\n}\n}\n", small},
		{"overrides {\nprotocol {\ntype scsi:fcp\n}\n}\n", small},
		{"defaults {\nselector_%d x\nverbosity 9\nprio_callout x\n", small},
		{"defaults {\nrr_min_io 9999999999999999999999999999%d9\n", small},
		{"a:b ", small},
		{"blacklist {\nwwid \"((((((((((%d\n", small},
		{"blacklist {\nwwid \"" + strings.Repeat("(", 200) + "a" + strings.Repeat("+)+", 200) + "b%d\"\n", small},
		{"blacklist {\nwwid \"" + strings.Repeat("(a|aa|b?)*", 6000) + "%d\"\n", small},
	}
	for _, tt := range tests {
		var b strings.Builder
		for i := 0; b.Len() < tt.bytes; i++ {
			b.WriteString(strings.ReplaceAll(tt.line, "%d", strconv.Itoa(i)))
		}
		data := []byte(b.String())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, messages, _ := Parse([]File{{Path: "m", Data: data}})
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if took > time.Minute { // a second, but for what else the machine does
			t.Errorf("%.30q: took %v", tt.line, took)
		}
		if room := after.TotalAlloc - before.TotalAlloc; room > uint64(300*tt.bytes)+128<<20 { // the probes of hard expressions
			t.Errorf("%.30q: %d bytes were asked for", tt.line, room)
		}
		said := 0
		for _, m := range messages {
			said += len(m.Text) + len(m.Source)
			if len(m.Text) > maxTextBytes || len(m.Word) > maxTextBytes || !utf8.ValidString(m.Text) {
				t.Errorf("%.30q: a message of %d bytes about a word of %d", tt.line, len(m.Text), len(m.Word))
			}
		}
		if len(messages) > 2*maxMessages+3 || said > 3<<20 {
			t.Errorf("%.30q: got %d messages of %d bytes", tt.line, len(messages), said)
		}
	}
}

// What is no text, or not quite, is said; what can be read of it is read as the
// reference reads it.
func TestFilesThatAreNoText(t *testing.T) {
	body := "defaults {\n\tverbosity 1\n}\n"
	utf16 := "\xff\xfe"
	for _, c := range body {
		utf16 += string([]byte{byte(c), 0})
	}
	tests := []struct {
		name, data string
		verbosity  string
		want       []Kind
	}{
		{"plain", body, "1", nil},
		{"byte order mark", "\xef\xbb\xbf" + body, "1", []Kind{NoText}},
		{"carriage returns", strings.ReplaceAll(body, "\n", "\r\n"), "1", nil},
		{"only carriage returns", strings.ReplaceAll(body, "\n", "\r"), "", []Kind{CutLine}},
		{"UTF-16", utf16, "", []Kind{NoText, CutLine}},
		{"a program", "\x7fELF\x02\x01\x01\x00\x00\n\x00\x00\n" + body, "1", []Kind{NoText}},
		{"NULs in two lines", "defaults {\n\tverbosity 1\x00 2\n\tretrigger_tries 2 \x00 3\n}\n", "1", []Kind{CutLine}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, messages, err := Parse([]File{{Path: "m", Data: []byte(tt.data)}})
			if err != nil {
				t.Fatal(err)
			}
			if s, _ := c.Defaults.Lookup("verbosity"); s.Value != tt.verbosity {
				t.Errorf("verbosity: got %q, want %q", s.Value, tt.verbosity)
			}
			for _, kind := range tt.want {
				n := 0
				for _, m := range messages {
					if m.Kind == kind {
						n++
					}
				}
				if n != 1 {
					t.Errorf("got %d messages %s in %v, want one", n, kind, messages)
				}
			}
			if len(tt.want) == 0 && len(messages) > 0 {
				t.Errorf("got %v, want silence", messages)
			}
		})
	}
}

func TestHardExpressionsAreTold(t *testing.T) {
	c, messages, err := Parse([]File{{Path: "m", Data: []byte("blacklist {\n\twwid \"((a*)*)*b\\1c\"\n\twwid \"(a*)*b\"\n}\ndevices {\n\tdevice {\n\t\tvendor \"((a*)*)*b\\1c\"\n\t\tproduct x\n\t}\n}\n")}})
	if err != nil || len(c.Blacklist) != 2 {
		t.Fatalf("got %v, %v", c.Blacklist, err)
	}
	var lines []int
	for _, m := range messages {
		if m.Kind == HardRegex && m.Level == LevelWarning {
			lines = append(lines, m.Origin.Line)
		}
	}
	if !slices.Equal(lines, []int{2, 7}) {
		t.Errorf("got %v, want a word on lines 2 and 7", messages)
	}
}

// Nothing in the directory of drop-ins can stop the reading or make it wait.
func TestDropInsThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	p := Paths{Main: filepath.Join(dir, "multipath.conf"), Dir: filepath.Join(dir, "conf.d")}
	if err := os.Mkdir(p.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(p.Dir, name) }
	if err := syscall.Mkfifo(at("a.conf"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("none"), at("b.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", at("c.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(at("d.conf"), 0o700); err != nil {
		t.Fatal(err)
	}
	huge, err := os.Create(at("e.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := huge.Truncate(maxFileBytes + 1); err != nil {
		t.Fatal(err)
	}
	if err := huge.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("f.conf"), []byte("defaults {\n\tverbosity 1\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, messages, err := Load(p)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := c.Defaults.Lookup("verbosity"); s.Value != "1" || len(c.Files) != 1 {
		t.Errorf("got %v of %v", s, c.Files)
	}
	var left []string
	for _, m := range messages {
		if m.Kind != UnreadableFile || m.Level != LevelWarning {
			t.Errorf("got %v", m)
		}
		left = append(left, filepath.Base(m.Origin.File))
	}
	if want := []string{"a.conf", "b.conf", "c.conf", "d.conf", "e.conf"}; !slices.Equal(left, want) {
		t.Errorf("left out %v, want %v", left, want)
	}
	if err := syscall.Mkfifo(p.Main, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(p); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a FIFO as the main file: got %v", err)
	}
}

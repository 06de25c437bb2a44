package cpio

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestArchive(t *testing.T) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	w.File("/a/b/c", 0o755, []byte("hello"))
	w.Dir("a/b") // there already
	w.Symlink("../x", "a/l")
	w.CharDev("dev/console", 0o600, 5, 1)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := buf.String()
	if len(text)%4 != 0 || strings.Count(text, "070701") != 7 { // a, a/b, c, l, dev, console, trailer
		t.Errorf("%d bytes, %d members", len(text), strings.Count(text, "070701"))
	}
	at := 0
	var names []string
	for at < len(text) {
		head := text[at : at+110]
		var size, name int
		for _, c := range head[54:62] {
			size = size*16 + strings.IndexRune("0123456789abcdef", c)
		}
		for _, c := range head[94:102] {
			name = name*16 + strings.IndexRune("0123456789abcdef", c)
		}
		names = append(names, text[at+110:at+110+name-1])
		at = (at + 110 + name + 3) &^ 3
		at = (at + size + 3) &^ 3
	}
	if got := strings.Join(names, " "); got != "a a/b a/b/c a/l dev dev/console TRAILER!!!" {
		t.Error(got)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestErrorSticks(t *testing.T) {
	w := NewWriter(full{})
	w.File("x", 0o644, nil)
	if w.Close() == nil {
		t.Error("no error")
	}
}

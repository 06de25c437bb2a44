package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// saying is a daemon that has one answer.
type saying string

func (s saying) ask(string) (string, error) { return string(s), nil }

func (saying) Close() {}

// Whatever a daemon lists, each of its lines is at most one map.
func FuzzListMaps(f *testing.F) {
	for _, s := range []string{"0|a|W1\n2|b|W|2\n", "ok\n", "fail\ntimeout\n", "||\n", "x|\n", "9999999999999999999|a|b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		maps, err := listMaps(saying(reply))
		if len(maps) > strings.Count(reply, "\n")+1 || err != nil && maps != nil {
			t.Errorf("%q: %d maps, %v", reply, len(maps), err)
		}
	})
}

// Whatever comes from a terminal, reading it ends with the input.
func FuzzTerminalKeys(f *testing.F) {
	for _, s := range []string{"a\x1b[A\x1b[3~\x1bOH", "\x1b", "\x1b[", "\x1b[999999999999999999999999", "\xff\xfe"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		term := &terminal{keys: bufio.NewReader(bytes.NewReader(b)), edit: lineEditor{words: multipathdWords}}
		for n := 0; ; n++ {
			k, err := term.key()
			if err != nil {
				return
			}
			if n > len(b) {
				t.Fatalf("%d keys of %d bytes", n, len(b))
			}
			if term.edit.key(k) == typedLine {
				term.edit.take()
			}
		}
	})
}

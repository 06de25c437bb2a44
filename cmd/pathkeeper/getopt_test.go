package main

import (
	"fmt"
	"strings"
	"testing"
)

// What glibc's getopt(3) makes of the same words, with the letters of multipath.
func TestGetopt(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"-ll", "l=l | "},
		{"-l -l mpatha", "l= l= | mpatha"},
		{"mpatha -v3 -d", "v=3 d= | mpatha"},
		{"-v 3 -dr", "v=3 d= r= | "},
		{"-drv 1 x", "d= r= v=1 | x"},
		{"-lv3", "l=v3 | "},
		{"-f -- -x", "f= | -x"},
		{"- -d", "d= | -"},
		{"-v", "| : option -v wants a value"},
		{"-d -Z -t", "d= | : there is no option -Z"},
		{"--version", "| : there is no option --version"},
		{"-d --follow x", "d= | : there is no option --follow"},
		{"-:", "| : there is no option -:"},
	} {
		given, words, err := getopt(multipathLetters, strings.Fields(c.line))
		var b strings.Builder
		for _, o := range given {
			fmt.Fprintf(&b, "%c=%s ", o.letter, o.value)
		}
		have := b.String() + "| " + strings.Join(words, " ")
		if err != nil {
			have = b.String() + "| : " + err.Error()
		}
		if have != c.want {
			t.Errorf("%s: have %q, want %q", c.line, have, c.want)
		}
	}
}

func FuzzGetopt(f *testing.F) {
	f.Add("-ll mpatha -v3 -- -x")
	f.Add("-p\n-d")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		given, words, err := getopt(multipathLetters, args)
		n := len(words)
		for _, o := range given {
			n += 1 + len(o.value)
		}
		if err == nil && n > len(line)+1 {
			t.Errorf("%q: more comes out than went in", line)
		}
	})
}

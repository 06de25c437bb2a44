package main

import (
	"bytes"
	"encoding/binary"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pathkeeper/server"
)

// fakeMultipathd answers requests as a daemon would, with what answer says; "\x00"
// is to say nothing, "\x01" to close.
func fakeMultipathd(t *testing.T, answer func(string) string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for {
					request, err := server.ReadReply(c)
					if err != nil {
						return
					}
					switch text := answer(request); text {
					case "\x00":
					case "\x01":
						return
					default:
						c.Write(server.AppendFrame(nil, text))
					}
				}
			}()
		}
	}()
	return name
}

func client(t *testing.T, name string, wait time.Duration) *mpathdClient {
	t.Helper()
	c, err := dialMultipathd([]string{filepath.Join(t.TempDir(), "none"), name}, wait)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAskOnce(t *testing.T) {
	answers := map[string]string{
		"show maps": "name   sysfs uuid\nmpatha dm-0  3600\n", "bare": "fail\n", "bare2": "fail", "busy": "fail\nmap or partition in use\n", "done": "ok\n", "none": "",
	}
	name := fakeMultipathd(t, func(s string) string { return answers[s] })
	for _, c := range []struct {
		command, want string
		code          int
	}{
		{"show maps", "name   sysfs uuid\nmpatha dm-0  3600\n", 0}, {"bare", "fail\n", 1}, {"bare2", "fail\n", 1}, {"busy", "map or partition in use\n", 1}, {"done", "ok\n", 0}, {"none", "", 0},
	} {
		var out, talk bytes.Buffer
		code := answered(client(t, name, time.Minute), c.command, streams{&out, &talk})
		if code != c.code || out.String() != c.want || talk.Len() > 0 {
			t.Errorf("%s: exit %d, %q, %q; want %d, %q", c.command, code, out.String(), talk.String(), c.code, c.want)
		}
	}
}

// A daemon that does not answer, or that breaks off, or that speaks something else.
func TestAskBadDaemon(t *testing.T) {
	name := fakeMultipathd(t, func(s string) string {
		if s == "close" {
			return "\x01"
		}
		return "\x00"
	})
	for command, want := range map[string]string{
		"silent": "nothing came within", "close": "closed the connection", strings.Repeat("x", 512): "at most 511", "a\x00b": "NUL",
	} {
		var out, talk bytes.Buffer
		if code := answered(client(t, name, 50*time.Millisecond), command, streams{&out, &talk}); code != exitError || out.Len() > 0 || !strings.Contains(talk.String(), want) {
			t.Errorf("%.20q: exit %d, %q, %q; want 1 and %q", command, code, out.String(), talk.String(), want)
		}
	}
	if _, err := dialMultipathd([]string{"@pathkeeper-test-nobody", filepath.Join(t.TempDir(), "none")}, time.Second); err == nil || !strings.Contains(err.Error(), "systemctl start pathkeeper") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestMultipathdSockets(t *testing.T) {
	env := func(v string) func(string) string { return func(string) string { return v } }
	if s := multipathdSockets(env("")); len(s) != 2 || s[0] != "/run/multipathd.socket" || s[1] != "@/org/kernel/linux/storage/multipathd" {
		t.Errorf("have %q", s)
	}
	if s := multipathdSockets(env("@x")); len(s) != 1 || s[0] != "@x" {
		t.Errorf("have %q", s)
	}
}

func TestCommandLine(t *testing.T) {
	for want, words := range map[string][]string{
		`show maps`:                          {"show maps"},
		`show maps format "%n %w"`:           {"show", "maps", "format", "%n %w"},
		`show path "2"""`:                    {"show", "path", `2"`},
		`del map ""`:                         {"del", "map", ""},
		"show " + strings.Repeat("long", 50): {"show", strings.Repeat("long", 50)},
	} {
		if have := commandLine(words); have != want {
			t.Errorf("%q: have %s, want %s", words, have, want)
		}
	}
}

// On a pipe there are answers and nothing else; an error does not end it, quit does.
func TestConversePipe(t *testing.T) {
	name := fakeMultipathd(t, func(s string) string { return "<" + s + ">\n" })
	for in, want := range map[string]string{
		"show maps\n\n  show paths \n": "<show maps>\n<show paths>\n",
		"a\nquit\nb\n":                 "<a>\n",
		"a\nexit":                      "<a>\n",
		"last":                         "<last>\n",
		"":                             "",
	} {
		var out, talk bytes.Buffer
		if code := converse(client(t, name, time.Minute), strings.NewReader(in), streams{&out, &talk}); code != 0 || out.String() != want || talk.Len() > 0 {
			t.Errorf("%q: exit %d, %q, %q; want %q", in, code, out.String(), talk.String(), want)
		}
	}
}

// A daemon that is started anew in the middle is connected to again.
func TestConverseReconnects(t *testing.T) {
	n := 0
	name := fakeMultipathd(t, func(s string) string {
		if n++; n == 1 {
			return "\x01"
		}
		return "<" + s + ">\n"
	})
	var out, talk bytes.Buffer
	code := converse(client(t, name, time.Minute), strings.NewReader("a\nb\n"), streams{&out, &talk})
	if code != 0 || out.String() != "<b>\n" || !strings.Contains(talk.String(), "closed the connection") {
		t.Errorf("exit %d, %q, %q", code, out.String(), talk.String())
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add(server.AppendFrame(nil, "ok\n"))
	f.Add(binary.NativeEndian.AppendUint64(nil, 1<<40))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := server.ReadReply(bytes.NewReader(b))
		if err == nil && len(text) >= len(b) {
			t.Errorf("%d bytes gave a text of %d", len(b), len(text))
		}
		if err != nil && text != "" {
			t.Error("a text with an error")
		}
	})
}

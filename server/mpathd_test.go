package server_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"pathkeeper/server"
)

func holdMpathd(t *testing.T, src server.Source, uid uint32) string {
	t.Helper()
	name := fmt.Sprintf("@pathkeeper-test-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-"))
	m, err := server.HoldMpathd(name, as(uid))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Serve(src) }()
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return name
}

func ask(t *testing.T, c net.Conn, cmd string) string {
	t.Helper()
	b := binary.NativeEndian.AppendUint64(nil, uint64(len(cmd)+1))
	if _, err := c.Write(append(append(b, cmd...), 0)); err != nil {
		t.Fatal(err)
	}
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, binary.NativeEndian.Uint64(head[:]))
	if _, err := io.ReadFull(c, reply); err != nil {
		t.Fatal(err)
	}
	if reply[len(reply)-1] != 0 {
		t.Errorf("reply to %q has no closing NUL", cmd)
	}
	return string(reply[:len(reply)-1])
}

func TestMpathd(t *testing.T) {
	src := &fakeSource{name: "ocr1"}
	c := dial(t, holdMpathd(t, src, 0))
	for cmd, want := range map[string]string{
		"show daemon":     "pid 42 running\n",
		"list daemon":     "pid 42 running\n",
		"show maps":       "name sysfs uuid\nocr1 dm-7  3600\n",
		"show topology":   "ocr1 (3600) dm-7 ##,##\nsize=1.0M features='0' hwhandler='0' wp=rw\n",
		"show paths":      "ok\n",
		"reconfigure":     "fail\n",
		"":                "fail\n",
		"show":            "fail\n",
		"daemon":          "fail\n",
		"show maps json":  "fail\n",
		"x\x1b[2J":        `\x1b`,
		"show \xff\x00\n": "fail\n",
	} {
		got := ask(t, c, cmd)
		if strings.HasPrefix(want, "fail") || strings.HasPrefix(want, `\`) {
			if !strings.HasPrefix(got, "fail\n") || !strings.Contains(got, want) || strings.Count(got, "\n") != 2 {
				t.Errorf("%q: %q", cmd, got)
			}
		} else if got != want {
			t.Errorf("%q: %q, want %q", cmd, got, want)
		}
	}
}

func TestMpathdNotRoot(t *testing.T) {
	user := dial(t, holdMpathd(t, &fakeSource{}, 1000))
	if got := ask(t, user, "reconfigure"); got != "fail\npermission deny: need to be root\n" {
		t.Errorf("%q", got)
	}
	if got := ask(t, user, "show daemon"); got != "pid 42 running\n" {
		t.Errorf("%q", got)
	}
}

func TestMpathdHeld(t *testing.T) {
	name := holdMpathd(t, &fakeSource{}, 0)
	_, err := server.HoldMpathd(name, nil)
	if !errors.Is(err, server.ErrHeld) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("second holder: %v", err)
	}
	if got := server.Holder(name + "-nobody"); got != "" {
		t.Errorf("holder of nothing: %q", got)
	}
}

func TestMpathdBadFrames(t *testing.T) {
	name := holdMpathd(t, &fakeSource{}, 0)
	for what, send := range map[string][]byte{
		"zero":      binary.NativeEndian.AppendUint64(nil, 0),
		"too long":  append(binary.NativeEndian.AppendUint64(nil, 513), make([]byte, 513)...),
		"enormous":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"http":      []byte("GET / HTTP/1.1\r\n\r\n"),
		"half head": {5, 0, 0},
		"half text": append(binary.NativeEndian.AppendUint64(nil, 12), 's'),
	} {
		c := dial(t, name)
		c.Write(send)
		begun := time.Now()
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d, %v", what, n, err)
		}
		if d := time.Since(begun); d > 6*time.Second {
			t.Errorf("%s: %s", what, d)
		}
	}
	longest := "show " + strings.Repeat("x", 512-6)
	if got := ask(t, dial(t, name), longest); !strings.HasPrefix(got, "fail\n") {
		t.Errorf("%q", got)
	}
}

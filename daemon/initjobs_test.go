package daemon

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// busWriter writes D-Bus's marshalling, for an init that is only played.
type busWriter struct{ data []byte }

func (w *busWriter) align(n int) { w.data = append(w.data, make([]byte, -len(w.data)&(n-1))...) }
func (w *busWriter) uint32(v uint32) {
	w.align(4)
	w.data = binary.LittleEndian.AppendUint32(w.data, v)
}

func (w *busWriter) string(s string) {
	w.uint32(uint32(len(s)))
	w.data = append(append(w.data, s...), 0)
}

// busAnswer is a reply, or a signal if replies is 0.
func busAnswer(kind byte, replies uint32, body []byte) []byte {
	var f busWriter
	if replies != 0 {
		f.data = append(f.data, fieldReplySerial, 1, 'u', 0)
		f.uint32(replies)
	}
	f.align(8)
	f.data = append(f.data, 8, 1, 'g', 0, 9) // SIGNATURE
	f.data = append(append(f.data, "a(usssoo)"...), 0)
	f.align(8)
	f.data = append(f.data, fieldMember, 1, 's', 0)
	f.string("JobNew")
	w := busWriter{data: []byte{'l', kind, 1, 1}}
	w.uint32(uint32(len(body)))
	w.uint32(77)
	w.uint32(uint32(len(f.data)))
	w.data = append(w.data, f.data...)
	w.align(8)
	return append(w.data, body...)
}

func jobsBody(jobs []initJob) []byte {
	var list busWriter
	list.data = make([]byte, 8) // where the length and its padding come
	for i, j := range jobs {
		list.align(8)
		list.uint32(uint32(i + 1))
		for _, s := range []string{j.Unit, j.Kind, "waiting", "/org/freedesktop/systemd1/job/7", "/org/freedesktop/systemd1/unit/x"} {
			list.string(s)
		}
	}
	binary.LittleEndian.PutUint32(list.data, uint32(len(list.data)-8))
	return list.data
}

// playInit answers as systemd does at its private socket, with these messages.
func playInit(t *testing.T, answer ...[]byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "private")
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
			in := bufio.NewReader(c)
			if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "\x00AUTH EXTERNAL 3") {
				_, _ = io.WriteString(c, "REJECTED EXTERNAL\r\n")
				c.Close()
				continue
			}
			// As systemd: what comes with BEGIN is not looked at.
			if line, _ := in.ReadString('\n'); line != "BEGIN\r\n" || in.Buffered() != 0 {
				c.Close()
				continue
			}
			_, _ = io.WriteString(c, "OK 0123456789abcdef0123456789abcdef\r\n")
			if m, err := readMessage(in); err != nil || m.kind != busCall || len(m.body) != 0 || in.Buffered() != 0 {
				c.Close()
				continue
			}
			for _, m := range answer {
				_, _ = c.Write(m)
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return name
}

// The queue is found among what systemd tells besides.
func TestInitJobs(t *testing.T) {
	want := []initJob{{"reboot.target", "start"}, {"pathkeeper.service", "stop"}, {"x", "restart"}}
	name := playInit(t, busAnswer(4, 0, jobsBody(nil)), busAnswer(busReturn, 5, nil), busAnswer(busReturn, callSerial, jobsBody(want)))
	have, err := initJobs(name, 10*time.Second)
	if diff := cmp.Diff(want, have); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if have, err := initJobs(playInit(t, busAnswer(busReturn, callSerial, jobsBody(nil))), 10*time.Second); err != nil || have != nil {
		t.Errorf("an empty queue: %v, %v", have, err)
	}
}

// An init that is silent, refuses, or says something else is an error in time.
func TestInitJobsTrouble(t *testing.T) {
	short := busAnswer(busReturn, callSerial, jobsBody([]initJob{{"a", "b"}}))
	for what, answer := range map[string][]byte{
		"silent": nil, "an error": busAnswer(busError, callSerial, nil), "not D-Bus": []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"too large": {'l', 2, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0},
		"cut":       busAnswer(busReturn, callSerial, jobsBody([]initJob{{"a", "b"}})[:20]),
		"lies":      busAnswer(busReturn, callSerial, append([]byte{0xf0, 0xff, 0, 0}, jobsBody([]initJob{{"a", "b"}})[4:]...)),
	} {
		if have, err := initJobs(playInit(t, answer), 300*time.Millisecond); err == nil {
			t.Errorf("%s: no error, %v", what, have)
		}
	}
	if _, err := initJobs(filepath.Join(t.TempDir(), "none"), time.Second); err == nil {
		t.Error("no socket, and no error")
	}
	for n := range len(short) { // must not panic
		if m, err := readMessage(strings.NewReader(string(short[:n]))); err == nil {
			t.Errorf("%d of %d bytes are a message: %v", n, len(short), m)
		}
	}
}

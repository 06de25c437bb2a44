package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/show"
)

// recorded is a connection whose other end has sent all that it will.
type recorded struct{ *bytes.Reader }

func (recorded) SetReadDeadline(time.Time) error { return nil }

// quietSource has nothing to show.
type quietSource struct{ Source }

func (quietSource) Basis(context.Context) (mpath.Snapshot, mpath.Basis, error) {
	return mpath.Snapshot{}, mpath.Basis{}, nil
}
func (quietSource) Rules() *policy.Compiled          { return nil }
func (quietSource) BlockDevices() []show.BlockDevice { return nil }
func (quietSource) Reconfigure(bool)                 {}
func (quietSource) Quit()                            {}
func (quietSource) Command(_ context.Context, c mpath.Command) (mpath.Reply, error) {
	return mpath.Reply{Code: mpath.ReplyRefused, Text: c.Map + c.Path + c.Arg}, nil
}
func (quietSource) Snapshot() mpath.Snapshot { return mpath.Snapshot{} }
func (quietSource) Status() Status           { return Status{PID: 7, State: "running"} }

// Whatever a client of multipathd's socket sends: the request is a bounded text
// without NUL or an error, and every request gets an answer that does nothing to a
// terminal.
func FuzzMpathdRequest(f *testing.F) {
	for _, cmd := range []string{"show daemon", "list maps", "reconfigure", "", "show \x1b[2J", "show maps raw format \"%n %w\""} {
		f.Add(append(binary.NativeEndian.AppendUint64(nil, uint64(len(cmd)+1)), cmd+"\x00"...), true)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false)
	f.Fuzz(func(t *testing.T, sent []byte, root bool) {
		cmd, err := readFrame(recorded{bytes.NewReader(sent)}, time.Second)
		if err != nil {
			return
		}
		if len(cmd) > mpathdRequestBytes || strings.ContainsRune(cmd, 0) {
			t.Fatalf("request %q", cmd)
		}
		uid := uint32(1000)
		if root {
			uid = 0
		}
		m := newMpathd(nil)
		m.src = quietSource{}
		reply, _, leave := m.reply(cmd, &mpathdClient{cred: Cred{UID: uid}}, time.Second)
		leave()
		if reply == "" || !strings.HasSuffix(reply, "\n") {
			t.Fatalf("%q: %q", cmd, reply)
		}
		for line := range strings.Lines(reply) {
			// The tabs of `show config` are the only ones.
			if line = strings.TrimLeft(strings.TrimSuffix(line, "\n"), "\t"); show.Safe(line) != line {
				t.Fatalf("%q: line %q", cmd, line)
			}
		}
	})
}

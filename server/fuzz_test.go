package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"pathkeeper/dmmap/table"
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

// bareSource has a map and a path of which nothing is known but that they are there,
// a map with a group that the path is in, and names that no terminal should get.
type bareSource struct{ quietSource }

func (bareSource) Snapshot() mpath.Snapshot {
	const odd = "a\"b\n\x1b[2J\xff"
	dev := table.DevNum{Major: 8}
	live := mpath.Truth{
		Name: odd, Live: true, Target: "multipath", Dev: table.DevNum{Major: 253, Minor: 1},
		Table:  table.Table{Groups: []table.Group{{Selector: odd, Paths: []table.Path{{Dev: dev}, {Dev: table.DevNum{Major: 65}}}}}},
		Status: table.Status{Next: 7},
	}
	return mpath.Snapshot{
		Started: true,
		Maps:    []mpath.MapView{{Known: true}, {Known: true, Name: odd, WWID: odd, Truth: live}, {Name: "x"}},
		Paths:   []mpath.PathView{{}, {Name: odd, WWID: odd, Map: odd, InTable: true, ID: mpath.PathID{Dev: dev}, Message: odd, DevState: odd}},
	}
}

// Whatever a client of multipathd's socket sends: the request is a bounded text
// without NUL or an error, and every request gets an answer that does nothing to a
// terminal.
func FuzzMpathdRequest(f *testing.F) {
	for _, cmd := range []string{
		"show daemon", "list maps", "reconfigure", "", "show \x1b[2J", "show maps raw format \"%n %w\"",
		`show paths format "%w%i%d%D%t%o%T%s%c%p%S%z%M%m%N%n%R%r%a%A%G%g%0%P%I%L%F%C%v%k%l"`, `show maps format "%n%w%d%F%t%N%f%Q%r%p%S%v%c%e%k%0%1%2%3%4%x%z%P%A%W%G%g%s"`,
		"show topology", "show maps json", "show map x topology", "show config local", "show devices", "show blacklist", "show map dm-1 json",
	} {
		f.Add(append(binary.NativeEndian.AppendUint64(nil, uint64(len(cmd)+1)), cmd+"\x00"...), true)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false)
	f.Fuzz(func(t *testing.T, sent []byte, root bool) {
		cmd, err := readFrame(recorded{bytes.NewReader(sent)}, time.Second)
		if err != nil {
			return
		}
		if len(cmd) > RequestBytes || strings.ContainsRune(cmd, 0) {
			t.Fatalf("request %q", cmd)
		}
		uid := uint32(1000)
		if root {
			uid = 0
		}
		m := newMpathd(nil)
		m.src = bareSource{}
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

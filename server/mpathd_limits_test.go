package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
)

// crowdSource has 500 maps to show: more than a socket takes.
type crowdSource struct{ quietSource }

func (crowdSource) Snapshot() mpath.Snapshot {
	s := mpath.Snapshot{Started: true}
	for i := range 500 {
		s.Maps = append(s.Maps, mpath.MapView{
			Name: fmt.Sprintf("map%d", i), WWID: fmt.Sprintf("36%030d", i), Known: true, Owner: mpath.NoOwner(),
			Truth: mpath.Truth{Name: fmt.Sprintf("map%d", i), Live: true, Target: "multipath", Dev: table.DevNum{Major: 253, Minor: uint32(i)}},
		})
	}
	return s
}

// hangingSource does nothing that it is asked for.
type hangingSource struct {
	quietSource
	release chan struct{}
}

func (h hangingSource) Command(ctx context.Context, _ mpath.Command) (mpath.Reply, error) {
	select {
	case <-h.release:
		return mpath.Reply{}, nil
	case <-ctx.Done():
		return mpath.Reply{}, ctx.Err()
	}
}

// crowded serves with little room and little patience.
func crowded(t *testing.T, src Source, most int, wait time.Duration, uid func() uint32) (*Mpathd, string) {
	t.Helper()
	name := fmt.Sprintf("@pathkeeper-crowd-%d-%s", os.Getpid(), t.Name())
	m, err := HoldMpathd([]string{name}, func(*net.UnixConn) (Cred, error) { return Cred{UID: uid()}, nil })
	if err != nil {
		t.Fatal(err)
	}
	m.most, m.wait = most, wait
	done := make(chan error, 1)
	go func() { done <- m.Serve(src) }()
	t.Cleanup(func() {
		if err := errors.Join(m.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return m, name
}

func call(name string) (net.Conn, error) {
	c, err := net.Dial("unix", name)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return c, err
}

func request1(c net.Conn, cmd string) (string, error) {
	if _, err := c.Write(append(append(binary.NativeEndian.AppendUint64(nil, uint64(len(cmd)+1)), cmd...), 0)); err != nil {
		return "", err
	}
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return "", err
	}
	text := make([]byte, binary.NativeEndian.Uint64(head[:]))
	_, err := io.ReadFull(c, text)
	return string(bytes.TrimSuffix(text, []byte{0})), err
}

// A thousand idle clients stay connected and cost no answer anything; idle is idle,
// however long. Beyond the room for them the one that has been idle for longest goes,
// and root has room of its own.
func TestMpathdIdleClients(t *testing.T) {
	var mu sync.Mutex
	uid := uint32(1000)
	m, name := crowded(t, quietSource{}, 1000, 5*time.Second, func() uint32 { mu.Lock(); defer mu.Unlock(); return uid })
	var idle []net.Conn
	for range 1000 {
		c, err := call(name)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	// The last one is known: accepted in order, all the others are too.
	if got, err := request1(idle[999], "show daemon"); got != "pid 7 idle\n" || err != nil {
		t.Fatalf("beside a thousand: %q, %v", got, err)
	}
	if got, err := request1(idle[0], "show daemon"); got != "pid 7 idle\n" || err != nil {
		t.Fatalf("the first of a thousand: %q, %v", got, err)
	}
	more, err := call(name)
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	if got, err := request1(more, "show daemon"); got != "pid 7 idle\n" || err != nil {
		t.Fatalf("one more: %q, %v", got, err)
	}
	if _, err := idle[1].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the one that was idle for longest: %v, want the end", err)
	}
	if got, err := request1(idle[0], "show daemon"); got != "pid 7 idle\n" || err != nil {
		t.Errorf("one that has asked since: %q, %v", got, err)
	}
	mu.Lock()
	uid = 0
	mu.Unlock()
	root, err := call(name)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if got, err := request1(root, "show daemon"); got != "pid 7 idle\n" || err != nil {
		t.Errorf("root: %q, %v", got, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.conns[0]) != 1000 || len(m.conns[1]) != 1 {
		t.Errorf("%d and %d clients", len(m.conns[0]), len(m.conns[1]))
	}
}

// Clients that ask for large answers and read none cost bounded memory and time, and
// others are answered meanwhile.
func TestMpathdClientsThatDoNotRead(t *testing.T) {
	m, name := crowded(t, crowdSource{}, 1000, 4*time.Second, func() uint32 { return 1000 })
	cmd := "show maps json"
	frame := append(append(binary.NativeEndian.AppendUint64(nil, uint64(len(cmd)+1)), cmd...), 0)
	for range 12 {
		c, err := call(name)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(bytes.Repeat(frame, 3)); err != nil {
			t.Fatal(err)
		}
	}
	ask, err := call(name)
	if err != nil {
		t.Fatal(err)
	}
	defer ask.Close()
	if got, err := request1(ask, "show maps raw format %n"); err != nil || !strings.HasSuffix(got, "map499\n") {
		t.Errorf("beside deaf ones: %.60q, %v", got, err)
	}
	ask.Close()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	left := -1
	for end := time.Now().Add(30 * time.Second); left != 0 && time.Now().Before(end); <-look.C {
		m.mu.Lock()
		left = len(m.conns[0])
		m.mu.Unlock()
	}
	if left > 0 {
		t.Errorf("%d clients that do not read are kept", left)
	}
}

// A reader waits for nobody: not for commands that hang, not for a slow request.
func TestMpathdReadersDoNotWait(t *testing.T) {
	src := hangingSource{release: make(chan struct{})}
	defer close(src.release)
	_, name := crowded(t, src, 300, 5*time.Second, func() uint32 { return 0 })
	for i := range 200 {
		c, err := call(name)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		cmd := "resize map x"
		if i%2 == 0 {
			_, err = c.Write(append(append(binary.NativeEndian.AppendUint64(nil, uint64(len(cmd)+1)), cmd...), 0))
		} else {
			_, err = c.Write([]byte{12, 0, 0}) // half a head
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := call(name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begun := time.Now()
	if got, err := request1(c, "show daemon"); got != "pid 7 idle\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if d := time.Since(begun); d > 2*time.Second {
		t.Errorf("answered after %s", d)
	}
}

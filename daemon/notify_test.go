package daemon

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// initWith is an init's socket, and a daemon that talks to it.
func initWith(t *testing.T) (init *net.UnixConn, n *notifier) {
	t.Helper()
	name := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	init, err := net.ListenUnixgram("unixgram", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = init.Close() })
	conn, err := net.DialUnix("unixgram", nil, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return init, &notifier{conn: conn}
}

// An init that reads nothing does not hold up who tells it something, and hears it when
// it reads again, in order.
func TestNotifyDeafInit(t *testing.T) {
	init, n := initWith(t)
	filler := 0
	for n.send("WATCHDOG=1") { // net.unix.max_dgram_qlen of them
		if filler++; filler > 100_000 {
			t.Fatal("its queue has no end")
		}
	}
	n.say("READY=1")
	for range 1000 {
		n.alive()
	}
	n.say("STOPPING=1")
	if want := []string{"READY=1", "STOPPING=1"}; !slices.Equal(n.owed, want) {
		t.Fatalf("owed %q, want %q", n.owed, want)
	}
	var heard []string
	buf := make([]byte, 100)
	_ = init.SetReadDeadline(time.Now().Add(10 * time.Second))
	for len(heard) < 2 {
		k, err := init.Read(buf)
		if err != nil {
			t.Fatalf("heard %q: %v", heard, err)
		}
		if s := string(buf[:k]); s != "WATCHDOG=1" {
			heard = append(heard, s)
		}
		n.alive()
	}
	if want := []string{"READY=1", "STOPPING=1"}; !slices.Equal(heard, want) || len(n.owed) > 0 {
		t.Errorf("heard %q, owed %q", heard, n.owed)
	}
}

// What an init that hangs for good is told is bounded; one that is gone is told nothing.
func TestNotifyIsBounded(t *testing.T) {
	init, n := initWith(t)
	for n.send("WATCHDOG=1") {
	}
	n.watchdog = time.Nanosecond
	for range 1000 {
		n.alive()
	}
	for i := range 1000 {
		n.say(fmt.Sprintf("STATUS=%d", i))
	}
	if len(n.owed) != owedMost || n.owed[0] != "WATCHDOG=1" || n.owed[1] != "STATUS=0" {
		t.Errorf("%d lines are kept, %q first", len(n.owed), n.owed[0])
	}
	_ = init.Close()
	n.alive()
	if len(n.owed) != 0 {
		t.Errorf("%d lines are kept for an init that is gone", len(n.owed))
	}
	(&notifier{}).say("READY=1") // no init at all
}

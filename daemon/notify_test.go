package daemon

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// An init that reads nothing does not hold up who tells it something.
func TestNotifyDeafInit(t *testing.T) {
	name := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	init, err := net.ListenUnixgram("unixgram", name)
	if err != nil {
		t.Fatal(err)
	}
	defer init.Close()
	conn, err := net.DialUnix("unixgram", nil, name)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	n := &notifier{conn: conn}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 { // more than any queue of datagrams: net.unix.max_dgram_qlen
			_ = n.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := n.conn.Write([]byte("WATCHDOG=1")); err != nil {
				break
			}
		}
		_ = n.conn.SetWriteDeadline(time.Time{})
		n.say("WATCHDOG=1")
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for an init that hangs")
	}
}

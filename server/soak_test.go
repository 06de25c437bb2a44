package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"pathkeeper/mpath"
)

// smallSource has what it is given to show.
type smallSource struct {
	quietSource
	shown mpath.Snapshot
}

func (s smallSource) Snapshot() mpath.Snapshot { return s.shown }

// spent is what the process holds.
type spent struct {
	heap       uint64
	files      int
	goroutines int
}

func measure(t *testing.T) spent {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return spent{m.HeapAlloc, len(files), runtime.NumGoroutine()}
}

// Requests of all kinds, one conversation after the other, good and bad, cost nothing
// that lasts. `make test-all` sends a million (PATHKEEPER_SOAK).
func TestMpathdSoak(t *testing.T) {
	requests := 20000
	if text := os.Getenv("PATHKEEPER_SOAK"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("PATHKEEPER_SOAK=%s: %v", text, err)
		}
		requests = n
	}
	src := smallSource{shown: crowdSource{}.Snapshot()}
	src.shown.Maps = src.shown.Maps[:4]
	m, name := crowded(t, src, 64, 20*time.Second, func() uint32 { return 0 })
	commands := []string{
		"show daemon", "show maps", "show paths", "show maps json", "show topology", "show maps raw format \"%n %w\"", "show map map1 json", "show map nobody topology",
		"show wildcards", "show status", "fail path sda", "reconfigure", "getprstatus map map2", "", "foo", "show foo bar", "show \"", "resize map x", strings.Repeat("x ", 200),
	}
	const perTalk = 50
	var first spent
	sent := 0
	for talk := 0; sent < requests; talk++ {
		if err := soakTalk(name, commands, talk, perTalk); err != nil {
			t.Fatalf("after %d requests: %v", sent, err)
		}
		sent += perTalk
		if sent == max(requests/10, perTalk)/perTalk*perTalk { // warm by then
			first = settled(t, m)
		}
	}
	last := settled(t, m)
	if last.files > first.files || last.goroutines > first.goroutines || last.heap > first.heap+first.heap/4+1<<20 {
		t.Errorf("after a tenth %+v, after %d requests %+v", first, sent, last)
	}
}

// soakTalk is one conversation, which ends in each of several ways.
func soakTalk(name string, commands []string, talk, requests int) error {
	c, err := net.Dial("unix", name)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	for i := range requests {
		cmd := commands[(talk+i)%len(commands)]
		got, err := request1(c, cmd)
		if err != nil {
			return fmt.Errorf("%.40q: %w", cmd, err)
		}
		if !strings.HasSuffix(got, "\n") {
			return fmt.Errorf("%.40q: %w: %.80q", cmd, errAnswer, got)
		}
	}
	switch talk % 4 {
	case 1:
		_, err = c.Write([]byte{9, 0}) // gone in the middle of a length
	case 2:
		_, err = c.Write(make([]byte, 8)) // no length at all
	case 3:
		_, err = c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	}
	return err
}

var errAnswer = errors.New("the answer has no end")

// settled measures when every conversation is over.
func settled(t *testing.T, m *Mpathd) spent {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(30 * time.Second); ; <-look.C {
		m.mu.Lock()
		left := len(m.conns[0]) + len(m.conns[1])
		m.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d conversations do not end", left)
		}
	}
	return measure(t)
}

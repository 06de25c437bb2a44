package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/mpath"
	"pathkeeper/server"
	"pathkeeper/show"
)

func TestClient(t *testing.T) {
	src := &fakeSource{name: "ocr1"}
	path := start(t, src, server.Options{Cred: as(0)})
	c := server.NewClient(path)
	ctx := t.Context()
	s, version, err := c.Snapshot(ctx)
	if err != nil || version != "1.2.3" || cmp.Diff(src.Snapshot(), s) != "" {
		t.Errorf("snapshot: %v %q %s", err, version, cmp.Diff(src.Snapshot(), s))
	}
	if st, err := c.Status(ctx); err != nil || st.PID != 42 {
		t.Errorf("status: %+v %v", st, err)
	}
	r, err := c.Reload(ctx)
	if err != nil || len(r.Warnings) != 1 || src.reloads.Load() != 1 {
		t.Errorf("reload: %+v %v", r, err)
	}
	src.reloadErr = errors.New("/etc/multipath.conf:7:3: no such keyword: the old configuration stays")
	if _, err = c.Reload(ctx); !errors.Is(err, server.ErrRefused) || !strings.Contains(err.Error(), "conf:7:3") {
		t.Errorf("refused reload: %v", err)
	}
	src.reloadErr = context.DeadlineExceeded
	if _, err = c.Reload(ctx); !errors.Is(err, server.ErrRefused) || !strings.Contains(err.Error(), "not done after") {
		t.Errorf("slow reload: %v", err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o666 {
		t.Errorf("mode of the socket: %v %v", st.Mode(), err)
	}
}

func TestPlan(t *testing.T) {
	path := start(t, &fakeSource{}, server.Options{Cred: as(0)})
	c := server.NewClient(path)
	r, err := c.Plan(t.Context(), server.PlanRequest{Place: "/root/new.conf"})
	if err != nil || r.Plan.Version != mpath.PlanVersion || r.Plan.Config.Place != "/root/new.conf" || len(r.Warnings) != 1 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := c.Plan(t.Context(), server.PlanRequest{Place: "/bad"}); !errors.Is(err, server.ErrRefused) || !strings.Contains(err.Error(), "/bad:3:9") {
		t.Errorf("a bad configuration: %v", err)
	}
	other := server.NewClient(start(t, &fakeSource{}, server.Options{Cred: as(1000)}))
	if _, err := other.Plan(t.Context(), server.PlanRequest{}); !errors.Is(err, server.ErrDenied) {
		t.Errorf("another user: %v", err)
	}
}

// A plan may be larger than other requests, for root alone and one at a time.
func TestApply(t *testing.T) {
	src := &fakeSource{}
	c := server.NewClient(start(t, src, server.Options{Cred: as(0)}))
	p := mpath.Plan{Version: mpath.PlanVersion, Maps: []mpath.MapPlan{{Name: "one", After: strings.Repeat("x", 1<<20)}}}
	if r, err := c.Apply(t.Context(), p); err != nil || !r.OK || len(r.Maps) != 1 || r.Maps[0].Name != "one" {
		t.Errorf("%+v %v", r, err)
	}
	p.Version = 0
	if _, err := c.Apply(t.Context(), p); !errors.Is(err, server.ErrRefused) || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("refused: %v", err)
	}
	p.Maps[0].After = ""
	other := server.NewClient(start(t, src, server.Options{Cred: as(1000)}))
	if _, err := other.Apply(t.Context(), p); !errors.Is(err, server.ErrDenied) {
		t.Errorf("another user: %v", err)
	}
}

func TestCommand(t *testing.T) {
	src := &fakeSource{}
	path := start(t, src, server.Options{Cred: as(0)})
	c := server.NewClient(path)
	want := mpath.Reply{Seq: 7, OK: true, Code: mpath.ReplyBusy, Text: "switch group ocr12"}
	got, err := c.Command(t.Context(), mpath.Command{Kind: mpath.CommandSwitchGroup, Map: "ocr1", Arg: "2"})
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	if got, err = c.Command(t.Context(), mpath.Command{Kind: mpath.CommandResizeMap, Map: "ocr1", Force: true}); err != nil || got.OK {
		t.Errorf("%+v %v", got, err)
	}
	if _, err = c.Command(t.Context(), mpath.Command{Kind: mpath.CommandAddMap, Map: "slow"}); !errors.Is(err, server.ErrRefused) || !strings.Contains(err.Error(), "stopping") {
		t.Error(err)
	}
	for _, bad := range []string{"", "{}x{", `{"Kind":"explode"}`, `{"Kind":"add map","Mapp":"x"}`} {
		conn := dial(t, path)
		fmt.Fprintf(conn, "POST /v1/command HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(bad), bad)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 400 && bad != "{}x{" {
			t.Errorf("%q: %v %v", bad, resp, err)
		}
	}
	src = &fakeSource{}
	_, err = server.NewClient(start(t, src, server.Options{Cred: as(1000)})).Command(t.Context(), mpath.Command{Kind: mpath.CommandAddMap})
	if !errors.Is(err, server.ErrDenied) || src.commands.Load() != 0 {
		t.Errorf("not root: %v", err)
	}
}

// What is decided from has the configuration in it: root only.
func TestBasis(t *testing.T) {
	s, b, v, err := server.NewClient(start(t, &fakeSource{name: "ocr1"}, server.Options{Cred: as(0)})).Basis(t.Context())
	if err != nil || v != "1.2.3" || len(s.Maps) != 1 || len(b.WWIDs) != 1 || len(b.Config.Files) != 1 {
		t.Errorf("%+v %+v %s %v", s, b, v, err)
	}
	_, b, _, err = server.NewClient(start(t, &fakeSource{}, server.Options{Cred: as(1000)})).Basis(t.Context())
	if !errors.Is(err, server.ErrDenied) || len(b.WWIDs) != 0 {
		t.Errorf("not root: %+v %v", b, err)
	}
}

func TestSnapshotDocument(t *testing.T) {
	path := start(t, &fakeSource{name: "ocr1"}, server.Options{Cred: as(1000)})
	c := dial(t, path)
	fmt.Fprintf(c, "GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	var d show.Document
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil || d.Pathkeeper != 1 || (*d.Maps)[0].Name != "ocr1" {
		t.Errorf("%+v %v", d, err)
	}
}

func TestNotRoot(t *testing.T) {
	src := &fakeSource{}
	path := start(t, src, server.Options{Cred: as(1000)})
	c := server.NewClient(path)
	if _, _, err := c.Snapshot(t.Context()); err != nil {
		t.Errorf("reading needs no root: %v", err)
	}
	_, err := c.Reload(t.Context())
	if !errors.Is(err, server.ErrDenied) || !strings.Contains(err.Error(), "uid 1000") || src.reloads.Load() != 0 {
		t.Errorf("reload: %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	path := socketPath(t)
	_, _, err := server.NewClient(path).Snapshot(t.Context())
	if !errors.Is(err, server.ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
	start(t, &fakeSource{}, server.Options{Path: path}) // makes the directory
	stale := path + "2"
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	_, _, err = server.NewClient(stale).Snapshot(t.Context())
	if !errors.Is(err, server.ErrNotRunning) {
		t.Errorf("stale socket: %v", err)
	}
	// A stale socket is replaced; a living one, or a file, is not.
	start(t, &fakeSource{}, server.Options{Path: stale})
	if _, _, err = server.NewClient(stale).Snapshot(t.Context()); err != nil {
		t.Errorf("after replacing: %v", err)
	}
	if _, err := server.New(&fakeSource{}, server.Options{Path: stale}); !errors.Is(err, server.ErrHeld) {
		t.Errorf("second server: %v", err)
	}
	file := path + "3"
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.New(&fakeSource{}, server.Options{Path: file}); err == nil {
		t.Error("a file was replaced")
	}
	if b, _ := os.ReadFile(file); string(b) != "precious" {
		t.Error("the file is gone")
	}
}

func TestOpenDirectory(t *testing.T) {
	path := socketPath(t)
	dir := strings.TrimSuffix(path, "/api.sock")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.New(&fakeSource{}, server.Options{Path: path}); err == nil || !strings.Contains(err.Error(), "0777") {
		t.Errorf("a directory that all can write to: %v", err)
	}
}

// exchange sends bytes as they are and gives what comes back.
func exchange(t *testing.T, path, send string) string {
	t.Helper()
	c := dial(t, path)
	io.WriteString(c, send) // the server may have closed before it has read all
	b, _ := io.ReadAll(c)
	return string(b)
}

func TestBadRequests(t *testing.T) {
	path := start(t, &fakeSource{}, server.Options{})
	const head = "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	for name, c := range map[string]struct{ send, want string }{
		"garbage":      {"\x00\x01\x02\xff\r\n\r\n", "400"},
		"other words":  {"show daemon\r\n\r\n", "400"},
		"no such":      {"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "404"},
		"method":       {"DELETE /v1/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "405"},
		"get reload":   {"GET /v1/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "405"},
		"long line":    {"GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"},
		"many headers": {head + strings.Repeat("A: b\r\n", 16<<10) + "\r\n", "431"},
		"big body":     {"POST /v1/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4000\r\n\r\n" + strings.Repeat("x", 4000), "413"},
		"chunked body": {"POST /v1/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + strings.Repeat("x", 0xfff) + "\r\n0\r\n\r\n", "413"},
		"half":         {"GET /v1/sta", ""},
		"half body":    {"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\nx", "408"},
		"good":         {head + "\r\n", "200"},
	} {
		begun := time.Now()
		got := exchange(t, path, c.send)
		line, _, _ := strings.Cut(got, "\r\n")
		if !strings.Contains(line, c.want) {
			t.Errorf("%s: %q, want %s", name, line, c.want)
		}
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("%s took %s", name, d)
		}
	}
	if _, err := server.NewClient(path).Status(t.Context()); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

// Idle clients are bounded, and cannot keep root out.
func TestManyClients(t *testing.T) {
	n := 0
	var mu sync.Mutex
	root := func(c *net.UnixConn) (server.Cred, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		if n > 1000 {
			return server.Cred{UID: 0}, nil
		}
		return server.Cred{UID: 1000}, nil
	}
	lim := shortLimits()
	lim.ReadTime, lim.IdleTime = 20*time.Second, 20*time.Second
	path := start(t, &fakeSource{}, server.Options{Cred: root, Limits: lim})
	open, closed := 0, 0
	var conns []net.Conn
	for range 1000 {
		c := dial(t, path)
		conns = append(conns, c)
	}
	// A refused client sees its end at once, the others stay.
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			open++
		} else {
			closed++
		}
	}
	if open != lim.Clients {
		t.Errorf("%d clients are in, %d out; want %d in", open, closed, lim.Clients)
	}
	if _, err := server.NewClient(path).Status(t.Context()); err != nil {
		t.Errorf("root is kept out: %v", err)
	}
}

func TestIdleClientsLeave(t *testing.T) {
	lim := shortLimits()
	lim.Clients = 1
	path := start(t, &fakeSource{}, server.Options{Limits: lim})
	dial(t, path) // says nothing
	var err error
	for range 50 {
		time.Sleep(50 * time.Millisecond)
		if _, err = server.NewClient(path).Status(t.Context()); err == nil {
			return
		}
	}
	t.Errorf("the idle client holds the place for ever: %v", err)
}

func TestEvents(t *testing.T) {
	src := &fakeSource{}
	path := start(t, src, server.Options{Cred: as(1000)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	want := server.Event{Time: time.Unix(5, 0).UTC(), Level: "warning", Object: "ocr1", Text: "path sdb is faulty"}
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				src.Publish(want)
			}
		}
	}()
	defer close(stop)
	got := 0
	err := server.NewClient(path).Events(ctx, func(e server.Event) error {
		if d := cmp.Diff(want, e); d != "" {
			t.Error(d)
		}
		if got++; got == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || got < 3 {
		t.Errorf("%d events, %v", got, err)
	}
}

// A reader that does not read is dropped; publishing never waits for it.
func TestSlowReader(t *testing.T) {
	src := &fakeSource{}
	path := start(t, src, server.Options{})
	c := dial(t, path)
	fmt.Fprintf(c, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 16<<10)
	deadline := time.Now().Add(10 * time.Second)
	for src.Dropped() == 0 {
		begun := time.Now()
		src.Publish(server.Event{Text: text})
		if d := time.Since(begun); d > time.Second {
			t.Fatalf("publish waited %s", d)
		}
		if time.Now().After(deadline) {
			t.Fatal("the slow reader is never dropped")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestHub(t *testing.T) {
	var h server.Hub
	h.Publish(server.Event{Text: "nobody listens"})
	events, cancel := h.Subscribe(2)
	slow, cancelSlow := h.Subscribe(1)
	h.Publish(server.Event{Text: "1"})
	h.Publish(server.Event{Text: "2"})
	if a, b := <-events, <-events; a.Text != "1" || b.Text != "2" {
		t.Errorf("%v %v", a, b)
	}
	if e := <-slow; e.Text != "1" {
		t.Errorf("%v", e)
	}
	if _, ok := <-slow; ok || h.Dropped() != 1 {
		t.Error("the slow one is not dropped")
	}
	cancelSlow()
	cancel()
	cancel()
	if _, ok := <-events; ok {
		t.Error("open after its end")
	}
	h.Publish(server.Event{Text: "3"})
}

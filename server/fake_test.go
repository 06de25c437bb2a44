package server_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/server"
	"pathkeeper/show"
)

// fakeSource is a daemon with one map.
type fakeSource struct {
	server.Hub
	reloads   atomic.Int32
	commands  atomic.Int32
	reloadErr error
	name      string

	rules     *policy.Compiled
	snapshot  func() mpath.Snapshot
	reply     func(mpath.Command) mpath.Reply
	asked     []mpath.Command
	reconfigs []bool
	bugs      []string
	quits     chan struct{}
	hang      chan struct{} // if set, commands wait for it or for who has asked
	status    server.Status
	mu        sync.Mutex
}

func (f *fakeSource) Rules() *policy.Compiled { return f.rules }

func (f *fakeSource) Reconfigure(all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reconfigs = append(f.reconfigs, all)
}

func (f *fakeSource) Bug(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bugs = append(f.bugs, text)
}

func (f *fakeSource) Quit() { close(f.quits) }

func (f *fakeSource) BlockDevices() []show.BlockDevice {
	return []show.BlockDevice{{Name: "sda"}, {Name: "nvme0c0n1", Hidden: true}}
}

func (f *fakeSource) Snapshot() mpath.Snapshot {
	if f.snapshot != nil {
		return f.snapshot()
	}
	name := f.name
	if name == "" {
		return mpath.Snapshot{Now: 5}
	}
	return mpath.Snapshot{Now: 5, Started: true, Maps: []mpath.MapView{{
		Name: name, WWID: "3600", Known: true, Owner: mpath.NoOwner(),
		Truth: mpath.Truth{Name: name, Live: true, Target: "multipath", Dev: table.DevNum{Major: 253, Minor: 7}, Size: 2048},
	}}}
}

func (f *fakeSource) Basis(context.Context) (mpath.Snapshot, mpath.Basis, error) {
	return f.Snapshot(), mpath.Basis{WWIDs: []string{"3600"}, Config: policy.Config{Files: []string{"/etc/multipath.conf"}}}, nil
}

func (f *fakeSource) Status() server.Status {
	if f.status.State != "" {
		return f.status
	}
	return server.Status{Version: "1.2.3", PID: 42, State: "running", Maps: 1}
}

func (f *fakeSource) Reload(ctx context.Context) (server.ReloadResult, error) {
	f.reloads.Add(1)
	if errors.Is(f.reloadErr, context.DeadlineExceeded) {
		<-ctx.Done()
		return server.ReloadResult{}, ctx.Err()
	}
	return server.ReloadResult{Files: []string{"/etc/multipath.conf"}, Warnings: []string{"/etc/multipath.conf:3:9: odd"}}, f.reloadErr
}

func (f *fakeSource) Plan(_ context.Context, place string) (server.PlanResult, error) {
	if place == "/bad" {
		return server.PlanResult{}, errors.New("/bad:3:9: no such keyword")
	}
	return server.PlanResult{Plan: mpath.Plan{Version: mpath.PlanVersion, Config: mpath.PlanConfig{Place: place}}, Warnings: []string{"odd"}}, nil
}

func (f *fakeSource) Apply(_ context.Context, p mpath.Plan) (mpath.Applied, error) {
	if p.Version != mpath.PlanVersion {
		return mpath.Applied{}, errors.New("the daemon is stopping")
	}
	return mpath.Applied{OK: true, Text: "1 maps as planned", Maps: []mpath.Outcome{{Name: p.Maps[0].Name, Result: "done"}}}, nil
}

func (f *fakeSource) Command(ctx context.Context, c mpath.Command) (mpath.Reply, error) {
	f.commands.Add(1)
	if f.hang != nil {
		select {
		case <-f.hang:
		case <-ctx.Done():
			return mpath.Reply{}, ctx.Err()
		}
	}
	if f.reply != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked = append(f.asked, c)
		return f.reply(c), nil
	}
	if c.Map == "slow" {
		return mpath.Reply{}, errors.New("the daemon is stopping")
	}
	return mpath.Reply{Seq: 7, OK: !c.Force, Code: mpath.ReplyBusy, Text: c.Kind.String() + " " + c.Path + c.Map + c.Arg}, nil
}

// as makes every client the given user.
func as(uid uint32) func(*net.UnixConn) (server.Cred, error) {
	return func(c *net.UnixConn) (server.Cred, error) {
		cred, err := server.PeerCred(c)
		cred.UID = uid
		return cred, err
	}
}

// socketPath gives a path short enough for a socket's address (108 bytes).
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "run", "api.sock")
}

// shortLimits make time pass quickly.
func shortLimits() server.Limits {
	return server.Limits{
		Clients: 8, HeaderBytes: 2 << 10, BodyBytes: 512, Answers: 2, Events: 4,
		ReadTime: 300 * time.Millisecond, WriteTime: 800 * time.Millisecond, IdleTime: time.Second, ReloadTime: 200 * time.Millisecond,
	}
}

func start(t *testing.T, src server.Source, opt server.Options) string {
	t.Helper()
	if opt.Path == "" {
		opt.Path = socketPath(t)
	}
	if opt.Limits == (server.Limits{}) {
		opt.Limits = shortLimits()
	}
	a, err := server.New(src, opt)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Serve() }()
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if _, err := os.Lstat(opt.Path); err == nil {
			t.Errorf("%s is still there", opt.Path)
		}
	})
	return opt.Path
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

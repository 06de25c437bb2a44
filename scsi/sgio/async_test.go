package sgio

import (
	"errors"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/scsi"
)

const long = time.Hour // a submission limit that no test reaches

func start(t *testing.T, f *fake, limit time.Duration) (*Async, chan Completion) {
	t.Helper()
	done := make(chan Completion, 1000)
	a, err := newAsync(f, "/dev", limit, func(c Completion) { done <- c })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a, done
}

func job(tag uint64, device, sg string) Job {
	return Job{Tag: tag, Device: device, SG: sg, Host: 2, Request: inquiry}
}

func submit(t *testing.T, a *Async, j Job) {
	t.Helper()
	if err := a.Submit(j); err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, done chan Completion) Completion {
	t.Helper()
	select {
	case c := <-done:
		return c
	case <-time.After(10 * time.Second):
		t.Fatal("no completion")
		return Completion{}
	}
}

func none(t *testing.T, done chan Completion) {
	t.Helper()
	select {
	case c := <-done:
		t.Fatalf("unexpected %+v", c)
	case <-time.After(20 * time.Millisecond):
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal(what)
}

func TestAsyncAnswers(t *testing.T) {
	for _, instant := range []bool{false, true} {
		f := newFake("sg0")
		f.instant = instant
		a, done := start(t, f, long)
		for tag := range uint64(20) {
			submit(t, a, job(tag, "sda", "sg0"))
			f.submitted(t, "/dev/sg0")
			if !instant {
				if err := a.Submit(job(99, "sda", "sg0")); !errors.Is(err, ErrBusy) {
					t.Fatalf("second command on a path: %v", err)
				}
				f.answer("/dev/sg0")
			}
			c := await(t, done)
			if c.Tag != tag || c.Device != "sda" || c.Response.Errno != 0 || len(c.Response.Data) != 252 {
				t.Fatalf("%+v", c)
			}
		}
		if n := f.opened["/dev/sg0"]; n != 1 {
			t.Errorf("opened %d times", n)
		}
		none(t, done)
	}
}

// 300 commands that never answer: no goroutine and no thread for each.
func TestAsyncHungCommands(t *testing.T) {
	var names []string
	for i := range 300 {
		names = append(names, "sg"+strconv.Itoa(i))
	}
	f := newFake(names...)
	a, done := start(t, f, long)
	before := runtime.NumGoroutine()
	for i, sg := range names {
		submit(t, a, job(uint64(i), "sd"+sg, sg))
	}
	for _, sg := range names {
		f.submitted(t, "/dev/"+sg)
	}
	eventually(t, "workers have not ended", func() bool { return runtime.NumGoroutine() <= before+1 })
	f.answer("/dev/sg150")
	if c := await(t, done); c.Tag != 150 {
		t.Errorf("%+v", c)
	}
	closing := time.Now()
	if err := a.Close(); err != nil || time.Since(closing) > 5*time.Second {
		t.Errorf("close: %v after %v", err, time.Since(closing))
	}
	if n := f.openCount(); n != 0 {
		t.Errorf("%d descriptors left open", n)
	}
	none(t, done)
	if err := a.Submit(job(1, "sda", "sg0")); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestAsyncDeviceLeaves(t *testing.T) {
	f := newFake("sg0", "sg1")
	a, done := start(t, f, long)
	submit(t, a, job(1, "sda", "sg0"))
	f.submitted(t, "/dev/sg0")
	f.leave("/dev/sg0")
	if c := await(t, done); c.Tag != 1 || c.Response.Errno != uint32(unix.ENODEV) {
		t.Errorf("in flight: %+v", c)
	}
	eventually(t, "descriptor left open", func() bool { return f.openCount() == 0 })

	// It comes back under another number; then it leaves while nothing is asked.
	submit(t, a, job(2, "sda", "sg1"))
	f.submitted(t, "/dev/sg1")
	f.answer("/dev/sg1")
	if c := await(t, done); c.Tag != 2 || c.Response.Errno != 0 {
		t.Errorf("%+v", c)
	}
	f.leave("/dev/sg1")
	eventually(t, "descriptor left open", func() bool { return f.openCount() == 0 })
	none(t, done)

	if err := a.Submit(job(3, "sdb", "../sg1")); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v", err)
	}
	submit(t, a, job(4, "sdb", "sg9")) // no such node
	if c := await(t, done); c.Response.Errno != uint32(unix.ENOENT) {
		t.Errorf("%+v", c)
	}
	f.refuse["/dev/sg1"] = unix.ENXIO
	submit(t, a, job(5, "sda", "sg1"))
	if c := await(t, done); c.Response.Errno != uint32(unix.ENXIO) || f.openCount() != 0 {
		t.Errorf("%+v, %d open", c, f.openCount())
	}
}

func TestAsyncForget(t *testing.T) {
	f := newFake("sg0", "sg1")
	a, done := start(t, f, long)
	submit(t, a, job(1, "sda", "sg0"))
	f.submitted(t, "/dev/sg0")
	a.Forget("sda")
	a.Forget("sdz")
	if n := f.openCount(); n != 0 {
		t.Errorf("in flight: %d open", n)
	}

	// Forgotten while its submission sleeps, and while it waits behind that one.
	wake := make(chan bool)
	f.asleep["/dev/sg0"] = wake
	submit(t, a, job(2, "sda", "sg0"))
	eventually(t, "not opened", func() bool { return f.openCount() == 1 })
	submit(t, a, job(3, "sdb", "sg1"))
	a.Forget("sda")
	a.Forget("sdb")
	close(wake)
	eventually(t, "descriptor left open", func() bool { return f.openCount() == 0 })
	none(t, done)
	f.mu.Lock()
	delete(f.asleep, "/dev/sg0")
	f.mu.Unlock()
	f.submitted(t, "/dev/sg0")
	submit(t, a, job(4, "sdb", "sg1"))
	f.submitted(t, "/dev/sg1")
	f.answer("/dev/sg1")
	if c := await(t, done); c.Tag != 4 {
		t.Errorf("%+v", c)
	}
}

// A host without free tags: those who wait are told in time, others are not
// concerned, and afterwards all goes on.
func TestAsyncStalledHost(t *testing.T) {
	f := newFake("sg0", "sg1", "sg2")
	wake := make(chan bool)
	f.asleep["/dev/sg0"] = wake
	a, done := start(t, f, 50*time.Millisecond)
	submit(t, a, job(1, "sda", "sg0"))
	submit(t, a, job(2, "sdb", "sg1")) // queued behind
	other := job(3, "sdc", "sg2")
	other.Host = 3
	submit(t, a, other)
	f.submitted(t, "/dev/sg2")
	f.answer("/dev/sg2")
	got := map[uint64]uint32{}
	for range 3 {
		c := await(t, done)
		got[c.Tag] = c.Response.Errno
	}
	if got[1] != uint32(unix.ETIMEDOUT) || got[2] != uint32(unix.ETIMEDOUT) || got[3] != 0 {
		t.Errorf("%v", got)
	}
	if err := a.Submit(job(4, "sda", "sg0")); !errors.Is(err, ErrBusy) {
		t.Errorf("the sleeping path: %v", err)
	}
	if err := a.Submit(job(4, "sdb", "sg1")); !errors.Is(err, ErrStalled) {
		t.Errorf("a path of a stalled host: %v", err)
	}
	f.mu.Lock()
	delete(f.asleep, "/dev/sg0")
	f.mu.Unlock()
	close(wake)
	f.submitted(t, "/dev/sg0")
	f.answer("/dev/sg0") // late: dropped
	eventually(t, "the host stays stalled", func() bool { return a.Submit(job(5, "sdb", "sg1")) == nil })
	f.submitted(t, "/dev/sg1")
	f.answer("/dev/sg1")
	if c := await(t, done); c.Tag != 5 || c.Response.Errno != 0 {
		t.Errorf("%+v", c)
	}
	eventually(t, "the path stays busy", func() bool { return a.Submit(job(6, "sda", "sg0")) == nil })
	f.submitted(t, "/dev/sg0")
	f.answer("/dev/sg0")
	if c := await(t, done); c.Tag != 6 || c.Response.Errno != 0 {
		t.Errorf("%+v", c)
	}
}

// blocking is a scsi.Port whose commands hang until released.
type blocking struct{ release chan bool }

func (b blocking) Do(device string, _ scsi.Request) scsi.Response {
	if device != "quick" {
		<-b.release
	}
	return scsi.Response{Host: scsi.HostTimeOut}
}

func TestPool(t *testing.T) {
	port := blocking{make(chan bool)}
	done := make(chan Completion, 10)
	p := NewPool(port, 2, func(c Completion) { done <- c })
	p.limit = 50 * time.Millisecond
	for tag, device := range []string{"quick", "hung1", "hung2", "gone", "waits"} {
		if err := p.Submit(job(uint64(tag), device, "")); err != nil {
			t.Fatal(err)
		}
		if tag == 0 {
			if c := await(t, done); c.Tag != 0 || c.Response.Host != scsi.HostTimeOut {
				t.Errorf("%+v", c)
			}
		}
	}
	p.Forget("gone")
	if err := p.Submit(job(9, "hung1", "")); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	if c := await(t, done); c.Tag != 4 || c.Response.Errno != uint32(unix.ETIMEDOUT) {
		t.Errorf("%+v", c)
	}
	p.Forget("hung1")
	close(port.release)
	if c := await(t, done); c.Tag != 2 {
		t.Errorf("%+v", c)
	}
	none(t, done)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Submit(job(9, "sda", "")); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := p.Submit(Job{Device: "sda"}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("%v", err)
	}
}

package uevent

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSubsystemHash(t *testing.T) {
	// hidraw: as a real udevd sent it, in a published strace of udevd's socket.
	for s, want := range map[string]uint32{"": 0, "hidraw": 0xc2caf397, "block": 0xf0031db7, "scsi": 0x29201a28} {
		if got := subsystemHash(s); got != want {
			t.Errorf("%q: %#x, want %#x", s, got, want)
		}
	}
}

// inLab fails where the lab must provide what a machine may lack.
func inLab(t *testing.T, why error) {
	t.Helper()
	if os.Getenv("PATHKEEPER_LAB") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func listen(t *testing.T, group uint32, subsystems ...string) *Receiver {
	t.Helper()
	r, err := Listen(group, subsystems...)
	if err != nil {
		inLab(t, err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// next gives Receive a limit; a test that hangs says nothing.
func next(t *testing.T, r *Receiver) Datagram {
	t.Helper()
	if err := r.file.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	d, err := r.Receive()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// send speaks as a process of ours: to a multicast group, or to one port.
func send(t *testing.T, data []byte, group, port uint32) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		inLab(t, err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, data, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: group, Pid: port}); err != nil && !errors.Is(err, unix.ESRCH) {
		inLab(t, err)
	}
}

func portOf(t *testing.T, r *Receiver) (port uint32) {
	t.Helper()
	err := r.conn.Control(func(fd uintptr) {
		sa, err := unix.Getsockname(int(fd))
		if err != nil {
			t.Fatal(err)
		}
		port = sa.(*unix.SockaddrNetlink).Pid
	})
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func event(subsystem, name string) []byte {
	return udevMessage(subsystem, "ACTION=change", "DEVPATH=/devices/virtual/"+name, "SUBSYSTEM="+subsystem)
}

// The filter lets through the wanted subsystem alone; a letter to us alone is
// refused although it passes the filter and comes from root.
func TestReceiveFromUdev(t *testing.T) {
	r := listen(t, GroupUdev, "pathkeeper-a", "pathkeeper-b")
	send(t, event("pathkeeper-b", "forged"), 0, portOf(t, r))
	send(t, event("pathkeeper-c", "other"), GroupUdev, 0)
	send(t, event("pathkeeper-a", "one"), GroupUdev, 0)
	send(t, event("pathkeeper-b", "two"), GroupUdev, 0)
	for _, want := range []string{"one", "two"} {
		d := next(t, r)
		ev, err := Parse(d.Data)
		if err != nil || ev.SysName() != want || !ev.FromUdev || d.Group != GroupUdev || !d.HasUID || d.PortID == 0 {
			t.Errorf("want %s: %+v, %v; %+v", want, ev, err, d)
		}
	}
	if got := r.Refused(); got != 1 {
		t.Errorf("%d refused, want 1", got)
	}
}

// Root's process may not speak for the kernel; the kernel may. The event is one
// that nobody acts on: /dev/null "changed".
func TestReceiveFromKernel(t *testing.T) {
	r := listen(t, GroupKernel)
	send(t, []byte(kernelAdd), GroupKernel, 0)
	if err := os.WriteFile("/sys/devices/virtual/mem/null/uevent", []byte("change"), 0); err != nil {
		inLab(t, err)
	}
	for {
		d := next(t, r)
		ev, err := Parse(d.Data)
		if err != nil {
			t.Fatal(err)
		}
		if ev.Seqnum == 2345 {
			t.Fatal("a process was taken for the kernel")
		}
		if ev.SysName() != "null" {
			continue // somebody else's
		}
		if ev.Subsystem != "mem" || ev.DevName != "null" || ev.Seqnum == 0 || d.PortID != 0 || d.Group != GroupKernel {
			t.Errorf("%+v %+v", ev, d)
		}
		return
	}
}

// A full buffer is an Overrun, and the receiver goes on after it.
func TestOverrun(t *testing.T) {
	r := listen(t, GroupUdev, "pathkeeper-flood")
	if err := r.conn.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
	}); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		send(t, event("pathkeeper-flood", "x"), GroupUdev, 0)
	}
	overrun := false
	for range 100 {
		if overrun = next(t, r).Overrun; overrun {
			break
		}
	}
	if !overrun {
		t.Fatal("100 events in a buffer of 4 KiB, and no overrun")
	}
	// Drain what was queued, then a new event must still arrive.
	for next := true; next; {
		if err := r.file.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := r.Receive()
		next = err == nil
	}
	send(t, event("pathkeeper-flood", "after"), GroupUdev, 0)
	if ev, err := Parse(next(t, r).Data); err != nil || ev.SysName() != "after" {
		t.Errorf("%+v, %v", ev, err)
	}
}

func TestTruncated(t *testing.T) {
	r := listen(t, GroupUdev, "pathkeeper-long")
	r.buf = make([]byte, 64)
	send(t, event("pathkeeper-long", "x"), GroupUdev, 0)
	if d := next(t, r); !d.Overrun {
		t.Errorf("half an event: %+v", d)
	}
}

func TestCloseUnblocks(t *testing.T) {
	r := listen(t, GroupUdev, "pathkeeper-none")
	done := make(chan error)
	go func() {
		_, err := r.Receive()
		done <- err
	}()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Receive still waits")
	}
	if _, err := Listen(3); err == nil {
		t.Error("group 3 was joined")
	}
}

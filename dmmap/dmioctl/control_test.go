package dmioctl

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/dmmap"
)

func TestOpenErrors(t *testing.T) {
	_, err := open(filepath.Join(t.TempDir(), "control"))
	if !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "modprobe dm-multipath") {
		t.Errorf("no node: %v", err)
	}
	for errno, want := range map[unix.Errno]string{
		unix.EACCES: "root", unix.EPERM: "root", unix.ENODEV: "modprobe", unix.ENXIO: "modprobe", unix.EIO: "device-mapper",
	} {
		if h := openHint(&os.PathError{Op: "open", Path: ControlPath, Err: errno}); !strings.Contains(h, want) {
			t.Errorf("%v: %q", errno, h)
		}
	}
}

// An ioctl of dm on a file that is not dm's: the kernel's errno comes by number.
func TestIoctlErrno(t *testing.T) {
	c, err := open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []interface {
		Encode() (dmmap.Call, error)
	}{dmmap.QueryVersion{}, dmmap.Resume{Map: dmmap.ByDev(devNum(1, 3))}} {
		call, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		out, errno := c.Ioctl(call.Cmd, call.Buf)
		if errno != uint32(unix.ENOTTY) || len(out) != len(call.Buf) {
			t.Errorf("%s: errno %d, %d bytes", call.What, errno, len(out))
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	call, err := dmmap.QueryVersion{}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, errno := c.Ioctl(call.Cmd, call.Buf); errno != uint32(unix.EBADF) {
		t.Errorf("closed: errno %d", errno)
	}
}

// The kernel trusts data_size: a wrong one must not reach it.
func TestIoctlRefuses(t *testing.T) {
	c, err := open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	good := func(size uint32, n int) []byte {
		b := make([]byte, n)
		if n >= 16 {
			binary.NativeEndian.PutUint32(b[12:], size)
		}
		return b
	}
	for _, tt := range []struct {
		name string
		cmd  uint32
		buf  []byte
	}{
		{"no buffer", dmmap.CmdVersion, nil},
		{"short buffer", dmmap.CmdVersion, good(304, 304)},
		{"size beyond the buffer", dmmap.CmdVersion, good(4096, 312)},
		{"size below the struct", dmmap.CmdVersion, good(16, 312)},
		{"another driver's command", unix.BLKGETSIZE64, good(312, 312)},
		{"another struct's size", 0xc010fd00, good(312, 312)},
	} {
		if _, errno := c.Ioctl(tt.cmd, tt.buf); errno != uint32(unix.EINVAL) {
			t.Errorf("%s: errno %d, want EINVAL", tt.name, errno)
		}
	}
}

// A pipe is to the poller what the control file is.
func pipeControl(t *testing.T) (*Control, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return &Control{file: r}, w
}

func TestWaitEvent(t *testing.T) {
	c, w := pipeControl(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.WaitEvent(ctx) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := c.WaitEvent(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}

	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.WaitEvent(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timed out: %v", err)
	}

	// The deadline of a wait that ended must not end the next one.
	go func() { done <- c.WaitEvent(t.Context()) }()
	if _, err := w.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("event: %v", err)
	}
	if err := c.WaitEvent(t.Context()); err != nil {
		t.Errorf("an event that is there already: %v", err)
	}
}

func TestWaitEventClosed(t *testing.T) {
	c, _ := pipeControl(t)
	done := make(chan error, 1)
	go func() { done <- c.WaitEvent(t.Context()) }()
	time.Sleep(time.Millisecond) // either order is right; this tries the harder one
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestWithoutSignals(t *testing.T) {
	mask := func() (s unix.Sigset_t) {
		if err := unix.PthreadSigmask(unix.SIG_SETMASK, nil, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	runtime.LockOSThread() // the mask is the thread's
	defer runtime.UnlockOSThread()
	urgent := uint64(1) << (unix.SIGURG - 1)
	err := withoutSignals(func() error {
		before := mask()
		if uint64(before.Val[0])&urgent == 0 {
			t.Error("SIGURG is not blocked")
		}
		return unix.EBUSY
	})
	if !errors.Is(err, unix.EBUSY) {
		t.Error(err)
	}
	if after := mask(); uint64(after.Val[0])&urgent != 0 {
		t.Error("SIGURG stays blocked")
	}
}

package dmioctl

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/dmmap"
)

func newCookie(t *testing.T) *Cookie {
	t.Helper()
	c, err := CreateCookie()
	if errors.Is(err, unix.ENOSYS) {
		t.Skip("this kernel has no System V semaphores (CONFIG_SYSVIPC)")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// value is the semaphore's value.
func (c *Cookie) value() (int, error) {
	const getVal = 12 // GETVAL, include/uapi/linux/sem.h
	n, _, errno := unix.Syscall6(unix.SYS_SEMCTL, uintptr(c.id), 0, getVal, 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func wantValue(t *testing.T, c *Cookie, want int) {
	t.Helper()
	if n, err := c.value(); err != nil || n != want {
		t.Fatalf("value %d, %v, want %d", n, err, want)
	}
}

func TestCookie(t *testing.T) {
	c := newCookie(t)
	if c.Base() == 0 || c.key != dmmap.CookieKey(c.Base()) {
		t.Errorf("key %#x, base %#x", c.key, c.Base())
	}
	wantValue(t, c, 1)
	if err := c.Increment(); err != nil {
		t.Fatal(err)
	}
	wantValue(t, c, 2)

	// Not complete: the wait ends with its context and says what to look at.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("udev has not answered: %v", err)
	}
	wantValue(t, c, 1)

	// udev's side, in another process as a rule.
	done := make(chan error, 1)
	go func() {
		other, err := OpenCookie(c.Base())
		if err == nil {
			err = other.Complete()
		}
		done <- err
	}()
	for err := error(unix.EAGAIN); errors.Is(err, unix.EAGAIN); {
		err = semop(c.id, 0, 0, waitSlice)
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantValue(t, c, 0)
	if err := c.Complete(); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("one completion too many: %v", err)
	}
}

func TestCookieWait(t *testing.T) {
	c := newCookie(t)
	const events = 3
	for range events {
		if err := c.Increment(); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, events)
	for range events {
		go func() { done <- c.Complete() }()
	}
	if err := c.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	for range events {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestCookieRemoved(t *testing.T) {
	c := newCookie(t)
	if err := c.Increment(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait(t.Context()) }()
	for n, err := c.value(); err == nil && n != 1; n, err = c.value() {
		time.Sleep(time.Millisecond)
	}
	if err := c.Destroy(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("removed while waiting: %v", err)
	}
	if err := c.Destroy(); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := OpenCookie(c.Base()); !errors.Is(err, unix.ENOENT) {
		t.Errorf("opened a cookie that is gone: %v", err)
	}
	if err := c.Increment(); err == nil {
		t.Error("incremented a cookie that is gone")
	}
}

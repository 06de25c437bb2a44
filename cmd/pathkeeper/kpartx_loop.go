package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// loopDevice is the loop device of a file.
type loopDevice struct {
	name string // "/dev/loop0", "" there is none
	made bool   // by this call
}

// findLoop looks for the loop device that shows a file from its beginning.
func findLoop(file string) (loopDevice, error) {
	path, err := realPath(file)
	if err != nil {
		return loopDevice{}, err
	}
	backing, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return loopDevice{}, err
	}
	for _, b := range backing {
		text, err := os.ReadFile(b)
		if err != nil || strings.TrimSuffix(string(text), "\n") != path {
			continue
		}
		offset, err := os.ReadFile(filepath.Join(filepath.Dir(b), "offset"))
		if err != nil || strings.TrimSpace(string(offset)) != "0" {
			continue
		}
		return loopDevice{name: "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(b)))}, nil
	}
	return loopDevice{}, nil
}

// attachTries is how often another loop device is asked for where somebody else was
// faster.
const attachTries = 16

// attachLoop gives a file a loop device, a read-only one where the file is.
func attachLoop(file string, readOnly bool) (loopDevice, error) {
	path, err := realPath(file)
	if err != nil {
		return loopDevice{}, err
	}
	flags := os.O_RDWR
	if readOnly {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ETXTBSY) {
		flags = os.O_RDONLY
		f, err = os.OpenFile(path, flags, 0)
	}
	if err != nil {
		return loopDevice{}, err
	}
	defer f.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return loopDevice{}, noLoop(err)
	}
	defer control.Close()
	for range attachTries {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return loopDevice{}, fmt.Errorf("can't set up loop: asking for a free device: %w", err)
		}
		name := "/dev/loop" + strconv.Itoa(n)
		err = bindLoop(name, f, path, flags)
		if errors.Is(err, unix.EBUSY) {
			continue
		}
		return loopDevice{name: name, made: err == nil}, err
	}
	return loopDevice{}, fmt.Errorf("can't set up loop for %s: others took each free device first", file)
}

func bindLoop(name string, f *os.File, path string, flags int) error {
	d, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return fmt.Errorf("can't set up loop: %w", err)
	}
	defer d.Close()
	if err := unix.IoctlSetInt(int(d.Fd()), unix.LOOP_SET_FD, int(f.Fd())); err != nil {
		return fmt.Errorf("can't set up loop %s for %s: %w", name, path, err)
	}
	var info unix.LoopInfo64
	copy(info.File_name[:len(info.File_name)-1], path)
	if err := unix.IoctlLoopSetStatus64(int(d.Fd()), &info); err != nil {
		_ = unix.IoctlSetInt(int(d.Fd()), unix.LOOP_CLR_FD, 0)
		return fmt.Errorf("can't set up loop %s for %s: %w", name, path, err)
	}
	return nil
}

// detach takes a loop device away; while somebody has it open the kernel does so at
// its last close.
func (k *kpartx) detach(l loopDevice) error {
	d, err := os.OpenFile(l.name, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("can't del loop : %w", err)
	}
	defer d.Close()
	if err := unix.IoctlSetInt(int(d.Fd()), unix.LOOP_CLR_FD, 0); err != nil {
		return fmt.Errorf("can't del loop : %s: %w", l.name, err)
	}
	if k.o.verbose {
		fmt.Fprintf(k.std.err, "loop deleted : %s\n", l.name)
	}
	return nil
}

// noLoop says what to do where a file gets no loop device.
func noLoop(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("can't set up loop: %w: a file needs root", err)
	}
	return fmt.Errorf("can't set up loop: %w: is the module loop loaded? `modprobe loop`", err)
}

package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Where the initramfs keeps what the host put in.
const (
	earlyDir  = "/early"  // modules and the file "order"
	injectDir = "/inject" // a tree that is copied over the root
	newRoot   = "/newroot"
	agentPath = "/usr/lib/lab/agent" // in the new root
)

// initramfs loads the early modules, puts a tmpfs overlay over the read-only
// root, copies what the host injected and hands PID 1 to systemd or to reap.
func initramfs() error {
	for _, m := range []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"}, {"sys", "/sys", "sysfs"}, {"dev", "/dev", "devtmpfs"}, {"run", "/run", "tmpfs"},
	} {
		if err := mount(m.source, m.target, m.kind, 0, ""); err != nil {
			return err
		}
	}
	if err := loadEarly(); err != nil {
		return err
	}
	boot, err := bootKind()
	if err != nil {
		return err
	}
	if err := waitForFile("/dev/vda"); err != nil {
		return err
	}
	if err := mount("/dev/vda", "/lower", "ext4", unix.MS_RDONLY|unix.MS_NOATIME, ""); err != nil {
		return err
	}
	if err := mountUpper(); err != nil {
		return err
	}
	for _, dir := range []string{"/upper/upper", "/upper/work"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := mount("root", newRoot, "overlay", 0, "lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work"); err != nil {
		return err
	}
	if err := inject(); err != nil {
		return err
	}
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run"} {
		if err := os.MkdirAll(newRoot+dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(dir, newRoot+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s below %s: %w", dir, newRoot, err)
		}
	}
	return switchRoot(boot)
}

// mountUpper mounts what the guest writes to: memory, or the disk that the kernel's
// command line names (lab.writes=vdb).
func mountUpper() error {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	for _, word := range strings.Fields(string(line)) {
		if disk, ok := strings.CutPrefix(word, "lab.writes="); ok {
			if err := waitForFile("/dev/" + disk); err != nil {
				return err
			}
			return mount("/dev/"+disk, "/upper", "ext4", 0, "")
		}
	}
	return mount("upper", "/upper", "tmpfs", 0, "size=70%")
}

// inject copies what the host put in over the root, once: on a disk that was there
// before it would undo what the guest has done since.
func inject() error {
	const done = "/upper/injected"
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	if err := copyTree(injectDir, newRoot); err != nil {
		return err
	}
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		return err
	}
	unix.Sync()
	return nil
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount -t %s %s %s: %w", kind, source, target, err)
	}
	return nil
}

// loadEarly loads the modules in the order that the image's builder resolved.
func loadEarly() error {
	f, err := os.Open(filepath.Join(earlyDir, "order"))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		m, err := os.Open(filepath.Join(earlyDir, lines.Text()))
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(m.Fd()), "", 0)
		m.Close()
		if err != nil && err != unix.EEXIST {
			return fmt.Errorf("load %s: %w", lines.Text(), err)
		}
	}
	return lines.Err()
}

// bootKind reads lab.boot= from the kernel's command line.
func bootKind() (string, error) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return "", err
	}
	for _, word := range strings.Fields(string(line)) {
		if kind, ok := strings.CutPrefix(word, "lab.boot="); ok && (kind == "bare" || kind == "systemd") {
			return kind, nil
		}
	}
	return "", fmt.Errorf("no lab.boot=bare or lab.boot=systemd in the kernel's command line %q", line)
}

// waitForFile waits until devtmpfs has made the node: inotify first, then look.
func waitForFile(name string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(name), unix.IN_CREATE); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		if _, err := os.Stat(name); err == nil {
			return nil
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("no %s after 20 s: the root's disk is missing", name)
		}
		if _, err := unix.Read(fd, buf); err != nil {
			return err
		}
	}
}

// copyTree copies directories, files with their modes, and links from one tree
// over another.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil || rel == "." {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(target, info.Mode().Perm())
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(name)
			if err != nil {
				return err
			}
			os.Remove(target)
			return os.Symlink(link, target)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		os.Remove(target) // never write through a link of the image
		if err := os.WriteFile(target, data, info.Mode().Perm()); err != nil {
			return err
		}
		return os.Remove(name) // the initramfs is memory
	})
}

// switchRoot makes newRoot the root and executes the boot's PID 1 there.
func switchRoot(boot string) error {
	self, err := os.ReadFile("/init")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(newRoot+agentPath), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(newRoot+agentPath, self, 0o755); err != nil {
		return err
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	env := []string{"PATH=" + guestPath, "HOME=/root", "TERM=linux", "LANG=C.UTF-8"}
	argv := []string{agentPath, "reap"}
	if boot == "systemd" {
		argv = []string{"/lib/systemd/systemd"}
	}
	return fmt.Errorf("execute %s: %w", argv[0], unix.Exec(argv[0], argv, env))
}

package main

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

const guestPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// reap is PID 1 of a bare boot: it mounts what systemd would have mounted,
// starts udevd, lets it settle, starts the server and then only collects
// orphans. The server is another process, so that collecting here never takes
// an exit status that the server waits for.
func reap() error {
	for _, m := range []struct{ source, target, kind, data string }{
		{"devpts", "/dev/pts", "devpts", "gid=5,mode=620"},
		{"shm", "/dev/shm", "tmpfs", ""},
		{"tmp", "/tmp", "tmpfs", "mode=1777"},
	} {
		if err := mount(m.source, m.target, m.kind, 0, m.data); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return err
	}
	if err := run("ip-lo-up", loopbackUp); err != nil {
		return err
	}
	for _, argv := range [][]string{
		{"/lib/systemd/systemd-udevd", "--daemon"},
		// Not every device: the rest of the coldplug loads drivers that no
		// scenario needs, and takes as long as the kernel's own boot.
		{"udevadm", "trigger", "--type=devices", "--action=add", "--subsystem-match=block", "--subsystem-match=scsi"},
		{"udevadm", "settle", "--timeout=60"},
	} {
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%v: %w\n%s", argv, err, out)
		}
	}
	proc, err := os.StartProcess(agentPath, []string{agentPath, "serve", "bare"},
		&os.ProcAttr{Dir: "/", Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("wait for children: %w", err)
		case pid == proc.Pid:
			return fmt.Errorf("the server ended with status %d", status.ExitStatus())
		}
	}
}

func run(what string, f func() error) error {
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// loopbackUp sets IFF_UP on lo: iSCSI within the guest goes over it.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// powerOff ends the guest at once; nothing in it is worth a sync.
func powerOff() {
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

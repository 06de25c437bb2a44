package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// hookAt is hookMain on a fake host, in a process of its own: its one argument is
// the host's directory, "" for a process that does nothing.
func hookAt(args []string) int {
	if len(args) != 2 || args[1] == "" {
		return exitDone
	}
	h := fakeHostAt(args[1])
	return hookMain(h, os.Environ(), streams{os.Stdout, os.Stderr})
}

// calls is how often a process has asked for each system call.
type calls map[int]int

// ofRuntime are the system calls of the Go runtime's threads and memory, whose number
// depends on the machine's load.
var ofRuntime = []int{
	unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_CLONE, unix.SYS_CLONE3,
	unix.SYS_SIGALTSTACK, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_GETTID, unix.SYS_GETPID, unix.SYS_TGKILL,
	unix.SYS_RSEQ, unix.SYS_SET_ROBUST_LIST, unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE,
}

func (c calls) total(of func(nr int) bool) (n int) {
	for nr, times := range c {
		if of(nr) {
			n += times
		}
	}
	return n
}

// minus leaves what this one has asked for beyond another.
func (c calls) minus(base calls) string {
	var lines []string
	for nr, n := range c {
		if n -= base[nr]; n != 0 && !slices.Contains(ofRuntime, nr) {
			lines = append(lines, fmt.Sprintf("%d x call %d", n, nr))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}

// traced runs this test's program as the hook of a fake host and counts its system
// calls, as strace -f -c does.
func traced(t *testing.T, dir string, env ...string) (calls, string) {
	t.Helper()
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	var out strings.Builder
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &exec.Cmd{Path: self, Args: []string{"hook-at", dir}, Env: append(env, hookAtVariable+"=1"), Stdout: w, Stderr: os.Stderr}
	c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	err = c.Start()
	w.Close()
	if err != nil {
		t.Skipf("nothing can be traced here: %v", err)
	}
	counted, err := trace(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Process.Release()
	buf := make([]byte, 1<<16)
	for {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return counted, out.String()
		}
	}
}

// trace follows a process and its threads to their ends.
func trace(pid int) (calls, error) {
	counted, inside := calls{}, map[int]bool{}
	left := 1
	for first := true; left > 0; first = false {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-pid, &ws, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("wait: %w", err)
		}
		if first {
			if err := unix.PtraceSetOptions(tid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL); err != nil {
				return nil, fmt.Errorf("trace: %w", err)
			}
		}
		if ws.Exited() || ws.Signaled() {
			if tid == pid {
				if ws.ExitStatus() != exitDone {
					return nil, fmt.Errorf("the hook ended with %d", ws.ExitStatus())
				}
				return counted, nil
			}
			continue
		}
		pass := 0
		switch sig := ws.StopSignal(); {
		case sig == unix.SIGTRAP|0x80: // at a system call: into it, or out of it
			if inside[tid] = !inside[tid]; inside[tid] {
				nr, err := current(tid)
				if err != nil {
					return nil, err
				}
				counted[nr]++
			}
		case sig == unix.SIGTRAP, sig == unix.SIGSTOP: // of the tracing itself
		default:
			pass = int(sig)
		}
		if err := unix.PtraceSyscall(tid, pass); err != nil && err != unix.ESRCH {
			return nil, fmt.Errorf("go on: %w", err)
		}
	}
	return counted, nil
}

// current is the system call that a stopped thread asks for (proc_pid_syscall(5)).
func current(tid int) (int, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/syscall")
	if err != nil {
		return 0, err
	}
	word, _, _ := strings.Cut(string(b), " ")
	return strconv.Atoi(word)
}

// The system calls of the hook for a disk that is a path, beyond what any Go program
// asks for: it reads what the decision needs, each with as few calls as it takes.
// docs/udev.md tells the number.
func TestHookCalls(t *testing.T) {
	const most = 94
	h := newFakeHost(t)
	h.write("etc/multipath/wwids", "# ids\n/"+testWWID+"/\n")
	h.write("etc/multipath/bindings", "# names\nmpatha "+testWWID+"\n")
	h.write("run/udev/data/b8:0", "E:ID_SERIAL="+testWWID+"\nE:ID_WWN=0x600a098000000000\nE:DEVTYPE=disk\n")
	for i := range 50 {
		h.dm("dm-"+strconv.Itoa(i), "253:"+strconv.Itoa(i), "mpath-3"+strconv.Itoa(i))
	}
	h.full("@pathkeeper-hook-calls")
	if err := os.Symlink(h.host.socket, filepath.Join(h.dir, "socket")); err != nil {
		t.Fatal(err)
	}
	base, _ := traced(t, "")
	got, out := traced(t, h.dir, "ACTION=add", "DEVPATH=/devices/x/block/sda", "DEVNAME=/dev/sda", "DEVTYPE=disk", "SUBSYSTEM=block")
	if !strings.Contains(out, "DM_MULTIPATH_DEVICE_PATH=\"1\"\n") {
		t.Fatalf("the hook said %q", out)
	}
	work := func(nr int) bool { return !slices.Contains(ofRuntime, nr) }
	own := got.total(work) - base.total(work)
	t.Logf("%d system calls of its own: %s; of the Go runtime %d", own, got.minus(base), got.total(func(int) bool { return true })-own)
	if own > most || own < most/2 {
		t.Errorf("%d system calls, want at most %d: %s", own, most, got.minus(base))
	}
}

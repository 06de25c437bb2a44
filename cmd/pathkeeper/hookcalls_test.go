package main

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"pathkeeper/sysfs"
)

// hookAt is hookMain on a fake host, in a process of its own: its first argument is
// the host's directory, "" for a process that does nothing. With further ones it is
// multipath there, with these.
func hookAt(args []string) int {
	if len(args) < 2 || args[1] == "" {
		return exitDone
	}
	h, std := fakeHostAt(args[1]), streams{os.Stdout, os.Stderr}
	if len(args) > 2 {
		return multipathOn(fakeMachine{host: h}, args[2:], std)
	}
	return hookMain(h, os.Environ(), std)
}

// fakeMachine is a fake host for multipath.
type fakeMachine struct {
	thisMachine
	host host
}

func (fakeMachine) unprivileged() bool { return false }

func (m fakeMachine) hookHost() hookHost { return m.host }

func (m fakeMachine) tree() (sysfs.Tree, func(), error) { return m.host.openTree() }

// calls is how often a process has asked for each system call.
type calls map[int]int

// asked is one system call with its first two arguments.
type asked struct {
	nr   int
	args [2]uint64
}

// ofRuntime are the system calls of the Go runtime's threads and memory, whose number
// depends on the machine's load.
var ofRuntime = []int{
	unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_CLONE, unix.SYS_CLONE3,
	unix.SYS_SIGALTSTACK, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_GETTID, unix.SYS_GETPID, unix.SYS_TGKILL,
	unix.SYS_RSEQ, unix.SYS_SET_ROBUST_LIST, unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE,
	unix.SYS_PREAD64, // of the cgroup's CPU limit, now and then
}

// ofOurs says whether a system call is not of the runtime alone.
func ofOurs(nr int) bool { return !slices.Contains(ofRuntime, nr) }

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
func traced(t *testing.T, dir string, env ...string) (calls, []asked, string) {
	t.Helper()
	return tracedAs(t, []string{dir}, env...)
}

// tracedAs is traced with arguments of hookAt.
func tracedAs(t *testing.T, args []string, env ...string) (calls, []asked, string) {
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
	c := &exec.Cmd{Path: self, Args: append([]string{"hook-at"}, args...), Env: append(env, hookAtVariable+"=1"), Stdout: w, Stderr: os.Stderr}
	c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	err = c.Start()
	w.Close()
	if err != nil {
		t.Skipf("nothing can be traced here: %v", err)
	}
	counted, order, err := trace(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Process.Release()
	buf := make([]byte, 1<<16)
	for {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return counted, order, out.String()
		}
	}
}

// trace follows a process and its threads to their ends.
func trace(pid int) (calls, []asked, error) {
	counted, inside := calls{}, map[int]bool{}
	var order []asked
	left := 1
	for first := true; left > 0; first = false {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-pid, &ws, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("wait: %w", err)
		}
		if first {
			if err := unix.PtraceSetOptions(tid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL); err != nil {
				return nil, nil, fmt.Errorf("trace: %w", err)
			}
		}
		if ws.Exited() || ws.Signaled() {
			if tid == pid {
				if ws.ExitStatus() != exitDone {
					return nil, nil, fmt.Errorf("the hook ended with %d", ws.ExitStatus())
				}
				return counted, order, nil
			}
			continue
		}
		pass := 0
		switch sig := ws.StopSignal(); {
		case sig == unix.SIGTRAP|0x80: // at a system call: into it, or out of it
			if inside[tid] = !inside[tid]; inside[tid] {
				call, err := current(tid)
				if err != nil {
					return nil, nil, err
				}
				counted[call.nr]++
				order = append(order, call)
			}
		case sig == unix.SIGTRAP, sig == unix.SIGSTOP: // of the tracing itself
		default:
			pass = int(sig)
		}
		if err := unix.PtraceSyscall(tid, pass); err != nil && err != unix.ESRCH {
			return nil, nil, fmt.Errorf("go on: %w", err)
		}
	}
	return counted, order, nil
}

// current is the system call that a stopped thread asks for (proc_pid_syscall(5)).
func current(tid int) (call asked, err error) {
	var words []string
	// "running" is a thread that has not left its processor yet, on a busy machine.
	for tries := 0; tries < 10_000 && (len(words) == 0 || words[0] == "running"); tries++ {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/syscall")
		if err != nil {
			return asked{}, err
		}
		words = strings.Fields(string(b))
		runtime.Gosched()
	}
	if len(words) == 0 {
		return asked{}, fmt.Errorf("thread %d: /proc says no system call", tid)
	}
	call.nr, err = strconv.Atoi(words[0])
	for i := range call.args {
		if err == nil && len(words) > i+1 {
			call.args[i], err = strconv.ParseUint(words[i+1], 0, 64)
		}
	}
	return call, err
}

var sdaAdded = []string{"ACTION=add", "DEVPATH=/devices/x/block/sda", "DEVNAME=/dev/sda", "DEVTYPE=disk", "SUBSYSTEM=block"}

// tracedHost is a host on which sda is a path, by the wwids file.
func tracedHost(t *testing.T) *fakeHost {
	h := newFakeHost(t)
	h.write("etc/multipath/wwids", "# ids\n/"+testWWID+"/\n")
	h.write("etc/multipath/bindings", "# names\nmpatha "+testWWID+"\n")
	h.write("run/udev/data/b8:0", "E:ID_SERIAL="+testWWID+"\nE:ID_WWN=0x600a098000000000\nE:DEVTYPE=disk\n")
	return h
}

// The system calls of the hook for a disk that is a path, beyond what any Go program
// asks for: it reads what the decision needs, each with as few calls as it takes.
// docs/udev.md tells the number.
func TestHookCalls(t *testing.T) {
	const most = 94
	h := tracedHost(t)
	for i := range 50 {
		h.dm("dm-"+strconv.Itoa(i), "253:"+strconv.Itoa(i), "mpath-3"+strconv.Itoa(i))
	}
	h.full("@pathkeeper-hook-calls")
	h.link("socket", h.host.socket)
	base, _, _ := traced(t, "")
	got, _, out := traced(t, h.dir, sdaAdded...)
	if !strings.Contains(out, "DM_MULTIPATH_DEVICE_PATH=\"1\"\n") {
		t.Fatalf("the hook said %q", out)
	}
	own := got.total(ofOurs) - base.total(ofOurs)
	t.Logf("%d system calls of its own: %s; of the Go runtime %d", own, got.minus(base), got.total(func(int) bool { return true })-own)
	if own > most || own < most/2 {
		t.Errorf("%d system calls, want at most %d: %s", own, most, got.minus(base))
	}
}

// many gives a host maps of four paths each beside its own, with their names and ids
// in the state files.
func (h *fakeHost) many(maps int) {
	var wwids, bindings strings.Builder
	for m := range maps {
		id := fmt.Sprintf("3600a0980000000000000000%08x", 0xa0000000+m)
		naa, _ := hex.DecodeString(id[1:])
		var paths []string
		for p := range 4 {
			name, number := fmt.Sprintf("sdx%dx%d", m, p), 8*m+p+1
			hctl := fmt.Sprintf("%d:0:0:%d", p+2, m)
			h.disk(name, "65:"+strconv.Itoa(number), hctl)
			h.write("sys/devices/pci0/host"+hctl[:1]+"/target"+hctl[:5]+"/"+hctl+"/vpd_pg83", string(append([]byte{0, 0x83, 0, 20, 1, 3, 0, 16}, naa...)))
			h.write("run/udev/data/b65:"+strconv.Itoa(number), "E:ID_SERIAL="+id+"\n")
			paths = append(paths, name)
		}
		h.dm("dm-"+strconv.Itoa(m), "253:"+strconv.Itoa(m), "mpath-"+id, paths...)
		fmt.Fprintf(&wwids, "/%s/\n", id)
		fmt.Fprintf(&bindings, "mpathx%d %s\n", m, id)
	}
	h.write("etc/multipath/wwids", "# ids\n/"+testWWID+"/\n"+wwids.String())
	h.write("etc/multipath/bindings", "# names\nmpatha "+testWWID+"\n"+bindings.String())
}

// A disk of a host with 100 maps and 400 other disks is decided on with as many system
// calls as one of a host with a single map: nothing is listed or read of the others.
// A signal of the runtime can cut a call short, which then is made again: the least
// of some runs counts.
func TestHookCallsDoNotGrow(t *testing.T) {
	hosts := map[int]*fakeHost{}
	for _, maps := range []int{1, 100} {
		h := tracedHost(t)
		h.many(maps)
		h.link("sys/dev/block/8:0", "../../block/sda")
		hosts[maps] = h
	}
	for name, c := range map[string]struct{ args, env []string }{
		"the hook":                {nil, sdaAdded},
		"multipath -u, the event": {[]string{"-u"}, sdaAdded},
		"multipath -u sda":        {[]string{"-u", "sda"}, nil},
		"multipath -c sda":        {[]string{"-c", "sda"}, nil},
		"multipath -c 8:0":        {[]string{"-c", "8:0"}, nil},
	} {
		for _, mode := range []string{"greedy", "strict"} {
			t.Run(name+", "+mode, func(t *testing.T) {
				least := map[int]calls{}
				for tries := 0; ; tries++ {
					for _, maps := range []int{1, 100} {
						h := hosts[maps]
						h.write("etc/multipath.conf", "defaults {\n find_multipaths "+mode+"\n}\n")
						got, _, out := tracedAs(t, append([]string{h.dir}, c.args...), c.env...)
						if !strings.Contains(out, "DM_MULTIPATH_DEVICE_PATH=\"1\"\n") {
							t.Fatalf("with %d maps it said %q", maps, out)
						}
						if least[maps] == nil || got.total(ofOurs) < least[maps].total(ofOurs) {
							least[maps] = got
						}
					}
					if least[100].total(ofOurs) <= least[1].total(ofOurs) {
						return
					}
					if tries == 5 {
						t.Fatalf("with 100 maps it asks for more: %s", least[100].minus(least[1]))
					}
				}
			})
		}
	}
}

// mayWait are the system calls that wait for somebody else's doing.
var mayWait = map[int]string{
	unix.SYS_PPOLL: "ppoll", unix.SYS_PSELECT6: "pselect6", unix.SYS_EPOLL_PWAIT: "epoll_pwait", unix.SYS_EPOLL_PWAIT2: "epoll_pwait2",
	unix.SYS_RECVFROM: "recvfrom", unix.SYS_RECVMSG: "recvmsg", unix.SYS_RECVMMSG: "recvmmsg", unix.SYS_SENDTO: "sendto", unix.SYS_SENDMSG: "sendmsg",
	unix.SYS_ACCEPT: "accept", unix.SYS_ACCEPT4: "accept4", unix.SYS_FLOCK: "flock", unix.SYS_CLOCK_NANOSLEEP: "clock_nanosleep",
	unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync", unix.SYS_SYNC: "sync", unix.SYS_IOCTL: "ioctl",
}

// The hook may wait 50 ms for the daemon, and waits for none of them: what it asks a
// daemon that takes no call, or takes it and says nothing, is one connect that does
// not wait, and nothing is read or waited for after it.
func TestHookWaitsForNobody(t *testing.T) {
	for name, daemon := range map[string]func(*fakeHost){
		"its queue is full": func(h *fakeHost) { h.full("@pathkeeper-hook-waits-full") },
		"it says nothing": func(h *fakeHost) {
			l, err := net.Listen("unix", "@pathkeeper-hook-waits-mute")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			h.host.socket = "@pathkeeper-hook-waits-mute"
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := tracedHost(t)
			daemon(h)
			h.link("socket", h.host.socket)
			got, order, out := traced(t, h.dir, sdaAdded...)
			if !strings.Contains(out, "DM_MULTIPATH_DEVICE_PATH=\"1\"\n") {
				t.Fatalf("the hook said %q", out)
			}
			if got[unix.SYS_CONNECT] != 1 || got[unix.SYS_SOCKET] != 1 {
				t.Errorf("%d connects of %d sockets, want one", got[unix.SYS_CONNECT], got[unix.SYS_SOCKET])
			}
			for _, call := range order {
				if what := mayWait[call.nr]; what != "" {
					t.Errorf("%s is asked for", what)
				}
				if call.nr == unix.SYS_SOCKET && call.args[1]&unix.SOCK_NONBLOCK == 0 {
					t.Errorf("a socket of type %#x waits", call.args[1])
				}
			}
		})
	}
}

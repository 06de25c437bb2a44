// Package guest boots lab guests under QEMU and talks to the agent in them.
package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"pathkeeper/lab/image"
)

// Boot is what the guest's PID 1 is.
type Boot string

const (
	// Bare runs udevd and the agent, nothing else: the quick boot.
	Bare Boot = "bare"
	// Systemd is Debian's systemd with lab.target; the agent is a service.
	Systemd Boot = "systemd"
)

// Disk is one disk on an AHCI controller, made at boot: AHCI in QEMU has no
// hotplug. Its content is empty and gone with the guest.
type Disk struct {
	Model  string // IDENTIFY's model, at most 40 bytes
	Serial string // IDENTIFY's serial, at most 20 bytes
	Bytes  int64
}

// Config says what to boot.
type Config struct {
	Image  image.Image
	Boot   Boot
	CPUs   int      // 0: two under KVM, one under TCG (see wantedCPUs)
	Memory int      // MiB, 0: 1024
	Disks  []Disk   // AHCI, in order
	Files  []Inject // copied over the root before PID 1 starts
	// Writes is a file of MakeWrites, for all that the guest writes to its root. Empty:
	// memory, gone with the guest. Files are copied only over a fresh one.
	Writes string
	Accel  Accel         // the zero value asks PickAccel
	Talk   io.Writer     // progress, one line each; nil: none
	Limit  time.Duration // for the boot; 0: 4 min
}

// Inject is one file for the guest's root.
type Inject struct {
	Path string // absolute, in the guest
	Mode os.FileMode
	Data []byte
}

// Guest is a running guest. Its methods may be called from any goroutine.
type Guest struct {
	*Client
	Boot  Boot
	Accel Accel
	// Booted is how long QEMU took from its start to the agent's hello.
	Booted time.Duration

	dir     string // private directory: sockets, initramfs, disks, console log
	cmd     *exec.Cmd
	exited  chan struct{}
	exitErr error
	cpus    *cpuLocks
	once    sync.Once
	qmp     *qmp
}

// Start boots a guest and returns when its agent answers. The caller must
// Close it.
func Start(ctx context.Context, c Config) (*Guest, error) {
	if c.Talk == nil {
		c.Talk = io.Discard
	}
	if c.Memory == 0 {
		c.Memory = 1024
	}
	if c.Limit == 0 {
		c.Limit = 4 * time.Minute
	}
	accel := c.Accel
	if accel == "" {
		var err error
		if accel, err = PickAccel(ctx, c.Image, c.Talk); err != nil {
			return nil, err
		}
	}
	want, err := wantedCPUs(c, accel)
	if err != nil {
		return nil, err
	}
	cpus, err := takeCPUs(ctx, want, c.Talk)
	if err != nil {
		return nil, err
	}
	g, err := start(ctx, c, accel, cpus.count)
	if err != nil {
		cpus.release()
		return nil, err
	}
	g.cpus = cpus
	return g, nil
}

// wantedCPUs is how many CPUs a guest gets: PATHKEEPER_LAB_CPUS, or two under KVM
// and one under TCG. QEMU 7.2's emulation with a thread for each CPU was seen to
// hang one of them for ever when the kernel patched a jump that it was running
// (static keys do that all the time): one boot of about twenty on a busy host.
func wantedCPUs(c Config, accel Accel) (int, error) {
	if c.CPUs > 0 {
		return c.CPUs, nil
	}
	if text := os.Getenv("PATHKEEPER_LAB_CPUS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return 0, fmt.Errorf("PATHKEEPER_LAB_CPUS=%q is no number of CPUs", text)
		}
		return n, nil
	}
	if accel == KVM {
		return 2, nil
	}
	return 1, nil
}

// start boots without asking for the accelerator or for CPUs.
func start(ctx context.Context, c Config, accel Accel, cpus int) (_ *Guest, err error) {
	dir, err := os.MkdirTemp("", "pathkeeper-guest-")
	if err != nil {
		return nil, err
	}
	g := &Guest{Boot: c.Boot, Accel: accel, dir: dir, exited: make(chan struct{})}
	defer func() {
		if err != nil {
			g.Close()
		}
	}()
	initrd := filepath.Join(dir, "initrd")
	if err := writeInitrd(initrd, c.Image, c.Files); err != nil {
		return nil, fmt.Errorf("make the initramfs: %w", err)
	}
	agent, err := net.Listen("unix", filepath.Join(dir, "agent.sock"))
	if err != nil {
		return nil, err
	}
	defer agent.Close()
	control, err := net.Listen("unix", filepath.Join(dir, "qmp.sock"))
	if err != nil {
		return nil, err
	}
	defer control.Close()
	args, err := qemuArgs(dir, initrd, c, accel, cpus)
	if err != nil {
		return nil, err
	}
	errLog, err := os.Create(filepath.Join(dir, "qemu.log"))
	if err != nil {
		return nil, err
	}
	defer errLog.Close()
	g.cmd = exec.Command("qemu-system-x86_64", args...)
	g.cmd.Stdout, g.cmd.Stderr = errLog, errLog
	g.cmd.SysProcAttr = diesWithUs()
	began := time.Now()
	if err := startPinned(g.cmd); err != nil {
		g.cmd = nil
		return nil, fmt.Errorf("start qemu-system-x86_64: %w; `lab deps` installs it", err)
	}
	go func() {
		g.exitErr = g.cmd.Wait()
		close(g.exited)
	}()
	limit, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	conn, err := g.accept(limit, agent)
	if err != nil {
		return nil, g.diagnose("QEMU did not open the agent's channel", err)
	}
	mon, err := g.accept(limit, control)
	if err != nil {
		return nil, g.diagnose("QEMU did not open its monitor", err)
	}
	if g.qmp, err = newQMP(mon); err != nil {
		return nil, g.diagnose("QEMU's monitor", err)
	}
	g.Client = newClient(conn)
	if err := g.Client.greeted(limit, g.exited); err != nil {
		return nil, g.diagnose(fmt.Sprintf("the guest's agent did not answer in %s", time.Since(began).Round(time.Second/10)), err)
	}
	g.Booted = time.Since(began)
	return g, nil
}

// accept waits for QEMU to connect to one of our sockets, or to end.
func (g *Guest) accept(ctx context.Context, l net.Listener) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-g.exited:
			l.Close()
		case <-done:
		}
	}()
	return l.Accept()
}

// diagnose adds what QEMU and the guest's console said to an error.
func (g *Guest) diagnose(what string, err error) error {
	var b strings.Builder
	for _, name := range []string{"qemu.log", "console.log"} {
		if text := tail(filepath.Join(g.dir, name), 25); text != "" {
			fmt.Fprintf(&b, "\n--- %s, its last lines:\n%s", name, text)
		}
	}
	return fmt.Errorf("%s: %w%s", what, err, b.String())
}

// Console returns the whole log of the guest's serial console.
func (g *Guest) Console() ([]byte, error) {
	return os.ReadFile(filepath.Join(g.dir, "console.log"))
}

// Close ends QEMU at once: the guest keeps nothing worth a shutdown.
func (g *Guest) Close() error {
	g.once.Do(func() {
		if g.qmp != nil {
			g.qmp.close()
		}
		if g.Client != nil {
			g.Client.close()
		}
		if g.cmd != nil {
			g.cmd.Process.Kill()
			<-g.exited
		}
		if g.cpus != nil {
			g.cpus.release()
		}
		os.RemoveAll(g.dir)
	})
	return nil
}

// Alive says whether QEMU still runs.
func (g *Guest) Alive() bool {
	select {
	case <-g.exited:
		return false
	default:
		return true
	}
}

// Ends waits until QEMU has ended by itself, and says whether it has.
func (g *Guest) Ends(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-g.exited:
		return true
	case <-timer.C:
		return !g.Alive()
	}
}

// Freeze stops the guest's virtual CPUs by QEMU's monitor, Thaw continues them:
// a virtual machine's pause, with time standing still in it.
func (g *Guest) Freeze() error { return g.qmp.command("stop", nil) }

// Thaw ends Freeze.
func (g *Guest) Thaw() error { return g.qmp.command("cont", nil) }

func tail(name string, lines int) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	var last []string
	in := bufio.NewScanner(f)
	for in.Scan() {
		last = append(last, in.Text())
		if len(last) > lines {
			last = last[1:]
		}
	}
	return strings.Join(last, "\n")
}

var errGuestGone = errors.New("the guest has ended")

package contract

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/blockio"
	"pathkeeper/dmmap"
	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/scsi"
	"pathkeeper/scsi/sgio"
	"pathkeeper/sysfs"
)

// The real side: LIO's LUNs over tcm_loop in the lab's guest. The environment says
// where the disks are (A1=/dev/sda and so on; lab/scenarios/contract.txt).
const (
	recorded = "/run/lab/out/contract"
	lio      = "/sys/kernel/config/target"
	patience = 10 * time.Second // for what is expected to come; a longer wait shows in the transcript
	glance   = 300 * time.Millisecond
)

// TestRealKernel writes the transcripts of this kernel and compares them with the
// golden ones. udevd would open what the sequences count, so it is away meanwhile:
// of the hundreds of events in between nobody has any use.
func TestRealKernel(t *testing.T) {
	if os.Getenv("PATHKEEPER_LAB") != "1" {
		t.Skip("needs the lab's guest: lab/scenarios/contract.txt sets PATHKEEPER_LAB=1")
	}
	command(t, "udevadm", "settle", "--timeout=50")
	command(t, "udevadm", "control", "--exit")
	t.Cleanup(func() { command(t, "/lib/systemd/systemd-udevd", "--daemon") })
	if err := os.MkdirAll(recorded, 0o755); err != nil {
		t.Fatal(err)
	}
	r := newRealRig(t)
	for _, s := range Sequences() {
		if only := os.Getenv("CONTRACT_ONLY"); only != "" && only != s.Name {
			continue
		}
		ok := t.Run(s.Name, func(t *testing.T) {
			began := time.Now()
			have, err := s.Run(r)
			t.Logf("%d lines in %.1f s", len(have), time.Since(began).Seconds())
			if err != nil {
				t.Error(err)
			}
			if err := os.WriteFile(filepath.Join(recorded, s.Name+".txt"), []byte(strings.Join(have, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if os.Getenv("CONTRACT_RECORD") == "1" {
				return
			}
			if d := difference(want(t, s.Name), have); d != "" {
				t.Errorf("this kernel differs from the recorded one:\n%s", d)
			}
		})
		if !ok {
			r.clean()
		}
	}
}

func command(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
}

type realRig struct {
	t       *testing.T
	dm      *dmioctl.Control
	sys     sysfs.WritableRoot
	dev     *blockio.Devices
	scsi    *generic
	heard   *listener
	hctl    map[string]string // symbol -> SCSI address
	lun     map[string]string // symbol -> LUN
	claimed map[string]int    // symbol -> descriptor
	moving  *exec.Cmd         // keeps a controller in transition
	opened  map[int]*os.File
	ios     []chan string
	ended   map[int]string
}

func newRealRig(t *testing.T) *realRig {
	t.Helper()
	r := &realRig{
		t: t, dev: blockio.New("/dev"), hctl: map[string]string{}, claimed: map[string]int{}, opened: map[int]*os.File{}, ended: map[int]string{},
		lun: map[string]string{"A1": "one", "A2": "one", "B1": "one", "B2": "one", "X1": "two", "S1": "tiny"},
	}
	var err error
	if r.dm, err = dmioctl.Open(); err != nil {
		t.Fatal(err)
	}
	if r.sys, err = sysfs.OpenWritable("/sys"); err != nil {
		t.Fatal(err)
	}
	if r.scsi, err = newGeneric(); err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols() {
		name := filepath.Base(os.Getenv(s))
		link, err := os.Readlink("/sys/block/" + name + "/device")
		if err != nil {
			t.Fatalf("the disk %s: %v", s, err)
		}
		r.hctl[s] = filepath.Base(link)
		if err := r.scsi.learn(name); err != nil {
			t.Fatal(err)
		}
	}
	if r.heard, err = listen(r); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *realRig) Ports() Ports {
	return Ports{DM: r.dm, SCSI: r.scsi, Sysfs: r.sys, Write: r.sys, Block: r.dev}
}

// Disk looks in sysfs at the disk's address.
func (r *realRig) Disk(symbol string) (string, bool) {
	entries, err := os.ReadDir("/sys/bus/scsi/devices/" + r.hctl[symbol] + "/block")
	if err != nil || len(entries) != 1 {
		return "", false
	}
	return entries[0].Name(), true
}

// NAA is of the WWID that the scenario gives: scsi_id's, less its first digit.
func (r *realRig) NAA(lun string) string { return os.Getenv("WWID_" + lun)[1:] }

// portal is tcm_loop's directory of the target behind a disk.
func (r *realRig) portal(symbol string) (string, error) {
	files, err := filepath.Glob(lio + "/loopback/naa.*/tpgt_1/address")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.TrimSpace(string(b))+":0" == r.hctl[symbol] {
			return filepath.Dir(f), nil
		}
	}
	return "", fmt.Errorf("no loop target has the address %s of %s", r.hctl[symbol], symbol)
}

func (r *realRig) Cut(symbol string, out bool) error {
	dir, err := r.portal(symbol)
	if err != nil {
		return err
	}
	state := "online"
	if out {
		state = "offline"
	}
	return os.WriteFile(dir+"/transport_status", []byte(state), 0)
}

// Access sets a state. LIO takes "transitioning" from nobody: it is in that state
// while it moves to another one, and the time that this takes can be set. So a
// child process is kept at it, until the next state is wanted.
func (r *realRig) Access(lun, controller string, state uint8) error {
	dir := lio + "/core/fileio_0/" + lun + "/alua/" + controller
	set := func(attr, value string) error { return os.WriteFile(dir+"/"+attr, []byte(value), 0) }
	if r.moving != nil {
		_ = r.moving.Process.Signal(unix.SIGKILL)
		_ = r.moving.Wait()
		r.moving = nil
		if err := set("trans_delay_msecs", "0"); err != nil {
			return err
		}
	}
	if state != 15 {
		return set("alua_access_state", fmt.Sprint(state))
	}
	if err := set("trans_delay_msecs", "30000"); err != nil {
		return err
	}
	r.moving = exec.Command("sh", "-c", "echo 1 > "+dir+"/alua_access_state")
	if err := r.moving.Start(); err != nil {
		return err
	}
	return until(func() bool {
		b, err := os.ReadFile(dir + "/alua_access_state")
		return err == nil && strings.TrimSpace(string(b)) == "15"
	})
}

// until waits for a condition that is due.
func until(ok func() bool) error {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if ok() {
			return nil
		}
		if time.Now().After(end) {
			return errors.New("it does not come")
		}
	}
}

// Resize tells fileio another size; it reports what it was told last.
func (r *realRig) Resize(lun string, sectors uint64) error {
	dir := lio + "/core/fileio_0/" + lun
	return os.WriteFile(dir+"/control", []byte(fmt.Sprintf("fd_dev_size=%d", sectors*512)), 0)
}

func (r *realRig) Rescan(symbol string) error {
	part := strings.Split(r.hctl[symbol], ":")
	if err := os.WriteFile("/sys/class/scsi_host/host"+part[0]+"/scan", []byte(part[1]+" "+part[2]+" -"), 0); err != nil {
		return err
	}
	err := until(func() bool {
		name, ok := r.Disk(symbol)
		if !ok {
			return false
		}
		b, err := os.ReadFile("/sys/block/" + name + "/size")
		return err == nil && strings.TrimSpace(string(b)) != "0"
	})
	if err != nil {
		return fmt.Errorf("the disk at %s: %w", r.hctl[symbol], err)
	}
	name, _ := r.Disk(symbol)
	return r.scsi.learn(name)
}

func (r *realRig) Claim(symbol string, on bool) error {
	if !on {
		fd, ok := r.claimed[symbol]
		if !ok {
			return nil
		}
		delete(r.claimed, symbol)
		return unix.Close(fd)
	}
	name, _ := r.Disk(symbol)
	fd, err := unix.Open("/dev/"+name, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err == nil {
		r.claimed[symbol] = fd
	}
	return err
}

func (r *realRig) ReadOnly(symbol string, on bool) error {
	name, _ := r.Disk(symbol)
	fd, err := unix.Open("/dev/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := 0
	if on {
		value = 1
	}
	return unix.IoctlSetPointerInt(fd, unix.BLKROSET, value)
}

func (r *realRig) Events(least int) ([]Event, error) { return r.heard.take(least) }

// Quiet reads until the number stays for some turns; the worker that counts runs
// as soon as the guest's one processor is free.
func (r *realRig) Quiet(read func() uint32) {
	last, same := read(), 0
	for same < 4 {
		time.Sleep(3 * time.Millisecond)
		if n := read(); n == last {
			same++
		} else {
			last, same = n, 0
		}
	}
}

func (r *realRig) Arm() {}

func (r *realRig) Woken() bool {
	ctx, cancel := context.WithTimeout(context.Background(), glance)
	defer cancel()
	return r.dm.WaitEvent(ctx) == nil
}

func (r *realRig) Open(minor uint32) (int, uint32) {
	fd, err := unix.Open(fmt.Sprintf("/dev/dm-%d", minor), unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		var errno unix.Errno
		errors.As(err, &errno)
		return 0, uint32(errno)
	}
	r.opened[fd] = os.NewFile(uintptr(fd), "map")
	return fd, 0
}

func (r *realRig) Close(id int) {
	r.opened[id].Close()
	delete(r.opened, id)
}

// Write has a thread of its own write one block past the cache.
func (r *realRig) Write(id int, block uint64) int {
	result := make(chan string, 1)
	r.ios = append(r.ios, result)
	go func() {
		// mmap gives memory that is aligned as O_DIRECT wants it.
		buf, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err == nil {
			_, err = unix.Pwrite(id, buf[:512], int64(block)*512)
			_ = unix.Munmap(buf)
		}
		var errno unix.Errno
		errors.As(err, &errno)
		result <- errnoName(uint32(errno))
	}()
	return len(r.ios) - 1
}

func (r *realRig) Ended(io int, wait bool) (string, bool) {
	limit := glance
	if wait {
		limit = patience
	}
	if s, ok := r.ended[io]; ok {
		return s, true
	}
	select {
	case s := <-r.ios[io]:
		r.ended[io] = s
		return s, true
	case <-time.After(limit):
		return "no end", false
	}
}

// clean brings everything back after a sequence that broke off, so that the next
// one tells of itself.
func (r *realRig) clean() {
	for _, s := range symbols() {
		_ = r.Claim(s, false)
		_ = r.Cut(s, false)
		_ = os.WriteFile("/sys/bus/scsi/devices/"+r.hctl[s]+"/state", []byte("running\n"), 0)
		if _, ok := r.Disk(s); !ok {
			_ = r.Rescan(s)
		}
	}
	out, _ := exec.Command("sh", "-c", "for m in $(dmsetup ls 2>/dev/null | grep -v '^No' | cut -f1); do dmsetup resume --noudevsync $m; dmsetup message $m 0 fail_if_no_path; done").CombinedOutput()
	for id := range r.opened {
		r.Close(id)
	}
	more, _ := exec.Command("sh", "-c", "for m in $(dmsetup ls 2>/dev/null | grep -v '^No' | cut -f1); do dmsetup remove --noudevsync $m; done").CombinedOutput()
	r.t.Logf("cleaned up: %s%s", out, more)
	_, _ = r.Events(0)
}

// generic is a scsi.Port by asynchronous sg, as the daemon uses it: the generic
// device of a disk is known from when the disk was identified.
type generic struct {
	async *sgio.Async
	sg    map[string]string
	tag   uint64
	done  chan sgio.Completion
}

func newGeneric() (*generic, error) {
	g := &generic{sg: map[string]string{}, done: make(chan sgio.Completion, 1)}
	var err error
	g.async, err = sgio.NewAsync("/dev", func(c sgio.Completion) { g.done <- c })
	return g, err
}

func (g *generic) learn(name string) error {
	list, err := os.ReadDir("/sys/block/" + name + "/device/scsi_generic")
	if err != nil || len(list) != 1 {
		return fmt.Errorf("%s: generic device %v: %w", name, list, err)
	}
	g.sg[name] = list[0].Name()
	return nil
}

func (g *generic) Do(device string, req scsi.Request) scsi.Response {
	g.tag++
	if err := g.async.Submit(sgio.Job{Tag: g.tag, Device: device, SG: g.sg[device], Request: req}); err != nil {
		return scsi.Response{Errno: uint32(dmmap.ErrNoDevice)}
	}
	return (<-g.done).Response
}

package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"pathkeeper/configs"
	"pathkeeper/dmmap/table"
	"pathkeeper/engine"
)

const testWWID = "3600a0980000000000000000000000001"

// fakeHost is a host with disks sda and sdb of one LUN, and its own /etc.
type fakeHost struct {
	t   testing.TB
	dir string
	host
}

// fakeHostAt is the host that lies in a directory; a link there may name its socket.
func fakeHostAt(dir string) host {
	at := func(name string) string { return filepath.Join(dir, name) }
	socket, err := os.Readlink(at("socket"))
	if err != nil {
		socket = at("s")
	}
	return host{
		sys: at("sys"), udev: at("run/udev"), dev: at("dev"), root: dir, mounts: at("mounts"), swaps: at("swaps"),
		config: configs.Paths{
			Main: at("etc/multipath.conf"), Dir: at("etc/multipath/conf.d"),
			Native: at("etc/pathkeeper/pathkeeper.yaml"), NativeDir: at("etc/pathkeeper/conf.d"),
		},
		engine: engine.DefaultFiles(), socket: socket, enabled: []string{at("wants/*.wants/pathkeeper.service")},
		pidFile: at("run/multipathd.pid"), proc: "/proc", lookup: lookupID, active: func(string) ([]table.DevNum, bool) { return nil, false },
	}
}

func newFakeHost(t testing.TB) *fakeHost {
	dir := t.TempDir()
	h := &fakeHost{t: t, dir: dir, host: fakeHostAt(dir)}
	h.write("wants/sysinit.target.wants/pathkeeper.service", "")
	h.write("mounts", "")
	h.write("swaps", "Filename\tType\tSize\tUsed\tPriority\n")
	h.write("etc/multipath.conf", "")
	h.disk("sda", "8:0", "0:0:0:1")
	h.disk("sdb", "8:16", "1:0:0:1")
	return h
}

func (h *fakeHost) write(name, content string) {
	h.t.Helper()
	name = filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *fakeHost) link(name, target string) {
	h.t.Helper()
	name = filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		h.t.Fatal(err)
	}
}

// disk adds a SCSI disk whose VPD page 0x83 bears testWWID.
func (h *fakeHost) disk(name, dev, hctl string) {
	scsiDir := "sys/devices/pci0/host" + hctl[:1] + "/target" + hctl[:5] + "/" + hctl
	block := scsiDir + "/block/" + name
	h.write(block+"/dev", dev+"\n")
	h.write(block+"/size", "20971520\n")
	h.write(block+"/ro", "0\n")
	h.link(block+"/device", "../..")
	h.link("sys/block/"+name, strings.TrimPrefix("../"+strings.TrimPrefix(block, "sys/"), "/"))
	for _, d := range []string{"/holders", "/slaves"} {
		if err := os.MkdirAll(filepath.Join(h.dir, block+d), 0o755); err != nil {
			h.t.Fatal(err)
		}
	}
	inquiry := make([]byte, 36)
	inquiry[2], inquiry[3], inquiry[4] = 5, 2, 31
	copy(inquiry[8:], "NETAPP  LUN C-Mode      9800")
	naa, _ := hex.DecodeString(testWWID[1:])
	page := append([]byte{0, 0x83, 0, 20, 1, 3, 0, 16}, naa...)
	h.write(scsiDir+"/inquiry", string(inquiry))
	h.write(scsiDir+"/vpd_pg83", string(page))
	h.write(scsiDir+"/state", "running\n")
	h.write(scsiDir+"/type", "0\n")
}

// dm adds a device-mapper device over others.
func (h *fakeHost) dm(name, dev, uuid string, slaves ...string) {
	block := "sys/devices/virtual/block/" + name
	h.write(block+"/dev", dev+"\n")
	h.write(block+"/size", "20971520\n")
	h.write(block+"/dm/uuid", uuid+"\n")
	h.write(block+"/dm/name", name+"-name\n")
	h.write(block+"/dm/suspended", "0\n")
	h.link("sys/block/"+name, "../devices/virtual/block/"+name)
	for _, s := range slaves {
		h.write(block+"/slaves/"+s, "")
		h.write("sys/block/"+s+"/holders/"+name, "")
	}
}

// event runs the hook and gives the properties that it prints.
func (h *fakeHost) event(env ...string) (props map[string]string, code int, talk string) {
	h.t.Helper()
	var out, errs bytes.Buffer
	code = hookMain(h.host, env, streams{&out, &errs})
	props = map[string]string{}
	for line := range strings.Lines(out.String()) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
			h.t.Errorf("line %q", line)
			continue
		}
		props[key] = value[1 : len(value)-1]
	}
	return props, code, errs.String()
}

func (h *fakeHost) sda() map[string]string {
	h.t.Helper()
	props, code, talk := h.event("ACTION=add", "DEVPATH=/devices/x/block/sda", "DEVNAME=/dev/sda", "DEVTYPE=disk", "SUBSYSTEM=block")
	if code != exitDone || talk != "" {
		h.t.Fatalf("exit %d: %s", code, talk)
	}
	return props
}

func TestHookPath(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*fakeHost)
		claim  string
		reason string
	}{
		{"unknown LUN", func(*fakeHost) {}, "0", "find_multipaths strict"},
		{"greedy", func(h *fakeHost) { h.write("etc/multipath.conf", "defaults {\n find_multipaths greedy\n}\n") }, "1", "greedy"},
		{"listed in wwids", func(h *fakeHost) { h.write("etc/multipath/wwids", "/"+testWWID+"/\n") }, "1", "wwids"},
		{"named in the config", func(h *fakeHost) {
			h.write("etc/multipath.conf", "multipaths {\n multipath {\n  wwid "+testWWID+"\n  alias ocr1\n }\n}\n")
		}, "1", "multipaths section"},
		{"nobody builds maps", func(h *fakeHost) {
			h.write("etc/multipath/wwids", "/"+testWWID+"/\n")
			os.RemoveAll(filepath.Join(h.dir, "wants"))
		}, "0", "does not run and is not enabled"},
		{"the daemon runs, not enabled", func(h *fakeHost) {
			h.write("etc/multipath/wwids", "/"+testWWID+"/\n")
			os.RemoveAll(filepath.Join(h.dir, "wants"))
			l, err := net.Listen("unix", "@pathkeeper-hook-test")
			if err != nil {
				h.t.Fatal(err)
			}
			h.t.Cleanup(func() { l.Close() })
			h.host.socket = "@pathkeeper-hook-test"
		}, "1", "wwids"},
		{"mounted", func(h *fakeHost) {
			h.write("etc/multipath/wwids", "/"+testWWID+"/\n")
			h.write("mounts", "22 1 8:0 / /data rw - ext4 /dev/sda rw\n")
		}, "0", "/data"},
		{"mounts unreadable", func(h *fakeHost) {
			h.write("etc/multipath/wwids", "/"+testWWID+"/\n")
			os.Remove(filepath.Join(h.dir, "mounts"))
		}, "0", "cannot be read"},
		{"its map could not be made", func(h *fakeHost) {
			h.write("etc/multipath/wwids", "/"+testWWID+"/\n")
			h.write("run/multipath/failed_wwids/"+testWWID, "")
		}, "0", "failed_wwids"},
		{"its LUN has a map", func(h *fakeHost) { h.dm("dm-0", "253:0", "mpath-"+testWWID, "sdb") }, "1", "has a map"},
		{"it is a path of a map", func(h *fakeHost) { h.dm("dm-0", "253:0", "mpath-"+testWWID, "sda") }, "1", "path of a running map"},
		{"blacklisted", func(h *fakeHost) {
			h.write("etc/multipath/wwids", "/"+testWWID+"/\n")
			h.write("etc/multipath.conf", "blacklist {\n devnode \"^sda\"\n}\n")
		}, "0", "multipath.conf:2:"},
		{"native", func(h *fakeHost) {
			h.write("etc/pathkeeper/pathkeeper.yaml", "blacklist:\n  devnode: '^sda'\n")
		}, "0", "pathkeeper.yaml:2:"},
		{"the daemon runs and does not answer", func(h *fakeHost) {
			h.write("etc/multipath/wwids", "/"+testWWID+"/\n")
			os.RemoveAll(filepath.Join(h.dir, "wants"))
			h.full("@pathkeeper-hook-full")
		}, "1", "wwids"},
		{"smart, two paths", func(h *fakeHost) { h.write("etc/multipath.conf", "defaults {\n find_multipaths smart\n}\n") }, "1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFakeHost(t)
			c.change(h)
			got := h.sda()
			if got["DM_MULTIPATH_DEVICE_PATH"] != c.claim || !strings.Contains(got["PATHKEEPER_REASON"], c.reason) {
				t.Errorf("%v, want %s because of %q", got, c.claim, c.reason)
			}
		})
	}
}

func TestHookMap(t *testing.T) {
	h := newFakeHost(t)
	h.write("etc/multipath.conf", "multipaths {\n multipath {\n  wwid "+testWWID+"\n  alias ocr1\n  uid 54321\n  gid 503\n  mode 0660\n }\n}\n")
	h.dm("dm-0", "253:0", "mpath-"+testWWID, "sda", "sdb")
	h.dm("dm-1", "253:1", "part1-mpath-"+testWWID, "dm-0")
	h.dm("dm-2", "253:2", "LVM-xyz", "dm-0")
	h.dm("dm-3", "253:3", "mpath-3nobody")
	want := map[string]string{"PATHKEEPER_UID": "54321", "PATHKEEPER_GID": "503", "PATHKEEPER_MODE": "0660"}
	for name, ready := range map[string]string{"dm-0": "1", "dm-1": ""} {
		got, code, talk := h.event("ACTION=change", "DEVPATH=/devices/virtual/block/"+name, "DM_NR_VALID_PATHS=2")
		if code != exitDone || got["MPATH_DEVICE_READY"] != ready {
			t.Errorf("%s: exit %d, %v, %s", name, code, got, talk)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %s=%q, want %q", name, k, got[k], v)
			}
		}
	}
	if got, code, _ := h.event("DEVPATH=/devices/virtual/block/dm-2"); code != exitDone || len(got) != 0 {
		t.Errorf("another dm device: %d, %v", code, got)
	}
	if got, code, _ := h.event("DEVPATH=/devices/virtual/block/dm-3"); code != exitDone || got["PATHKEEPER_UID"] != "" || got["DM_SERIAL"] != "3nobody" {
		t.Errorf("a map without paths: %d, %v", code, got)
	}
}

// Where the hook cannot answer it prints nothing and exits 1.
func TestHookFails(t *testing.T) {
	h := newFakeHost(t)
	for name, env := range map[string][]string{
		"no environment": nil,
		"no such disk":   {"DEVPATH=/devices/x/block/sdx"},
		"no name":        {"DEVPATH=/devices/x/block/"},
		"dots":           {"DEVPATH=/devices/x/block/.."},
		"broken":         {"=", "DEVNAME", "DEVNAME=/dev/"},
	} {
		if got, code, talk := h.event(env...); code == exitDone || len(got) != 0 || strings.Count(talk, "\n") != 1 {
			t.Errorf("%s: exit %d, %v, %q", name, code, got, talk)
		}
	}
	h.write("etc/multipath.conf", "defaults {\n reservation_key nonsense\n}\n")
	if got, code, talk := h.event("DEVPATH=/devices/x/block/sda"); code != exitError || len(got) != 0 || !strings.Contains(talk, "multipath.conf:2:") {
		t.Errorf("broken config: exit %d, %v, %q", code, got, talk)
	}
}

// full has a daemon that does not take its callers any more.
func (h *fakeHost) full(socket string) {
	h.t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		h.t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		h.t.Fatal(err)
	}
	for {
		caller, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { unix.Close(caller) })
		if err := unix.Connect(caller, &unix.SockaddrUnix{Name: socket}); err == unix.EAGAIN {
			break
		} else if err != nil {
			h.t.Fatal(err)
		}
	}
	h.host.socket = socket
}

// Where multipathd manages the host its rules are right about the claim, ours where
// our daemon does, runs or will run; without other rules it is ours alone.
func TestHookBesideMultipathTools(t *testing.T) {
	listen := func(h *fakeHost, exe string) {
		h.full("@pathkeeper-hook-other")
		h.write("run/multipathd.pid", "812\n")
		h.link("proc/812/exe", exe)
		h.link("proc/self/exe", "/usr/sbin/pathkeeper")
		h.host.proc = filepath.Join(h.dir, "proc")
	}
	stopped := func(h *fakeHost) { os.RemoveAll(filepath.Join(h.dir, "wants")) }
	for _, c := range []struct {
		name   string
		change func(*fakeHost)
		theirs string
		want   string // of the hook: "" it leaves what they said
		reason string
	}{
		{"ours is enabled, they say no", func(*fakeHost) {}, "0", "1", "wwids"},
		{"ours runs, they say no", func(h *fakeHost) { stopped(h); listen(h, "/usr/sbin/pathkeeper") }, "0", "1", "wwids"},
		{"ours runs, replaced since", func(h *fakeHost) { stopped(h); listen(h, "/usr/sbin/pathkeeper (deleted)") }, "0", "1", "wwids"},
		{"theirs runs though ours is enabled", func(h *fakeHost) { listen(h, "/usr/sbin/multipathd") }, "0", "", "multipathd (process 812) manages this host, and its rules have said 0"},
		{"theirs runs, they say yes", func(h *fakeHost) { listen(h, "/usr/sbin/multipathd") }, "1", "", "said 1"},
		{"theirs runs, without its rules", func(h *fakeHost) { listen(h, "/usr/sbin/multipathd") }, "", "1", "wwids"},
		{"nobody runs", stopped, "1", "", "said 1"},
		{"nobody runs, without their rules", stopped, "", "0", "nobody would build"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFakeHost(t)
			h.write("etc/multipath/wwids", "/"+testWWID+"/\n")
			c.change(h)
			env := []string{"ACTION=add", "DEVPATH=/devices/x/block/sda", "DEVNAME=/dev/sda", "DEVTYPE=disk", "SUBSYSTEM=block"}
			if c.theirs != "" {
				env = append(env, "DM_MULTIPATH_DEVICE_PATH="+c.theirs)
			}
			got, code, talk := h.event(env...)
			if code != exitDone || talk != "" || got["DM_MULTIPATH_DEVICE_PATH"] != c.want || (got["PATHKEEPER_LEFT"] == "1") != (c.want == "") {
				t.Errorf("exit %d %s: %v, want %q", code, talk, got, c.want)
			}
			if !strings.Contains(got["PATHKEEPER_REASON"], c.reason) {
				t.Errorf("because %q, want %q", got["PATHKEEPER_REASON"], c.reason)
			}
		})
	}
}

// What udev said before decides, not what other rules say in the same event.
func TestHookReleased(t *testing.T) {
	h := newFakeHost(t)
	h.write("etc/multipath.conf", "defaults {\n find_multipaths greedy\n}\n")
	env := []string{"ACTION=add", "DEVPATH=/devices/x/block/sda", "DEVTYPE=disk", "SUBSYSTEM=block", "DM_MULTIPATH_DEVICE_PATH=0"}
	if got, _, _ := h.event(env...); got["DM_MULTIPATH_DEVICE_PATH"] != "1" {
		t.Errorf("said in this event: %v", got)
	}
	h.write("run/udev/data/b8:0", "E:DM_MULTIPATH_DEVICE_PATH=0\n")
	if got, _, _ := h.event(env...); got["DM_MULTIPATH_DEVICE_PATH"] != "0" {
		t.Errorf("said before: %v", got)
	}
}

// find_multipaths smart holds a lone path back, and ends that in each of its ways.
func TestHookWait(t *testing.T) {
	lone := func(t *testing.T) (h *fakeHost, file string) {
		h = newFakeHost(t)
		h.write("etc/multipath.conf", "defaults {\n find_multipaths smart\n find_multipaths_timeout 20\n}\n")
		os.Remove(filepath.Join(h.dir, "sys/block/sdb"))
		return h, filepath.Join(h.dir, waitDir, "8:0")
	}
	t.Run("time goes by", func(t *testing.T) {
		h, file := lone(t)
		got := h.sda()
		if got["DM_MULTIPATH_DEVICE_PATH"] != "2" || got["PATHKEEPER_WAIT"] != "start" || got["FIND_MULTIPATHS_WAIT_UNTIL"] != "20.000000" {
			t.Errorf("first event: %v", got)
		}
		h.write("run/udev/data/b8:0", "E:DM_MULTIPATH_DEVICE_PATH=1\nE:FIND_MULTIPATHS_WAIT_UNTIL=20.000000\n")
		got = h.sda()
		if got["DM_MULTIPATH_DEVICE_PATH"] != "2" || got["PATHKEEPER_WAIT"] != "" || !strings.HasPrefix(got["FIND_MULTIPATHS_WAIT_UNTIL"], "19.") {
			t.Errorf("second event: %v", got)
		}
		past := time.Now().Add(-time.Second)
		if err := os.Chtimes(file, past, past); err != nil {
			t.Fatal(err)
		}
		got = h.sda()
		if got["DM_MULTIPATH_DEVICE_PATH"] != "0" || got["FIND_MULTIPATHS_WAIT_UNTIL"] != "0" || !strings.Contains(got["PATHKEEPER_REASON"], "no second path came") {
			t.Errorf("after its time: %v", got)
		}
	})
	t.Run("the clock is put back", func(t *testing.T) {
		h, file := lone(t)
		h.sda()
		late := time.Now().Add(time.Hour)
		if err := os.Chtimes(file, late, late); err != nil {
			t.Fatal(err)
		}
		if got := h.sda(); got["DM_MULTIPATH_DEVICE_PATH"] != "0" {
			t.Errorf("%v", got)
		}
	})
	t.Run("a second path comes", func(t *testing.T) {
		h, _ := lone(t)
		h.sda()
		h.write("run/udev/data/b8:0", "E:DM_MULTIPATH_DEVICE_PATH=1\nE:FIND_MULTIPATHS_WAIT_UNTIL=20.000000\n")
		h.disk("sdc", "8:32", "2:0:0:1")
		if got := h.sda(); got["DM_MULTIPATH_DEVICE_PATH"] != "1" || got["PATHKEEPER_WAIT"] != "cancel" || got["FIND_MULTIPATHS_WAIT_CANCELLED"] != "1" {
			t.Errorf("%v", got)
		}
	})
	t.Run("no file can be made", func(t *testing.T) {
		h, _ := lone(t)
		h.write("run/multipath", "in the way")
		if got := h.sda(); got["DM_MULTIPATH_DEVICE_PATH"] != "0" {
			t.Errorf("%v", got)
		}
	})
	t.Run("the disk leaves", func(t *testing.T) {
		h, file := lone(t)
		h.sda()
		if got, code, talk := h.event("ACTION=remove", "DEVPATH=/devices/x/block/sda", "MAJOR=8", "MINOR=0"); code != exitDone || len(got) != 0 {
			t.Errorf("exit %d, %v, %s", code, got, talk)
		}
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
		for _, odd := range [][]string{{"MAJOR=8"}, {"MAJOR=..", "MINOR=/../../../etc/passwd"}} {
			if _, code, _ := h.event(append(odd, "ACTION=remove", "DEVPATH=/x/sda")...); code == exitDone && len(odd) > 1 {
				t.Errorf("%v is taken", odd)
			}
		}
	})
}

// The paths that sysfs calls dead do not count, whatever the kernel's table says.
func TestHookUsablePaths(t *testing.T) {
	h := newFakeHost(t)
	h.dm("dm-0", "253:0", "mpath-"+testWWID, "sda", "sdb")
	h.host.active = func(string) ([]table.DevNum, bool) { return []table.DevNum{{Major: 8, Minor: 0}}, true }
	h.write("sys/dev/block/8:0/device/state", "running\n")
	ready := func() string {
		got, _, _ := h.event("ACTION=change", "DEVPATH=/devices/virtual/block/dm-0")
		return got["MPATH_DEVICE_READY"]
	}
	if ready() != "1" {
		t.Error("a running path does not count")
	}
	h.write("sys/dev/block/8:0/device/state", "transport-offline\n")
	if ready() != "0" {
		t.Error("a dead path counts")
	}
}

// countingHost counts what goes beyond reading files.
type countingHost struct {
	host
	asked map[string]int
}

func (c countingHost) manager() manager {
	c.asked["manager"]++
	return c.host.manager()
}

func (c countingHost) activePaths(uuid string) ([]table.DevNum, bool) {
	c.asked["dm"]++
	return c.host.activePaths(uuid)
}

func (c countingHost) held(name string) bool {
	c.asked["open"]++
	return c.host.held(name)
}

// What an event costs beyond reading files: a disk never asks device-mapper, a map
// never asks for the daemon, and only a lone path that nothing speaks for is opened.
func TestHookAsksLittle(t *testing.T) {
	h := newFakeHost(t)
	h.dm("dm-0", "253:0", "mpath-3nobody")
	count := func(env ...string) map[string]int {
		c := countingHost{h.host, map[string]int{}}
		if hookMain(c, append(env, "ACTION=change"), streams{io.Discard, io.Discard}) != exitDone {
			t.Errorf("%v is not answered", env)
		}
		return c.asked
	}
	if diff := cmp.Diff(map[string]int{"manager": 1}, count("DEVPATH=/x/block/sda", "DEVTYPE=disk")); diff != "" {
		t.Errorf("a disk: %s", diff)
	}
	if diff := cmp.Diff(map[string]int{"dm": 1}, count("DEVPATH=/x/block/dm-0")); diff != "" {
		t.Errorf("a map: %s", diff)
	}
	if diff := cmp.Diff(map[string]int{}, count("DEVPATH=/x/block/dm-0", "DM_NR_VALID_PATHS=1", "DM_ACTION=PATH_FAILED")); diff != "" {
		t.Errorf("a path of a map has failed: %s", diff)
	}
	h.write("etc/multipath.conf", "defaults {\n find_multipaths smart\n}\n")
	if diff := cmp.Diff(map[string]int{"manager": 1}, count("DEVPATH=/x/block/sda", "DEVTYPE=disk")); diff != "" {
		t.Errorf("a LUN with two paths: %s", diff)
	}
	h.write("sys/block/sda/device/wwid", "naa.1\n")
	h.write("sys/block/sdb/device/wwid", "naa.2\n")
	if diff := cmp.Diff(map[string]int{"manager": 1, "open": 1}, count("DEVPATH=/x/block/sda", "DEVTYPE=disk")); diff != "" {
		t.Errorf("a lone path: %s", diff)
	}
}

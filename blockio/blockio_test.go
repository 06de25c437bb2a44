package blockio

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

var (
	_ Port     = (*Devices)(nil)
	_ NodePort = (*Devices)(nil)
)

// inLab skips a test that needs a device; in the lab the device must be there.
func inLab(t *testing.T) {
	t.Helper()
	if os.Getenv("PATHKEEPER_LAB") != "1" {
		t.Skip("needs root and loop devices: set PATHKEEPER_LAB=1 in a guest")
	}
}

func TestNodePath(t *testing.T) {
	for name, want := range map[string]string{
		"sda": "/dev/sda", "cciss!c0d0": "/dev/cciss/c0d0", "mapper/ocr1": "/dev/mapper/ocr1",
		"": "", "/etc/passwd": "", "../etc": "", "a/../b": "", "a//b": "", ".": "", "a\x00": "", "!": "", strings.Repeat("a", 1025): "",
	} {
		got, ok := nodePath("/dev", name)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", name, got, ok)
		}
	}
}

func TestAligned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100000).Draw(t, "n")
		b := aligned(n)
		if len(b) != n || cap(b) != n || uintptr(unsafe.Pointer(&b[0]))%directAlign != 0 {
			t.Errorf("%d: len %d, cap %d, at %p", n, len(b), cap(b), &b[0])
		}
	})
}

// The numbers of include/uapi/linux/fs.h on amd64 and arm64.
func TestIoctlNumbers(t *testing.T) {
	for name, pair := range map[string][2]uint{
		"BLKGETSIZE64": {unix.BLKGETSIZE64, 0x80081272}, "BLKSSZGET": {unix.BLKSSZGET, 0x1268},
		"BLKROGET": {unix.BLKROGET, 0x125e}, "BLKGETDISKSEQ": {unix.BLKGETDISKSEQ, 0x80081280},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %#x, want %#x", name, pair[0], pair[1])
		}
	}
}

// What is no block device is never opened.
func TestNotABlockDevice(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sda")
	if err := os.WriteFile(file, []byte("not a disk"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	d := New(dir)
	for _, name := range []string{"sda", "link"} {
		_, read := d.ReadAt(name, 0, 512)
		_, info := d.Info(name)
		_, _, hold := d.Hold(name)
		_, node := d.Node(name)
		_, set := d.SetNode(name, Node{Mode: 0o600})
		for what, errno := range map[string]uint32{"read": read, "info": info, "hold": hold, "node": node, "set": set, "exclusive": d.ProbeExclusive(name)} {
			if errno != uint32(unix.ENOTBLK) {
				t.Errorf("%s of %s: errno %d, want ENOTBLK", what, name, errno)
			}
		}
	}
	st, err := os.Stat(file)
	if err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if _, errno := d.Info("sdb"); errno != uint32(unix.ENOENT) {
		t.Errorf("missing: errno %d", errno)
	}
	if errno := d.Release(99); errno != uint32(unix.EBADF) {
		t.Errorf("no such hold: errno %d", errno)
	}
	for _, n := range []uint32{0, MaxRead + 1} {
		if _, errno := d.ReadAt("sda", 0, n); errno != uint32(unix.EINVAL) {
			t.Errorf("read of %d bytes: errno %d", n, errno)
		}
	}
	if _, errno := d.ReadAt("sda", 1<<63-1, 512); errno != uint32(unix.EINVAL) {
		t.Errorf("offset: errno %d", errno)
	}
}

// Needs only CAP_MKNOD: the node is never opened as a device.
func TestSetNode(t *testing.T) {
	dir := t.TempDir()
	node := filepath.Join(dir, "dm-3")
	if err := unix.Mknod(node, unix.S_IFBLK|0o660, int(unix.Mkdev(254, 3))); err != nil {
		inLab(t)
		t.Fatal(err)
	}
	if err := os.Symlink("dm-3", filepath.Join(dir, "ocr1")); err != nil {
		t.Fatal(err)
	}
	d := New(dir)
	want := Node{Major: 254, Minor: 3, UID: 54321, GID: 54322, Mode: 0o600}
	for _, step := range []struct {
		name    string
		want    Node
		changed bool
		errno   uint32
	}{
		{"ocr1", want, true, 0},
		{"ocr1", want, false, 0}, // already so
		{"dm-3", Node{254, 3, 54321, 54322, 0o660}, true, 0},
		{"dm-3", want, true, 0},
		{"dm-3", Node{254, 4, 0, 0, 0o666}, false, uint32(unix.ENODEV)}, // number was reused
		{"dm-3", Node{254, 3, 0, 0, 0o4600}, false, uint32(unix.EINVAL)},
		{"dm-3", Node{254, 3, ^uint32(0), 0, 0o600}, false, uint32(unix.EINVAL)},
		{"../x", want, false, uint32(unix.ENOENT)},
	} {
		changed, errno := d.SetNode(step.name, step.want)
		if changed != step.changed || errno != step.errno {
			t.Errorf("%+v: changed %v, errno %d", step, changed, errno)
		}
	}
	for _, name := range []string{"dm-3", "ocr1"} {
		if got, errno := d.Node(name); got != want || errno != 0 {
			t.Errorf("%s: %+v, errno %d", name, got, errno)
		}
	}
}

// loop attaches a file of 1 MiB to a loop device and returns its kernel name.
func loop(t *testing.T) (name string, content []byte) {
	t.Helper()
	inLab(t)
	content = bytes.Repeat([]byte("pathkeeper 512! "), 1<<16)
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	image, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		t.Fatal(err)
	}
	name = "loop" + strconv.Itoa(number)
	dev, err := os.OpenFile("/dev/"+name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetInt(int(dev.Fd()), unix.LOOP_SET_FD, int(image.Fd())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.IoctlSetInt(int(dev.Fd()), unix.LOOP_CLR_FD, 0); err != nil {
			t.Error(err)
		}
		dev.Close()
	})
	return name, content
}

func TestRealDevice(t *testing.T) {
	name, content := loop(t)
	d := New("/dev")
	info, errno := d.Info(name)
	if errno != 0 || info.Bytes != 1<<20 || info.SectorSize != 512 || info.ReadOnly || info.Major != 7 {
		t.Errorf("%+v, errno %d", info, errno)
	}
	data, errno := d.ReadAt(name, 4096, 8192)
	if errno != 0 || !bytes.Equal(data, content[4096:12288]) {
		t.Errorf("%d bytes, errno %d", len(data), errno)
	}
	if data, errno := d.ReadAt(name, 1<<20-512, 1024); errno != 0 || len(data) != 512 {
		t.Errorf("at the end: %d bytes, errno %d", len(data), errno)
	}
	if data, errno := d.ReadAt(name, 1<<20, 512); errno != 0 || len(data) != 0 {
		t.Errorf("behind the end: %d bytes, errno %d", len(data), errno)
	}
	if _, errno := d.ReadAt(name, 1, 512); errno != uint32(unix.EINVAL) {
		t.Errorf("odd offset: errno %d", errno)
	}
	if errno := d.ProbeExclusive(name); errno != 0 {
		t.Errorf("exclusive: errno %d", errno)
	}
	id, held, errno := d.Hold(name)
	if errno != 0 || held != info {
		t.Errorf("hold: %+v, errno %d", held, errno)
	}
	fd, err := unix.Open("/dev/"+name, unix.O_RDONLY|unix.O_EXCL, 0)
	if err != nil {
		t.Fatal(err)
	}
	if errno := d.ProbeExclusive(name); errno != uint32(unix.EBUSY) {
		t.Errorf("exclusive while open so: errno %d", errno)
	}
	unix.Close(fd)
	if errno := d.Release(id); errno != 0 {
		t.Errorf("release: errno %d", errno)
	}
	if errno := d.Release(id); errno != uint32(unix.EBADF) {
		t.Errorf("second release: errno %d", errno)
	}
}

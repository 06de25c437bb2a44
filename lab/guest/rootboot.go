package guest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"pathkeeper/lab/cpio"
	"pathkeeper/lab/image"
)

// RootBoot is a machine whose root file system lies on one disk behind two
// controllers: the image's root, writable, gone afterwards. It has no agent: what
// runs in it is a script, and what that prints comes back.
type RootBoot struct {
	Image  image.Image
	Initrd []byte   // as the distribution's tools made it
	Append string   // to the kernel's command line: root=... at least
	Files  []Inject // for the root, below lab-root in the initramfs; something in it must copy them
	Accel  Accel
	Memory int // MiB, 0: 1024
}

// The one disk that both controllers lead to.
const (
	RootDiskSerial = "rootdisk"
	rootDiskNAA    = "5000c500a1b2c3d4"
	RootDiskWWID   = "3" + rootDiskNAA
)

// RootResult is what a RootBoot left behind.
type RootResult struct {
	Said    string // on the second serial line
	Console string
	Ended   bool // the machine switched itself off
	Took    time.Duration
}

// Run boots the machine and waits until it has switched itself off, or ctx ends.
func (b RootBoot) Run(ctx context.Context) (r RootResult, err error) {
	dir, err := os.MkdirTemp("", "pathkeeper-rootboot-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	initrd := filepath.Join(dir, "initrd")
	if err := os.WriteFile(initrd, joined(b.Initrd, b.more()), 0o600); err != nil {
		return r, err
	}
	disk := filepath.Join(dir, "root.img")
	if err := copySparse(disk, b.Image.Root); err != nil {
		return r, fmt.Errorf("copy the root file system: %w", err)
	}
	memory := b.Memory
	if memory == 0 {
		memory = 1024
	}
	args := []string{
		"-name", "pathkeeper-rootboot", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-machine", "q35,usb=off,hpet=off,smbus=off", "-cpu", "Nehalem", "-smp", "1", "-m", fmt.Sprintf("%dM", memory),
		"-kernel", b.Image.Kernel, "-initrd", initrd,
		"-append", "console=ttyS0 panic=-1 loglevel=5 net.ifnames=0 tsc=reliable mitigations=off random.trust_cpu=on audit=0 rcupdate.rcu_expedited=1 systemd.show_status=0 " + b.Append,
		"-chardev", "file,id=console,path=" + filepath.Join(dir, "console"), "-serial", "chardev:console",
		"-chardev", "file,id=said,path=" + filepath.Join(dir, "said"), "-serial", "chardev:said",
		"-device", "virtio-rng-pci",
	}
	for i := range 2 {
		args = append(args, "-device", fmt.Sprintf("virtio-scsi-pci,id=hba%d", i),
			"-drive", fmt.Sprintf("if=none,id=root%d,format=raw,cache=unsafe,file.locking=off,file=%s", i, disk),
			"-device", fmt.Sprintf("scsi-hd,bus=hba%d.0,drive=root%d,serial=%s,wwn=0x%s,share-rw=on", i, i, RootDiskSerial, rootDiskNAA))
	}
	args = append(args, b.Accel.args()...)
	var errText bytes.Buffer
	cmd := exec.Command("qemu-system-x86_64", args...)
	cmd.Stderr = &errText
	cmd.SysProcAttr = diesWithUs()
	began := time.Now()
	if err := startPinned(cmd); err != nil {
		return r, fmt.Errorf("start qemu-system-x86_64: %w; `lab deps` installs it", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
		r.Ended = err == nil
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-ended
		err = ctx.Err()
	}
	r.Took = time.Since(began)
	for name, to := range map[string]*string{"console": &r.Console, "said": &r.Said} {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		*to = strings.ReplaceAll(string(text), "\r", "")
	}
	if err != nil {
		return r, fmt.Errorf("the machine with its root on two paths: %w; %s", err, strings.TrimSpace(errText.String()))
	}
	return r, nil
}

// more is an archive behind the distribution's: the kernel unpacks both.
func (b RootBoot) more() []byte {
	var buf bytes.Buffer
	w := cpio.NewWriter(&buf)
	w.Dir("lab-root")
	for _, f := range b.Files {
		if f.Mode&os.ModeSymlink != 0 {
			w.Symlink(string(f.Data), "lab-root/"+f.Path)
			continue
		}
		w.File("lab-root/"+f.Path, uint32(f.Mode.Perm()), f.Data)
	}
	_ = w.Close() // into memory
	return buf.Bytes()
}

// joined puts archives one behind the other, each at a multiple of four bytes.
func joined(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, make([]byte, -len(out)&3)...)
		out = append(out, p...)
	}
	return out
}

// copySparse copies a file that is mostly holes.
func copySparse(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	buf := make([]byte, 1<<20)
	zero := make([]byte, 1<<20)
	for off := int64(0); off < st.Size(); {
		n, err := in.ReadAt(buf, off)
		if n > 0 && !bytes.Equal(buf[:n], zero[:n]) {
			if _, err := out.WriteAt(buf[:n], off); err != nil {
				return err
			}
		}
		off += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := out.Truncate(st.Size()); err != nil {
		return err
	}
	return out.Close()
}

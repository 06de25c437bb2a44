package guest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"pathkeeper/lab/cpio"
	"pathkeeper/lab/image"
	"pathkeeper/lab/wire"
)

// qemuArgs is the whole command line. Nothing in it reaches a network.
func qemuArgs(dir, initrd string, c Config, accel Accel, cpus int) ([]string, error) {
	kernelArgs := []string{
		"console=ttyS0", "panic=-1", "loglevel=5", "lab.boot=" + string(c.Boot), "net.ifnames=0", "tsc=reliable",
		// Mitigations cost a third under emulation and protect nobody here.
		"mitigations=off", "random.trust_cpu=on", "audit=0", "rcupdate.rcu_expedited=1",
	}
	if c.Writes != "" {
		kernelArgs = append(kernelArgs, "lab.writes=vdb")
	}
	if c.Boot == Systemd {
		kernelArgs = append(kernelArgs, "systemd.unit=lab.target", "systemd.log_target=journal", "systemd.show_status=0")
	}
	args := []string{
		"-name", "pathkeeper-lab", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-machine", "q35,usb=off,hpet=off,smbus=off", "-cpu", "Nehalem", "-smp", fmt.Sprint(cpus), "-m", fmt.Sprintf("%dM", c.Memory),
		"-kernel", c.Image.Kernel, "-initrd", initrd, "-append", strings.Join(kernelArgs, " "),
		"-chardev", "file,id=console,path=" + filepath.Join(dir, "console.log"), "-serial", "chardev:console",
		"-chardev", "socket,id=agent,path=" + filepath.Join(dir, "agent.sock"),
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=" + wire.Port,
		"-chardev", "socket,id=qmp,path=" + filepath.Join(dir, "qmp.sock"), "-mon", "chardev=qmp,mode=control",
		"-drive", "if=none,id=root,format=raw,readonly=on,file.locking=off,file=" + c.Image.Root, "-device", "virtio-blk-pci,drive=root",
		"-device", "virtio-rng-pci",
	}
	if c.Writes != "" {
		args = append(args, "-drive", "if=none,id=writes,format=raw,cache=unsafe,file="+c.Writes, "-device", "virtio-blk-pci,drive=writes")
	}
	args = append(args, accel.args()...)
	for i, d := range c.Disks {
		if len(d.Model) > 40 || len(d.Serial) > 20 || strings.ContainsAny(d.Model+d.Serial, ",\n") {
			return nil, fmt.Errorf("disk %q %q: a model has at most 40 bytes, a serial 20, neither a comma", d.Model, d.Serial)
		}
		const perController = 6
		if i%perController == 0 {
			args = append(args, "-device", fmt.Sprintf("ahci,id=ahci%d", i/perController))
		}
		file := filepath.Join(dir, fmt.Sprintf("disk%d.img", i))
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return nil, err
		}
		if err := os.Truncate(file, d.Bytes); err != nil {
			return nil, err
		}
		args = append(args,
			"-drive", fmt.Sprintf("if=none,id=disk%d,format=raw,discard=unmap,cache=unsafe,file=%s", i, file),
			"-device", fmt.Sprintf("ide-hd,bus=ahci%d.%d,drive=disk%d,model=%s,serial=%s", i/perController, i%perController, i, d.Model, d.Serial))
	}
	return args, nil
}

// MakeWrites makes a file for Config.Writes: a file system with a journal, so that
// what a power cut leaves is what a host would find.
func MakeWrites(name string) error {
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return err
	}
	out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-O", "^metadata_csum", "-m", "0", name, "1024M").CombinedOutput()
	if err != nil {
		return fmt.Errorf("mke2fs %s: %w\n%s", name, err, out)
	}
	return nil
}

// writeInitrd makes the initramfs: the agent as /init, the early modules, and
// what the caller injects. It is not compressed: unpacking costs more than
// reading under emulation.
func writeInitrd(name string, img image.Image, files []Inject) error {
	agent, err := BuildAgent()
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	w := cpio.NewWriter(&buf)
	w.Dir("dev")
	w.CharDev("dev/console", 0o600, 5, 1)
	w.File("init", 0o755, agent)
	w.Dir("inject")
	entries, err := os.ReadDir(img.Early)
	if err != nil {
		return err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(img.Early, e.Name()))
		if err != nil {
			return err
		}
		w.File("early/"+e.Name(), 0o644, data)
	}
	for _, f := range files {
		w.File("inject/"+f.Path, uint32(f.Mode.Perm()), f.Data)
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(name, buf.Bytes(), 0o600)
}

// BuildAgent compiles the agent from this checkout; Go's build cache makes the
// second time quick.
func BuildAgent() ([]byte, error) {
	return BuildStatic("pathkeeper/lab/agent")
}

// BuildStatic compiles a main package of this module without cgo and returns
// the binary. The working directory must lie in the checkout.
func BuildStatic(pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "pathkeeper-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "bin")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
	}
	return os.ReadFile(out)
}

// diesWithUs makes the kernel kill QEMU when the thread that started it ends.
func diesWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// startPinned starts cmd from a thread that lives as long as the process:
// Pdeathsig is about the parent thread, and Go ends idle locked ones.
func startPinned(cmd *exec.Cmd) error {
	errs := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		errs <- cmd.Start()
		select {} // the thread must not end before the process does
	}()
	return <-errs
}

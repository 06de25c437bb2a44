package image

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Ensure returns the image of a variant, building it first if the cache has
// none. Two builders exclude each other by a lock in the cache; progress
// goes to talk, a line a step. It needs root, debootstrap and mke2fs.
func Ensure(talk io.Writer, v Variant) (Image, error) {
	if v != Plain && v != Clients {
		return Image{}, fmt.Errorf("the lab has no image %q", v)
	}
	cache, err := CacheDir()
	if err != nil {
		return Image{}, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Image{}, err
	}
	img := at(filepath.Join(cache, "image-"+key(v)))
	if _, err := os.Stat(img.Root); err == nil {
		return img, nil
	}
	lock, err := os.OpenFile(filepath.Join(cache, "image.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return Image{}, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return Image{}, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(img.Root); err == nil {
		return img, nil // the builder we waited for made it
	}
	if os.Geteuid() != 0 {
		return Image{}, fmt.Errorf("the lab's image is not in %s and building it needs root: run `lab image %s` as root once", cache, v)
	}
	work, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return Image{}, err
	}
	defer os.RemoveAll(work)
	b := &builder{variant: v, packages: Packages(v), work: work, root: filepath.Join(work, "root"), talk: talk, began: time.Now()}
	if err := b.build(); err != nil {
		return Image{}, fmt.Errorf("build the lab's image: %w", err)
	}
	if err := os.Rename(filepath.Join(work, "out"), img.Dir); err != nil {
		return Image{}, err
	}
	b.say("image ready: %s", img.Dir)
	return img, nil
}

type builder struct {
	variant    Variant
	packages   []string
	work, root string
	talk       io.Writer
	began      time.Time
	mirrors    Mirrors
	version    string // the kernel's release, 6.1.0-56-amd64
}

func (b *builder) build() error {
	if err := os.MkdirAll(filepath.Join(b.work, "out", "early"), 0o755); err != nil {
		return err
	}
	steps := []struct {
		name string
		do   func() error
	}{
		{"find the mirrors", b.findMirrors},
		{"debootstrap " + suite, b.debootstrap},
		{"install " + fmt.Sprint(len(b.packages)) + " packages", b.install},
		{"unpack the kernel", b.kernel},
		{"collect the early modules", b.early},
		{"set the guest up", b.setUp},
		{"write the manifest", b.manifest},
		{"write root.img", b.pack},
	}
	for _, s := range steps {
		b.say("%s", s.name)
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

func (b *builder) say(format string, args ...any) {
	fmt.Fprintf(b.talk, "lab image: %5.1fs %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

func (b *builder) findMirrors() error {
	m, err := FindMirrors()
	b.mirrors = m
	return err
}

func (b *builder) debootstrap() error {
	return b.run("debootstrap", "--variant=minbase", "--include=ca-certificates", "--keyring="+b.mirrors.Keyring,
		suite, b.root, b.mirrors.Main)
}

// install gives the root the host's way to the archive, installs the list and
// takes that way out again.
func (b *builder) install() error {
	var sources strings.Builder
	fmt.Fprintf(&sources, "deb %s %s main\ndeb %s %s-updates main\n", b.mirrors.Main, suite, b.mirrors.Main, suite)
	if b.mirrors.Security != "" {
		fmt.Fprintf(&sources, "deb %s %s-security main\n", b.mirrors.Security, suite)
	}
	if b.variant == Clients {
		fmt.Fprint(&sources, strings.ReplaceAll(sources.String(), "deb ", "deb-src ")) // for dmmp
	}
	settings, err := aptSettings()
	if err != nil {
		return err
	}
	temporary := map[string]string{
		"etc/apt/sources.list":       sources.String(),
		"etc/apt/apt.conf.d/99lab":   settings,
		"etc/dpkg/dpkg.cfg.d/90-lab": "path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\nforce-unsafe-io\n",
	}
	for _, name := range []string{"etc/resolv.conf", "etc/hosts"} {
		if text, err := os.ReadFile("/" + name); err == nil {
			temporary[name] = string(text)
		}
	}
	auth, _ := filepath.Glob("/etc/apt/auth.conf.d/*.conf")
	for _, name := range auth {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		temporary[name[1:]] = string(text)
	}
	for name, text := range temporary {
		if err := b.write(name, text, 0o644); err != nil {
			return err
		}
	}
	if err := b.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755); err != nil {
		return err
	}
	if err := b.chroot("apt-get", "update"); err != nil {
		return err
	}
	args := append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, b.packages...)
	if err := b.chroot(args...); err != nil {
		return err
	}
	if err := b.downloadKernel(); err != nil {
		return err
	}
	if b.variant == Clients {
		if err := b.dmmp(); err != nil {
			return fmt.Errorf("build a client of libdmmp: %w", err)
		}
	}
	for name := range temporary {
		if err := os.Remove(filepath.Join(b.root, name)); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(b.root, "var/lib/apt/lists")); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(b.root, "var/cache/apt"))
}

// downloadKernel fetches the package that linux-image-amd64 depends on. It is
// unpacked, not installed: its scripts would build an initramfs.
func (b *builder) downloadKernel() error {
	return b.chroot("sh", "-ec", `cd /tmp
p=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
apt-get download "$p"
dpkg-deb -x "$p"_*.deb /tmp/kernel
rm "$p"_*.deb`)
}

func (b *builder) kernel() error {
	tree := filepath.Join(b.root, "tmp/kernel")
	found, err := filepath.Glob(filepath.Join(tree, "boot/vmlinuz-*"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("want one boot/vmlinuz-* in the kernel's package, have %v", found)
	}
	b.version = strings.TrimPrefix(filepath.Base(found[0]), "vmlinuz-")
	if err := copyFile(found[0], filepath.Join(b.work, "out", "vmlinuz")); err != nil {
		return err
	}
	config := filepath.Join(tree, "boot", "config-"+b.version)
	if err := os.Rename(config, filepath.Join(b.root, "boot", "config-"+b.version)); err != nil {
		return err
	}
	modules := filepath.Join(tree, "lib/modules", b.version)
	for _, dir := range prunedModules {
		if err := os.RemoveAll(filepath.Join(modules, "kernel", dir)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(b.root, "usr/lib/modules"), 0o755); err != nil {
		return err
	}
	if err := os.Rename(modules, filepath.Join(b.root, "usr/lib/modules", b.version)); err != nil {
		return err
	}
	if err := os.RemoveAll(tree); err != nil {
		return err
	}
	return b.chroot("depmod", b.version)
}

func (b *builder) early() error {
	dir := filepath.Join(b.root, "usr/lib/modules", b.version)
	dep, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return err
	}
	builtin, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return err
	}
	order, err := loadOrder(string(dep), string(builtin), earlyModules)
	if err != nil {
		return err
	}
	var names []string
	for _, file := range order {
		names = append(names, filepath.Base(file))
		if err := copyFile(filepath.Join(dir, file), filepath.Join(b.work, "out", "early", filepath.Base(file))); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(b.work, "out", "early", "order"), []byte(strings.Join(names, "\n")+"\n"), 0o644)
}

func (b *builder) manifest() error {
	text, err := b.output("dpkg-query", "-W", "-f", "${Package} ${Version}\n")
	if err != nil {
		return err
	}
	head := "kernel " + b.version + "\n"
	return os.WriteFile(filepath.Join(b.work, "out", "manifest.txt"), []byte(head+text), 0o644)
}

// pack writes the root as ext4 without a journal: it is attached read-only and
// must never want recovery.
func (b *builder) pack() error {
	out, err := exec.Command("du", "-s", "--block-size=1M", b.root).Output()
	if err != nil {
		return fmt.Errorf("du %s: %w", b.root, err)
	}
	var mib int
	if _, err := fmt.Sscan(string(out), &mib); err != nil {
		return err
	}
	return b.run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal,^metadata_csum", "-m", "0", "-L", "labroot", "-d", b.root,
		filepath.Join(b.work, "out", "root.img"), fmt.Sprintf("%dM", mib+mib/4+64))
}

func (b *builder) write(name, text string, mode os.FileMode) error {
	file := filepath.Join(b.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(file); err != nil { // it may be a link that leads out of the root
		return err
	}
	return os.WriteFile(file, []byte(text), mode)
}

func (b *builder) chroot(argv ...string) error {
	_, err := b.output(argv...)
	return err
}

func (b *builder) output(argv ...string) (string, error) {
	return command(append([]string{"chroot", b.root}, argv...))
}

func (b *builder) run(argv ...string) error {
	_, err := command(argv)
	return err
}

// command runs argv without a terminal or questions; its error carries the
// last lines of what the program said.
func command(argv []string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	var stdout, all bytes.Buffer
	cmd.Stdout = io.MultiWriter(&stdout, &all)
	cmd.Stderr = &all
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(all.String()), "\n")
		if len(lines) > 12 {
			lines = lines[len(lines)-12:]
		}
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, strings.Join(lines, "\n"))
	}
	return stdout.String(), nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

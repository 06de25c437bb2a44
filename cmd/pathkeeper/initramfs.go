package main

import (
	"compress/bzip2"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"pathkeeper/initramfs"
	"pathkeeper/rules"
	"pathkeeper/show"
	"pathkeeper/statefile"
)

func initramfsCommand(std streams) *cobra.Command {
	c := &cobra.Command{
		Use: "initramfs", Short: "The image that the kernel boots with", Args: cobra.ArbitraryArgs, RunE: subcommand,
	}
	c.AddCommand(initramfsCheckCommand(std))
	return c
}

func initramfsCheckCommand(std streams) *cobra.Command {
	var root string
	var asJSON bool
	c := &cobra.Command{
		Use: "check [IMAGE]", Short: "Whether the boot makes the same maps as this host",
		Long: `Compare the image that the kernel boots with to this host: the program, the
configuration, the names and WWIDs, the udev rules. What would give a map another
name or another shape at boot is wrong; what only differs is stale. IMAGE is by
default that of the running kernel below /boot.

Exit codes: 0 all the same, or stale only; 1 something is wrong; 2 the command line is
wrong or the image cannot be read.`,
		Args: takes(0, 1, "an image"),
		RunE: func(_ *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			} else {
				var err error
				if name, err = runningImage(root); err != nil {
					return ending{exitDiffError, err}
				}
			}
			roles := imageRoles()
			image, err := readImage(name, roles)
			if err != nil {
				return ending{exitDiffError, fmt.Errorf("reading the image %s: %w", name, err)}
			}
			host, err := readHost(root, roles)
			if err != nil {
				return ending{exitDiffError, err}
			}
			found := initramfs.Compare(image, host, roles, aliasesIn)
			if err := printFindings(std.out, name, found, asJSON); err != nil {
				return err
			}
			if slices.ContainsFunc(found, func(f initramfs.Finding) bool { return f.Level == initramfs.Wrong }) {
				return ending{code: exitDiffers}
			}
			return nil
		},
	}
	c.Flags().StringVar(&root, "root", "/", "the host's files are below this directory")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// imageNames are where distributions put the image of a kernel: Debian, then those
// with dracut.
var imageNames = [...]string{"boot/initrd.img-%s", "boot/initramfs-%s.img", "boot/initrd-%s", "lib/modules/%s/initrd"}

func runningImage(root string) (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("asking for the running kernel: %w", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	var tried []string
	for _, n := range imageNames {
		name := filepath.Join(root, fmt.Sprintf(n, release))
		if _, err := os.Stat(name); err == nil {
			return name, nil
		}
		tried = append(tried, name)
	}
	return "", fmt.Errorf("no image of the running kernel %s: there is none of %s; name it: `pathkeeper initramfs check IMAGE`", release, strings.Join(tried, ", "))
}

const (
	imageProgram  = "usr/sbin/pathkeeper"
	imageBindings = "etc/multipath/bindings"
	imageWWIDs    = "etc/multipath/wwids"
	// maxImageFile bounds the files whose content is compared; the program's is summed.
	maxImageFile = 64 << 20
)

func imageRoles() initramfs.Roles {
	r := initramfs.Roles{
		Program:  imageProgram,
		Configs:  []string{"etc/multipath.conf", "etc/multipath/conf.d/", "etc/pathkeeper/pathkeeper.yaml", "etc/pathkeeper/conf.d/"},
		Bindings: imageBindings, WWIDs: imageWWIDs,
		Others: []string{"usr/sbin/multipath", "usr/sbin/multipathd"},
	}
	for _, f := range rules.Files("") {
		r.Rules = append(r.Rules, f.Name)
	}
	return r
}

// content reads a file to compare: the program as its sum.
func content(name string, r io.Reader) ([]byte, error) {
	if name == imageProgram || strings.HasPrefix(name, "usr/sbin/") {
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			return nil, err
		}
		return h.Sum(nil), nil
	}
	b, err := io.ReadAll(io.LimitReader(r, maxImageFile+1))
	if err == nil && len(b) > maxImageFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxImageFile)
	}
	return b, err
}

// merged gives the name that a file has where /sbin and /lib are links to /usr's.
func merged(name string) string {
	for _, d := range []string{"bin/", "sbin/", "lib/"} {
		if strings.HasPrefix(name, d) {
			return "usr/" + name
		}
	}
	return name
}

func readImage(name string, roles initramfs.Roles) (initramfs.Content, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := initramfs.Content{}
	err = initramfs.Walk(f, unpack, func(m initramfs.File, body io.Reader) error {
		n := merged(m.Name)
		if !m.Regular() || !roles.Compares(n) {
			return nil
		}
		b, err := content(n, body)
		out[n] = b
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func readHost(root string, r initramfs.Roles) (initramfs.Content, error) {
	out := initramfs.Content{}
	names := append([]string{r.Program, r.Bindings, r.WWIDs}, r.Configs...)
	for _, rule := range r.Rules {
		names = append(names, "etc/udev/rules.d/"+rule, "usr/lib/udev/rules.d/"+rule)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "/") {
			files, err := os.ReadDir(filepath.Join(root, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			for _, f := range files {
				if ext := filepath.Ext(f.Name()); ext != ".conf" && ext != ".yaml" {
					continue
				}
				if err := hold(out, root, name+f.Name()); err != nil {
					return nil, err
				}
			}
			continue
		}
		if err := hold(out, root, name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// hold reads a file that may be missing.
func hold(out initramfs.Content, root, name string) error {
	f, err := os.Open(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := content(name, f)
	if err != nil {
		return fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	out[name] = b
	return nil
}

// aliasesIn reads a bindings file: alias by WWID.
func aliasesIn(text []byte) map[string]string {
	b, _ := statefile.ParseBindings(text)
	out := map[string]string{}
	for _, l := range b.Lines() {
		out[l.WWID] = l.Alias
	}
	return out
}

// unpack runs the program of a compression; only what Go has needs none.
func unpack(kind initramfs.Kind, r io.Reader) (io.ReadCloser, error) {
	switch kind {
	case initramfs.Gzip:
		return gzip.NewReader(r)
	case initramfs.Bzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	}
	program := map[initramfs.Kind][]string{
		initramfs.Zstd: {"zstd", "-dcq"}, initramfs.XZ: {"xz", "-dcq"}, initramfs.LZMA: {"xz", "--format=lzma", "-dcq"},
		initramfs.LZ4: {"lz4", "-dcq"}, initramfs.LZO: {"lzop", "-dcq"},
	}[kind]
	if program == nil {
		return nil, fmt.Errorf("no program is known for %s", kind)
	}
	if _, err := exec.LookPath(program[0]); err != nil {
		return nil, fmt.Errorf("%w: it takes the program %s; install it", err, program[0])
	}
	p := &unpacking{cmd: exec.Command(program[0], program[1:]...)}
	p.cmd.Stdin, p.cmd.Stderr = r, &p.said
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.Reader = out
	return p, p.cmd.Start()
}

// unpacking is a running program that unpacks.
type unpacking struct {
	io.Reader
	cmd  *exec.Cmd
	said strings.Builder
}

// Close waits for the program's end: it must have read all and liked it.
func (p *unpacking) Close() error {
	if _, err := io.Copy(io.Discard, p.Reader); err != nil {
		_ = p.cmd.Process.Kill()
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", p.cmd.Path, err, strings.TrimSpace(p.said.String()))
	}
	return nil
}

func printFindings(w io.Writer, image string, found []initramfs.Finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Version  int                 `json:"version"`
			Image    string              `json:"image"`
			Findings []initramfs.Finding `json:"findings"`
		}{1, image, append([]initramfs.Finding{}, found...)})
	}
	wrong := 0
	for _, f := range found {
		if f.Level == initramfs.Wrong {
			wrong++
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s\n", f.Level, show.Safe(f.File), show.Safe(f.Detail)); err != nil {
			return err
		}
	}
	last := image + ": the same as this host"
	if len(found) > 0 {
		last = fmt.Sprintf("%s: %d wrong, %d stale; make it anew: `update-initramfs -u` or `dracut --force`", image, wrong, len(found)-wrong)
	}
	_, err := fmt.Fprintln(w, show.Safe(last))
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"pathkeeper/configs"
	"pathkeeper/plainfile"
	"pathkeeper/show"
	"pathkeeper/statefile"
)

const (
	mpathconfFile     = "/etc/multipath.conf"
	mpathconfPatience = 2 * time.Minute // longer than systemd waits for the daemon's start
	maxModules        = 1 << 20         // bytes of /proc/modules
)

// mpathconfHost is what mpathconf needs of the host.
type mpathconfHost struct {
	base    string // tests: below which directory everything lies
	root    bool   // root calls
	files   mpathconfFiles
	listens func() bool // somebody answers at multipathd's socket
	call    func(limit time.Duration, name string, args ...string) (out string, err error)
}

// mpathconfFiles are files of which a new one can be made as another one is.
type mpathconfFiles interface {
	statefile.Port
	Like(path string) statefile.Port
}

func systemMpathconf() mpathconfHost {
	return mpathconfHost{
		root: os.Geteuid() == 0, files: statefile.NewDisk("/"), call: callProgram,
		listens: func() bool { _, there := listener(systemHost().socket); return there },
	}
}

// paths are where the configuration is.
func (h mpathconfHost) paths() configs.Paths {
	p := configs.SystemPaths()
	for _, name := range []*string{&p.Main, &p.Dir, &p.Native, &p.NativeDir, &p.NVMeParam} {
		*name = h.base + *name
	}
	return p
}

func (h mpathconfHost) there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// absolute is a name of the command line as a path. Below /dev and /proc are names of
// what the caller has open, /dev/stdout for one, which cannot be replaced as a whole. A
// directory that is missing is a mistake in the name, and is not made.
func (h mpathconfHost) absolute(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("--outfile %s: %w", name, err)
	}
	if strings.HasPrefix(abs, "/dev/") || strings.HasPrefix(abs, "/proc/") {
		return "", fmt.Errorf("--outfile %s: a file is wanted, to be replaced as a whole; nothing was changed", name)
	}
	dir := filepath.Dir(abs)
	switch info, err := os.Stat(h.base + dir); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("--outfile %s: the directory %s does not exist: make it first; nothing was changed", name, dir)
	case err != nil:
		return "", fmt.Errorf("--outfile %s: looking for its directory: %w; nothing was changed", name, err)
	case !info.IsDir():
		return "", fmt.Errorf("--outfile %s: %s is no directory; nothing was changed", name, dir)
	}
	return abs, nil
}

// write replaces a file, or makes it. What it held is kept as FILE.old. A link is
// followed: it stays, and leads to the new file. Mode, owner, group and attributes stay,
// too, and the copy has the same. Of two calls at once the later one finds that the
// host's own file is not what it has read.
func (h mpathconfHost) write(path string, was []byte, there bool, data []byte) error {
	at, err := h.target(path)
	if err != nil {
		return err
	}
	mode, files := uint32(statefile.ModePrivate), statefile.Port(h.files)
	if there {
		files = h.files.Like(at)
		info, err := os.Stat(h.base + at)
		if err != nil {
			return fmt.Errorf("looking at %s: %w", at, err)
		}
		mode = uint32(info.Mode().Perm())
		if err := files.WriteAtomic(at+".old", was, mode); err != nil {
			return fmt.Errorf("nothing was changed: keeping a copy of the old file: %w", err)
		}
	} else {
		was = nil
	}
	put := files.WriteAtomic
	if path == mpathconfFile {
		put = func(at string, data []byte, mode uint32) error { return files.Replace(at, was, data, mode) }
	}
	if err := put(at, data, mode); err != nil {
		return fmt.Errorf("the configuration is not written: %w", err)
	}
	return nil
}

// target is the file that a path leads to, of which only the last part may be missing.
func (h mpathconfHost) target(path string) (string, error) {
	real, err := filepath.EvalSymlinks(h.base + path)
	if errors.Is(err, fs.ErrNotExist) {
		var dir string
		if dir, err = filepath.EvalSymlinks(filepath.Dir(h.base + path)); errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		real = filepath.Join(dir, filepath.Base(path))
	}
	if err != nil {
		return "", fmt.Errorf("looking for %s: %w", path, err)
	}
	below, ok := strings.CutPrefix(real, h.base)
	if !ok {
		return "", fmt.Errorf("%s leads out of %s", path, h.base)
	}
	return below, nil
}

// moduleLoaded says whether the kernel has dm_multipath.
func (h mpathconfHost) moduleLoaded() bool {
	if h.there(h.base + "/sys/module/dm_multipath") {
		return true
	}
	list, err := plainfile.Read(h.base+"/proc/modules", maxModules)
	return err == nil && slices.ContainsFunc(strings.Split(string(list), "\n"), func(l string) bool { return strings.HasPrefix(l, "dm_multipath ") })
}

// serviceUnit is the unit of the host's manager.
type serviceUnit struct {
	name   string
	active bool
}

// unit finds the unit that runs, else one that is there: multipathd.service, which is
// another name of ours where our package took its place, before pathkeeper.service.
func (h mpathconfHost) unit() (serviceUnit, error) {
	out, err := h.call(20*time.Second, "systemctl", "show", "--property=Id,LoadState,ActiveState", "multipathd.service", "pathkeeper.service")
	if err != nil {
		return serviceUnit{}, err
	}
	var found serviceUnit
	for block := range strings.SplitSeq(strings.TrimSpace(out), "\n\n") {
		says := map[string]string{}
		for line := range strings.Lines(block) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			says[key] = value
		}
		if says["ActiveState"] == "active" || says["ActiveState"] == "reloading" {
			return serviceUnit{says["Id"], true}, nil
		}
		if found.name == "" && says["LoadState"] == "loaded" {
			found.name = says["Id"]
		}
	}
	if found.name == "" {
		return found, errors.New("systemd knows neither multipathd.service nor pathkeeper.service")
	}
	return found, nil
}

// run calls a program of the host for what it does.
func (h mpathconfHost) run(limit time.Duration, name string, args ...string) error {
	_, err := h.call(limit, name, args...)
	return err
}

// callProgram runs a program without a shell, for a bounded time.
func callProgram(limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.WaitDelay = time.Second
	var talk strings.Builder
	c.Stderr = &talk
	out, err := c.Output()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s %s: no answer within %v", name, strings.Join(args, " "), limit)
	case err != nil:
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, show.Safe(strings.TrimSpace(talk.String())))
	}
	return string(out), nil
}

// dmDevice is a device-mapper device as sysfs shows it.
type dmDevice struct{ kernel, name, uuid, number string }

func (h mpathconfHost) dmDevices() (out []dmDevice) {
	entries, err := os.ReadDir(h.base + "/sys/block")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "dm-") {
			continue
		}
		read := func(attr string) string {
			b, _ := plainfile.Read(filepath.Join(h.base, "/sys/block", e.Name(), attr), 4096)
			return strings.TrimSuffix(string(b), "\n")
		}
		out = append(out, dmDevice{kernel: e.Name(), name: read("dm/name"), uuid: read("dm/uuid"), number: read("dev")})
	}
	return out
}

// allowed gives the expressions of the LUNs that --allow names: each a map, something
// that lies on maps, or a WWID.
func (h mpathconfHost) allowed(names []string) (out []string, err error) {
	devices := h.dmDevices()
	for _, name := range names {
		wwids, err := h.lunsOf(name, devices)
		if err != nil {
			return nil, err
		}
		for _, w := range wwids {
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return out, nil
}

func (h mpathconfHost) lunsOf(name string, devices []dmDevice) ([]string, error) {
	real := name
	if strings.HasPrefix(name, "/") {
		if link, err := filepath.EvalSymlinks(h.base + name); err == nil {
			real = strings.TrimPrefix(link, h.base)
		}
	}
	i := slices.IndexFunc(devices, func(d dmDevice) bool {
		return name == d.name || name == "/dev/mapper/"+d.name || name == d.number || name == d.kernel || real == "/dev/"+d.kernel
	})
	if i >= 0 {
		wwids := h.below(devices[i], devices, map[string]bool{})
		if len(wwids) == 0 {
			return nil, fmt.Errorf("--allow %s: no multipath map lies below it", name)
		}
		return wwids, nil
	}
	if !couldBeWWID(name) {
		return nil, fmt.Errorf("--allow %s: there is no such map, and a WWID it is not", name)
	}
	return []string{name}, nil
}

// below gives the LUNs of the maps that a device lies on.
func (h mpathconfHost) below(d dmDevice, devices []dmDevice, seen map[string]bool) (out []string) {
	if seen[d.kernel] {
		return nil
	}
	seen[d.kernel] = true
	if m := regexp.MustCompile(`^(?:part[0-9]+-)?mpath-(.+)$`).FindStringSubmatch(d.uuid); m != nil {
		return []string{regexpOf(m[1])}
	}
	slaves, err := os.ReadDir(filepath.Join(h.base, "/sys/block", d.kernel, "slaves"))
	if err != nil {
		return nil
	}
	for _, s := range slaves {
		if i := slices.IndexFunc(devices, func(x dmDevice) bool { return x.kernel == s.Name() }); i >= 0 {
			out = append(out, h.below(devices[i], devices, seen)...)
		}
	}
	return out
}

// regexpOf is an expression that a WWID fits; a dot is left as it is.
func regexpOf(wwid string) string {
	var out strings.Builder
	for i, c := range []byte(wwid) {
		if strings.IndexByte(`+*?()[]{}|^$\`, c) >= 0 || c == '!' && i == 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(c)
	}
	return out.String()
}

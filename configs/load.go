package configs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"pathkeeper/plainfile"
	"pathkeeper/policy"
)

// maxFileBytes is the largest configuration file that is read: a hundred thousand
// multipath entries with room to spare. maxAllBytes bounds all files together.
const (
	maxFileBytes = 16 << 20
	maxAllBytes  = 64 << 20

	maxParamBytes = 4096 // of a parameter of a kernel module
)

// Paths says where the configuration is.
type Paths struct {
	Main      string // a missing one counts as empty; one of the native form, by its name, must be there
	Dir       string // drop-ins of the main file's form, *.conf or *.yaml, in the order of their names; a missing one counts as empty
	Native    string // the native form, read instead of Main if it is there; "" none
	NativeDir string // its drop-ins
	NVMeParam string // the kernel's parameter that switches NVMe's own multipath on
}

// SystemPaths gives the places of a running system.
func SystemPaths() Paths {
	return Paths{
		Main: "/etc/multipath.conf", Dir: "/etc/multipath/conf.d", NVMeParam: "/sys/module/nvme_core/parameters/multipath",
		Native: "/etc/pathkeeper/pathkeeper.yaml", NativeDir: "/etc/pathkeeper/conf.d",
	}
}

// PathsAt gives the places for a command line: a main file of either form and a
// directory of drop-ins. Where main is "" the system's own counts, where dir is ""
// the one that belongs to the main file's form.
func PathsAt(main, dir string) Paths {
	p := SystemPaths()
	switch {
	case main == "" && dir != "":
		p.Dir, p.NativeDir = dir, dir
	case main == "":
	case IsNative(main):
		p.Main, p.Dir, p.Native = main, cmp.Or(dir, p.NativeDir), ""
	default:
		p.Main, p.Dir, p.Native = main, cmp.Or(dir, p.Dir), ""
	}
	return p
}

// PathsBelow gives the places in a directory: pathkeeper.yaml if it is there, else
// multipath.conf, and conf.d.
func PathsBelow(dir string) Paths {
	drop := filepath.Join(dir, "conf.d")
	return Paths{
		Main: filepath.Join(dir, "multipath.conf"), Dir: drop, NVMeParam: SystemPaths().NVMeParam,
		Native: filepath.Join(dir, "pathkeeper.yaml"), NativeDir: drop,
	}
}

// InForce gives the main file that is read and the directory of its drop-ins.
func (p Paths) InForce() (main, dir string) {
	if p.Native != "" {
		if _, err := os.Lstat(p.Native); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return p.Native, p.NativeDir
		}
	}
	return p.Main, p.Dir
}

// saysNothing says whether a YAML file has comments and blanks only.
func saysNothing(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return false
		}
	}
	return true
}

// Load reads the files from disk and parses them. Of multipath.conf only the main
// file can fail: it is there and unreadable, or has an error. Of the native form
// every file can: it counts as a whole or not at all.
func Load(p Paths) (policy.Config, []Message, error) {
	main, dir := p.InForce()
	native := IsNative(main)
	var files []File
	data, err := readFile(main)
	switch {
	case err == nil:
		files = append(files, File{Path: main, Data: data})
	case native || !errors.Is(err, fs.ErrNotExist):
		return policy.Config{}, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var messages []Message
	if native && p.Main != "" && p.Main != main {
		if _, err := os.Lstat(p.Main); err == nil {
			if saysNothing(data) {
				return policy.Config{}, nil, fmt.Errorf("%s says nothing and would take the place of %s: write what it shall say, at least `defaults: {}`, or remove it", main, p.Main)
			}
			messages = append(messages, Message{
				Level: LevelNote, Kind: NotRead, Origin: policy.Origin{File: p.Main}, Text: "is not read: " + main + " takes its place",
			})
		}
	}
	unreadable := func(path string, err error) {
		messages = append(messages, Message{
			Level: LevelWarning, Kind: UnreadableFile, Origin: policy.Origin{File: path}, Text: fmt.Sprintf("left out: %v", err),
		})
	}
	all := len(data)
	entries, err := plainfile.List(dir) // sorted by name, byte by byte
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if native {
			return policy.Config{}, nil, fmt.Errorf("reading the configuration: %w", err)
		}
		unreadable(dir, err)
	}
	for _, e := range entries {
		if native != IsNative(e.Name) || !native && !strings.HasSuffix(e.Name, ".conf") {
			continue
		}
		path := filepath.Join(dir, e.Name)
		data, err := readFile(path)
		if all += len(data); err == nil && all > maxAllBytes {
			err = fmt.Errorf("with it all files are larger than %d bytes", maxAllBytes)
		}
		if err != nil {
			if native {
				return policy.Config{}, nil, fmt.Errorf("reading the configuration: %w", err)
			}
			unreadable(path, err)
			continue
		}
		files = append(files, File{Path: path, Data: data, DropIn: true})
	}
	c, said, err := Parse(files)
	messages = append(messages, said...)
	if err != nil {
		return policy.Config{}, messages, err
	}
	if param, err := plainfile.Read(p.NVMeParam, maxParamBytes); err == nil {
		c.NVMeNativeMultipath = strings.HasPrefix(string(param), "Y")
	}
	return c, messages, nil
}

// LoadFiles reads just these files, the first as the main one, the others over it
// as drop-ins. Each of them must be there.
func LoadFiles(names []string) (policy.Config, []Message, error) {
	var files []File
	for i, name := range names {
		data, err := readFile(name)
		if err != nil {
			return policy.Config{}, nil, fmt.Errorf("reading the configuration: %w", err)
		}
		files = append(files, File{Path: name, Data: data, DropIn: i > 0})
	}
	return Parse(files)
}

// readFile reads a regular file. It never waits, as it would for a FIFO's writer.
func readFile(path string) ([]byte, error) {
	data, err := plainfile.ReadRegular(path, maxFileBytes)
	switch {
	case errors.Is(err, plainfile.ErrNotRegular):
		return nil, fmt.Errorf("%s is not a regular file", path)
	case errors.Is(err, plainfile.ErrTooLong):
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFileBytes)
	}
	return data, err
}

package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"pathkeeper/policy"
)

// maxFileBytes is the largest configuration file that is read: a hundred thousand
// multipath entries with room to spare. maxAllBytes bounds all files together.
const (
	maxFileBytes = 16 << 20
	maxAllBytes  = 64 << 20
)

// Paths says where the configuration is.
type Paths struct {
	Main      string // a missing one counts as empty
	Dir       string // drop-ins, *.conf in the order of their names; a missing one counts as empty
	NVMeParam string // the kernel's parameter that switches NVMe's own multipath on
}

// SystemPaths gives the places of a running system.
func SystemPaths() Paths {
	return Paths{Main: "/etc/multipath.conf", Dir: "/etc/multipath/conf.d", NVMeParam: "/sys/module/nvme_core/parameters/multipath"}
}

// Load reads the files from disk and parses them. Only the main file can fail: it
// is there and unreadable, or has an error.
func Load(p Paths) (policy.Config, []Message, error) {
	var files []File
	data, err := readFile(p.Main)
	switch {
	case err == nil:
		files = append(files, File{Path: p.Main, Data: data})
	case !errors.Is(err, fs.ErrNotExist):
		return policy.Config{}, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var messages []Message
	unreadable := func(path string, err error) {
		messages = append(messages, Message{
			Level: LevelWarning, Kind: UnreadableFile, Origin: policy.Origin{File: path}, Text: fmt.Sprintf("left out: %v", err),
		})
	}
	all := len(data)
	entries, err := os.ReadDir(p.Dir) // sorted by name, byte by byte
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		unreadable(p.Dir, err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".conf") {
			continue
		}
		path := filepath.Join(p.Dir, e.Name())
		data, err := readFile(path)
		if all += len(data); err == nil && all > maxAllBytes {
			err = fmt.Errorf("with it all files are larger than %d bytes", maxAllBytes)
		}
		if err != nil {
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
	if param, err := os.ReadFile(p.NVMeParam); err == nil {
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
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFileBytes)
	}
	return data, nil
}

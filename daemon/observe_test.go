package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/dmmap/table"
)

// A host without device-mapper is looked at where the caller can do with less: no map,
// the files as they are, and the reason told once. Whoever cannot gets an error, and so
// does everybody who is only forbidden to look.
func TestObserveWithoutDeviceMapper(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sys/block"), 0o755); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "multipath.conf")
	if err := os.WriteFile(conf, []byte("multipaths {\n multipath {\n wwid 3600a\n alias data1\n }\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var told []error
	opt := ObserveOptions{
		Options: Options{ConfigFile: conf, ConfigDir: filepath.Join(dir, "none"), SysDir: filepath.Join(dir, "sys"), DevDir: dir, RunDir: dir, UdevDir: dir},
		Checks:  true, Missing: func(err error) { told = append(told, err) },
	}
	with := func(errno syscall.Errno) {
		opt.openDM = func() (*dmioctl.Control, error) { return nil, fmt.Errorf("open device-mapper: %w", errno) }
	}
	ctx := t.Context()
	with(syscall.ENOENT)
	s, b, err := ObserveBasis(ctx, opt)
	if err != nil || len(s.Maps) != 0 || len(b.Config.Multipaths) != 1 || len(told) != 1 {
		t.Errorf("maps %v, entries %v, told %v, error %v; want none, one, one, none", s.Maps, b.Config.Multipaths, told, err)
	}
	with(syscall.EACCES)
	if _, _, err := ObserveBasis(ctx, opt); err == nil || len(told) != 1 {
		t.Errorf("forbidden: error %v, told %v; want an error and nothing more told", err, told)
	}
	with(syscall.ENOENT)
	opt.Missing = nil
	if _, _, err := ObserveBasis(ctx, opt); err == nil {
		t.Error("who needs the maps got none and no error")
	}
}

func TestNoMaps(t *testing.T) {
	list, err := dmmap.QueryList{}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	buf, errno := noMaps{}.Ioctl(list.Cmd, list.Buf)
	if got, err := dmmap.DecodeList(buf); errno != 0 || err != nil || got != nil {
		t.Errorf("list %v, errno %d, error %v; want no map", got, errno, err)
	}
	name, err := table.NewName("one")
	if err != nil {
		t.Fatal(err)
	}
	info, err := dmmap.QueryInfo{Map: dmmap.ByName(name)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, errno := (noMaps{}).Ioctl(info.Cmd, info.Buf); syscall.Errno(errno) != syscall.ENXIO {
		t.Errorf("errno %d for a map's state, want ENXIO", errno)
	}
}

package main

import (
	"os"
	"path/filepath"
	"time"

	"pathkeeper/configs"
	"pathkeeper/dmmap/table"
	"pathkeeper/engine"
	"pathkeeper/plainfile"
	"pathkeeper/policy"
	"pathkeeper/rules"
	"pathkeeper/server"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
)

// hookHost is where the hook finds what it goes by: this host, or a simulated one.
type hookHost interface {
	openTree() (tree sysfs.Tree, end func(), err error)
	loadConfig() (policy.Config, error)
	places() engine.Files
	stateFile(name string) ([]byte, error)
	stateList(dir string) ([]string, error)
	udevRecord(name string) ([]byte, error)
	mountinfo() ([]byte, error)
	swapList() ([]byte, error)
	// manager says who builds maps here.
	manager() manager
	// wait says how far the wait for a second path of a disk is, by its device
	// number; begin begins it, for so many seconds, where it was not begun yet.
	wait(dev string, seconds int, begin bool) (w rules.Wait, left time.Duration, begun bool)
	endWait(dev string) error
	// held says whether a program holds a disk exclusively.
	held(name string) bool
	// number gives the number of a user or group.
	number(text string, group bool) (string, bool)
	// activePaths gives the paths that the kernel calls active; false: it does not
	// say.
	activePaths(uuid string) ([]table.DevNum, bool)
}

// host is this one, or a test's.
type host struct {
	sys, udev, dev string
	root           string // of the state files
	mounts, swaps  string
	config         configs.Paths
	engine         engine.Files
	socket         string   // who manages maps listens here
	pidFile, proc  string   // who that is, where the socket does not say
	enabled        []string // patterns of links that have the daemon started at boot
	lookup         func(text string, group bool) (number string, ok bool)
	active         func(uuid string) ([]table.DevNum, bool)
}

func systemHost() host {
	files := engine.DefaultFiles()
	socket := os.Getenv("MULTIPATH_SOCKET_NAME")
	if socket == "" {
		socket = server.MpathdSocket
	}
	return host{
		sys: "/sys", udev: "/run/udev", dev: "/dev", root: "/", mounts: files.Mounts, swaps: files.Swaps,
		config: configs.SystemPaths(), engine: files, socket: socket, pidFile: "/run/multipathd.pid", proc: "/proc",
		enabled: []string{
			"/etc/pathkeeper/initramfs", // in an initramfs whose scripts make the maps (packaging/)
			"/etc/systemd/system/*.wants/pathkeeper.service", "/run/systemd/system/*.wants/pathkeeper.service",
			"/usr/lib/systemd/system/*.wants/pathkeeper.service", "/lib/systemd/system/*.wants/pathkeeper.service",
		},
		lookup: lookupID, active: activePaths,
	}
}

func (h host) openTree() (sysfs.Tree, func(), error) {
	tree, err := sysfs.OpenRoot(h.sys)
	if err != nil {
		return nil, nil, err
	}
	return tree, func() { _ = tree.Close() }, nil
}

func (h host) loadConfig() (policy.Config, error) {
	cfg, _, err := configs.Load(h.config)
	return cfg, err
}

func (h host) places() engine.Files { return h.engine }

func (h host) stateFile(name string) ([]byte, error) { return statefile.NewDisk(h.root).Read(name) }

func (h host) stateList(dir string) ([]string, error) { return statefile.NewDisk(h.root).List(dir) }

// maxHookFile is how long a list of mounts or a record of udev may be.
const maxHookFile = 64 << 20

func (h host) udevRecord(name string) ([]byte, error) {
	return plainfile.Read(filepath.Join(h.udev, name), maxHookFile)
}

func (h host) mountinfo() ([]byte, error) { return plainfile.Read(h.mounts, maxHookFile) }

func (h host) swapList() ([]byte, error) { return plainfile.Read(h.swaps, maxHookFile) }

func (h host) number(text string, group bool) (string, bool) { return h.lookup(text, group) }

func (h host) activePaths(uuid string) ([]table.DevNum, bool) { return h.active(uuid) }

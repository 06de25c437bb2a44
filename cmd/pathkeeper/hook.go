package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/engine"
	"pathkeeper/policy"
	"pathkeeper/rules"
	"pathkeeper/scsi"
	"pathkeeper/server"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

func udevCommand(std streams) *cobra.Command {
	c := &cobra.Command{Use: "udev", Short: "What the udev rules call", Args: cobra.ArbitraryArgs, RunE: subcommand}
	c.AddCommand(&cobra.Command{
		Use: "hook", Short: "Print the properties of the device of an event", Args: takes(0, 0, ""),
		Long: `Print the properties of the block device that the environment names (DEVPATH or
DEVNAME), as IMPORT{program} of a udev rule reads them: whether a disk is a path
of a multipath map and why, or how a map can be used and who owns it. It decides
as the daemon does and sends nothing to any device. With an error it prints
nothing and exits 1: what was known of the device before stays.`,
		RunE: func(*cobra.Command, []string) error {
			if hookMain(systemHost(), os.Environ(), std) != exitDone {
				return errors.New("the hook could not answer")
			}
			return nil
		},
	})
	c.AddCommand(udevInstallCommand())
	return c
}

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
	// noDaemon says why nobody will build maps, "" if somebody will.
	noDaemon() string
	// number gives the number of a user or group.
	number(text string, group bool) (string, bool)
	// activePaths counts the paths that the kernel calls active, rules.Unknown if
	// it does not say.
	activePaths(uuid string) int
}

// host is this one, or a test's.
type host struct {
	sys, udev, dev string
	root           string // of the state files
	mounts, swaps  string
	config         configs.Paths
	engine         engine.Files
	socket         string   // who manages maps listens here
	enabled        []string // patterns of links that have the daemon started at boot
	lookup         func(text string, group bool) (number string, ok bool)
	active         func(uuid string) int // paths that the kernel calls active
}

func systemHost() host {
	files := engine.DefaultFiles()
	socket := os.Getenv("MULTIPATH_SOCKET_NAME")
	if socket == "" {
		socket = server.MpathdSocket
	}
	return host{
		sys: "/sys", udev: "/run/udev", dev: "/dev", root: "/", mounts: files.Mounts, swaps: files.Swaps,
		config: configs.SystemPaths(), engine: files, socket: socket,
		enabled: []string{
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

func (h host) udevRecord(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(h.udev, name))
}

func (h host) mountinfo() ([]byte, error) { return os.ReadFile(h.mounts) }

func (h host) swapList() ([]byte, error) { return os.ReadFile(h.swaps) }

func (h host) number(text string, group bool) (string, bool) { return h.lookup(text, group) }

func (h host) activePaths(uuid string) int { return h.active(uuid) }

// noDaemon: somebody builds maps if the daemon runs, or systemd starts it.
func (h host) noDaemon() string {
	if c, err := net.DialTimeout("unix", h.socket, time.Second); err == nil {
		c.Close()
		return ""
	} else if !errors.Is(err, errRefused) && !errors.Is(err, fs.ErrNotExist) {
		return "" // somebody is there, and too busy to answer
	}
	for _, pattern := range h.enabled {
		if links, _ := filepath.Glob(pattern); len(links) > 0 {
			return ""
		}
	}
	return nobodyBuilds
}

const nobodyBuilds = "the daemon does not run and is not enabled (`systemctl enable --now pathkeeper`)"

// hookMain answers one event.
func hookMain(h hookHost, environ []string, std streams) int {
	properties, err := hook(h, readEnvironment(environ))
	if err != nil {
		return report(std, "pathkeeper udev hook", err)
	}
	if _, err := io.WriteString(std.out, rules.Format(properties)); err != nil {
		return exitError
	}
	return exitDone
}

// readEnvironment gives the event's properties, sorted by name as udev's database
// has them.
func readEnvironment(environ []string) uevent.Props {
	var props uevent.Props
	for _, e := range environ {
		if key, value, ok := strings.Cut(e, "="); ok && key != "" {
			props = append(props, uevent.KV{Key: key, Value: value})
		}
	}
	slices.SortStableFunc(props, func(a, b uevent.KV) int { return strings.Compare(a.Key, b.Key) })
	return props
}

func hook(h hookHost, env uevent.Props) ([]rules.KV, error) {
	name := env.Value("DEVPATH")
	if name == "" {
		name = strings.ReplaceAll(strings.TrimPrefix(env.Value("DEVNAME"), "/dev/"), "/", "!")
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	if name == "" {
		return nil, usageError{"neither DEVPATH nor DEVNAME is set: this is called by udev's rules"}
	}
	tree, end, err := h.openTree()
	if err != nil {
		return nil, err
	}
	defer end()
	disk, err := sysfs.ReadDisk(tree, name)
	if err != nil {
		return nil, err
	}
	cfg, err := h.loadConfig()
	if err != nil {
		return nil, err
	}
	compiled, problems := policy.Compile(cfg)
	for _, p := range problems {
		if p.Fatal {
			return nil, fmt.Errorf("%s: %s", p.Origin, p.Text)
		}
	}
	d := decider{host: h, tree: tree, rules: compiled, state: readState(h)}
	if disk.DM.UUID != "" {
		if !sysfs.IsMultipath(disk.DM.UUID) {
			return nil, nil
		}
		return rules.MapProperties(d.mapFacts(disk, env)), nil
	}
	dec := d.path(disk, env)
	return append(rules.PathProperties(dec), rules.DiskProperties(dec, d.diskOwner(dec.Single))...), nil
}

// stateFiles is what the state files say.
type stateFiles struct {
	policy policy.State
	wwids  statefile.WWIDs
	failed []string
}

// readState reads the state files; one that cannot be read counts as empty, as it
// does for the daemon.
func readState(h hookHost) stateFiles {
	files := h.places()
	read := func(name string) []byte {
		b, err := h.stateFile(name)
		if err != nil {
			return nil
		}
		return b
	}
	var s stateFiles
	bindings, _ := statefile.ParseBindings(read(files.Bindings))
	lines := bindings.Lines()
	s.policy.Bindings = make(policy.Bindings, 0, len(lines))
	for _, b := range lines {
		s.policy.Bindings = append(s.policy.Bindings, policy.Binding{Alias: b.Alias, WWID: b.WWID})
	}
	old, _ := statefile.ParseOldIDs(read(files.OldIDs))
	for _, o := range old.All() {
		s.policy.OldIDs = append(s.policy.OldIDs, policy.OldID{Old: o.Old, Canonical: o.Canonical})
	}
	s.wwids, _ = statefile.ParseWWIDs(read(files.WWIDs))
	names, _ := h.stateList(files.FailedDir)
	for _, n := range names {
		s.failed = append(s.failed, statefile.FailedWWID(n))
	}
	return s
}

// decider has everything that a decision of the hook depends on.
type decider struct {
	host  hookHost
	tree  sysfs.Tree
	rules *policy.Compiled
	state stateFiles
}

// path decides about a disk.
func (d *decider) path(disk sysfs.Disk, env uevent.Props) policy.Decision {
	rec := d.record(disk, env)
	mounts, swaps, problem := readUse(d.host)
	facts := engine.FactsOf(disk, rec, mounts, swaps)
	if problem != "" && facts.InUse == "" && facts.MemberOf == "" {
		facts.InUse = problem
	}
	if t := env.Value("DEVTYPE"); t != "" {
		facts.DevType = t
	}
	id := identify(disk, rec)
	facts.TPGS = id.TPGS != 0
	facts.NoDaemon = d.host.noDaemon()
	for _, i := range id.IDs {
		facts.InWWIDs = facts.InWWIDs || d.state.wwids.Has(i.Value)
		facts.Failed = facts.Failed || slices.Contains(d.state.failed, i.Value)
	}
	facts.MapExists = d.mapExists(id)
	dec := d.rules.Decide(id, facts, d.state.policy)
	if dec.Claim == policy.ClaimMaybe {
		// Only then it matters, and only then it is worth to read all the others.
		if facts.OtherPaths = d.otherPaths(disk.Name, id); facts.OtherPaths > 0 {
			dec = d.rules.Decide(id, facts, d.state.policy)
		}
	}
	return dec
}

// identify goes by the kernel's cache: the hook sends nothing to any device.
func identify(disk sysfs.Disk, rec uevent.Record) scsi.Identity {
	if !disk.IsSCSI {
		return scsi.Identity{Problem: "not a SCSI disk"}
	}
	return engine.CachedIdentity(disk, rec.Props.Value("ID_SERIAL"))
}

// record is what udev knows of a device: its database, and over that what the
// event's rules have found up to now.
func (d *decider) record(disk sysfs.Disk, env uevent.Props) uevent.Record {
	var rec uevent.Record
	b, err := d.host.udevRecord(uevent.RecordName(disk.Major, disk.Minor))
	if err == nil {
		if r, err := uevent.ParseRecord(b); err == nil {
			rec = r
		}
	}
	for _, kv := range env {
		// A name that comes twice counts once, with its last value.
		rec.Props = slices.DeleteFunc(rec.Props, func(have uevent.KV) bool { return have.Key == kv.Key })
		rec.Props = append(rec.Props, kv)
	}
	slices.SortStableFunc(rec.Props, func(a, b uevent.KV) int { return strings.Compare(a.Key, b.Key) })
	return rec
}

func readUse(h hookHost) (mounts []sysfs.Mount, swaps []sysfs.Swap, problem string) {
	b, err := h.mountinfo()
	if err == nil {
		mounts, err = sysfs.ParseMountinfo(b)
	}
	if err != nil {
		return nil, nil, "the mounts cannot be read, so it may be in use"
	}
	b, err = h.swapList()
	if err == nil {
		swaps, err = sysfs.ParseSwaps(b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return mounts, nil, "the swaps cannot be read, so it may be in use"
	}
	return mounts, swaps, ""
}

// mapExists looks for a map of the LUN under any of its ids.
func (d *decider) mapExists(id scsi.Identity) bool {
	names, err := sysfs.ListBlock(d.tree)
	if err != nil {
		return false
	}
	for _, n := range names {
		if !strings.HasPrefix(n, "dm-") {
			continue
		}
		b, err := d.tree.ReadAttr("block/"+n+"/dm/uuid", sysfs.MaxAttr)
		if err != nil {
			continue
		}
		if wwid, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "mpath-"); ok {
			if _, ours := id.Has(wwid); ours {
				return true
			}
		}
	}
	return false
}

// otherPaths counts other disks of the same LUN.
func (d *decider) otherPaths(name string, id scsi.Identity) int {
	names, err := sysfs.ListBlock(d.tree)
	if err != nil || id.WWID == "" {
		return 0
	}
	n := 0
	for _, other := range names {
		if other == name || !strings.HasPrefix(other, "sd") {
			continue
		}
		disk, err := sysfs.ReadDisk(d.tree, other)
		if err == nil && identify(disk, d.record(disk, nil)).SameLUN(id) {
			n++
		}
	}
	return n
}

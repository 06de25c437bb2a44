package run

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pathkeeper/lab/guest"
	"pathkeeper/lab/image"
	"pathkeeper/lab/storage"
	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

// session is one guest and what the current scenario has made in it.
type session struct {
	guest  *guest.Guest
	boot   guest.Config // what it was booted with
	writes string       // directory of the disk that it writes to, if it keeps that
	opts   Options
	verbs  map[string]func(scenario.Command) error
	began  time.Time
	ready  bool // prepare has run in this guest
	down   bool // the guest was shut down, and boots again with the next verb

	array    *storage.Array
	address  map[string]string // "lun port" -> SCSI address without the LUN's number, H:C:T
	disks    []bootDisk
	diskAddr map[string]string // boot disk's name -> H:C:T:L

	labels map[string]string // "8:0" -> port or disk, as last seen
	maps   map[string]string // "253:0" -> map name, as last seen
	marks  map[string]mark
	traces int // marks set so far, for the trace's own names

	ios     map[string]string // name -> device
	probes  map[string]bool   // pending
	holding map[string]bool   // programs that hold a device open
	mounted []string          // directories
	files   map[string][]byte // written by the scenario -> content before, nil if there was none
	order   []string          // of files
	debug   bool              // scsi_debug is loaded
	deaf    bool              // udevd was stopped
	// deafened: it was in this scenario, and started again perhaps.
	deafened bool
	iscsi    bool     // iscsid runs
	targets  []string // iSCSI ports to which the scenario logs in by itself
	oracle   bool     // Debian's multipathd runs
	product  product
	image    image.Image

	baseline map[string]int // processes of the idle guest: command line -> count
}

func newSession(ctx context.Context, img image.Image, accel guest.Accel, script *scenario.Script, o Options) (*session, error) {
	disks, err := bootDisks(script)
	if err != nil {
		return nil, err
	}
	s := &session{opts: o, disks: disks, image: img}
	cfg := &s.boot
	*cfg = guest.Config{Image: img, Boot: guest.Boot(script.Boot), Accel: accel, Talk: o.Out}
	for _, d := range disks {
		cfg.Disks = append(cfg.Disks, d.Disk)
	}
	if persists(script) {
		if err := s.keepWrites(); err != nil {
			return nil, err
		}
	}
	if o.Tree != "" {
		if cfg.Files, err = readTree(o.Tree); err != nil {
			return nil, fmt.Errorf("the product's tree: %w", err)
		}
	}
	if s.guest, err = guest.Start(ctx, *cfg); err != nil {
		return nil, fmt.Errorf("boot a %s guest: %w", script.Boot, err)
	}
	fmt.Fprintf(o.Out, "lab: %s guest up in %.1fs: Linux %s, %d CPUs, deadlines x %.1f\n",
		script.Boot, s.guest.Booted.Seconds(), s.guest.Hello.Kernel, s.guest.Hello.CPUs, s.guest.Factor())
	s.verbs = s.table()
	s.forget()
	return s, nil
}

// forget clears what belongs to one scenario.
func (s *session) forget() {
	s.array = storage.NewArray()
	s.address = map[string]string{}
	s.labels = map[string]string{}
	s.maps = map[string]string{}
	s.marks = map[string]mark{}
	s.ios = map[string]string{}
	s.probes = map[string]bool{}
	s.holding = map[string]bool{}
	s.mounted = nil
	s.files = map[string][]byte{}
	s.order = nil
	s.deafened = false
	s.targets = nil
}

// table binds every verb that the lab knows; a test holds it against
// scenario.Verbs.
func (s *session) table() map[string]func(scenario.Command) error {
	return map[string]func(scenario.Command) error{
		"say": s.say, "mark": s.mark, "pass": s.pass,
		"lun": s.lun, "target": s.target, "unlun": s.unlun, "alua": s.alua, "path": s.path, "port": s.port,
		"disk": func(scenario.Command) error { return nil }, "unplug": s.unplug, "plug": s.plug, "scsi_debug": s.scsiDebug, "udevd": s.udevd,
		"config": s.config, "file": s.file, "daemon": s.daemon, "show": s.show, "multipathd": s.multipathd,
		"multipath": s.multipath, "hold": s.hold, "release": s.release, "mount": s.mount, "umount": s.umount, "trigger": s.trigger, "expect udev": s.expectUdev, "expect untouched": s.expectUntouched,
		"io": s.io, "probe": s.probe, "expect stamp": s.expectStamp,
		"expect map": s.expectMap, "expect maps": s.expectMaps, "expect no-map": s.expectNoMap, "expect owner": s.expectOwner,
		"expect loads": s.expectCount, "expect suspends": s.expectCount, "expect resumes": s.expectCount,
		"expect messages": s.expectCount, "expect removes": s.expectCount,
		"expect log": s.expectLog, "expect no-log": s.expectLog,
		"run": s.run, "wait": s.wait, "wait-file": s.waitFile, "guest": s.freeze, "powercut": s.powercut, "shutdown": s.shutdown, "rootboot": s.rootboot, "teardown": s.teardownVerb,
	}
}

// prepare brings a fresh guest to the state that every scenario begins with.
func (s *session) prepare() error {
	if s.ready {
		return nil
	}
	modules := strings.Join(storage.Modules(), " ")
	script := `for m in ` + modules + `; do modprobe $m; done
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing
mkdir -p /run/lab /var/target/pr
echo /var/target > /sys/kernel/config/target/dbroot`
	if len(s.disks) > 0 {
		script = "modprobe ahci\n" + script
	}
	if err := s.sh(60*time.Second, script); err != nil {
		return err
	}
	if err := s.guest.Do(traceSteps()...); err != nil {
		return err
	}
	if err := s.findDisks(); err != nil {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	var err error
	if s.baseline, err = s.processes(); err != nil {
		return err
	}
	s.ready = true
	return nil
}

// sh runs a script by sh -e and wants exit 0.
func (s *session) sh(limit time.Duration, script string) error {
	_, err := s.guest.Run(limit, "sh", "-ec", script)
	return err
}

// settle waits until udevd has handled all that the kernel has said.
func (s *session) settle() error {
	_, err := s.guest.Run(60*time.Second, "udevadm", "settle", "--timeout=55")
	return err
}

// processes counts what runs in user space besides the agent itself, by
// command line; udevd's workers come and go.
func (s *session) processes() (map[string]int, error) {
	entries, err := s.guest.Look("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, e := range entries {
		line := strings.TrimSpace(strings.ReplaceAll(e.Text, "\x00", " "))
		if line == "" || strings.HasPrefix(line, "(udev-worker)") || strings.HasPrefix(line, "(sd-") {
			continue
		}
		out[line]++
	}
	return out, nil
}

func (s *session) say(c scenario.Command) error {
	if s.opts.Tell {
		fmt.Fprintf(s.opts.Out, "\n%s\n", strings.Join(c.Args, " "))
	}
	return nil
}

// pass sleeps on the host: the verb's subject is time itself. It is not
// stretched by the machine's slowness, for the deadlines it lets go by are not.
func (s *session) pass(c scenario.Command) error {
	d, err := time.ParseDuration(c.Args[0])
	if err != nil {
		return err
	}
	time.Sleep(d)
	return nil
}

func (s *session) freeze(c scenario.Command) error {
	if c.Args[0] == "freeze" {
		return s.guest.Freeze()
	}
	return s.guest.Thaw()
}

func (s *session) teardownVerb(scenario.Command) error { return s.teardown() }

// readTree reads a directory for injection.
func readTree(root string) ([]guest.Inject, error) {
	var out []guest.Inject
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		out = append(out, guest.Inject{Path: strings.TrimPrefix(name, root), Mode: info.Mode(), Data: data})
		return nil
	})
	return out, err
}

func write(path, text string) wire.Step { return wire.Step{Write: path, Data: []byte(text)} }

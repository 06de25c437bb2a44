package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"pathkeeper/blockio"
	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/engine"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/record"
	"pathkeeper/scsi/sgio"
	"pathkeeper/server"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// Options say where the daemon finds and puts things. The zero value of a field
// is the place on a real host.
type Options struct {
	ConfigFile string // of either form; "" the system's: configs.PathsAt
	ConfigDir  string // drop-ins; "" those that belong to the file
	RunDir     string // /run/pathkeeper
	PidFile    string // /run/multipathd.pid
	RecordDir  string // /var/lib/pathkeeper/records: copies of the recording
	DevDir     string // /dev
	SysDir     string // /sys
	UdevDir    string // /run/udev
	// MpathdSocket replaces multipathd's two sockets; "" is MULTIPATH_SOCKET_NAME of
	// the environment.
	MpathdSocket string
	Level        mpath.Level
	Log          io.Writer // stderr
	Version      string
	// ReadNames: the bindings are read and never written, so that new maps are named
	// by their WWID.
	ReadNames bool
	// Ready, if set, is called once, with nil, when the daemon manages the host's maps
	// and answers at its sockets.
	Ready func(error)
	// DeadRootLimit is how long a host may take to go down whose root file system has no
	// path; then the daemon ends the host. 0: it never does, also where it is the last
	// service that stops.
	DeadRootLimit time.Duration
	// NoProtect leaves memory locks, priorities and the second start out.
	NoProtect bool
}

func (o Options) withDefaults() Options {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&o.RunDir, "/run/pathkeeper")
	def(&o.PidFile, "/run/multipathd.pid")
	def(&o.RecordDir, record.CopiesDir)
	def(&o.DevDir, "/dev")
	def(&o.SysDir, "/sys")
	def(&o.UdevDir, "/run/udev")
	def(&o.MpathdSocket, os.Getenv("MULTIPATH_SOCKET_NAME"))
	if o.Level == 0 {
		o.Level = mpath.LevelInfo
	}
	if o.Log == nil {
		o.Log = os.Stderr
	}
	return o
}

// Daemon is the running service.
type Daemon struct {
	opt    Options
	loop   *loop
	work   *workers
	log    *journal
	nodes  blockio.NodePort
	config *configLoader
	old    *server.Mpathd
	begun  time.Time

	reloads reloads
	quit    func() // ends the daemon, asked for by a client
	// standsOn is what the running system stands on, since a map lost its paths.
	standsOn atomic.Pointer[sysfs.Ground]

	// missing takes the error of a host without device-mapper, which then counts as one
	// without maps; nil: nothing can be done there.
	missing func(error)
	openDM  func() (*dmioctl.Control, error) // nil: the kernel's

	close []func()
}

// Run is the daemon, until ctx ends or SIGTERM or SIGINT comes.
func Run(ctx context.Context, opt Options) error {
	opt = opt.withDefaults()
	d := &Daemon{opt: opt, begun: time.Now(), reloads: newReloads()}
	// The configuration first: a bad one must not touch anything.
	loader := newConfigLoader(opt)
	first, err := loader.load()
	if err != nil {
		return err
	}
	if err := Preflight(); err != nil {
		return err
	}
	pid, dead, err := lockManager(opt.PidFile)
	if err != nil {
		return err
	}
	d.close = append(d.close, func() { UnlockManager(pid) })
	defer d.end()
	if !server.SocketsPassed() {
		var hung int
		if d.old, hung, err = holdSockets(server.MpathdNames(opt.MpathdSocket), "/proc"); err != nil {
			return err
		}
		if hung != 0 {
			dead = hung
		} else {
			d.close = append(d.close, func() { _ = d.old.Close() })
		}
	}

	var problems []string
	if !opt.NoProtect {
		problems = protect()
	}
	if server.SocketsPassed() { // now, since a start anew would lose them
		passed, err := server.PassedSockets()
		if err != nil {
			return err
		}
		d.old = server.MpathdOn(passed, nil)
		d.close = append(d.close, func() { _ = d.old.Close() })
	}
	note := newNotifier()
	d.log = newJournal(opt.Level, note.conn != nil)
	go d.log.write(opt.Log)
	defer d.log.flush(2 * time.Second)
	if dead != 0 {
		d.log.printf(mpath.LevelWarning, "self", "a killed daemon (pid %d) still hangs in the kernel: its lock is put aside; multipathd's socket is its until it ends", dead)
	}
	if d.old != nil {
		for _, err := range d.old.Missing {
			d.log.printf(mpath.LevelWarning, "self", "%v: clients that ask there find nobody", err)
		}
	}
	for _, p := range problems {
		d.log.printf(mpath.LevelNotice, "self", "%s: the daemon is less safe while its own root hangs", p)
	}

	control, err := d.openPorts(false)
	if err != nil {
		return err
	}
	return d.serve(ctx, loader, first, control, note)
}

func (d *Daemon) end() {
	for i := len(d.close) - 1; i >= 0; i-- {
		d.close[i]()
	}
}

// openPorts opens everything that needs privileges.
func (d *Daemon) openPorts(observe bool) (*dmioctl.Control, error) {
	dm, control, err := d.openMaps()
	if err != nil {
		return nil, err
	}
	devices := blockio.New(d.opt.DevDir)
	d.nodes = devices
	p := engine.Ports{DM: dm, Files: statefile.NewDisk("/"), Block: devices}
	if observe {
		r, err := sysfs.OpenRoot(d.opt.SysDir)
		if err != nil {
			return nil, err
		}
		p.Sysfs = r
	} else {
		r, err := sysfs.OpenWritable(d.opt.SysDir)
		if err != nil {
			return nil, err
		}
		p.Sysfs, p.Write, p.Nodes = r, r, devices
	}
	sg := sgio.NewDevice(d.opt.DevDir)
	p.SCSI = sg
	d.work = newWorkers(p)
	d.work.pool = sgio.NewPool(byName{sg}, 32, d.work.landed)
	d.close = append(d.close, func() { _ = d.work.pool.Close() })
	if err := sgio.Probe(d.opt.SysDir); err != nil {
		d.log.printf(mpath.LevelWarning, "sg", "%v; until then path checks use a bounded number of threads", err)
		return control, nil
	}
	async, err := sgio.NewAsync(d.opt.DevDir, d.work.landed)
	if err != nil {
		return nil, err
	}
	d.work.async = async
	d.close = append(d.close, func() { _ = async.Close() })
	return control, nil
}

func (d *Daemon) newEngine() (*engine.Engine, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("reading the boot id: %w", err)
	}
	files := engine.DefaultFiles()
	files.Deadlines = filepath.Join(d.opt.RunDir, "deadlines")
	files.UdevDB = d.opt.UdevDir
	return &engine.Engine{Files: files, BootID: strings.TrimSpace(string(boot)), ReadNames: d.opt.ReadNames}, nil
}

// begin reads the state files and gives the core its first events.
func (d *Daemon) begin(first mpath.Configured, kernel policy.Kernel) {
	l := d.loop
	l.advance(l.engine.LoadState(kernel, func(text string) { d.log.printf(mpath.LevelWarning, "state", "%s", text) }))
	l.step(first)
}

func (d *Daemon) serve(ctx context.Context, loader *configLoader, first loaded, control *dmioctl.Control, note *notifier) error {
	eng, err := d.newEngine()
	if err != nil {
		return err
	}
	d.config = loader
	d.loop = newLoop(eng, d.work, d.log)
	if err := os.MkdirAll(d.opt.RunDir, 0o755); err != nil {
		return fmt.Errorf("making %s: %w", d.opt.RunDir, err)
	}
	if err := os.Chmod(d.opt.RunDir, 0o755); err != nil { // whatever the umask: readers are not root
		return fmt.Errorf("opening %s to readers: %w", d.opt.RunDir, err)
	}
	d.startRecorder(eng.BootID)

	group := uint32(uevent.GroupKernel)
	if _, err := os.Stat(filepath.Join(d.opt.UdevDir, "control")); err == nil {
		group = uevent.GroupUdev
	} else {
		d.log.printf(mpath.LevelWarning, "udev", "no udevd runs: the kernel's own events are used, nodes under /dev/mapper are not made")
	}
	events, err := uevent.Listen(group, "block", "scsi")
	if err != nil {
		return fmt.Errorf("listening for uevents: %w", err)
	}
	defer events.Close()

	ctx, stop := signal.NotifyContext(ctx, unix.SIGTERM, unix.SIGINT)
	defer stop()
	ctx, end := context.WithCancel(ctx)
	defer end()
	d.quit = func() { d.quitFor(note, end) }
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, unix.SIGHUP)
	defer signal.Stop(hup)

	// inner outlives ctx: the loop still has to end its work.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	g, gctx := errgroup.WithContext(inner)
	g.Go(func() error { return d.watchUevents(gctx, events) })
	g.Go(func() error { return d.watchMaps(gctx, control) })

	api, err := server.New(source{d}, server.Options{Path: filepath.Join(d.opt.RunDir, "api.sock"), Log: func(text string) {
		d.log.printf(mpath.LevelWarning, "api", "%s", text)
	}})
	if err != nil {
		return err
	}
	g.Go(api.Serve)
	if d.old != nil {
		g.Go(func() error { return d.old.Serve(source{d}) })
	}
	g.Go(func() error {
		<-gctx.Done()
		if d.old != nil {
			_ = d.old.Close()
		}
		return api.Close()
	})

	ready := false
	g.Go(func() error { return d.saveOnSignal(gctx) })
	d.begin(first.event(false), KernelOffers("/"))
	d.reportConfig(first)
	if d.opt.Ready != nil {
		d.opt.Ready(nil)
	}
	g.Go(func() error {
		d.lookAtAllNodes(gctx)
		for {
			select {
			case <-gctx.Done():
				return nil
			case <-hup:
				d.reloads.ask(false)
			}
		}
	})
	g.Go(func() error { d.serveReloads(gctx); return nil })
	if note.conn != nil { // systemd is there, and this is its service
		g.Go(func() error { d.watchHostEnd(gctx); return nil })
	}
	g.Go(func() error {
		<-ctx.Done() // asked to stop, or a receiver failed below
		return d.stop(gctx, cancel, note)
	})
	g.Go(func() error {
		d.loop.run(gctx, func() {
			note.alive()
			settled := !ready && d.loop.core.Settled()
			if !ready && !settled && time.Since(d.begun) >= readyLimit {
				ready = true
				note.say("READY=1\nSTATUS=managing the multipath maps of this host; some do not answer yet")
				d.log.printf(mpath.LevelWarning, "", "not everything has answered after %s: %s; going on with the rest", readyLimit, d.loop.fresh().Summary())
			}
			if settled {
				ready = true
				note.say("READY=1\nSTATUS=managing the multipath maps of this host")
				d.log.printf(mpath.LevelNotice, "", "ready: %s", d.loop.fresh().Summary())
			}
		})
		_ = events.Close()
		return d.loop.unsound
	})
	g.Go(func() error { // a failed receiver ends the daemon; systemd starts it again
		<-gctx.Done()
		stop()
		_ = events.Close()
		return nil
	})
	err = g.Wait()
	d.loop.recorder.Close(time.Second)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// readyLimit is how long the start waits for every map of the host. One that hangs
// must not have systemd kill the manager of all the others, again and again.
const readyLimit = 30 * time.Second

// stopLimit bounds how long the end of the daemon may take.
const stopLimit = 5 * time.Second

// initrdRelease is there in an initramfs and nowhere else (systemd, initrd interface).
const initrdRelease = "/etc/initrd-release"

// inInitramfs: the daemon of the host's own root follows, and until then nothing may
// be taken off a queue.
func inInitramfs(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// unitName is what systemd calls this service.
const unitName = "pathkeeper.service"

// quitFor ends the daemon for a client who has said `quit`. systemd, which would start
// it again, is asked to stop it; where it does not, or there is none, it ends by
// itself.
func (d *Daemon) quitFor(note *notifier, end func()) {
	d.log.printf(mpath.LevelNotice, "", "a client asks the daemon to end")
	go func() {
		note.stopUnit(unitName)
		end()
	}()
}

// stop ends the core's work: queueing is left alone where another daemon
// follows, and handled as multipathd does where none does.
func (d *Daemon) stop(ctx context.Context, cancel context.CancelFunc, note *notifier) error {
	defer cancel()
	if ctx.Err() != nil {
		return nil
	}
	d.reloads.stopping.Store(true)
	note.say("STOPPING=1")
	final, how, err := stopOf(note.conn != nil, func() ([]initJob, error) { return initJobs(initSocket, stopAsk) })
	if err != nil {
		d.log.printf(mpath.LevelWarning, "", "%v: whether another daemon follows is not known, so queueing stays as it is", err)
	}
	final = final && !inInitramfs(initrdRelease)
	if final && how != "" && d.opt.DeadRootLimit > 0 && d.holdForRoot(ctx, note) {
		if jobs, err := initJobs(initSocket, stopAsk); err != nil || endingOf(jobs) != "" {
			d.endHost(how, fmt.Sprintf("no path of the root file system came back in %s", rootLimit))
		}
	}
	limit, end := context.WithTimeout(ctx, stopLimit)
	defer end()
	if err := d.loop.call(limit, func() { d.loop.step(mpath.Stopping{Final: final}) }); err != nil {
		return nil
	}
	for limit.Err() == nil {
		var open int
		if err := d.loop.call(limit, func() { open = d.loop.core.OpenActions() }); err != nil || open == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.log.printf(mpath.LevelNotice, "", "stopped; the maps stay as they are")
	return nil
}

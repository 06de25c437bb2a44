package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pathkeeper/blockio"
	"pathkeeper/configs"
	"pathkeeper/daemon"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/scsi/sgio"
	"pathkeeper/server"
	"pathkeeper/sim"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
)

// machine is the host that a command works on: this one, or a simulated one.
type machine interface {
	// snapshot gets what the daemon knows, or without one what the kernel says.
	snapshot(ctx context.Context, at places, checks bool, talk func(string)) (mpath.Snapshot, error)
	// basis gets what is decided from, with the snapshot of the same moment.
	basis(ctx context.Context, at places, talk func(string)) (mpath.Snapshot, mpath.Basis, error)
	// config reads the configuration that at names, which the daemon need not have.
	config(at places) (policy.Config, []configs.Message, error)
	reload(ctx context.Context, at places) (server.ReloadResult, error)
	command(ctx context.Context, at places, c mpath.Command) (mpath.Reply, error)
	plan(ctx context.Context, at places, place string, talk func(string)) (server.PlanResult, error)
	apply(ctx context.Context, at places, p mpath.Plan) (mpath.Applied, error)
	readFile(name string) ([]byte, error)
	writeFile(name string, text []byte) error
	stateFiles() statefile.Port
	// lockNames keeps every manager of maps away until unlock.
	lockNames() (unlock func(), err error)
	// tree is sysfs; end gives it back.
	tree() (tree sysfs.Tree, end func(), err error)
	nodes() blockio.NodePort
	scsi() scsi.Port
	// once does what a command wants where no daemon runs.
	once(ctx context.Context, r onceRequest) (daemon.OnceResult, error)
	// dial connects to the daemon's socket; errNobody: there is none.
	dial() (asker, error)
	unprivileged() bool
	// answers says whether our daemon does; observed looks without one.
	answers(ctx context.Context, at places) bool
	observed(ctx context.Context, at places, checks bool) (mpath.Snapshot, error)
	hookHost() hookHost
	// resolve follows the links of a device's name; exists says whether it is a block
	// device.
	resolve(name string) string
	exists(name string) bool
	sleep(time.Duration)
}

// thisMachine is where the command runs.
type thisMachine struct{}

func (thisMachine) snapshot(ctx context.Context, at places, checks bool, talk func(string)) (mpath.Snapshot, error) {
	return look(ctx, at, checks, talk)
}

func (thisMachine) basis(ctx context.Context, at places, talk func(string)) (mpath.Snapshot, mpath.Basis, error) {
	return lookDeep(ctx, at, talk)
}

func (thisMachine) config(at places) (policy.Config, []configs.Message, error) {
	return at.load()
}

func (thisMachine) reload(ctx context.Context, at places) (server.ReloadResult, error) {
	return server.NewClient(at.socket).Reload(ctx)
}

func (thisMachine) command(ctx context.Context, at places, c mpath.Command) (mpath.Reply, error) {
	return server.NewClient(at.socket).Command(ctx, c)
}

func (thisMachine) plan(ctx context.Context, at places, place string, talk func(string)) (server.PlanResult, error) {
	r, err := server.NewClient(at.socket).Plan(ctx, server.PlanRequest{Place: place})
	if !errors.Is(err, server.ErrNotRunning) {
		return r, err
	}
	if err := at.named(); err != nil {
		return r, err
	}
	talk(notRunning)
	return daemon.ObservePlan(ctx, daemon.Options{ConfigFile: at.configFile, ConfigDir: at.configDir, Version: version}, place)
}

func (thisMachine) apply(ctx context.Context, at places, p mpath.Plan) (mpath.Applied, error) {
	return server.NewClient(at.socket).Apply(ctx, p)
}

func (thisMachine) tree() (sysfs.Tree, func(), error) { return systemHost().openTree() }

func (thisMachine) nodes() blockio.NodePort { return blockio.New("/dev") }

func (thisMachine) scsi() scsi.Port { return sgio.NewDevice("/dev") }

// simMachine is a host of the simulator.
type simMachine struct{ s *sim.Session }

func (m simMachine) snapshot(_ context.Context, _ places, checks bool, talk func(string)) (mpath.Snapshot, error) {
	s, running, err := m.s.Snapshot(checks)
	if err == nil && !running {
		talk(notRunning)
	}
	return s, err
}

func (m simMachine) basis(_ context.Context, _ places, talk func(string)) (mpath.Snapshot, mpath.Basis, error) {
	s, b, running, err := m.s.Basis()
	if err == nil && !running {
		talk(notRunning)
	}
	return s, b, err
}

func (m simMachine) config(places) (policy.Config, []configs.Message, error) { return m.s.Config() }

func (m simMachine) reload(context.Context, places) (server.ReloadResult, error) {
	warnings, running, err := m.s.Reload()
	if !running {
		err = server.ErrNotRunning
	}
	return server.ReloadResult{Warnings: warnings}, err
}

func (m simMachine) command(_ context.Context, _ places, c mpath.Command) (mpath.Reply, error) {
	r, running, err := m.s.Command(c)
	if !running {
		err = server.ErrNotRunning
	}
	return r, err
}

func (m simMachine) plan(_ context.Context, _ places, place string, talk func(string)) (server.PlanResult, error) {
	p, warnings, running, err := m.s.Plan(place)
	if !running {
		talk(notRunning)
	}
	return server.PlanResult{Plan: p, Warnings: warnings}, err
}

func (m simMachine) apply(_ context.Context, _ places, p mpath.Plan) (mpath.Applied, error) {
	r, running, err := m.s.Apply(p)
	if !running {
		err = server.ErrNotRunning
	}
	return r, err
}

func (m simMachine) tree() (sysfs.Tree, func(), error) { return m.s.Sysfs(), func() {}, nil }

func (m simMachine) nodes() blockio.NodePort { return m.s.Nodes() }

func (m simMachine) scsi() scsi.Port { return m.s.SCSI() }

// onSimulated runs one of the commands that make sense on a simulated host. It is
// sim's Program.
func onSimulated(s *sim.Session, argv []string, std streams) int {
	m := simMachine{s}
	switch argv[0] {
	case "multipath":
		return multipathOn(m, argv[1:], std)
	case "multipathd":
		return simMultipathd(m, argv[1:], std)
	case "pathkeeper":
		root := newRootOn(m, std)
		if len(argv) > 1 && !hasCommand(root, argv[1]) && hasCommand(newRoot(std), argv[1]) {
			fmt.Fprintf(std.err, "pathkeeper: `pathkeeper %s` is not for a simulated host: call it outside of this one; `pathkeeper --help` says what there is here\n", argv[1])
			return exitError
		}
		root.SetArgs(argv[1:])
		return report(std, "pathkeeper", root.ExecuteContext(context.Background()))
	}
	fmt.Fprintf(std.err, "%s: the simulated host has no such program; it has pathkeeper, multipath, multipathd and dmsetup\n", argv[0])
	return exitError
}

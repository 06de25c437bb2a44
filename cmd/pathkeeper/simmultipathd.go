package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/server"
	"pathkeeper/show"
	"pathkeeper/sysfs"
)

// simSource is the simulated daemon as multipathd's sockets see it.
type simSource struct {
	server.Hub
	simMachine
	err error // what a command met that has no way to say so
}

func (s *simSource) Snapshot() mpath.Snapshot {
	snap, _, err := s.s.Snapshot(false)
	s.err = errors.Join(s.err, err)
	return snap
}

func (s *simSource) Basis(context.Context) (mpath.Snapshot, mpath.Basis, error) {
	snap, b, _, err := s.s.Basis()
	return snap, b, err
}

func (s *simSource) Status() server.Status {
	return server.Status{Version: version, PID: 1, State: server.StateRunning, UptimeS: int64(s.s.Now().Seconds())}
}

func (s *simSource) Reload(ctx context.Context) (server.ReloadResult, error) {
	return s.reload(ctx, places{})
}

func (s *simSource) Command(ctx context.Context, c mpath.Command) (mpath.Reply, error) {
	return s.command(ctx, places{}, c)
}

func (s *simSource) Plan(ctx context.Context, place string) (server.PlanResult, error) {
	return s.plan(ctx, places{}, place, func(string) {})
}

func (s *simSource) Apply(ctx context.Context, p mpath.Plan) (mpath.Applied, error) {
	return s.apply(ctx, places{}, p)
}

func (s *simSource) Rules() *policy.Compiled {
	cfg, _, err := s.s.Config()
	if err != nil {
		s.err = errors.Join(s.err, err)
		return nil
	}
	rules, _ := policy.Compile(cfg)
	return rules
}

// Reconfigure reads the configuration again. The daemon's `reconfigure all` loads what
// is right already, too; here it does not.
func (s *simSource) Reconfigure(bool) {
	_, _, err := s.s.Reload()
	s.err = errors.Join(s.err, err)
}

func (s *simSource) Quit() {
	s.err = errors.Join(s.err, errors.New("the simulated daemon is ended by `daemon stop`, or `daemon kill`"))
}

// Bug is the answer's error: here somebody looks at it.
func (s *simSource) Bug(text string) { s.err = errors.New(text) }

func (s *simSource) BlockDevices() []show.BlockDevice {
	names, err := sysfs.ListBlock(s.s.Sysfs())
	s.err = errors.Join(s.err, err)
	var out []show.BlockDevice
	for _, n := range names {
		out = append(out, show.BlockDevice{Name: n})
	}
	return out
}

// simAsker answers as the simulated daemon's sockets would.
type simAsker struct{ m simMachine }

func (simAsker) Close() {}

func (a simAsker) ask(command string) (string, error) {
	if _, _, err := a.m.s.Snapshot(false); err != nil {
		return "", err // it is paused
	}
	src := &simSource{simMachine: a.m}
	text := server.Answer(src, server.Cred{}, command)
	return text, src.err
}

// simMultipathd is the client of the simulated daemon; its own verbs start and stop it.
func simMultipathd(m simMachine, args []string, std streams) int {
	o, err := parseMultipathd(args)
	switch {
	case errors.Is(err, errVersion):
		return printVersion("multipathd", std)
	case errors.Is(err, errHelp):
		io.WriteString(std.out, multipathdUsage)
		return exitDone
	case err != nil:
	case !o.client:
		err = errors.New("the simulated daemon is started by `daemon start`")
	case o.command == "":
		err = errors.New("here each command stands alone: `multipathd show maps`; `multipathd help` lists them")
	}
	if err != nil {
		fmt.Fprintf(std.err, "multipathd: %s\n", show.Safe(err.Error()))
		return exitError
	}
	a, err := m.dial()
	if err != nil {
		return failed(std, "multipathd", fmt.Errorf("%w: start it, `daemon start`", err))
	}
	return answered(a, o.command, std)
}

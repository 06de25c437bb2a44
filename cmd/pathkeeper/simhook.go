package main

import (
	"path"
	"strconv"
	"time"

	"pathkeeper/dmmap/table"
	"pathkeeper/engine"
	"pathkeeper/policy"
	"pathkeeper/rules"
	"pathkeeper/sim"
	"pathkeeper/sysfs"
)

// simHost is a simulated host, for the hook.
type simHost struct{ s *sim.Session }

// hookOnSimulated is sim's Hook.
func hookOnSimulated(s *sim.Session, env []string) ([]string, error) {
	properties, err := hook(simHost{s}, readEnvironment(env))
	var out []string
	for _, kv := range properties {
		out = append(out, kv.Key+"="+kv.Value)
	}
	return out, err
}

func (h simHost) openTree() (sysfs.Tree, func(), error) { return h.s.Sysfs(), func() {}, nil }

func (h simHost) loadConfig() (policy.Config, error) {
	cfg, _, err := h.s.Config()
	return cfg, err
}

func (h simHost) places() engine.Files { return engine.DefaultFiles() }

func (h simHost) stateFile(name string) ([]byte, error) { return h.s.StateFiles().Read(name) }

func (h simHost) stateList(dir string) ([]string, error) { return h.s.StateFiles().List(dir) }

func (h simHost) udevRecord(name string) ([]byte, error) {
	return h.s.StateFiles().Read(path.Join(engine.DefaultFiles().UdevDB, name))
}

func (h simHost) mountinfo() ([]byte, error) {
	return h.s.StateFiles().Read(engine.DefaultFiles().Mounts)
}

func (h simHost) swapList() ([]byte, error) {
	return h.s.StateFiles().Read(engine.DefaultFiles().Swaps)
}

// manager: nothing is enabled on the simulated host, as in the lab's bare boot.
func (h simHost) manager() manager {
	if h.s.Running() {
		return manager{ours: true}
	}
	return manager{nobody: nobodyBuilds}
}

// number knows no names: the simulated host has no users.
func (h simHost) number(text string, _ bool) (string, bool) {
	_, err := strconv.ParseUint(text, 10, 32)
	return text, err == nil
}

func (h simHost) activePaths(uuid string) ([]table.DevNum, bool) { return readActive(h.s.DM(), uuid) }

// wait: the simulated udev has no timer that would end one, so nothing is held back.
func (h simHost) wait(string, int, bool) (rules.Wait, time.Duration, bool) {
	return rules.WaitNone, 0, false
}

func (h simHost) endWait(string) error { return nil }

func (h simHost) held(string) bool { return false }

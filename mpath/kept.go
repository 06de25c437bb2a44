package mpath

import (
	"slices"

	"pathkeeper/policy"
)

// keptOf is what is to be remembered of a map over a restart.
func (m *mmap) keptOf() Kept {
	s := &m.settings
	return Kept{
		WWID: m.wwid, NoPathRetry: s.NoPathRetry.V, PollingInterval: s.PollingInterval.V, FlushOnLastDel: s.FlushOnLastDel.V,
		DeferredRemove: s.DeferredRemove.V, QueueWithoutDaemon: s.QueueWithoutDaemon.V, QueueOff: m.queueOff && !m.endsQueue, QueueWas: m.queueOff && m.queueWas && !m.endsQueue,
	}
}

// keep has the settings of a map written where they have changed.
func (mc *Machine) keep(m *mmap) {
	if m.known && (m.settingOK || m.recalled) && m.keptOf() != m.kept {
		m.kept = m.keptOf()
		mc.dl.dirty = true
	}
}

// recall takes over what a former process has kept of a map. Where a path of the map
// is there the configuration is the last word, but for what an operator wants.
func (mc *Machine) recall(m *mmap) {
	i := slices.IndexFunc(mc.kept, func(k Kept) bool { return k.WWID == m.wwid })
	if i < 0 {
		return
	}
	k := mc.kept[i]
	mc.kept = slices.Delete(slices.Clone(mc.kept), i, i+1) // it counts once
	if k.QueueOff && !m.have.Table.QueueIfNoPath() {
		m.queueOff, m.queueWas = true, k.QueueWas
	}
	if m.settingOK {
		return
	}
	o := policy.Origin{Note: "kept over the restart"}
	s := &m.settings
	s.NoPathRetry = policy.Value[policy.RetryPolicy]{V: k.NoPathRetry, Origin: o}
	s.PollingInterval = policy.Value[int]{V: k.PollingInterval, Origin: o}
	s.FlushOnLastDel = policy.Value[string]{V: k.FlushOnLastDel, Origin: o}
	s.DeferredRemove = policy.Value[bool]{V: k.DeferredRemove, Origin: o}
	s.QueueWithoutDaemon = policy.Value[bool]{V: k.QueueWithoutDaemon, Origin: o}
	m.recalled = true
	m.kept = m.keptOf()
}

// unclear says whether nothing but what was kept is known of a map, and one of its
// devices may still turn out to be a path of it.
func (mc *Machine) unclear(m *mmap) bool {
	if m.settingOK || !m.recalled {
		return false
	}
	for _, d := range m.have.Table.Devs() {
		if !mc.departed(m, d) {
			return true
		}
	}
	return false
}

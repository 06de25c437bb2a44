package mpath

import (
	"fmt"
	"strings"
)

// Attention is what a device reported to the kernel as a unit attention, which
// the kernel tells in a uevent of the SCSI device (drivers/scsi/scsi_lib.c,
// scsi_evt_emit: the property SDEV_UA).
type Attention uint8

// The attentions that the core acts on.
const (
	AttentionNone     Attention = iota
	AttentionInquiry            // INQUIRY_DATA_HAS_CHANGED (3F/03)
	AttentionLUNs               // REPORTED_LUNS_DATA_HAS_CHANGED (3F/0E): mappings of the target changed
	AttentionAccess             // ASYMMETRIC_ACCESS_STATE_CHANGED (2A/06)
	AttentionCapacity           // CAPACITY_DATA_HAS_CHANGED (2A/09)
	AttentionReset              // POWER_ON_RESET_OCCURRED (29/xx)
)

var attentionNames = [...]string{
	"", "INQUIRY_DATA_HAS_CHANGED", "REPORTED_LUNS_DATA_HAS_CHANGED", "ASYMMETRIC_ACCESS_STATE_CHANGED",
	"CAPACITY_DATA_HAS_CHANGED", "POWER_ON_RESET_OCCURRED",
}

// ParseAttention reads the value of SDEV_UA. The kernel has more of them; those
// that say nothing about paths are AttentionNone.
func ParseAttention(s string) Attention {
	for i, n := range attentionNames {
		if n == s {
			return Attention(i)
		}
	}
	return AttentionNone
}

// String gives the kernel's word, "" for none.
func (a Attention) String() string {
	if int(a) < len(attentionNames) {
		return attentionNames[a]
	}
	return fmt.Sprintf("attention(%d)", uint8(a))
}

// MarshalText gives the kernel's word.
func (a Attention) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the kernel's word.
func (a *Attention) UnmarshalText(b []byte) error {
	if *a = ParseAttention(string(b)); *a == AttentionNone && len(b) > 0 {
		return fmt.Errorf("unknown unit attention %q", b)
	}
	return nil
}

// notice is a unit attention that is acted on for more than one path, or by more
// than a check. Each costs something, so that it is acted on once in hurryPace
// and once more if it came again meanwhile.
type notice struct {
	kind  Attention
	about string // the target, the map's WWID, or the device's name
	at    Instant
	again bool
}

// noticeMemory is how long an attention is remembered, and not logged again.
const noticeMemory = 1 * Minute

// takeAttention acts on what a device reported. All of it is a reason to look,
// never a fact.
func (mc *Machine) takeAttention(e DeviceHint) {
	p := mc.pathAt(e.HCTL)
	if p == nil {
		return // its own identification is still to come, or it is no path
	}
	switch e.Attention {
	case AttentionLUNs:
		mc.doubt(p)
		mc.notice(e.Attention, targetOf(p.seen.HCTL))
	case AttentionInquiry:
		mc.doubt(p)
		mc.notice(e.Attention, p.seen.Name)
	case AttentionReset:
		mc.doubt(p)
	case AttentionAccess:
		mc.hurry(p)
		mc.notice(e.Attention, p.wwid)
	case AttentionCapacity:
		mc.notice(e.Attention, p.seen.Name)
	}
}

// pathAt finds the path that an event of a SCSI device is about.
func (mc *Machine) pathAt(hctl string) *path {
	for _, p := range mc.find.targets[targetOf(hctl)] {
		if p.checkable() && p.seen.HCTL == hctl {
			return p
		}
	}
	return nil
}

// doubt has the identity of a path read again. Until then it is in no new table
// and is not reinstated; what it carries goes on.
func (mc *Machine) doubt(p *path) {
	p.doubtAt = mc.now
	mc.hurry(p)
}

// noticeList are the attentions of the last minute.
type noticeList struct {
	list []notice
	due  Instant // when one is to be acted on again or forgotten; 0: none
}

func (mc *Machine) notice(kind Attention, about string) {
	l := &mc.notices
	for i := range l.list {
		n := &l.list[i]
		if n.kind != kind || n.about != about {
			continue
		}
		if mc.now.Since(n.at) < hurryPace {
			n.again = true
			l.due = sooner(l.due, n.at.After(hurryPace))
			return
		}
		n.at, n.again = mc.now, false
		mc.attend(*n)
		return
	}
	n := notice{kind: kind, about: about, at: mc.now}
	l.list = append(l.list, n)
	if l.due == 0 {
		l.due = mc.now.After(noticeMemory)
	}
	switch kind {
	case AttentionLUNs:
		mc.note(LevelNotice, "target "+about, "the LUNs that it shows to this host have changed: every path to it is identified again; new LUNs need a rescan of the host")
	case AttentionCapacity:
		mc.note(LevelNotice, about, "its capacity has changed: rescan the device for the kernel to see it")
	}
	mc.attend(n)
}

// settleNotices acts on those that came again, and forgets the old ones.
func (mc *Machine) settleNotices() {
	l := &mc.notices
	if l.due == 0 || mc.now < l.due {
		return
	}
	keep := l.list[:0]
	l.due = Never
	for _, n := range l.list {
		if n.again && mc.now.Since(n.at) >= hurryPace {
			n.at, n.again = mc.now, false
			mc.attend(n)
		}
		switch {
		case n.again:
			l.due = sooner(l.due, n.at.After(hurryPace))
		case mc.now.Since(n.at) < noticeMemory:
			l.due = sooner(l.due, n.at.After(noticeMemory))
		default:
			continue
		}
		keep = append(keep, n)
	}
	l.list = keep
	if len(keep) == 0 {
		l.due = 0
	}
}

// attend does what an attention asks for.
func (mc *Machine) attend(n notice) {
	switch n.kind {
	case AttentionInquiry, AttentionCapacity:
		mc.look(n.about)
	case AttentionLUNs:
		for _, p := range mc.find.targets[n.about] {
			if p.checkable() {
				mc.doubt(p)
			}
		}
	case AttentionAccess:
		if m := mc.mapOf(n.about); m != nil {
			for _, p := range mc.pathsOf(m) {
				mc.hurry(p)
			}
		}
	}
}

// targetOf is host, channel and target of an HCTL: "2:0:0" of "2:0:0:1".
func targetOf(hctl string) string {
	return hctl[:max(strings.LastIndexByte(hctl, ':'), 0)]
}

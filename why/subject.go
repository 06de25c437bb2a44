// Package why explains: which rule decided about a device, where a map's name,
// groups and settings come from, what would change the outcome, and how long a
// failure can go unnoticed. It is pure. It decides again with what the core
// decides from, so that what it says would change the outcome has been tried.
package why

import (
	"slices"
	"strconv"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/show"
)

// subject is what a name stands for on a host.
type subject struct {
	asked   string
	device  *mpath.PathView   // the one that was asked for, nil: a map or a LUN was
	part    bool              // a partition of it was asked for
	mp      *mpath.MapView    // the LUN's map, nil: there is none
	devices []*mpath.PathView // of the LUN, by name; device among them
	id      string            // WWID, or the id by which the LUN was asked for
	named   []policy.Trace    // the lines of files that know the name
}

// find looks a name up: a device, a map, an id that a device bears, a name or id
// in the files, and what at least could be an id.
func find(s mpath.Snapshot, b mpath.Basis, name string) (subject, bool) {
	short := shorten(name)
	sub := subject{asked: name}
	dev, err := table.ParseDevNum(short)
	for i := range s.Paths {
		p := &s.Paths[i]
		if p.Name == short || err == nil && p.Odd == "" && p.ID.Dev == dev {
			sub.device = p
		}
	}
	if sub.device == nil {
		sub.device = partitionOf(s, short)
		sub.part = sub.device != nil
	}
	if sub.device != nil {
		sub.id = sub.device.Seen.Identity.WWID
		if sub.device.WWID != "" {
			sub.id = sub.device.WWID
		}
		sub.gather(s)
		return sub, true
	}
	for i := range s.Maps {
		m := &s.Maps[i]
		if m.Name == short || m.WWID == short || m.Known && (m.Truth.Dev == dev && err == nil || "dm-"+strconv.FormatUint(uint64(m.Truth.Dev.Minor), 10) == short) {
			sub.id = m.WWID
			sub.gather(s)
			sub.files(b, short)
			return sub, true
		}
	}
	sub.id = short
	known := sub.files(b, short)
	sub.gather(s)
	return sub, known || len(sub.devices) > 0 || sub.mp != nil || likeID(short)
}

// shorten takes the directory off a node's name.
func shorten(name string) string {
	for _, prefix := range []string{"/dev/mapper/", "/dev/"} {
		if rest, cut := strings.CutPrefix(name, prefix); cut {
			return strings.ReplaceAll(rest, "/", "!")
		}
	}
	return name
}

// partitionOf finds the disk whose partition has that name: sda1, nvme0n1p2.
func partitionOf(s mpath.Snapshot, name string) *mpath.PathView {
	disk := strings.TrimRight(name, "0123456789")
	if disk == name {
		return nil
	}
	for i := range s.Paths {
		p := &s.Paths[i]
		if p.Name == disk || p.Name+"p" == disk && p.Name != strings.TrimRight(p.Name, "0123456789") {
			return p
		}
	}
	return nil
}

// gather finds the map and the devices of the subject's LUN.
func (sub *subject) gather(s mpath.Snapshot) {
	if sub.id == "" {
		return
	}
	bears := func(p *mpath.PathView) bool {
		if _, has := p.Seen.Identity.Has(sub.id); has {
			return true
		}
		return p.WWID == sub.id || p == sub.device
	}
	for i := range s.Paths {
		if p := &s.Paths[i]; p.Odd == "" && bears(p) {
			sub.devices = append(sub.devices, p)
		}
	}
	slices.SortStableFunc(sub.devices, func(a, b *mpath.PathView) int { return show.Natural(a.Name, b.Name) })
	for i := range s.Maps {
		m := &s.Maps[i]
		if m.WWID == sub.id || slices.ContainsFunc(sub.devices, func(p *mpath.PathView) bool { return p.WWID != "" && p.WWID == m.WWID }) {
			sub.mp = m
		}
	}
}

// files looks a name or an id up in what the files say. The id of a name becomes
// the subject's.
func (sub *subject) files(b mpath.Basis, name string) bool {
	add := func(step, text string, o policy.Origin) {
		sub.named = append(sub.named, policy.Trace{Step: step, Text: text, Origin: o})
	}
	for _, m := range b.Config.Multipaths {
		alias, _ := m.Layer.Lookup("alias")
		switch {
		case m.WWID == name:
			add("config", "a multipaths entry names it"+aliasText(alias.Value), m.Origin)
		case alias.Value == name:
			add("config", "the alias of the multipaths entry "+m.WWID, alias.Origin)
			sub.take(m.WWID)
		}
	}
	for _, line := range b.State.Bindings {
		switch {
		case line.WWID == name:
			add("bindings", "the bindings file calls it "+line.Alias, policy.Origin{Note: "bindings"})
		case line.Alias == name:
			add("bindings", "the name that the bindings file gives to "+line.WWID, policy.Origin{Note: "bindings"})
			sub.take(line.WWID)
		}
	}
	for _, o := range b.State.OldIDs {
		if o.Old == name {
			add("oldids", "an old id of "+o.Canonical+", by its first match", policy.Origin{Note: "oldids"})
		}
	}
	if slices.Contains(b.WWIDs, name) {
		add("wwids", "listed in the wwids file", policy.Origin{Note: "wwids"})
	}
	if slices.Contains(b.Failed, name) {
		add("failed", "marked in failed_wwids: its map could not be made", policy.Origin{Note: "failed_wwids"})
	}
	return len(sub.named) > 0
}

func aliasText(alias string) string {
	if alias == "" {
		return ""
	}
	return " and calls it " + alias
}

// take makes an id the subject's where only a name was given.
func (sub *subject) take(id string) {
	if sub.id == sub.asked || sub.id == shorten(sub.asked) {
		sub.id = id
	}
}

// likeID says whether a text could be an id of a LUN: long, with a digit or an S
// in front.
func likeID(s string) bool {
	return len(s) >= 9 && (s[0] >= '0' && s[0] <= '9' || s[0] == 'S') && !strings.ContainsAny(s, " /")
}

// MapTarget gives what a map's settings depend on, with the map; of a LUN that no
// device of this host has, only its id is known. ok is false for a name that
// nobody knows.
func MapTarget(s mpath.Snapshot, b mpath.Basis, name string) (t policy.Target, m mpath.MapView, ok bool) {
	sub, ok := find(s, b, name)
	if !ok {
		return t, m, false
	}
	m = mpath.MapView{WWID: sub.id}
	if sub.mp != nil {
		m = *sub.mp
	}
	return sub.target(b), m, true
}

// target is whose settings count for the subject: those of the device that was
// asked for, else of the LUN's first one.
func (sub *subject) target(b mpath.Basis) policy.Target {
	p := sub.device
	for _, d := range sub.devices {
		member := sub.mp != nil && d.WWID == sub.mp.WWID
		if sub.device == nil && d.Seen.Identity.WWID != "" && (p == nil || member && p.WWID != d.WWID) {
			p = d
		}
	}
	if p != nil {
		d, _ := b.Facts(p.ID)
		return policy.Target{Identity: p.Seen.Identity, Facts: d.Facts, State: b.State}
	}
	return policy.Target{Identity: Imagined(sub.id), Facts: sub.imaginedFacts(b), State: b.State}
}

// Imagined is the identity of a LUN of which nothing but one id is known.
func Imagined(id string) scsi.Identity {
	return scsi.Identity{WWID: id, IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: id}}, PortGroup: -1, RelPort: -1}
}

// imaginedNode is what a disk is taken to be called that is not here: rules for
// disks as such hit it, rules for the first few do not.
const imaginedNode = "sdzz"

func (sub *subject) imaginedFacts(b mpath.Basis) policy.Facts {
	return policy.Facts{Devnode: imaginedNode, DevType: "disk", HasUdev: true, InWWIDs: slices.Contains(b.WWIDs, sub.id), MapExists: sub.mp != nil && sub.mp.Known}
}

// WithoutDevices is a configuration without its hardware table: an unknown string
// fits every expression, so that a device which nobody has seen would match all.
func WithoutDevices(cfg policy.Config) policy.Config {
	cfg.Devices = nil
	return cfg
}

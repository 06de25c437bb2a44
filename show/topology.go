package show

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
)

// TopologyOptions says how Topology prints.
type TopologyOptions struct {
	// Unchecked: nobody has asked the paths anything (multipath -l): the state of
	// the checker is undef, or faulty where the device is offline, and priorities are 0.
	Unchecked bool
	// Native adds what multipath-tools cannot say: maps that the kernel does not
	// have yet, and after the groups of a map one line, begun with "  ! ", for each
	// path that belongs to it and stands in no table, with the reason. Without it
	// there is nothing but the kernel's truth, line by line as programs read it.
	Native bool
	// Bold marks each map's first line for a terminal, as multipath-tools does on one.
	Bold bool
	// Actions puts the last change that was made of a map before its name, "reload: ".
	Actions bool
	// WideAsAll makes columns as wide as the widest path of all maps needs (multipathd's
	// `show topology`), not of each map by itself (`multipath -ll`).
	WideAsAll bool
	// ByName has the maps in the order of their names' bytes, as the kernel lists them
	// and multipath therefore prints them; multipathd has them by dm minor.
	ByName bool
}

// Verbose prints maps as `multipath -vN` does: at level 0 nothing, at 1 their names,
// from 2 on the topology. The list of paths of level 3 is PathsList, printed first.
func Verbose(s mpath.Snapshot, level int, opt TopologyOptions) string {
	switch {
	case level <= 0:
		return ""
	case level == 1:
		return Names(s)
	}
	opt.ByName = true
	return Topology(s, opt)
}

// Topology prints maps, path groups and paths in the layout of `multipath -ll`:
//
//	mpatha (3600a0980000000000000000000000001) dm-3 NETAPP,LUN C-Mode
//	size=10G features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
//	|-+- policy='service-time 0' prio=50 status=active
//	| |- 2:0:0:1   sdb  8:16   active ready  running
//	| `- 4:0:0:257 sdd  8:48   failed faulty offline
//	`-+- policy='service-time 0' prio=10 status=enabled
//	  |- 3:0:0:1   sdc  8:32   active ready  running
//	  `- 5:0:0:1   sdaa 65:160 active ghost  running
//
// Columns are as wide as the widest path of the map needs, the last one padded
// too; the WWID is left out where it is the name. Maps come in the order of their
// dm minor, or of their names.
func Topology(s mpath.Snapshot, opt TopologyOptions) string {
	v := newView(s)
	t := topology{v: v, opt: opt}
	if opt.WideAsAll {
		t.widths = v.allWidths(opt)
	}
	maps := v.maps()
	if opt.ByName {
		byName(maps)
	}
	for _, m := range maps {
		if m.Known || opt.Native {
			t.writeMap(m)
		}
	}
	return t.b.String()
}

// topology is a text that is being written. widths are those of the columns, nil
// where each map has its own.
type topology struct {
	v      *view
	opt    TopologyOptions
	widths []int
	b      strings.Builder
}

// allWidths gives the widths that all paths need, those of no map too.
func (v *view) allWidths(opt TopologyOptions) []int {
	var g grid
	for _, m := range v.knownMaps() {
		for _, group := range m.Groups {
			for _, id := range group.Paths {
				g.add(v.pathCells(m, id, opt)...)
			}
		}
	}
	for _, r := range v.listedPaths() {
		if r.m == nil {
			g.add(r.hctl(), r.name(), r.id.Dev.String(), pathDMState(v, r), pathCheckerState(v, r), pathDeviceState(v, r))
		}
	}
	return g.widths()
}

// TopologyOfMap answers `show map M topology`. false: the kernel has no such map.
func TopologyOfMap(s mpath.Snapshot, name string, opt TopologyOptions) (text string, ok bool) {
	v := newView(s)
	m := v.findMap(name)
	if m == nil {
		return "", false
	}
	t := topology{v: v, opt: opt}
	if opt.WideAsAll {
		t.widths = v.allWidths(opt)
	}
	t.writeMap(m)
	return t.b.String(), true
}

func (t *topology) writeMap(m *mpath.MapView) {
	b := &t.b
	b.WriteString(t.header(m) + "\n")
	if !m.Known {
		b.WriteString("  ! not made yet" + Safe(reasonOf(m)) + "\n")
		t.writeWaiting(m)
		return
	}
	fmt.Fprintf(b, "size=%s features='%s' hwhandler='%s' wp=%s\n", Size(m.Truth.Size),
		Safe(counted(m.Truth.Table.Features)), Safe(counted(m.Truth.Table.Handler)), protection(m))
	t.writeGroups(m)
	if t.opt.Native {
		for _, n := range notes(m) {
			b.WriteString("  ! " + Safe(n) + "\n")
		}
		t.writeWaiting(m)
	}
}

// header is a map's first line.
func (t *topology) header(m *mpath.MapView) string {
	text := Safe(m.Name)
	if t.opt.Actions && m.LastAction != "" {
		text = Safe(m.LastAction) + ": " + text
	}
	if m.WWID != m.Name {
		text += " (" + Safe(m.WWID) + ")"
	}
	sys := "-"
	if m.Known {
		sys = sysName(*m)
	}
	text += " " + sys + " " + Safe(t.v.product(m))
	if t.opt.Bold {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	return text
}

func (t *topology) writeGroups(m *mpath.MapView) {
	b, opt := &t.b, t.opt
	g := grid{padLast: true}
	for i := range m.Groups {
		for j := range m.Groups[i].Paths {
			g.add(t.v.pathCells(m, m.Groups[i].Paths[j], opt)...)
		}
	}
	widths := t.widths
	if widths == nil {
		widths = g.widths()
	}
	lines := g.lines(widths)
	for i, group := range m.Groups {
		glyph, stem := "|-+- ", "| "
		if i == len(m.Groups)-1 {
			glyph, stem = "`-+- ", "  "
		}
		prio := max(group.Priority, 0)
		if opt.Unchecked {
			prio = 0
		}
		fmt.Fprintf(b, "%spolicy='%s' prio=%d status=%s\n", glyph, Safe(selector(m, i)), prio, groupState(group.State))
		for j := range group.Paths {
			leaf := "|- "
			if j == len(group.Paths)-1 {
				leaf = "`- "
			}
			b.WriteString(stem + leaf + lines[0] + "\n")
			lines = lines[1:]
		}
	}
}

func (t *topology) writeWaiting(m *mpath.MapView) {
	if !t.opt.Native {
		return
	}
	for _, p := range t.v.waiting(m) {
		fmt.Fprintf(&t.b, "  ! waiting: %s %s %s %s %s: %s\n", Safe(hctl(p)), Safe(p.Name), p.ID.Dev, checkerState(p, t.opt), Safe(dash(p.DevState)), Safe(Why(*p)))
	}
}

// pathCells gives `%i %d %D %t %T %o` of a path in a kernel table. A device that
// is in the table and that nobody has identified has no name.
func (v *view) pathCells(m *mpath.MapView, id mpath.PathID, opt TopologyOptions) []string {
	r := pathRow{m: m, id: id, p: v.byID[id]}
	dm := pathDMState(v, r)
	if r.p == nil {
		return []string{r.hctl(), r.name(), id.Dev.String(), dm, "undef", "unknown"}
	}
	return []string{r.hctl(), r.name(), id.Dev.String(), dm, checkerState(r.p, opt), deviceState(r.p.DevState)}
}

func hctl(p *mpath.PathView) string {
	if p.HCTL == "" {
		return "#:#:#:#"
	}
	return p.HCTL
}

func checkerState(p *mpath.PathView, opt TopologyOptions) string {
	if p.WWID == "" {
		return "undef"
	}
	if opt.Unchecked {
		if deviceState(p.DevState) == "offline" {
			return pathcheck.StateDown.Shown() // the kernel says so, nobody needs to ask
		}
		return "undef"
	}
	return p.State.Shown()
}

// deviceState turns the kernel's word (sysfs state, drivers/scsi/scsi_sysfs.c
// sdev_states) into one of multipath-tools' three.
func deviceState(s string) string {
	switch s {
	case "":
		return "unknown"
	case "offline", "transport-offline", "cancel", "deleted":
		return "offline"
	}
	return "running"
}

func groupState(s table.GroupState) string {
	if s == table.GroupUnknown {
		return "undef"
	}
	return s.String()
}

// selector gives a group's path selector as the table has it: "service-time 0".
func selector(m *mpath.MapView, group int) string {
	if group >= len(m.Truth.Table.Groups) {
		return m.Groups[group].Selector + " 0"
	}
	g := m.Truth.Table.Groups[group]
	return g.Selector + " " + counted(g.SelArgs)
}

func protection(m *mpath.MapView) string {
	if m.Truth.ReadOnly {
		return "ro"
	}
	return "rw"
}

// missing stands in for vendor data that a device does not give.
func missing(s string) string {
	if s == "" {
		return "##"
	}
	return s
}

func reasonOf(m *mpath.MapView) string {
	if m.LastError != "" {
		return ": " + m.LastError
	}
	return ""
}

// Names prints the names of the maps that the kernel has, one a line, as
// `multipath -ll -v1` does.
func Names(s mpath.Snapshot) string {
	var b strings.Builder
	maps := newView(s).maps()
	byName(maps)
	for _, m := range maps {
		if m.Known {
			b.WriteString(Safe(m.Name) + "\n")
		}
	}
	return b.String()
}

func byName(maps []*mpath.MapView) {
	slices.SortStableFunc(maps, func(a, b *mpath.MapView) int { return strings.Compare(a.Name, b.Name) })
}

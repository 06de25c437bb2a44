package names

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/policy"
)

// Taking is what a host lacks of another's list.
type Taking struct {
	Lines   []policy.Binding // to be added to the bindings file
	Maps    []Proposal       // entries for the multipaths section
	Disks   []Proposal       // entries for the names section
	Clashes []Problem        // with any of these nothing may be taken
	Notes   []Problem        // what stays different
}

// Empty reports whether there is nothing to do.
func (t Taking) Empty() bool { return len(t.Lines)+len(t.Maps)+len(t.Disks) == 0 }

// Proposal is an entry that the configuration lacks; "" leaves a value out.
type Proposal struct {
	WWID, Name, Owner, Group, Mode string
}

// Take says what the host must be given so that it calls its LUNs as the list
// does. bindings is what the bindings file says now, which may be more than the
// daemon knows; lineOf gives the place of a name there.
func (h *Host) Take(list List, bindings policy.Bindings, lineOf func(alias string) string) Taking {
	t := taker{host: h, lines: bindings.Index(), lineOf: lineOf}
	for _, e := range list.Entries {
		if e.Kind == KindDisk {
			t.disk(e)
		} else {
			t.mp(e)
		}
	}
	return t.out
}

type taker struct {
	host   *Host
	lines  *policy.NameIndex
	lineOf func(alias string) string
	out    Taking
}

func (t *taker) clash(e Entry, format string, args ...any) {
	t.out.Clashes = append(t.out.Clashes, Problem{e.Line, e.label() + ": " + fmt.Sprintf(format, args...)})
}

func (t *taker) note(e Entry, format string, args ...any) {
	t.out.Notes = append(t.out.Notes, Problem{e.Line, e.label() + ": " + fmt.Sprintf(format, args...)})
}

// mp takes the entry of a map.
func (t *taker) mp(e Entry) {
	ids := slices.Concat(e.ids(), policy.LookupIDs(t.host.identity(e)))
	s := t.host.decide(e)
	p := Proposal{WWID: s.MatchedID}
	if p.WWID == "" {
		p.WWID = e.WWID
	}
	bound := ""
	for _, id := range ids {
		if alias, ok := t.lines.AliasOf(id); ok && bound == "" {
			bound = alias
		}
	}
	switch {
	case s.Alias.V != "" && s.Alias.V != e.Name:
		t.clash(e, "here it is called %s by %s", escape(s.Alias.V), s.Alias.Origin)
		return
	case s.Alias.V != "":
	case bound != "" && bound != e.Name:
		t.clash(e, "here it is called %s by %s", escape(bound), t.lineOf(bound))
		return
	case e.Name == "":
	case bound != "" && s.UserFriendly.V:
	default:
		if who := t.taken(e.Name, ids); who != "" {
			t.clash(e, "the name is taken here: %s", who)
			return
		}
		if e.From == FromBindings && s.UserFriendly.V {
			t.out.Lines = append(t.out.Lines, policy.Binding{Alias: e.Name, WWID: e.WWID})
		} else {
			p.Name = e.Name
		}
	}
	mode := ""
	if s.Mode.V >= 0 {
		mode = policy.FormatMode(s.Mode.V)
	}
	p.Owner = t.setting(e, "owner", e.Owner, s.UID.V)
	p.Group = t.setting(e, "group", e.Group, s.GID.V)
	p.Mode = t.setting(e, "mode", e.Mode, mode)
	if p != (Proposal{WWID: p.WWID}) {
		t.out.Maps = append(t.out.Maps, p)
	}
}

// setting gives what is wanted where it is not so here.
func (t *taker) setting(e Entry, what, want, have string) string {
	if want == have {
		return ""
	}
	if want == "" {
		t.note(e, "%s %s is set here and not there: it stays", what, escape(have))
	}
	return want
}

// taken says who has a map's name here, other than the LUN itself.
func (t *taker) taken(name string, ids []string) string {
	if wwid, ok := t.host.rules.AliasHolder(name); ok && !slices.Contains(ids, wwid) {
		return "by the configuration for " + escape(wwid)
	}
	if wwid, ok := t.lines.WWIDOf(name); ok && !slices.Contains(ids, wwid) {
		return "by " + t.lineOf(name) + " for " + escape(wwid)
	}
	for _, d := range t.host.basis.Names {
		if wwid, _ := strings.CutPrefix(d.UUID, "mpath-"); d.Name == name && !slices.Contains(ids, wwid) {
			return "by the device-mapper device " + escape(d.Name) + " (" + escape(d.UUID) + ")"
		}
	}
	return ""
}

// disk takes the entry of a disk that stays single.
func (t *taker) disk(e Entry) {
	ids := slices.Concat(e.ids(), policy.LookupIDs(t.host.identity(e)))
	p := Proposal{WWID: e.WWID, Name: e.Name, Owner: e.Owner, Group: e.Group, Mode: e.Mode}
	for _, d := range t.host.basis.Config.Disks {
		mine := slices.Contains(ids, d.WWID)
		switch {
		case mine && e.Name != "" && d.Name != "" && d.Name != e.Name:
			t.clash(e, "here it is called %s by %s", escape(d.Name), d.Origin)
			return
		case !mine && e.Name != "" && d.Name == e.Name:
			t.clash(e, "the name is taken here: by %s for %s", d.Origin, escape(d.WWID))
			return
		case mine:
			mode := ""
			if d.Mode >= 0 {
				mode = policy.FormatMode(d.Mode)
			}
			have := Proposal{WWID: e.WWID, Name: d.Name, Owner: d.Owner, Group: d.Group, Mode: mode}
			if have != p {
				t.note(e, "the entry at %s says otherwise: change it there, of two entries the first counts", d.Origin)
			}
			return
		}
	}
	t.out.Disks = append(t.out.Disks, p)
}

// Conf is what is proposed as a drop-in of multipath.conf, which can say maps only.
func (t Taking) Conf(from string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Proposed by `pathkeeper names import %s`.\n", escape(from))
	b.WriteString("multipaths {\n")
	for _, p := range t.Maps {
		fmt.Fprintf(&b, "\tmultipath {\n\t\twwid \"%s\"\n", p.WWID)
		for _, f := range []struct{ key, value string }{{"alias", p.Name}, {"uid", p.Owner}, {"gid", p.Group}, {"mode", p.Mode}} {
			if f.value != "" {
				fmt.Fprintf(&b, "\t\t%s \"%s\"\n", f.key, f.value)
			}
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// YAML is the same as a drop-in of pathkeeper.yaml, with the disks.
func (t Taking) YAML(from string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Proposed by `pathkeeper names import %s`.\n", escape(from))
	section := func(name string, list []Proposal, keys [4]string) {
		if len(list) == 0 {
			return
		}
		b.WriteString(name + ":\n")
		for _, p := range list {
			fmt.Fprintf(&b, "  - wwid: %s\n", strconv.Quote(p.WWID))
			for i, value := range []string{p.Name, p.Owner, p.Group, p.Mode} {
				if value != "" {
					fmt.Fprintf(&b, "    %s: %s\n", keys[i], strconv.Quote(value))
				}
			}
		}
	}
	section("multipaths", t.Maps, [4]string{"alias", "owner", "group", "mode"})
	section("names", t.Disks, [4]string{"name", "owner", "group", "mode"})
	return b.String()
}

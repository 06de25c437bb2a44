package configs

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"pathkeeper/policy"
)

// haKeywords are the keywords of `ha:`.
func haKeywords() []policy.Keyword {
	return []policy.Keyword{
		{Name: "deadline", Kind: policy.KindUint, Min: 1, Max: 86400, Meaning: "seconds in which an I/O must end, well or not: the cluster's disk or watchdog time-out"},
		{Name: "queueing", Kind: policy.KindWord, Words: []string{"allowed", "bounded", "forbidden"}, Meaning: "what I/O may do when no path is left: wait for ever, wait for a time, or not at all"},
	}
}

// diskKeywords are the keywords of an entry of `names:`.
func diskKeywords() []policy.Keyword {
	return []policy.Keyword{
		{Name: "wwid", Kind: policy.KindText, Meaning: "any id of the disk"},
		{Name: "name", Kind: policy.KindText, Meaning: "name of a link below /dev; it may have slashes"},
		{Name: "owner", Kind: policy.KindOwner, Meaning: "owner of the device node, by name or number"},
		{Name: "group", Kind: policy.KindOwner, Meaning: "group of the device node, by name or number"},
		{Name: "mode", Kind: policy.KindMode, Meaning: "mode of the device node"},
	}
}

// small reads a mapping with few keywords of its own.
func (r *nativeReader) small(n *yaml.Node, what string, keywords []policy.Keyword) policy.Layer {
	var words []string
	byName := map[string]policy.Keyword{}
	for _, k := range keywords {
		words = append(words, k.Name)
		byName[k.Name] = k
	}
	if _, ok := byName["owner"]; ok { // the old form's words
		words = append(words, "uid", "gid")
	}
	same := func(name string) string {
		switch name {
		case "uid":
			return "owner"
		case "gid":
			return "group"
		}
		return name
	}
	var out policy.Layer
	for _, f := range r.fields(n, inMultipaths, what, words, same) {
		if s, ok := r.setting(byName[same(f.name)], f); ok {
			out = append(out, s)
		}
	}
	return out
}

func (r *nativeReader) ha(f field) {
	r.out.ha = r.small(f.value, keyHA, haKeywords())
}

func (r *nativeReader) names(n *yaml.Node) {
	lines := map[string]int{}
	for _, item := range r.list(n, keyNames, "wwid") {
		before := r.failures
		l := r.small(item, "an entry of names", diskKeywords())
		d := policy.Disk{Mode: -1, Origin: r.origin(item)}
		for _, s := range l {
			switch s.Keyword {
			case "wwid":
				d.WWID = s.Value
			case "name":
				d.Name = s.Value
			case "owner":
				d.Owner = s.Value
			case "group":
				d.Group = s.Value
			case "mode":
				mode, _ := strconv.ParseUint(s.Value, 8, 32)
				d.Mode = int(mode)
			}
		}
		name, named := l.Lookup("name")
		switch bad := policy.CheckDiskName(d.Name); {
		case r.enough():
			return
		case r.failures > before:
		case d.WWID == "":
			r.fail(item, MultipathWithoutWWID, "", "", "an entry of names needs a wwid")
		case named && bad != "":
			r.refuse(name.Origin, InvalidValue, "name", "", "name %q %s", d.Name, bad)
		case d.Name == "" && d.Owner == "" && d.Group == "" && d.Mode < 0:
			r.fail(item, MissingValue, "", "", "this entry of names says nothing: give it a name, an owner, a group or a mode")
		case lines[d.WWID] > 0:
			r.fail(item, DuplicateMultipath, "", "", "an entry for %s stands already in line %d: put both into one", d.WWID, lines[d.WWID])
		default:
			lines[d.WWID] = item.Line
			r.out.disks = append(r.out.disks, d)
		}
	}
}

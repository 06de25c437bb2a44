package configs

import (
	"slices"

	"pathkeeper/policy"
)

// NativeWord is a word of the native form that policy.Keywords does not have: a
// section, or a keyword of a section that multipath.conf has not.
type NativeWord struct {
	Name, Meaning string
	Values        string   // "" a section
	Places        []string // where it may stand
}

// NativeWords gives the words of pathkeeper.yaml beside the keywords of both forms, in
// the order in which they are written.
func NativeWords() []NativeWord {
	var profiles policy.Keyword
	for _, p := range policy.Profiles() {
		profiles.Words = append(profiles.Words, p.Name)
	}
	profiles.Kind = policy.KindWord
	out := []NativeWord{{
		Name: keyProfile, Meaning: "settings for a purpose, under those that stand in the same place (docs/profiles.md)",
		Values: profiles.Values(), Places: []string{"top level", "multipaths"},
	}}
	top := []string{"top level"}
	for _, s := range []struct{ name, meaning string }{
		{keyHA, "what the cluster above the maps demands"},
		{"defaults", "settings where nothing more specific says otherwise"},
		{"blacklist", "devices that are left alone"},
		{"blacklist_exceptions", "devices that are taken though blacklist hits them"},
		{"devices", "settings by vendor and product"},
		{"overrides", "settings above all entries of devices"},
		{"multipaths", "settings and names of single LUNs, by WWID"},
		{keyNames, "disks that stay single: a link, owner and mode without a map"},
	} {
		out = append(out, NativeWord{Name: s.name, Meaning: s.meaning, Places: top})
	}
	add := func(place string, list []policy.Keyword) {
		for _, k := range list {
			i := slices.IndexFunc(out, func(w NativeWord) bool { return w.Name == k.Name })
			if i < 0 {
				i = len(out)
				out = append(out, NativeWord{Name: k.Name, Meaning: k.Meaning, Values: k.Values()})
			}
			out[i].Places = append(out[i].Places, place)
		}
	}
	add(keyHA, haKeywords())
	disk := slices.DeleteFunc(diskKeywords(), func(k policy.Keyword) bool { return k.Name == "wwid" || k.Name == "mode" })
	add(keyNames, disk)
	owners := slices.DeleteFunc(disk, func(k policy.Keyword) bool { return k.Kind != policy.KindOwner })
	add("defaults", owners)
	add("multipaths", owners)
	add("devices", []policy.Keyword{{Name: "disabled", Kind: policy.KindYesNo, Meaning: "switch this entry off, also a built-in one of the same strings"}})
	return out
}

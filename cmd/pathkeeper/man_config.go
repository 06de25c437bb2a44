package main

import (
	"strings"

	"pathkeeper/configs"
	"pathkeeper/policy"
	"pathkeeper/roff"
)

// multipathConfPage is made of the table of keywords.
func multipathConfPage() string {
	p := roff.New("multipath.conf", 5, "which devices become multipath maps, and how", manSource())
	p.Section("Description")
	p.Text(`/etc/multipath.conf, and after it the files *.conf of /etc/multipath/conf.d in the order
of their names, say which devices become paths, what their maps are called and how they
are used. None of them is needed. Where /etc/pathkeeper/pathkeeper.yaml is there it is read
instead: pathkeeper.yaml(5).

` + "`pathkeeper config check`" + ` says what is wrong with the files, ` + "`pathkeeper config dump`" + ` what is in
force, ` + "`pathkeeper explain DEVICE`" + ` which line decided. A file with an error changes nothing:
what was in force stays.`)
	p.Section("Syntax")
	p.Text(`A file is a list of sections; a section has keywords with a value each, and in some of
them further sections. ! and # begin a comment where a word would begin. A value with blanks stands in
quotation marks.

    defaults {
        user_friendly_names yes
    }
    multipaths {
        multipath {
            wwid  36001405cf0a41c8bb9350f73355d14a2
            alias mysql1
        }
    }`)
	p.Section("Sections")
	for _, s := range [][2]string{
		{"defaults", "Values where nothing more special says otherwise."},
		{"blacklist", "Devices that are left alone: by `devnode`, `wwid`, `property`, `protocol`, or by `device` with vendor and product."},
		{"blacklist_exceptions", "Devices that are taken although `blacklist` names them, by the same keywords."},
		{"devices", "Sections `device` for kinds of storage, by vendor, product and revision. They come over the built-in ones: `pathkeeper config dump` shows those."},
		{"overrides", "Values above those of `devices`; its sections `protocol` are for paths of one protocol."},
		{"multipaths", "Sections `multipath` for single LUNs, by WWID. They come over everything else."},
	} {
		p.Item(s[0], s[1])
	}
	p.Section("Keywords")
	for _, k := range policy.Keywords() {
		if !k.Native && k.Kind != policy.KindIgnored {
			p.Item(k.Name, aboutKeyword(k))
		}
	}
	p.Section("Keywords without effect")
	p.Text("They are accepted, so that old files can be read.")
	for _, k := range policy.Keywords() {
		if k.Kind == policy.KindIgnored {
			p.Item(k.Name, stop(capital(k.Meaning)))
		}
	}
	filesOf(p)
	p.SeeAlso("multipath(8)", "multipathd(8)", "pathkeeper.yaml(5)", "pathkeeper(8)", "pathkeeper-config(8)", "pathkeeper-explain(8)")
	return p.String()
}

// aboutKeyword says all that the table knows of a keyword.
func aboutKeyword(k policy.Keyword) string {
	text := stop(capital(k.Meaning)) + "\n\nValues: " + stop(k.Values())
	if len(k.Old) > 0 {
		text += " Of former times: " + strings.Join(k.Old, ", ") + "."
	}
	if k.Default != "" {
		text += " Default: " + stop(k.Default)
	}
	text += " In: " + strings.Join(k.Places(), ", ") + "."
	if k.Many {
		text += " May stand several times."
	}
	if len(k.Aliases) > 0 {
		text += " Also written: " + strings.Join(k.Aliases, ", ") + "."
	}
	return text
}

// pathkeeperYAMLPage says what the native form has beside the keywords of both.
func pathkeeperYAMLPage() string {
	p := roff.New("pathkeeper.yaml", 5, "the native configuration of Pathkeeper", manSource())
	p.Section("Description")
	p.Text(`/etc/pathkeeper/pathkeeper.yaml, and over it the files *.yaml of /etc/pathkeeper/conf.d in
the order of their names, say the same as multipath.conf(5), and what that cannot say. They
are read if pathkeeper.yaml is there; multipath.conf is not read at all then.

The keywords, their values and meanings are those of multipath.conf(5). Nothing is passed
over here: a keyword or a value that is unknown, a keyword that stands twice or has no
effect is an error with its file, line and column, and what was in force stays.

    profile: ha-pair
    defaults:
      polling_interval: 5
    blacklist:
      devnode: ['^sr']
    devices:
      - vendor: ACME
        product: FastLUN
        no_path_retry: 12
    multipaths:
      - wwid: '36001405bbbb'
        alias: mysql1
        owner: mysql
        mode: 0660

` + "`pathkeeper config convert`" + ` turns one form into the other, ` + "`pathkeeper config schema`" + ` prints a JSON
Schema for editors, which is also in /usr/share/pathkeeper.`)
	p.Section("Words of this form")
	for _, w := range configs.NativeWords() {
		text := stop(capital(w.Meaning))
		if w.Values != "" {
			text += "\n\nValues: " + stop(w.Values)
		}
		p.Item(w.Name, text+" In: "+strings.Join(w.Places, ", ")+".")
	}
	for _, k := range policy.Keywords() {
		if k.Native {
			p.Item(k.Name, aboutKeyword(k))
		}
	}
	p.Section("Profiles")
	p.Text("A profile lies under what the same place of the file says itself, and over what is built in.")
	for _, f := range policy.Profiles() {
		text := stop(capital(f.Purpose))
		for _, s := range f.Settings {
			text += "\n\n`" + s.Keyword + " " + s.Value + "`: " + stop(strings.ReplaceAll(s.Why, "`", ""))
		}
		p.Item(f.Name, text)
	}
	filesOf(p)
	p.SeeAlso("multipath.conf(5)", "pathkeeper(8)", "pathkeeper-config(8)")
	return p.String()
}

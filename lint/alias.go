package lint

import (
	"fmt"
	"slices"
	"strings"

	"pathkeeper/policy"
)

func aliasRules() []Rule {
	return []Rule{
		{
			ID: "alias-like-device", Severity: Warning, Summary: "an alias that is the name of another kind of device",
			Why: "/dev/mapper/sda is not /dev/sda, and at 3 a.m. somebody writes to the wrong one. Scripts that look for sd* or dm-* in an output take it for a disk, too.",
			Fix: "Give it a name that says what it is for: ocr1, mysql1.", check: aliasLikeDevice,
		},
		{
			ID: "alias-reserved", Severity: Error, Summary: "an alias that device-mapper needs itself",
			Why: "/dev/mapper/control is how device-mapper is spoken to. A map of that name cannot have a node there.",
			Fix: "Choose another name.", check: func(r *run) {
				r.eachName(func(name, _ string, o policy.Origin) {
					if name == "control" || name == "." || name == ".." || name == "" {
						r.report(o, fmt.Sprintf("alias %q cannot be a name below /dev/mapper", name))
					}
				})
			},
		},
		{
			ID: "alias-like-friendly", Severity: Warning, Summary: "an alias of the form that user_friendly_names gives away",
			Why: "mpathb is also what the next LUN is called that is found. On a node whose file lacks this entry another LUN gets the name, and the mount in fstab opens that one.",
			Fix: "Use another word, or set alias_prefix to something else.", check: aliasLikeFriendly,
		},
		{
			ID: "alias-in-bindings", Severity: Error, Summary: "an alias that the bindings file gives to another LUN", Machine: true,
			Why: "That LUN has had the name until now. An alias of the configuration outranks the bindings file: from the next start on this LUN has it, and what opens its disk by that name opens another one's data.",
			Fix: "Choose another alias, or remove the line of the bindings file after its map is gone.", check: func(r *run) {
				holder := map[string]string{}
				for _, b := range r.in.Machine.Bindings {
					if holder[b.Alias] == "" {
						holder[b.Alias] = b.WWID
					}
				}
				for _, m := range r.config.Multipaths {
					alias, ok := m.Layer.Lookup("alias")
					if h := holder[alias.Value]; ok && h != "" && h != m.WWID && !r.sameLUN(h, m.WWID) {
						r.report(alias.Origin, fmt.Sprintf("alias %s belongs to %s in the bindings file", alias.Value, h))
					}
				}
			},
		},
		{
			ID: "alias-is-wwid", Severity: Error, Summary: "an alias that is the WWID of another LUN",
			Why: "A map without an alias is called by its WWID. This name then is a lie: the map of one LUN bears the identity of another.",
			Fix: "Give it a name that is no WWID.", check: aliasIsWWID,
		},
		{
			ID: "alias-characters", Severity: Warning, Summary: "an alias with characters that names below /dev should not have",
			Why: "device-mapper and udev write such characters as \\x20: the node is called otherwise than the file says, and mounts, scripts and monitoring miss it. A dash in front is an option to every tool.",
			Fix: "Letters, digits, dash, underscore and dot, and a letter or digit in front.", check: aliasCharacters,
		},
		{
			ID: "alias-too-long", Severity: Error, Summary: "an alias longer than a device-mapper name",
			Why: "The kernel takes 127 bytes. The LUN goes without the alias and is found under its WWID.",
			Fix: "Shorten it; leave room for a partition's number.", check: func(r *run) {
				r.eachName(func(name, _ string, o policy.Origin) {
					if len(name) > 127 {
						r.report(o, fmt.Sprintf("alias of %d bytes: a map's name has at most 127", len(name)))
					}
				})
			},
		},
		{
			ID: "alias-partition", Severity: Warning, Summary: "an alias that is the name of another map's partition",
			Why: "udev makes the map data-part1 for the first partition of `data`; kpartx by itself makes data1, and ocr1p1 for `ocr1`. If another LUN has that name one of the two cannot be made, and which one depends on who was first.",
			Fix: "Choose names where none is another one with a number behind it, or set skip_kpartx or partition_delimiter.", check: aliasPartition,
		},
		{
			ID: "alias-case", Severity: Warning, Summary: "two aliases that differ only in case",
			Why: "The kernel tells OCR1 from ocr1; the one who types it in an outage does not.",
			Fix: "Choose names that sound different.", check: func(r *run) {
				seen := map[string]policy.Setting{}
				for _, m := range r.config.Multipaths {
					alias, ok := m.Layer.Lookup("alias")
					if !ok {
						continue
					}
					low := strings.ToLower(alias.Value)
					if other, found := seen[low]; found && other.Value != alias.Value {
						r.report(alias.Origin, fmt.Sprintf("alias %s differs from %s only in case", alias.Value, other.Value), here(other))
					}
					seen[low] = alias
				}
			},
		},
		{
			ID: "disk-name-taken", Severity: Error, Summary: "a single disk's name that another one has, or that lies below it",
			Why: "Of two links of one name udev keeps either. So the first entry of the file gets it, and the other disk goes without link, owner and mode: its service finds the wrong disk or none.",
			Fix: "Give each disk its own name.", check: func(r *run) {
				compiled, _ := policy.Compile(*r.config)
				for i, d := range r.config.Disks {
					if why := compiled.UnusedDisk(i); why != "" {
						r.report(d.Origin, fmt.Sprintf("names entry of %s: %s", d.WWID, why))
					}
				}
			},
		},
		{
			ID: "alias-prefix-odd", Severity: Warning, Summary: "an alias_prefix that makes names of other devices",
			Why: "Prefix `sd` gives sda, sdb: names that every script takes for single disks. A prefix that ends in a letter a-z without need makes names that cannot be told from others.",
			Fix: "Leave it at mpath, or take a word of your own.", check: func(r *run) {
				r.eachWritten(func(s policy.Setting) {
					if s.Keyword == "alias_prefix" && (s.Value == "" || deviceLike(s.Value+"a") != "" || badCharacters(s.Value) != "") {
						r.report(s.Origin, fmt.Sprintf("alias_prefix %q makes names like %sa", s.Value, s.Value))
					}
				})
			},
		},
	}
}

// eachName visits the names that files give: aliases and the links of single disks.
func (r *run) eachName(visit func(name, wwid string, o policy.Origin)) {
	for _, m := range r.config.Multipaths {
		if s, ok := m.Layer.Lookup("alias"); ok {
			visit(s.Value, m.WWID, s.Origin)
		}
	}
	for _, d := range r.config.Disks {
		if d.Name == "" {
			continue // only an owner or a mode is given
		}
		_, base, _ := cutLast(d.Name)
		visit(base, d.WWID, d.Origin)
	}
}

func cutLast(name string) (dir, base string, found bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

// deviceLike says what kind of device has names like this one, "" if none.
func deviceLike(name string) string {
	for _, k := range []struct{ head, tail, what string }{
		{"sd", "l", "a SCSI disk"},
		{"hd", "l", "an IDE disk"},
		{"vd", "l", "a virtual disk"},
		{"xvd", "l", "a Xen disk"},
		{"dasd", "l", "a DASD"},
		{"dm-", "d", "a device-mapper device"},
		{"md", "d", "an md array"},
		{"loop", "d", "a loop device"},
		{"sr", "d", "a CD drive"},
		{"st", "d", "a tape"},
		{"sg", "d", "a SCSI device"},
		{"ram", "d", "a ram disk"},
		{"nbd", "d", "a network disk"},
		{"rbd", "d", "a Ceph disk"},
		{"drbd", "d", "a DRBD device"},
		{"nvme", "n", "an NVMe disk"},
		{"wwn-0x", "h", "a by-id link"},
		{"scsi-", "h", "a by-id link"},
		{"dm-uuid-", "x", "a by-id link"},
		{"dm-name-", "x", "a by-id link"},
	} {
		rest, ok := strings.CutPrefix(name, k.head)
		if !ok || rest == "" {
			continue
		}
		allowed := map[string]string{"l": "abcdefghijklmnopqrstuvwxyz", "d": "0123456789", "n": "0123456789np", "h": "0123456789abcdefABCDEF"}[k.tail]
		letters := strings.TrimRight(rest, "0123456789")
		switch {
		case k.tail == "x",
			k.tail == "l" && letters != "" && len(letters) <= 2 && strings.Trim(letters, allowed) == "",
			k.tail != "l" && strings.Trim(rest, allowed) == "":
			return k.what
		}
	}
	return ""
}

func aliasLikeDevice(r *run) {
	r.eachName(func(name, _ string, o policy.Origin) {
		what := deviceLike(name)
		for _, d := range r.devices() {
			if d.Facts.Devnode == name {
				what = "a disk of this machine"
			}
		}
		if what != "" {
			r.report(o, fmt.Sprintf("alias %s is the name of %s", name, what))
		}
	})
}

func aliasLikeFriendly(r *run) {
	prefixes, friendly := r.prefixes(), r.friendly()
	for _, m := range r.config.Multipaths {
		alias, ok := m.Layer.Lookup("alias")
		if !ok {
			continue
		}
		for _, prefix := range prefixes {
			if policy.ScanName(alias.Value, prefix) > 0 && (prefix == "mpath" || friendly) {
				r.report(alias.Origin, fmt.Sprintf("alias %s has the form of the names that user_friendly_names gives away", alias.Value))
			}
		}
	}
}

// prefixes gives every alias_prefix that counts somewhere.
func (r *run) prefixes() []string {
	out := []string{"mpath"}
	r.eachWritten(func(s policy.Setting) {
		if s.Keyword == "alias_prefix" && !slices.Contains(out, s.Value) {
			out = append(out, s.Value)
		}
	})
	return out
}

func (r *run) friendly() (yes bool) {
	r.eachWritten(func(s policy.Setting) { yes = yes || s.Keyword == "user_friendly_names" && s.Value == "yes" })
	return yes
}

// sameLUN says whether two ids are known to be those of one LUN.
func (r *run) sameLUN(a, b string) bool {
	return slices.ContainsFunc(r.bearers[a], func(d Device) bool { return slices.Contains(d.ids(), b) })
}

// oneLUN says whether the entries with an alias are, by all that is known of the
// machine, for one LUN by several of its ids.
func (r *run) oneLUN(alias string) bool {
	var ids []string
	for _, m := range r.config.Multipaths {
		if s, ok := m.Layer.Lookup("alias"); ok && s.Value == alias {
			ids = append(ids, m.WWID)
		}
	}
	return len(ids) > 1 && !slices.ContainsFunc(ids[1:], func(id string) bool { return !r.sameLUN(ids[0], id) })
}

func aliasIsWWID(r *run) {
	entries := map[string]policy.Multipath{}
	for _, m := range r.config.Multipaths {
		entries[m.WWID] = m
	}
	r.eachName(func(name, wwid string, o policy.Origin) {
		other, ok := entries[name]
		switch {
		case name == wwid:
		case ok:
			r.report(o, fmt.Sprintf("alias %s is the WWID of another entry", name), Related{Origin: other.Origin, Text: "wwid " + other.WWID})
		case looksLikeWWID(name):
			r.report(o, fmt.Sprintf("alias %s looks like a WWID and is not that of this LUN, %s", name, wwid))
		}
	})
}

// looksLikeWWID says whether a text is a WWID made of hexadecimal digits.
func looksLikeWWID(s string) bool {
	if strings.Trim(s, "0123456789abcdefABCDEF") != "" || s == "" {
		return false
	}
	switch s[0] {
	case '2':
		return len(s) == 17 || len(s) == 25 || len(s) == 33
	case '3':
		return len(s) == 17 || len(s) == 33
	}
	return len(s) == 16 || len(s) == 32
}

// badCharacters gives the characters that a name should not have.
func badCharacters(name string) string {
	var bad []rune
	for i, c := range name {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_.", c) || strings.ContainsRune("-+:=@", c) && i > 0
		if !ok && !slices.Contains(bad, c) {
			bad = append(bad, c)
		}
	}
	if strings.Contains(name, "..") {
		bad = append(bad, '.', '.')
	}
	return string(bad)
}

func aliasCharacters(r *run) {
	r.eachName(func(name, _ string, o policy.Origin) {
		if bad := badCharacters(name); bad != "" && name != ".." {
			r.report(o, fmt.Sprintf("alias %q has %q in it", name, bad))
		}
	})
}

// udevDelimiter stands in the names that udev's rule gives to partitions.
const udevDelimiter = "-part"

func aliasPartition(r *run) {
	names := map[string]policy.Multipath{}
	for _, m := range r.config.Multipaths {
		if s, ok := m.Layer.Lookup("alias"); ok {
			names[s.Value] = m
		}
	}
	general := r.scopes[0]
	delimiter, given := general.get("partition_delimiter")
	for _, m := range r.config.Multipaths {
		alias, ok := m.Layer.Lookup("alias")
		head := strings.TrimRight(alias.Value, "0123456789")
		if !ok || head == alias.Value || head == "" {
			continue
		}
		switch {
		case strings.HasSuffix(head, udevDelimiter):
			head = strings.TrimSuffix(head, udevDelimiter)
		case given:
			head = strings.TrimSuffix(head, delimiter.Value)
		case strings.HasSuffix(head, "p") && endsInDigit(strings.TrimSuffix(head, "p")):
			head = strings.TrimSuffix(head, "p")
		case endsInDigit(head):
			continue
		}
		if whole, found := names[head]; found && !r.skipsPartitions(whole) {
			r.report(alias.Origin, fmt.Sprintf("alias %s is also the name of a partition of %s", alias.Value, head), Related{Origin: whole.Origin, Text: "alias " + head})
		}
	}
}

func endsInDigit(s string) bool { return s != "" && s[len(s)-1] >= '0' && s[len(s)-1] <= '9' }

// skipsPartitions says whether the map of an entry gets no partitions.
func (r *run) skipsPartitions(m policy.Multipath) bool {
	s := scope{layers: []policy.Layer{m.Layer, r.config.Overrides, r.config.Defaults}}
	return s.value("skip_kpartx", "no") == "yes"
}

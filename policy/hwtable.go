package policy

import "strings"

// BuiltinDevices gives the built-in hardware table in order: generic entries
// first, to be matched from the end. Layers carry only what has an effect in
// multipath-tools 0.14.3. Vendor, Product and ProductBlacklist are POSIX EREs.
func BuiltinDevices() []Device {
	rows := hwRows()
	devices := make([]Device, len(rows))
	for i, r := range rows {
		origin := Origin{Note: "built-in " + r.vendor + "," + r.product}
		devices[i] = Device{
			Vendor: r.vendor, Product: r.product, ProductBlacklist: r.blacklist,
			BuiltIn: true, Origin: origin,
		}
		if r.settings == "" {
			continue
		}
		for s := range strings.SplitSeq(r.settings, "; ") {
			keyword, value, _ := strings.Cut(s, " ")
			devices[i].Layer = append(devices[i].Layer, Setting{Keyword: keyword, Value: value, Origin: origin})
		}
	}
	return devices
}

// BuiltinRules gives the blacklist rules that no file has to write: the devnode
// rule that lets only SCSI, DASD and NVMe disks through, the property exception,
// and one device rule per product_blacklist of hw, which is Config.Devices with
// the entries of the files. nvmeNative says that the kernel itself does multipath
// for NVMe: its disks are then left out of the devnode rule.
func BuiltinRules(hw []Device, nvmeNative bool) (blacklist, exceptions []Rule) {
	builtin := Origin{Note: "built-in default"}
	devnode := "!^(sd[a-z]|dasd[a-z]|nvme[0-9])"
	if nvmeNative {
		devnode = "!^(sd[a-z]|dasd[a-z])"
	}
	blacklist = []Rule{{Class: ClassDevnode, Pattern: devnode, Origin: builtin}}
	type pair struct{ vendor, product string }
	seen := map[pair]bool{}
	for _, d := range hw {
		p := pair{d.Vendor, d.ProductBlacklist}
		if d.ProductBlacklist == "" || seen[p] {
			continue
		}
		seen[p] = true
		origin := d.Origin
		if origin.Note != "" {
			origin.Note += ", "
		}
		origin.Note += "product_blacklist"
		blacklist = append(blacklist, Rule{Class: ClassDevice, Pattern: d.Vendor, Product: d.ProductBlacklist, Origin: origin})
	}
	exceptions = []Rule{{Class: ClassProperty, Pattern: "(SCSI_IDENT_|ID_WWN)", Origin: builtin}}
	return blacklist, exceptions
}

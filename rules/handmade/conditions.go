package handmade

import (
	"fmt"
	"regexp"
	"strings"

	"pathkeeper/rules/udevrule"
)

// conditions is what a rule's conditions say.
type conditions struct {
	id        string // of a disk
	mapWWID   string // of a map
	from      string // where mapWWID comes from, if the rule has a map's name
	partition string // why it is for a partition; "" it is for the disk
	dropped   []string
	why       string // why the conditions cannot be said as an entry

	kernel string // the KERNEL pattern
}

// conditions reads the conditions of a rule.
func (t *translator) conditions(r udevrule.Rule) conditions {
	var c conditions
	result := ""
	for _, tok := range r.Tokens {
		switch {
		case tok.Key == "PROGRAM":
			target, why := readProgram(tok.Value)
			if tok.Op == udevrule.OpNoMatch {
				target, why = targetNone, "its PROGRAM must fail"
			}
			t.program = target
			c.refuse(why)
		case tok.Key == "RESULT" && tok.Op == udevrule.OpMatch:
			result = tok.Value
		case !tok.Op.IsMatch():
		default:
			t.condition(&c, tok)
		}
	}
	if result != "" {
		t.result(&c, result)
	}
	switch {
	case c.id != "" && c.mapWWID != "":
		c.refuse("it names a disk and a map, " + c.id + " and " + c.mapWWID)
	case c.id != "" && strings.HasPrefix(c.kernel, "dm-"):
		c.refuse("KERNEL==\"" + c.kernel + "\" with the id of a disk: a map has ENV{DM_UUID}")
	case c.mapWWID != "" && strings.HasPrefix(c.kernel, "sd"):
		c.refuse("KERNEL==\"" + c.kernel + "\" with the id of a map: it never holds")
	}
	if c.why != "" || c.id != "" || c.mapWWID != "" {
		return c
	}
	c.why = "no condition names a LUN by an id"
	if c.kernel != "" {
		c.why = fmt.Sprintf("it goes by the kernel's name %s, which is another disk's after the next boot", c.kernel)
	}
	return c
}

func (c *conditions) refuse(why string) {
	if c.why == "" {
		c.why = why
	}
}

// result takes the answer of scsi_id that the rule wants.
func (t *translator) result(c *conditions, value string) {
	switch {
	case t.program == targetNone:
		c.refuse("it wants a RESULT, and no PROGRAM before it is a scsi_id that is known here")
	default:
		c.setID("RESULT", value)
		if t.program == targetParent && c.partition == "" {
			c.partition = "PROGRAM asks $parent"
		}
	}
}

// setID takes a literal id of a disk.
func (c *conditions) setID(what, value string) {
	if why := badID(value); why != "" {
		c.refuse(what + " " + why)
		return
	}
	if c.id != "" && c.id != value {
		c.refuse("it names two ids, " + c.id + " and " + value)
		return
	}
	c.id = value
}

// badID says why a value of a condition is no id of one LUN.
func badID(value string) string {
	switch {
	case value == "":
		return "is empty"
	case strings.ContainsAny(value, "*?[]|"):
		return fmt.Sprintf("%q is a pattern, an id is wanted", value)
	case strings.ContainsAny(value, "$%"):
		return fmt.Sprintf("%q is filled in by udev, an id is wanted", value)
	case len(value) > 127:
		return fmt.Sprintf("has %d bytes, an id has at most 127", len(value))
	}
	for _, r := range value {
		if r <= ' ' || r == 0x7f || r == 0xfffd || r == '#' {
			return fmt.Sprintf("%q has bytes that no id has", value)
		}
	}
	return ""
}

// condition reads one condition.
func (t *translator) condition(c *conditions, tok udevrule.Token) {
	is := tok.Op == udevrule.OpMatch
	switch tok.Key {
	case "ACTION":
		for _, a := range strings.Split(tok.Value, "|") {
			if is != (a == "add" || a == "change" || a == "online" || a == "*" || a == "?*") {
				c.refuse(fmt.Sprintf("%s: an entry holds from add on, as long as the disk is there", tok))
			}
		}
		return
	case "SUBSYSTEM", "SUBSYSTEMS", "BUS":
		if is && (tok.Value == "block" || tok.Value == "scsi") {
			return
		}
	case "KERNEL":
		t.kernel(c, tok)
		return
	case "ENV":
		if t.property(c, tok) {
			return
		}
	}
	c.refuse(fmt.Sprintf("the condition %s cannot be said in an entry", tok))
}

// property reads a condition on a udev property, and says whether it is known.
func (t *translator) property(c *conditions, tok udevrule.Token) bool {
	is := tok.Op == udevrule.OpMatch
	switch tok.Attr {
	case "DEVTYPE":
		if is && tok.Value == "partition" || !is && tok.Value == "disk" {
			c.partition = tok.String()
		}
		return tok.Value == "disk" || tok.Value == "partition"
	case "ID_SERIAL", "DM_UUID", "DM_NAME", "ID_WWN_WITH_EXTENSION", "ID_WWN", "ID_SCSI_SERIAL", "ID_SERIAL_SHORT":
		if !is {
			return false
		}
	case "ID_BUS":
		return is && (tok.Value == "scsi" || tok.Value == "ata")
	case "ID_TYPE":
		return is && tok.Value == "disk"
	case "DM_MULTIPATH_DEVICE_PATH":
		return tok.Value == "1" != is // an entry holds only then
	case "DM_UDEV_DISABLE_OTHER_RULES_FLAG", "DM_SUSPENDED", "MPATH_DEVICE_READY", "DM_UDEV_RULES_VSN", "DM_STATE", "DM_ACTIVATION":
		return true // how device-mapper's events are steered
	default:
		return false
	}
	switch tok.Attr {
	case "ID_SERIAL":
		c.setID("ENV{ID_SERIAL}", tok.Value)
	case "DM_UUID":
		t.mapUUID(c, tok.Value)
	case "DM_NAME":
		t.mapName(c, tok.Value)
	case "ID_WWN_WITH_EXTENSION":
		// NAA 6: scsi_id and multipath-tools put a 3 before its 32 digits.
		if !naa6.MatchString(tok.Value) {
			c.refuse(tok.String() + ": only of an NAA 6 id (0x6 and 31 digits) it is known what LUN that is; `pathkeeper scsi-id DEVICE` prints the id")
			break
		}
		c.setID("", "3"+strings.ToLower(tok.Value[2:]))
	default:
		c.refuse(tok.String() + " is only a part of an id, which several LUNs may share; `pathkeeper scsi-id DEVICE` prints the id")
	}
	return true
}

// pattern is an expression that is compiled where it is matched. The udev hook is
// the same program: it starts for each event of each disk and imports no rules.
type pattern string

func (p pattern) MatchString(s string) bool { return regexp.MustCompile(string(p)).MatchString(s) }

const (
	naa6 pattern = `^0x6[0-9a-fA-F]{31}$`
	// Names of SCSI disks: a letter or more after sd, then digits where it is a partition.
	fixedSD     pattern = `^sd[a-z]+[0-9]*$`
	partitionSD pattern = `^sd.*([0-9]|\[[0-9]-?[0-9]*\]\*?|[0-9]\*|[0-9]\?)$`
	openSD      pattern = `^sd(\?+|\*|\[a-z\]\*?|\*\[!0-9\]|\*\[\^0-9\]|\[a-z\]\[a-z\])$`
	anyDM       pattern = `^dm-(\*|\?\*?|\[0-9\]\*?)$`
)

// kernel reads a pattern of kernel names. With an id beside it only says which
// devices are looked at; what it narrows beyond that is told.
func (t *translator) kernel(c *conditions, tok udevrule.Token) {
	if tok.Op == udevrule.OpNoMatch {
		if partitionSD.MatchString(tok.Value) {
			return // not the partitions
		}
		c.refuse(fmt.Sprintf("the condition %s cannot be said in an entry", tok))
		return
	}
	c.kernel = tok.Value
	for _, p := range strings.Split(tok.Value, "|") {
		switch {
		case p == "*" || p == "?*" || openSD.MatchString(p) || anyDM.MatchString(p):
		case partitionSD.MatchString(p):
			c.partition = tok.String()
			if fixedSD.MatchString(p) {
				c.dropped = append(c.dropped, fmt.Sprintf("the entry holds under every name that the kernel gives, not only %s", p))
			}
		case strings.HasPrefix(p, "sd"):
			c.dropped = append(c.dropped, fmt.Sprintf("the entry holds under every name that the kernel gives, not only %s", p))
		case strings.HasPrefix(p, "dm-"):
			c.refuse(fmt.Sprintf("it goes by the kernel's name %s, which is another map's after the next boot", p))
		default:
			c.refuse(fmt.Sprintf("KERNEL==%q: entries are for SCSI disks (sd*) and multipath maps (dm-*)", p))
		}
	}
}

// mapUUID takes the UUID of a device-mapper device.
func (t *translator) mapUUID(c *conditions, uuid string) {
	wwid, ok := strings.CutPrefix(uuid, "mpath-")
	switch {
	case uuid == "mpath-*" || uuid == "mpath-?*":
		return // only which devices are looked at
	case !ok && strings.Contains(uuid, "-mpath-") && strings.HasPrefix(uuid, "part"):
		c.refuse(fmt.Sprintf("ENV{DM_UUID}==%q is a partition of a map: owner, group and mode of the map's entry hold for its partitions too", uuid))
	case !ok:
		c.refuse(fmt.Sprintf("ENV{DM_UUID}==%q is no multipath map", uuid))
	default:
		if why := badID(wwid); why != "" {
			c.refuse("the WWID in ENV{DM_UUID} " + why)
			return
		}
		c.setMap(wwid, "")
	}
}

// mapName takes the name of a map; which LUN that is only this host can say.
func (t *translator) mapName(c *conditions, name string) {
	if name == "?*" || name == "*" {
		return
	}
	if why := badID(name); why != "" {
		c.refuse("ENV{DM_NAME} " + why)
		return
	}
	wwid, from, ok := "", "", false
	if t.lookUp != nil {
		wwid, from, ok = t.lookUp(name)
	}
	if !ok {
		c.refuse(fmt.Sprintf("which LUN the map %s is, neither the configuration nor the bindings file here says", name))
		return
	}
	c.setMap(wwid, fmt.Sprintf("%s is %s by %s", name, wwid, from))
}

func (c *conditions) setMap(wwid, from string) {
	if c.mapWWID != "" && c.mapWWID != wwid {
		c.refuse("it names two maps, " + c.mapWWID + " and " + wwid)
		return
	}
	c.mapWWID, c.from = wwid, later(c.from, from)
}

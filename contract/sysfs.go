package contract

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/sysfs"
)

// fault is what a tree's or writer's error says.
func fault(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, sysfs.ErrGone):
		return "gone"
	case errors.Is(err, sysfs.ErrAbsent):
		return "absent"
	case errors.Is(err, sysfs.ErrTooLong):
		return "too long"
	}
	text := err.Error()
	return text[strings.LastIndex(text, ": ")+2:]
}

// at is a path below a disk's directory.
func (c *Case) at(symbol, attr string) string { return "block/" + c.name(symbol) + "/" + attr }

func (c *Case) writeAttr(symbol, attr, value string) {
	c.line(fmt.Sprintf("write %q to %s %s", value, symbol, attr), fault(c.p.Write.WriteAttr(c.at(symbol, attr), value)))
}

// attr reads an attribute of a disk. What is binary is told by its length.
func (c *Case) attr(symbol, attr string) {
	c.reads(symbol+" "+attr, c.at(symbol, attr), 4096)
}

func (c *Case) reads(asked, path string, most int) {
	b, err := c.p.Sysfs.ReadAttr(path, most)
	answer := fault(err)
	if err == nil {
		answer = strconv.Quote(string(b))
	}
	c.line("read "+asked, answer)
}

// lists tells the names in a directory of a disk or map.
func (c *Case) names(asked, path string) {
	names, err := c.p.Sysfs.ReadDir(path)
	answer := fault(err)
	if err == nil {
		answer = "ok " + strings.Join(names, " ")
	}
	c.line("names in "+asked, strings.TrimSpace(answer))
}

// sysfsRead is what a disk and a map show of themselves.
func sysfsRead(c *Case) {
	for _, a := range []string{"size", "ro", "removable", "hidden", "dev", "device/state", "device/type", "device/timeout", "device/no_such_attribute", "no_such", "device/vendor/x"} {
		c.attr("A1", a)
	}
	c.reads("A1 size with too little room", c.at("A1", "size"), 3)
	c.reads("no such disk", "block/sd-none/size", 64)
	c.names("no such disk", "block/sd-none")
	for _, page := range []string{"inquiry", "vpd_pg0", "vpd_pg80", "vpd_pg83", "vpd_pgc9"} {
		b, err := c.p.Sysfs.ReadAttr(c.at("A1", "device/"+page), 4096)
		answer := fault(err)
		if err == nil && page == "inquiry" {
			answer += " " + standard(b)
		} else if err == nil {
			answer += " " + c.page("one")(b)
		}
		c.line("read A1 device/"+page, answer)
	}
	target, err := c.p.Sysfs.ReadLink("block/" + c.name("A1"))
	c.line("link of A1", fault(err)+" "+tail(target, 2))
	_, err = c.p.Sysfs.ReadLink(c.at("A1", "size"))
	c.line("link of A1 size", fault(err))
	_, err = c.p.Sysfs.ReadLink("block/sd-none")
	c.line("link of no disk", fault(err))
	c.names("A1 holders", c.at("A1", "holders"))
	c.names("A1 slaves", c.at("A1", "slaves"))
	c.names("A1 device/block", c.at("A1", "device/block"))
	c.note("a map: before and after its first table")
	c.create("m1", "mpath-contract-m1")
	c.reads("dm-0 dm/name", "block/dm-0/dm/name", 256)
	c.load("m1", twoPaths)
	c.uevents(1)
	m := func() {
		for _, a := range []string{"size", "ro", "dev", "dm/name", "dm/uuid", "dm/suspended", "dm/no_such", "device/state"} {
			c.reads("dm-0 "+a, "block/dm-0/"+a, 4096)
		}
		c.names("dm-0 slaves", "block/dm-0/slaves")
		c.names("dm-0 holders", "block/dm-0/holders")
		c.names("A1 holders", c.at("A1", "holders"))
		c.names("X1 holders", c.at("X1", "holders"))
	}
	m()
	c.resume("m1")
	m()
	c.load("m1", otherPath)
	m()
	c.resume("m1")
	m()
	c.suspend("m1")
	c.reads("dm-0 dm/suspended", "block/dm-0/dm/suspended", 64)
	c.resume("m1")
	c.rename("m1", "m2")
	c.reads("dm-0 dm/name", "block/dm-0/dm/name", 256)
	c.remove("m2")
	c.reads("dm-0 size", "block/dm-0/size", 64)
	c.names("X1 holders", c.at("X1", "holders"))
	c.uevents(6)
	c.lists()
}

func tail(path string, parts int) string {
	list := strings.Split(path, "/")
	for range list {
		if len(list) > parts {
			list = list[1:]
		}
	}
	list[len(list)-1] = "DISK"
	return strings.Join(list, "/")
}

// sysfsWrite is what the kernel takes of what is written.
func sysfsWrite(c *Case) {
	for _, v := range []string{"running", "running\n", "offline\n", "running", "blocked\n", "transport-offline\n", "quiesce\n", "garbage\n", "", "RUNNING\n", "cancel\n", "running\n"} {
		c.writeAttr("A1", "device/state", v)
		c.attr("A1", "device/state")
	}
	c.uevents(0)
	c.note("offline with a map on it")
	c.live("m1", twoPaths)
	c.set("A1", "offline\n")
	c.status("m1")
	c.set("A1", "running\n")
	c.uevents(2)
	c.remove("m1")
	c.uevents(2)
	c.note("uevents on demand")
	for _, v := range []string{"change", "change\n", "add", "remove", "online", "no_such_action", ""} {
		c.writeAttr("A1", "uevent", v)
		c.uevents(0)
	}
	c.note("what is not there, and what is not to be written")
	c.writeAttr("A1", "device/no_such", "1")
	c.writeAttr("A1", "size", "1")
	c.writeAttr("A1", "device/vendor", "x")
	c.line("write to no disk", fault(c.p.Write.WriteAttr("block/sd-none/device/state", "running\n")))
	c.writeAttr("A1", "device/rescan", "1")
	c.writeAttr("A1", "device/rescan", "garbage")
	c.uevents(0)
}

// sysfsGone is a disk that is deleted: while it is free, and below a map.
func sysfsGone(c *Case) {
	c.writeAttr("A1", "device/delete", "1")
	c.uevents(1)
	c.attr("A1", "size")
	c.writeAttr("A1", "device/delete", "1")
	c.check("rescan", c.rig.Rescan("A1"))
	c.uevents(1)
	c.attr("A1", "device/state")
	c.note("below a map: the map keeps it, and its number")
	c.live("m1", twoPaths)
	c.uevents(2)
	before, _ := c.number("A2")
	c.writeAttr("A2", "device/delete", "1")
	c.uevents(1)
	c.attr("A2", "size")
	c.status("m1")
	c.table("m1")
	c.deps("m1")
	c.names("dm-0 slaves", "block/dm-0/slaves")
	c.openMap("m1")
	c.message("m1", "fail_path A1")
	c.uevents(1)
	c.write("m1", "w1", 1)
	c.ended("w1")
	c.uevents(1)
	c.status("m1")
	c.message("m1", "reinstate_path A2")
	c.uevents(1)
	c.message("m1", "reinstate_path A1")
	c.uevents(1)
	c.write("m1", "w2", 2)
	c.ended("w2")
	c.write("m1", "w2b", 2)
	c.ended("w2b")
	c.uevents(1)
	c.note("it comes back as another device")
	c.check("rescan", c.rig.Rescan("A2"))
	c.uevents(1)
	after, _ := c.number("A2")
	c.line("same number", map[bool]string{true: "yes", false: "no"}[before == after])
	c.devs[before] = "A2(gone)"
	c.table("m1")
	c.message("m1", "reinstate_path A2")
	c.load("m1", twoPaths)
	c.deps("m1")
	c.resume("m1")
	c.uevents(1)
	c.deps("m1")
	c.table("m1")
	c.write("m1", "w3", 3)
	c.ended("w3")
	c.note("a new load of the old number")
	delete(c.devs, before)
	_, answer := send(c, loadOf("m1", "0 0 1 1 service-time 0 1 1 "+before+" 1"), decodeNothing)
	c.line("load m1 of the number that is gone", answer)
	c.closeMap("m1")
	c.remove("m1")
	c.uevents(2)
	c.note("and, once nobody holds the old one, back at its number")
	c.writeAttr("A2", "device/delete", "1")
	c.check("rescan", c.rig.Rescan("A2"))
	c.uevents(2)
	after, _ = c.number("A2")
	c.line("same number", map[bool]string{true: "yes", false: "no"}[before == after])
	c.lists()
}

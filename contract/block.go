package contract

import (
	"fmt"

	"pathkeeper/blockio"
	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/scsi"
)

func loadOf(name, params string) dmmap.Load { return dmmap.Load{Map: ref(name), Lines: lines(params)} }

func decodeNothing([]byte) (struct{}, error) { return struct{}{}, nil }

func (c *Case) readBlock(symbol string, off uint64, n uint32) {
	b, errno := c.p.Block.ReadAt(c.name(symbol), off, n)
	answer := errnoName(errno)
	if errno == 0 {
		answer = fmt.Sprintf("ok %d bytes", len(b))
	}
	c.line(fmt.Sprintf("read %s %d bytes at %d", symbol, n, off), answer)
}

func describe(i blockio.Info, errno uint32) string {
	if errno != 0 {
		return errnoName(errno)
	}
	return fmt.Sprintf("ok %d:%d %d bytes, sectors of %d, ro=%v", i.Major, i.Minor, i.Bytes, i.SectorSize, i.ReadOnly)
}

// blockCalls is blockio on disks in every state.
func blockCalls(c *Case) {
	look := func(symbol string) {
		c.readBlock(symbol, 0, 512)
		c.line("info "+symbol, describe(c.p.Block.Info(c.name(symbol))))
		c.line("probe "+symbol, errnoName(c.p.Block.ProbeExclusive(c.name(symbol))))
		id, info, errno := c.p.Block.Hold(c.name(symbol))
		c.line("hold "+symbol, describe(info, errno))
		if errno == 0 {
			c.line("release "+symbol, errnoName(c.p.Block.Release(id)))
		}
	}
	look("A1")
	c.line("release twice", errnoName(c.p.Block.Release(9999)))
	c.note("sizes and ends")
	c.readBlock("A1", 512, 4096)
	c.readBlock("A1", 1, 512)
	c.readBlock("A1", 0, 100)
	c.readBlock("A1", 0, 0)
	c.readBlock("A1", sizeOfOne*512-512, 512)
	c.readBlock("A1", sizeOfOne*512-512, 1024)
	c.readBlock("A1", sizeOfOne*512, 512)
	c.readBlock("A1", sizeOfOne*512*4, 512)
	c.note("claimed by a program")
	c.check("claim", c.rig.Claim("A1", true))
	look("A1")
	c.check("claim", c.rig.Claim("A1", false))
	c.note("below a map")
	c.live("m1", twoPaths)
	look("A1")
	c.line("info dm-0", describe(c.p.Block.Info("dm-0")))
	c.line("probe dm-0", errnoName(c.p.Block.ProbeExclusive("dm-0")))
	c.info("m1")
	c.remove("m1")
	c.uevents(4)
	c.note("held, then a map is made of it and removed again")
	id, _, _ := c.p.Block.Hold(c.name("A1"))
	c.line("probe A1", errnoName(c.p.Block.ProbeExclusive(c.name("A1"))))
	c.live("m1", twoPaths)
	c.remove("m1")
	c.uevents(4)
	c.line("release A1", errnoName(c.p.Block.Release(id)))
	c.note("write protected")
	c.check("protect", c.rig.ReadOnly("S1", true))
	look("S1")
	c.attr("S1", "ro")
	c.check("protect", c.rig.ReadOnly("S1", false))
	c.uevents(0)
	c.note("offline")
	c.set("A1", "offline\n")
	look("A1")
	c.set("A1", "running\n")
	c.note("cut")
	c.check("cut", c.rig.Cut("A1", true))
	look("A1")
	c.mend("A1")
	look("A1")
	c.note("deleted while held: the number is not given out again")
	before, _ := c.number("A1")
	id, _, _ = c.p.Block.Hold(c.name("A1"))
	c.writeAttr("A1", "device/delete", "1")
	look("A1")
	c.check("rescan", c.rig.Rescan("A1"))
	after, _ := c.number("A1")
	c.line("same number", map[bool]string{true: "yes", false: "no"}[before == after])
	c.line("release A1", errnoName(c.p.Block.Release(id)))
	c.uevents(2)
	c.note("deleted and back: the lowest free number")
	c.writeAttr("A1", "device/delete", "1")
	c.check("rescan", c.rig.Rescan("A1"))
	after, _ = c.number("A1")
	c.line("the first number again", map[bool]string{true: "yes", false: "no"}[before == after])
	c.uevents(2)
	c.lists()
}

// resizeSequence is a LUN that grows at the array.
func resizeSequence(c *Case) {
	c.live("m1", twoPaths)
	c.uevents(2)
	c.check("resize", c.rig.Resize("one", 2*sizeOfOne))
	c.note("the kernel knows nothing before it asks")
	c.attr("A1", "size")
	c.do("A1", "READ CAPACITY(10)", readCapacity(), capacity10)
	c.attr("A1", "size")
	c.uevents(0)
	c.note("rescan of each path")
	c.writeAttr("A1", "device/rescan", "1")
	c.uevents(1)
	c.attr("A1", "size")
	c.attr("A2", "size")
	c.writeAttr("A1", "device/rescan", "1")
	c.uevents(0)
	c.note("a larger table needs every path to be as large")
	c.tell("load m1 of twice the size", dmmap.Load{Map: ref("m1"), Lines: twice(c.meant(twoPaths))})
	c.clear("m1")
	c.writeAttr("A2", "device/rescan", "1")
	c.uevents(1)
	c.tell("load m1 of twice the size", dmmap.Load{Map: ref("m1"), Lines: twice(c.meant(twoPaths))})
	c.reads("dm-0 size", "block/dm-0/size", 64)
	c.resumeFlush("m1")
	c.uevents(1)
	c.reads("dm-0 size", "block/dm-0/size", 64)
	c.table("m1")
	c.note("and back")
	c.load("m1", twoPaths)
	c.resumeFlush("m1")
	c.uevents(1)
	c.reads("dm-0 size", "block/dm-0/size", 64)
	c.check("resize", c.rig.Resize("one", sizeOfOne))
	c.writeAttr("A1", "device/rescan", "1")
	c.writeAttr("A2", "device/rescan", "1")
	c.uevents(2)
	c.attr("A1", "size")
	c.remove("m1")
	c.uevents(2)
	c.lists()
}

func readCapacity() scsi.Request { return scsi.ReadCapacity10(timeoutMS) }

// twice is one multipath target of twice the size.
func twice(params string) []table.Line {
	return []table.Line{{Length: 2 * sizeOfOne, Target: "multipath", Params: params}}
}

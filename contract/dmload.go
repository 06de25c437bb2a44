package contract

import (
	"strconv"

	"pathkeeper/dmmap/table"
)

func itoa(n int) string { return strconv.Itoa(n) }

// dmLoad is what multipath_ctr thinks of tables.
func dmLoad(c *Case) {
	c.create("m1", "mpath-contract-m1")
	c.note("counts")
	for _, params := range []string{
		"",
		"0",
		"0 0",
		"0 0 0",
		"0 0 0 0",
		"0 0 0 0 extra",
		"0 0 0 1",
		"0 0 1 0 service-time 0 1 1 A1 1",
		"0 0 1 1",
		"0 0 1 1 service-time",
		"0 0 1 1 service-time 0",
		"0 0 1 1 service-time 0 0 1",
		"0 0 1 1 service-time 0 1",
		"0 0 1 1 service-time 0 1 1",
		"0 0 1 1 service-time 0 1 1 A1",
		"0 0 1 1 service-time 0 2 1 A1 1",
		"0 0 1 1 service-time 0 1 1 A1 1 extra",
		"0 0 1 1 service-time 0 1 1 A1 1 service-time 0 1 1 A2 1",
		"0 0 2 1 service-time 0 1 1 A1 1",
		"0 0 1 2 service-time 0 1 1 A1 1",
		"0 0 2 2 service-time 0 1 1 A1 1 service-time 0 1 1 A2 1",
		"0 0 2 3 service-time 0 1 1 A1 1 service-time 0 1 1 A2 1",
		"x 0 1 1 service-time 0 1 1 A1 1",
		"-1 0 1 1 service-time 0 1 1 A1 1",
		"1 0 1 1 service-time 0 1 1 A1 1",
		"2 queue_if_no_path 0 1 1 service-time 0 1 1 A1 1",
		"9 a b c d e f g h i 0 1 1 service-time 0 1 1 A1 1",
		"0 0 1025 1 service-time 0 1 1 A1 1",
		"  0   0 1 1  service-time 0 1 1 A1 1  ",
	} {
		c.load("m1", params)
	}
	c.note("features")
	for _, features := range []string{
		"1 queue_if_no_path",
		"1 retain_attached_hw_handler",
		"2 retain_attached_hw_handler queue_if_no_path",
		"2 pg_init_retries 3",
		"4 pg_init_delay_msecs 50 pg_init_retries 50",
		"1 pg_init_retries",
		"2 pg_init_retries 0",
		"2 pg_init_retries 51",
		"2 pg_init_retries x",
		"2 pg_init_delay_msecs 60000",
		"2 pg_init_delay_msecs 60001",
		"2 queue_mode rq",
		"2 queue_mode mq",
		"2 queue_mode bio",
		"2 queue_mode none",
		"1 queue_mode",
		"1 no_such_feature",
		"1 QUEUE_IF_NO_PATH",
		"2 queue_if_no_path queue_if_no_path",
	} {
		c.load("m1", features+" 0 1 1 service-time 0 1 1 A1 1")
		c.loadedTable("m1")
	}
	c.note("selectors and their arguments")
	for _, group := range []string{
		"round-robin 0 1 1 A1 1000",
		"round-robin 0 1 0 A1",
		"round-robin 0 1 1 A1 x",
		"round-robin 0 1 1 A1 0",
		"round-robin 0 1 2 A1 1 1",
		"queue-length 0 1 1 A1 1",
		"queue-length 0 1 0 A1",
		"queue-length 0 1 1 A1 128",
		"queue-length 0 1 2 A1 1 1",
		"service-time 0 1 0 A1",
		"service-time 0 1 1 A1 1",
		"service-time 0 1 2 A1 1 100",
		"service-time 0 1 2 A1 1 101",
		"service-time 0 1 2 A1 1 x",
		"service-time 0 1 3 A1 1 1 1",
		"service-time 1 word 1 1 A1 1",
		"round-robin 1 word 1 1 A1 1",
		"no-such-selector 0 1 1 A1 1",
		"service-time 0 1 1 A1 -1",
	} {
		c.load("m1", "0 0 1 1 "+group)
		c.loadedTable("m1")
	}
	c.note("sizes: the load takes any, the resume does not")
	c.loadLines("m1", false, table.Line{Length: 16384, Target: "multipath", Params: "0 0 1 1 service-time 0 1 1 A1 1"})
	c.loadLines("m1", false, table.Line{Length: sizeOfOne + 1, Target: "multipath", Params: "0 0 1 1 service-time 0 1 1 A1 1"})
	c.resume("m1")
	c.info("m1")
	c.resume("m1")
	c.loadLines("m1", false, table.Line{Length: 1 << 40, Target: "multipath", Params: "0 0 1 1 service-time 0 1 1 A1 1"})
	c.load("m1", "0 0 1 1 service-time 0 2 1 A1 1 S1 1")
	c.resume("m1")
	c.info("m1")
	c.loadLines("m1", false, table.Line{Length: 16384, Target: "multipath", Params: "0 0 1 1 service-time 0 2 1 A1 1 S1 1"})
	c.loadLines("m1", false, table.Line{Length: 16383, Target: "multipath", Params: "0 0 1 1 service-time 0 1 1 S1 1"})
	c.note("a path twice, and paths of two LUNs: the kernel does not mind")
	c.load("m1", "0 0 1 1 service-time 0 2 1 A1 1 A1 1")
	c.load("m1", "0 0 1 1 service-time 0 2 1 A1 1 X1 1")
	c.resume("m1")
	c.status("m1")
	c.note("a live multipath target is exchanged for one of its kind only")
	c.loadLines("m1", false, table.Line{Length: sizeOfOne, Target: "linear", Params: "A1 0"})
	c.loadLines("m1", false, table.Line{Length: 16384, Target: "multipath", Params: "0 0 1 1 service-time 0 1 1 A1 1"})
	c.resume("m1")
	c.table("m1")
	c.note("a live map whose new table is too large: suspended, with the table it had")
	c.load("m1", "0 0 1 1 service-time 0 2 1 A1 1 S1 1")
	c.resume("m1")
	c.info("m1")
	c.table("m1")
	c.resume("m1")
	c.info("m1")
	c.remove("m1")
	c.note("linear")
	c.create("m1", "")
	for _, params := range []string{"", "A1", "A1 0 0", "A1 x", "A1 0", "A1 1", "S1 0", "A1 -1"} {
		c.loadLines("m1", false, table.Line{Length: sizeOfOne, Target: "linear", Params: params})
	}
	c.resume("m1")
	c.loadLines("m1", false, table.Line{Length: 8, Target: "linear", Params: "A1 8"}, table.Line{Start: 8, Length: 8, Target: "linear", Params: "A1 0"})
	c.resume("m1")
	c.table("m1")
	c.status("m1")
	c.deps("m1")
	c.load("m1", onePath)
	c.message("m1", "queue_if_no_path")
	c.messageAt("m1", 8, "queue_if_no_path")
	c.messageAt("m1", 16, "queue_if_no_path")
	c.remove("m1")
	c.lists()
}

// dmDevices is which devices a table may have.
func dmDevices(c *Case) {
	c.create("m1", "")
	c.note("devices that do not exist")
	c.load("m1", "0 0 1 1 service-time 0 1 1 8:4080 1")
	c.load("m1", "0 0 1 1 service-time 0 1 1 200:7 1")
	c.load("m1", "0 0 1 1 service-time 0 1 1 5000:1 1")
	c.load("m1", "0 0 1 1 service-time 0 1 1 sd-none 1")
	c.load("m1", "0 0 1 1 service-time 0 1 1 /dev/sd-none 1")
	c.note("used exclusively by somebody else")
	c.check("claim", c.rig.Claim("A1", true))
	c.load("m1", onePath)
	c.load("m1", otherPath)
	c.check("claim", c.rig.Claim("A1", false))
	c.load("m1", twoPaths)
	c.note("what a loaded table has, nobody else gets, but other maps do")
	c.line("claim A2", map[bool]string{true: "ok", false: "refused"}[c.rig.Claim("A2", true) == nil])
	c.create("m2", "")
	c.load("m2", twoPaths)
	c.resume("m2")
	c.deps("m1")
	c.deps("m2")
	c.clear("m1")
	c.line("claim A2", map[bool]string{true: "ok", false: "refused"}[c.rig.Claim("A2", true) == nil])
	c.remove("m2")
	c.line("claim A2", map[bool]string{true: "ok", false: "refused"}[c.rig.Claim("A2", true) == nil])
	c.check("claim", c.rig.Claim("A2", false))
	c.note("the order in which deps tells")
	c.load("m1", "0 0 2 1 service-time 0 2 1 B2 1 A1 1 service-time 0 2 1 X1 1 A2 1")
	c.resume("m1")
	c.deps("m1")
	c.load("m1", "0 0 1 1 service-time 0 2 1 A2 1 B1 1")
	c.deps("m1")
	c.resume("m1")
	c.deps("m1")
	c.note("a read-only table")
	c.loadLines("m1", true, table.Line{Length: 16384, Target: "multipath", Params: "0 0 1 1 service-time 0 1 1 S1 1"})
	c.resume("m1")
	c.info("m1")
	c.loadLines("m1", false, table.Line{Length: 16384, Target: "multipath", Params: "0 0 1 1 service-time 0 1 1 S1 1"})
	c.info("m1")
	c.resume("m1")
	c.info("m1")
	c.note("offline, gone")
	c.set("A1", "offline\n")
	c.load("m1", onePath)
	c.load("m1", twoPaths)
	c.set("A1", "running\n")
	c.load("m1", onePath)
	c.resume("m1")
	c.set("A1", "offline\n")
	c.note("offline, but this map has it open already")
	c.load("m1", twoPaths)
	c.clear("m1")
	c.create("m2", "")
	c.load("m2", onePath)
	c.set("A1", "running\n")
	c.remove("m2")
	c.remove("m1")
	c.lists()
}

// dmHandlers is what becomes of hardware handlers.
func dmHandlers(c *Case) {
	c.create("m1", "")
	for _, handler := range []string{
		"0 1 alua",
		"0 2 alua word",
		"0 1 no-such-handler",
		"0 1 rdac",
		"0 1 emc",
		"0 1 hp_sw",
		"1 retain_attached_hw_handler 0",
		"1 retain_attached_hw_handler 1 alua",
		"1 retain_attached_hw_handler 1 rdac",
		"0 2 alua",
	} {
		c.load("m1", handler+" 1 1 service-time 0 1 1 A1 1")
		c.loadedTable("m1")
		c.clear("m1")
	}
	c.load("m1", "0 1 alua 2 1 service-time 0 2 1 A1 1 A2 1 service-time 0 2 1 B1 1 B2 1")
	c.resume("m1")
	c.table("m1")
	c.status("m1")
	c.note("the handler is asked before the first write to a group")
	c.openMap("m1")
	c.write("m1", "w1", 1)
	c.ended("w1")
	c.status("m1")
	c.message("m1", "switch_group 2")
	c.status("m1")
	c.write("m1", "w2", 2)
	c.ended("w2")
	c.status("m1")
	c.failAll("m1", "B1", "B2")
	c.write("m1", "w3", 3)
	c.ended("w3")
	c.status("m1")
	c.write("m1", "w4", 4)
	c.ended("w4")
	c.status("m1")
	c.closeMap("m1")
	c.remove("m1")
	c.lists()
}

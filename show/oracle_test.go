package show_test

import (
	"testing"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/show"
)

// oracle is a host on which Debian's multipathd 0.9.4 was asked, in the lab: two maps,
// a path of one offline, and a disk without a map.
func oracle(t *testing.T) mpath.Snapshot {
	f := newFixture(t)
	m := f.addMap("mysql", "36001405cf0a41c8bb9350f73355d14a2", 0, 131072, "1 queue_if_no_path 1 alua 2 1 service-time 0 2 1 8:16 1 8:32 1 service-time 0 2 1 8:48 1 8:64 1",
		"2 0 1 0 2 1 A 0 2 2 8:16 F 1 0 1 8:32 A 0 0 1 E 0 2 2 8:48 A 0 0 1 8:64 A 0 0 1", 50, 10)
	m.Settings.Failback.V = policy.FailbackPolicy{Mode: policy.FailbackImmediate}
	m.Settings.NoPathRetry.V = policy.RetryPolicy{Mode: policy.RetryCount, Checks: 12}
	m.LastAction, m.Counters = "create", mpath.Counters{Loads: 1, Faults: 1}
	f.addPath("12:0:1:0", "sdb", "8:16", pathcheck.StateDown, "offline", "LIO-ORG", "FILEIO")
	f.addPath("13:0:1:0", "sdc", "8:32", pathcheck.StateUp, "running", "LIO-ORG", "FILEIO")
	f.addPath("14:0:1:0", "sdd", "8:48", pathcheck.StateUp, "running", "LIO-ORG", "FILEIO").Priority = 10
	f.addPath("15:0:1:0", "sde", "8:64", pathcheck.StateUp, "running", "LIO-ORG", "FILEIO").Priority = 10
	m = f.addMap("ocr1", "360014050aeffacd5e00b99a208866aae", 1, 65536, "0 1 alua 1 1 service-time 0 2 1 8:80 1 8:96 1", "2 0 1 0 1 1 A 0 2 2 8:80 A 0 0 1 8:96 A 0 0 1", 50)
	m.Settings.NoPathRetry.V = policy.RetryPolicy{Mode: policy.RetryFail}
	m.Settings.Failback.V = policy.FailbackPolicy{Mode: policy.FailbackImmediate}
	m.LastAction, m.Counters = "create", mpath.Counters{Loads: 1}
	f.addPath("16:0:1:0", "sdf", "8:80", pathcheck.StateUp, "running", "LIO-ORG", "FILEIO")
	f.addPath("17:0:1:0", "sdg", "8:96", pathcheck.StateUp, "running", "LIO-ORG", "FILEIO")
	for i := range f.s.Paths {
		p := &f.s.Paths[i]
		p.NextCheck, p.Interval = f.s.Now.After(3*mpath.Second), 4*mpath.Second
	}
	f.s.Paths[0].NextCheck, f.s.Paths[0].Interval = f.s.Now.After(2*mpath.Second), 2*mpath.Second
	spare := f.addPath("0:0:0:0", "sda", "8:0", pathcheck.StateUnknown, "running", "ATA", "Spare")
	spare.WWID, spare.Map, spare.Priority, spare.Decision.Verdict = "", "", 1, policy.VerdictReject
	spare.Seen.Facts.Size = uint64(table.Sectors(131072))
	return f.s
}

// The bytes of Debian's multipathd, but for a manual failback, which it calls "-" and
// 0.14.3 manual: here it is immediate.
func TestOracle(t *testing.T) {
	s := oracle(t)
	wantText(t, `hcil     dev dev_t pri dm_st  chk_st dev_st  next_check    
0:0:0:0  sda 8:0   1   undef  undef  unknown orphan        
12:0:1:0 sdb 8:16  50  failed faulty offline XXXXXXXXXX 2/2
13:0:1:0 sdc 8:32  50  active ready  running XXXXXXX... 3/4
14:0:1:0 sdd 8:48  10  active ready  running XXXXXXX... 3/4
15:0:1:0 sde 8:64  10  active ready  running XXXXXXX... 3/4
16:0:1:0 sdf 8:80  50  active ready  running XXXXXXX... 3/4
17:0:1:0 sdg 8:96  50  active ready  running XXXXXXX... 3/4
`, show.MultipathdPaths(s))
	wantText(t, `name  failback  queueing paths dm-st  write_prot
mysql immediate 12 chk   3     active rw        
ocr1  immediate off      2     active rw        
`, show.FormatOfMaps(s, show.FormatMapsStatus, show.StyleTable))
	wantText(t, `name  path_faults switch_grp map_loads total_q_time q_timeouts
mysql 1           0          1         0            0         
ocr1  0           0          1         0            0         
`, show.FormatOfMaps(s, show.FormatMapsStats, show.StyleTable))
	wantText(t, `mysql|36001405cf0a41c8bb9350f73355d14a2|dm-0|immediate|12 chk|3|rw|active|64M|1 queue_if_no_path|0|1 alua|create|1|0|1|0|0|LIO-ORG,FILEIO|LIO-ORG|FILEIO|--|[undef]
ocr1|360014050aeffacd5e00b99a208866aae|dm-1|immediate|off|2|rw|active|32M|0|0|1 alua|create|0|0|1|0|0|LIO-ORG,FILEIO|LIO-ORG|FILEIO|--|[undef]
`, show.FormatOfMaps(s, "%n|%w|%d|%F|%Q|%N|%r|%t|%S|%f|%x|%h|%A|%0|%1|%2|%3|%4|%s|%v|%p|%G|%g", show.StyleRaw))
	wantText(t, `create: mysql (36001405cf0a41c8bb9350f73355d14a2) dm-0 LIO-ORG,FILEIO
size=64M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| |- 12:0:1:0 sdb 8:16 failed faulty offline
| `+"`"+`- 13:0:1:0 sdc 8:32 active ready  running
`+"`"+`-+- policy='service-time 0' prio=10 status=enabled
  |- 14:0:1:0 sdd 8:48 active ready  running
  `+"`"+`- 15:0:1:0 sde 8:64 active ready  running
create: ocr1 (360014050aeffacd5e00b99a208866aae) dm-1 LIO-ORG,FILEIO
size=32M features='0' hwhandler='1 alua' wp=rw
`+"`"+`-+- policy='service-time 0' prio=50 status=active
  |- 16:0:1:0 sdf 8:80 active ready  running
  `+"`"+`- 17:0:1:0 sdg 8:96 active ready  running
`, show.Topology(s, show.TopologyOptions{Actions: true, WideAsAll: true}))
	// `multipath -ll`: each map has its own widths.
	wantText(t, `ocr1 (360014050aeffacd5e00b99a208866aae) dm-1 LIO-ORG,FILEIO
size=32M features='0' hwhandler='1 alua' wp=rw
`+"`"+`-+- policy='service-time 0' prio=50 status=active
  |- 16:0:1:0 sdf 8:80 active ready running
  `+"`"+`- 17:0:1:0 sdg 8:96 active ready running
`, mustText(show.TopologyOfMap(s, "ocr1", show.TopologyOptions{})))
	// `show map M raw format` pads as the table of all maps would.
	wantText(t, "ocr1 |360014050aeffacd5e00b99a208866aae|LIO-ORG,FILEIO||xy\n", mustText(show.FormatOfMap(s, "ocr1", "%n|%w|%s|%z|x%%y")))
	wantText(t, "a\na\na\n", show.FormatOfMaps(s, "a", show.StyleTable))
}

func mustText(text string, ok bool) string {
	if !ok {
		return "there is none"
	}
	return text
}

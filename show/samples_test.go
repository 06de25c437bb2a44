package show_test

import (
	"encoding/json"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/show"
)

// sampled is netapp with the settings that the map of the reference's samples has:
// what multipath-tools 0.14.3 printed for it is held here to the byte.
func sampled(t *testing.T) mpath.Snapshot {
	s := netapp(t).s
	m := &s.Maps[0]
	m.Settings.Failback.V = policy.FailbackPolicy{Mode: policy.FailbackImmediate}
	m.Settings.NoPathRetry.V = policy.RetryPolicy{Mode: policy.RetryCount, Checks: 18}
	for i := range s.Paths {
		p := &s.Paths[i]
		p.Seen.Identity.Rev, p.Seen.Identity.PortGroup = "9800", -1
		p.Seen.Facts.Protocol = "scsi:sas"
	}
	return s
}

func TestSampleTables(t *testing.T) {
	s := sampled(t)
	wantText(t, `hcil      dev  dev_t  pri dm_st  chk_st dev_st  next_check     
2:0:0:1   sdb  8:16   50  active ready  running XXX....... 6/20
3:0:0:1   sdc  8:32   10  active ready  running XXX....... 6/20
4:0:0:257 sdd  8:48   50  failed faulty offline XXX....... 6/20
5:0:0:1   sdaa 65:160 10  active ghost  running XXX....... 6/20
`, show.MultipathdPaths(s))
	wantText(t, `name   sysfs uuid                             
mpatha dm-3  3600a0980000000000000000000000001
`, show.MultipathdMaps(s))
	wantText(t, `name   failback  queueing paths dm-st  write_prot
mpatha immediate 18 chk   3     active rw        
`, show.FormatOfMaps(s, show.FormatMapsStatus, show.StyleTable))
	wantText(t, `name   path_faults switch_grp map_loads total_q_time q_timeouts
mpatha 0           0          0         0            0         
`, show.FormatOfMaps(s, show.FormatMapsStats, show.StyleTable))
	wantText(t, `name   uuid                              sysfs failback  queueing paths write_prot dm-st  size features           failures hwhandler action path_faults switch_grp map_loads total_q_time q_timeouts vend/prod         vend   prod       rev  foreign vpd page data
mpatha 3600a0980000000000000000000000001 dm-3  immediate 18 chk   3     rw         active 10G  1 queue_if_no_path 0        1 alua           0           0          0         0            0          NETAPP,LUN C-Mode NETAPP LUN C-Mode 9800 --      [undef]      
`, show.FormatOfMaps(s, "%n %w %d %F %Q %N %r %t %S %f %x %h %A %0 %1 %2 %3 %4 %s %v %p %e %G %g", show.StyleTable))
}

func TestSampleRaw(t *testing.T) {
	s := sampled(t)
	s.Paths = s.Paths[1:2]
	wantText(t, "3600a0980000000000000000000000001|4:0:0:257|sdd|8:48|failed|offline|faulty|NETAPP,LUN C-Mode,9800|XXX....... 6/20|50|10G||normal|mpatha|--|[undef]|3|scsi:sas|ok|0x0101000000000000|[undef]|n/a||\n",
		show.FormatOfPaths(s, "%w|%i|%d|%D|%t|%o|%T|%s|%C|%p|%S|%z|%M|%m|%G|%g|%0|%P|%I|%L|%A|%k|%Z|%", show.StyleRaw))
}

func TestSampleJSON(t *testing.T) {
	text, ok := show.MapJSON(sampled(t), "mpatha")
	if !ok || !json.Valid([]byte(text)) {
		t.Error("no valid JSON")
	}
	wantText(t, sampleJSON, text)
}

func TestSampleStatus(t *testing.T) {
	wantText(t, "path checker states:\ndown                1\nup                  2\nghost               1\n\npaths: 4\nbusy: False\n", show.PathCounts(sampled(t), false))
}

const sampleJSON = `{
   "major_version": 0,
   "minor_version": 1,
   "map":{
      "name" : "mpatha",
      "uuid" : "3600a0980000000000000000000000001",
      "sysfs" : "dm-3",
      "failback" : "immediate",
      "queueing" : "18 chk",
      "paths" : 3,
      "write_prot" : "rw",
      "dm_st" : "active",
      "features" : "1 queue_if_no_path",
      "hwhandler" : "1 alua",
      "action" : "",
      "path_faults" : 0,
      "vend" : "NETAPP",
      "prod" : "LUN C-Mode",
      "rev" : "9800",
      "switch_grp" : 0,
      "map_loads" : 0,
      "total_q_time" : 0,
      "q_timeouts" : 0,
      "path_groups": [{
         "selector" : "service-time 0",
         "pri" : 50,
         "dm_st" : "active",
         "marginal_st" : "normal",
         "group" : 1,
         "paths": [{
            "dev" : "sdb",
            "dev_t" : "8:16",
            "dm_st" : "active",
            "dev_st" : "running",
            "chk_st" : "ready",
            "checker" : "(null)",
            "pri" : 50,
            "host_wwnn" : "[undef]",
            "target_wwnn" : "[undef]",
            "host_wwpn" : "[undef]",
            "target_wwpn" : "[undef]",
            "host_adapter" : "[undef]",
            "lun_hex" : "0x0001000000000000",
            "marginal_st" : "normal"
         },{
            "dev" : "sdd",
            "dev_t" : "8:48",
            "dm_st" : "failed",
            "dev_st" : "offline",
            "chk_st" : "faulty",
            "checker" : "(null)",
            "pri" : 50,
            "host_wwnn" : "[undef]",
            "target_wwnn" : "[undef]",
            "host_wwpn" : "[undef]",
            "target_wwpn" : "[undef]",
            "host_adapter" : "[undef]",
            "lun_hex" : "0x0101000000000000",
            "marginal_st" : "normal"
         }]
      },{
         "selector" : "service-time 0",
         "pri" : 10,
         "dm_st" : "enabled",
         "marginal_st" : "normal",
         "group" : 2,
         "paths": [{
            "dev" : "sdc",
            "dev_t" : "8:32",
            "dm_st" : "active",
            "dev_st" : "running",
            "chk_st" : "ready",
            "checker" : "(null)",
            "pri" : 10,
            "host_wwnn" : "[undef]",
            "target_wwnn" : "[undef]",
            "host_wwpn" : "[undef]",
            "target_wwpn" : "[undef]",
            "host_adapter" : "[undef]",
            "lun_hex" : "0x0001000000000000",
            "marginal_st" : "normal"
         },{
            "dev" : "sdaa",
            "dev_t" : "65:160",
            "dm_st" : "active",
            "dev_st" : "running",
            "chk_st" : "ghost",
            "checker" : "(null)",
            "pri" : 10,
            "host_wwnn" : "[undef]",
            "target_wwnn" : "[undef]",
            "host_wwpn" : "[undef]",
            "target_wwpn" : "[undef]",
            "host_adapter" : "[undef]",
            "lun_hex" : "0x0001000000000000",
            "marginal_st" : "normal"
         }]
      }]
   }
}
`

package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
)

// What the hook writes a rule reads by the same name.
func TestHookWritesWhatRulesRead(t *testing.T) {
	written := map[string]bool{claimKey: true, "PATHKEEPER_WAIT": true, "PATHKEEPER_LEFT": true, "PATHKEEPER_PARTITIONS": true, "FIND_MULTIPATHS_WAIT_UNTIL": true}
	for _, facts := range []MapFacts{
		{UUID: "mpath-3600a", UID: "1", GID: "1", Mode: 0o600, WasReady: "1", Reload: true, ValidPaths: Unknown, ActivePaths: 1},
		{UUID: "mpath-3600a", Mode: -1, NoPaths: true, Suspended: true, Add: true, Activation: true},
		{UUID: "part1-mpath-3600a", Mode: -1, ParentNotReady: true},
	} {
		for _, kv := range MapProperties(facts) {
			written[kv.Key] = true
		}
	}
	named := policy.Decision{Claim: policy.ClaimNo, Single: policy.Single{ID: "3600a", Name: "ocr1", Mode: 0o660}}
	for _, kv := range DiskProperties(named, DiskOwner{UID: "1", GID: "2"}) {
		written[kv.Key] = true
	}
	all := pathRules + mapRules + ownerRules + partitionRules
	for key := range written {
		if !strings.Contains(all, "{"+key+"}") && !strings.Contains(all, `"`+key+`"`) {
			t.Errorf("no rule reads %s", key)
		}
	}
	if !written["PATHKEEPER_QUIET"] || !written["DM_COLDPLUG_SUSPENDED"] || !written["MPATH_UNCHANGED"] {
		t.Errorf("the cases above do not write it: %v", written)
	}
}

const claimKey = "DM_MULTIPATH_DEVICE_PATH"

// The properties of a map at each kind of event, without its links.
func TestMapState(t *testing.T) {
	base := MapFacts{UUID: "mpath-3600a", ValidPaths: Unknown, ActivePaths: 2, Mode: -1}
	used := func(f *MapFacts) { f.WasReady = "1" }
	cases := []struct {
		name   string
		change func(*MapFacts)
		want   string
	}{
		{"new", func(f *MapFacts) { f.Cookie = true }, "READY=1"},
		{"new without paths", func(f *MapFacts) { f.Cookie = true; f.NoPaths = true }, "READY=0 QUIET=0 OTHER=1"},
		{"new without paths, its maker wants no other rules", func(f *MapFacts) { f.Cookie = true; f.NoPaths = true; f.OtherRules = "1" }, "READY=0 QUIET=1 OTHER=1"},
		{"suspended before its first use", func(f *MapFacts) { f.Suspended = true; f.OtherRules = "1" }, "READY=0 QUIET=0 OTHER=1"},
		{"suspended in use", func(f *MapFacts) { used(f); f.Suspended = true }, "READY=1"},
		{"coldplug", func(f *MapFacts) { used(f); f.Add = true; f.Activation = true }, "READY=1"},
		{"coldplug while suspended", func(f *MapFacts) { used(f); f.Add = true; f.Activation = true; f.Suspended = true; f.OtherRules = "1" }, "READY=1 COLD=1"},
		{"suspended still", func(f *MapFacts) { used(f); f.Suspended = true; f.ColdSuspended = true }, "READY=1 COLD=1"},
		{"the resume after it, of a reload", func(f *MapFacts) { used(f); f.Cookie = true; f.Reload = true; f.ColdSuspended = true }, "READY=1 ACTIVATION=1"},
		{"the resume after it, without paths", func(f *MapFacts) {
			used(f)
			f.Cookie = true
			f.Reload = true
			f.NoPaths = true
			f.ColdSuspended = true
		}, "READY=0 COLD=1 UNCHANGED=1 ACTIVATION=0 QUIET=0 OTHER=1"},
		{"reload", func(f *MapFacts) { used(f); f.Cookie = true; f.Reload = true }, "READY=1 UNCHANGED=1 ACTIVATION=0"},
		{"reload before udev has seen it", func(f *MapFacts) { f.Cookie = true; f.Reload = true }, "READY=1"},
		{"reload that makes it ready", func(f *MapFacts) { f.WasReady = "0"; f.Quiet = "0"; f.Cookie = true; f.Reload = true }, "READY=1 ACTIVATION=1"},
		{"path failed", func(f *MapFacts) { used(f); f.Action = actionFailed; f.ValidPaths = 1 }, "READY=1 UNCHANGED=1 ACTIVATION=0"},
		{"last path failed", func(f *MapFacts) { used(f); f.Action = actionFailed; f.ValidPaths = 0 }, "READY=0 UNCHANGED=1 ACTIVATION=0 QUIET=0 OTHER=1"},
		{"path failed while not ready", func(f *MapFacts) {
			f.WasReady = "0"
			f.Quiet = "0"
			f.OtherRules = "1"
			f.Action = actionFailed
			f.ValidPaths = 1
		}, "READY=0 UNCHANGED=1 ACTIVATION=0 QUIET=0 OTHER=1"},
		{"first path back", func(f *MapFacts) {
			f.WasReady = "0"
			f.Quiet = "0"
			f.OtherRules = "1"
			f.Action = actionReinstated
			f.ValidPaths = 1
		}, "READY=1 ACTIVATION=1 OTHER=0"},
		{"first path back, its maker wants no other rules", func(f *MapFacts) {
			f.WasReady = "0"
			f.Quiet = "1"
			f.OtherRules = "1"
			f.Action = actionReinstated
			f.ValidPaths = 1
		}, "READY=1 ACTIVATION=1"},
		{"another path back", func(f *MapFacts) { used(f); f.Action = actionReinstated; f.ValidPaths = 2 }, "READY=1 UNCHANGED=1 ACTIVATION=0"},
		{"trigger, all failed", func(f *MapFacts) { used(f); f.ActivePaths = 0 }, "READY=0 QUIET=0 OTHER=1"},
		{"trigger, suspended while not ready", func(f *MapFacts) {
			f.WasReady = "0"
			f.Quiet = "1"
			f.Suspended = true
			f.OtherRules = "1"
		}, "READY=0 QUIET=1 OTHER=1"},
		{"trigger, some active", func(f *MapFacts) { f.WasReady = "0"; f.Quiet = "0"; f.OtherRules = "1" }, "READY=1 ACTIVATION=1 OTHER=0"},
	}
	short := strings.NewReplacer("MPATH_DEVICE_", "", "MPATH_", "", "DM_UDEV_DISABLE_OTHER_RULES_FLAG", "OTHER",
		"PATHKEEPER_", "", "DM_COLDPLUG_SUSPENDED", "COLD", "DM_ACTIVATION", "ACTIVATION")
	for _, c := range cases {
		f := base
		c.change(&f)
		have, _, _ := strings.Cut(line(MapProperties(f)), " DM_TYPE")
		if diff := cmp.Diff(c.want, short.Replace(have)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestMapProperties(t *testing.T) {
	owner := MapFacts{UUID: "mpath-3600a0b8", UID: "54321", GID: "503", Mode: 0o660, ValidPaths: Unknown, ActivePaths: Unknown}
	part := owner
	part.UUID = "part2-mpath-1ATA_x"
	quiet := MapFacts{UUID: "part2-mpath-3a", Mode: -1, ParentNotReady: true}
	dasd := MapFacts{UUID: "mpath-IBM.75", Mode: -1, ValidPaths: Unknown, ActivePaths: 1, Majors: []uint32{94, 94}}
	cciss := dasd
	cciss.Majors = []uint32{105}
	disks := dasd
	disks.Majors = []uint32{8, 66}
	const owned = " PATHKEEPER_UID=54321 PATHKEEPER_GID=503 PATHKEEPER_MODE=0660"
	for _, c := range []struct {
		facts MapFacts
		want  string
	}{
		{owner, "MPATH_DEVICE_READY=1 DM_TYPE=scsi DM_WWN=0x600a0b8 DM_SERIAL=3600a0b8" + owned},
		{part, "DM_PART=2 DM_TYPE=scsi DM_WWN=0xATA_x DM_SERIAL=1ATA_x" + owned},
		{quiet, "DM_PART=2 PATHKEEPER_NOSCAN=1 DM_TYPE=scsi DM_WWN=0xa DM_SERIAL=3a"},
		{dasd, "MPATH_DEVICE_READY=1 DM_TYPE=ccw DM_SERIAL=IBM.75"},
		{cciss, "MPATH_DEVICE_READY=1 DM_TYPE=cciss DM_SERIAL=IBM.75"},
		{disks, "MPATH_DEVICE_READY=1 DM_TYPE=scsi DM_WWN=0xBM.75 DM_SERIAL=IBM.75"},
		{MapFacts{UUID: "LVM-x"}, ""},
		{MapFacts{UUID: "partx-mpath-3"}, ""},
		{MapFacts{UUID: "mpath-"}, ""},
	} {
		if diff := cmp.Diff(c.want, line(MapProperties(c.facts))); diff != "" {
			t.Errorf("%s: %s", c.facts.UUID, diff)
		}
	}
}

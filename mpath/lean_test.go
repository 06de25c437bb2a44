package mpath

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pathkeeper/dmmap/table"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// fillView sets everything that a snapshot can hold to something, zeros among it.
func fillView(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(*n%3 != 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n%5) - 1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 4))
	case reflect.String:
		v.SetString([]string{"", "sda", `a "quoted\ name"`, "\x1b[2J", "no utf-8: \xff", "\x00", "später", "<&>"}[*n%8])
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), *n%3, *n%3))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fillView(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fillView(v.Field(i), n)
		}
	default:
		panic(v.Kind())
	}
}

func TestSnapshotText(t *testing.T) {
	for n := range 40 {
		var want Snapshot
		at := n
		fillView(reflect.ValueOf(&want).Elem(), &at)
		text := SnapshotText(want)
		if !json.Valid(text) {
			t.Fatalf("no JSON: %s", text)
		}
		have, err := ParseSnapshot(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, have, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%d: want -, have +:\n%s", n, d)
		}
	}
	if _, err := ParseSnapshot([]byte(`{"Now":"soon"}`)); err == nil {
		t.Error("a text that is no snapshot was read")
	}
}

// lunSnapshot is n LUNs of four paths each as a host has them, with what policy
// makes of them.
func lunSnapshot(t *testing.T, n int) Snapshot {
	t.Helper()
	rules, _ := policy.Compile(policy.Config{Devices: policy.BuiltinDevices()})
	s := Snapshot{Now: Instant(1000 * Second), Started: true}
	var properties []string
	for i := range 45 {
		properties = append(properties, fmt.Sprintf("ID_PROPERTY_%02d", i))
	}
	for i := range n {
		wwid := fmt.Sprintf("3600a0980000000000000000000%06d", i)
		m := MapView{WWID: wwid, Name: fmt.Sprintf("mpath%d", i), Known: true, Truth: Truth{Name: fmt.Sprintf("mpath%d", i), Target: "multipath", Live: true}}
		for j := range 4 {
			id := PathID{Dev: table.DevNum{Major: 8, Minor: uint32(16 * (4*i + j))}, Diskseq: uint64(4*i + j)}
			p := PathView{
				ID: id, Name: fmt.Sprintf("sd%d", 4*i+j), HCTL: fmt.Sprintf("%d:0:0:%d", j, i), WWID: wwid, Map: m.Name,
				State: pathcheck.StateUp, DevState: "running", Priority: 50, InTable: true, NextCheck: s.Now.After(5 * Second), Interval: 20 * Second,
			}
			p.Seen = PathSeen{
				ID: id, Name: p.Name, SG: fmt.Sprintf("sg%d", 4*i+j), HCTL: p.HCTL, Fresh: true, DevState: "running", TimeoutS: 30,
				Identity: scsi.Identity{
					WWID: wwid, Vendor: "NETAPP", Model: "LUN C-Mode", Rev: "9800", Serial: fmt.Sprintf("80Bxx%06d", i), PortGroup: 1000, RelPort: j,
					IDs: []scsi.ID{{Kind: scsi.IDWWID, Value: wwid}, {Kind: scsi.IDOldS, Value: "SNETAPP_LUN_C-Mode_80Bxx" + wwid[24:]}},
				},
				Facts: policy.Facts{Devnode: p.Name, DevType: "disk", Protocol: "scsi:fcp", Properties: properties, HasUdev: true, UIDValue: wwid, Size: 1 << 30, InWWIDs: true},
				Node:  "0x200a00a098000001",
			}
			p.Decision = rules.Decide(p.Seen.Identity, p.Seen.Facts, policy.State{})
			m.Settings = p.Decision.Settings
			s.Paths = append(s.Paths, p)
		}
		s.Maps = append(s.Maps, m)
	}
	return s
}

// What `show` and `multipath -ll` fetch from the daemon is printed, not explained:
// with traces and all settings a path took more than eight thousand bytes.
func TestLeanSnapshot(t *testing.T) {
	const paths, most = 400, 1300
	s := lunSnapshot(t, paths/4)
	lean := SnapshotText(s.Lean())
	if per := len(lean) / paths; per > most {
		t.Errorf("%d bytes for each path, %d are the most:\n%.6000s", per, most, lean)
	}
	whole, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(whole) < 4*len(lean) {
		t.Errorf("lean %d bytes, whole %d: the test's paths have too little that is left out", len(lean), len(whole))
	}
	if len(s.Paths[0].Decision.Trace) == 0 || len(s.Paths[0].Seen.Facts.Properties) == 0 {
		t.Error("the snapshot itself was changed")
	}
}

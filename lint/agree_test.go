package lint

import (
	"os"
	"path/filepath"
	"testing"

	"pathkeeper/configs"
	"pathkeeper/policy"
	"pathkeeper/scsi"
)

// What lint takes for the value of a setting on a device that is there is what the
// policy gives that device: for every sample, and for arrays with and without
// target port groups, built in and unknown.
func TestScopesAgreeWithThePolicy(t *testing.T) {
	var names []string
	for _, kind := range []string{"broken", "near", "good"} {
		found, err := filepath.Glob(filepath.Join("..", "testdata", "lint", kind, "*"))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	compared := 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cfg, _, err := configs.Parse([]configs.File{{Path: name, Data: data}})
		if err != nil {
			continue // it cannot be used, and says so
		}
		compiled, _ := policy.Compile(cfg)
		for _, model := range [][2]string{{"NETAPP", "LUN C-Mode"}, {"EMC", "SYMMETRIX"}, {"ACME", "Box"}, {"LIO-ORG", "FILEIO"}, {"PURE", "FlashArray"}} {
			for _, tpgs := range []uint8{0, 1} {
				id := scsi.Identity{WWID: "3600a0980383030534f0000000000ffff", Vendor: model[0], Model: model[1], TPGS: tpgs}
				facts := policy.Facts{Devnode: "sda", DevType: "disk", TPGS: tpgs != 0, AccessState: "active/optimized"}
				r := newRun(Input{Config: cfg, Machine: &Machine{Devices: []Device{{Identity: id, Facts: facts}}}})
				s := r.scopes[len(r.scopes)-1]
				if s.kind != scopePresent {
					t.Fatalf("%s: no scope for the device", name)
				}
				agree(t, name+" "+model[0]+","+model[1], s, compiled.Decide(id, facts, policy.State{}).Settings)
				compared++
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d comparisons", compared)
	}
}

func agree(t *testing.T, what string, s scope, want policy.Settings) {
	t.Helper()
	least, most := s.poll()
	if least != want.PollingInterval.V || most != want.MaxPollingInterval.V {
		t.Errorf("%s: checks every %d to %d s, the policy says %d to %d", what, least, most, want.PollingInterval.V, want.MaxPollingInterval.V)
	}
	retry := "unset"
	if v, ok := s.retry(); ok {
		retry = v.Value
	}
	if retry != want.NoPathRetry.V.String() {
		t.Errorf("%s: no_path_retry %s, the policy says %s", what, retry, want.NoPathRetry.V)
	}
	if s.value("failback", "manual") != want.Failback.V.String() {
		t.Errorf("%s: failback %s, the policy says %s", what, s.value("failback", "manual"), want.Failback.V)
	}
	// Where the device is known to have no target port groups the policy replaces
	// prio alua, and with it what hangs on it: lint speaks of the kind of array.
	if s.tpgs {
		if p := s.prio(); policy.Supports("prio", p) && p != want.Prio.V {
			t.Errorf("%s: prio %s, the policy says %s", what, p, want.Prio.V)
		}
		if g := s.grouping(); g != want.Grouping.V && !(g == "group_by_tpg" && want.Grouping.V == "failover") {
			t.Errorf("%s: path_grouping_policy %s, the policy says %s", what, g, want.Grouping.V)
		}
	} else if g := s.value("path_grouping_policy", "failover"); g != want.Grouping.V && g != "group_by_tpg" {
		t.Errorf("%s: path_grouping_policy %s, the policy says %s", what, g, want.Grouping.V)
	}
}

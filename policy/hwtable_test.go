package policy

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy/ere"
)

// The dump of multipath-tools' own built-in configuration is the other side.
func TestBuiltinDevicesEqualTheDump(t *testing.T) {
	b, err := os.ReadFile("../testdata/differential/conf-base-0.14.3.json")
	if err != nil {
		t.Fatal(err)
	}
	var base struct {
		Devices    []map[string]any
		Blacklist  [][]any
		Exceptions [][]any `json:"blacklist_exceptions"`
	}
	if err := json.Unmarshal(b, &base); err != nil {
		t.Fatal(err)
	}
	var want []map[string]string
	for _, d := range base.Devices {
		m := map[string]string{}
		for k, v := range d {
			m[k] = fmt.Sprint(v)
		}
		want = append(want, m)
	}
	var got []map[string]string
	hw := BuiltinDevices()
	for _, d := range hw {
		m := map[string]string{"vendor": d.Vendor, "product": d.Product}
		if d.ProductBlacklist != "" {
			m["product_blacklist"] = d.ProductBlacklist
		}
		for _, s := range d.Layer {
			m[s.Keyword] = s.Value
		}
		got = append(got, m)
		for _, p := range []string{d.Vendor, d.Product, d.ProductBlacklist} {
			if _, err := ere.Compile(p); err != nil {
				t.Error(err)
			}
		}
	}
	if len(got) != 137 {
		t.Errorf("got %d entries, want 137", len(got))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}

	bl, ex := BuiltinRules(hw, false)
	ruleText := func(rules []Rule) (out [][]any) {
		names := map[RuleClass]string{ClassDevnode: "devnode", ClassWWID: "wwid", ClassProperty: "property", ClassProtocol: "protocol"}
		for _, r := range rules {
			if r.Class == ClassDevice {
				out = append(out, []any{"device", map[string]any{"vendor": r.Pattern, "product": r.Product}})
			} else {
				out = append(out, []any{names[r.Class], r.Pattern})
			}
		}
		return out
	}
	if diff := cmp.Diff(base.Blacklist, ruleText(bl)); diff != "" {
		t.Errorf("blacklist, want -, got +:\n%s", diff)
	}
	if diff := cmp.Diff(base.Exceptions, ruleText(ex)); diff != "" {
		t.Errorf("exceptions, want -, got +:\n%s", diff)
	}
	if bl, _ := BuiltinRules(hw, true); bl[0].Pattern != "!^(sd[a-z]|dasd[a-z])" {
		t.Errorf("with native NVMe multipath: got %q", bl[0].Pattern)
	}
}

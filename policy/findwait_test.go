package policy

import (
	"testing"

	"pathkeeper/scsi"
)

func TestFindWait(t *testing.T) {
	known := scsi.Identity{Vendor: "NETAPP", Model: "LUN C-Mode"}
	unknown := scsi.Identity{Vendor: "NOBODY", Model: "KNOWS"}
	for _, c := range []struct {
		setting        string
		known, unknown int
	}{
		{"", 10, 1},
		{"-10", 10, 1},
		{"-30", 30, 1},
		{"0", 10, 1},
		{"7", 7, 7},
		{"soon", 10, 1},
	} {
		cfg := Config{Devices: []Device{{Vendor: "NETAPP", Product: "LUN"}}}
		if c.setting != "" {
			cfg.Defaults = Layer{{Keyword: "find_multipaths_timeout", Value: c.setting}}
		}
		compiled, _ := Compile(cfg)
		if got := compiled.FindWait(known); got != c.known {
			t.Errorf("%q, known: %d, want %d", c.setting, got, c.known)
		}
		if got := compiled.FindWait(unknown); got != c.unknown {
			t.Errorf("%q, unknown: %d, want %d", c.setting, got, c.unknown)
		}
	}
}

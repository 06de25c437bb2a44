package show_test

import (
	"testing"

	"pathkeeper/policy"
	"pathkeeper/show"
)

func compiled(t *testing.T, cfg policy.Config) *policy.Compiled {
	t.Helper()
	rules, problems := policy.Compile(cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

// As Debian's multipathd printed the same configuration.
func TestBlacklist(t *testing.T) {
	file := policy.Origin{File: "/etc/multipath.conf", Line: 1, Column: 1}
	rules := compiled(t, policy.Config{
		Blacklist: []policy.Rule{
			{Class: policy.ClassDevnode, Pattern: "^loop[0-9]", Origin: file},
			{Class: policy.ClassWWID, Pattern: "SATA_never", Origin: file},
			{Class: policy.ClassProtocol, Pattern: "scsi:usb", Origin: file},
			{Class: policy.ClassProperty, Pattern: "ID_FOO", Origin: file},
			{Class: policy.ClassDevice, Pattern: "FOO", Product: "BAR", Origin: file},
		},
		Exceptions: []policy.Rule{{Class: policy.ClassWWID, Pattern: "3600.*", Origin: file}},
		Devices:    []policy.Device{{Vendor: "SGI", Product: "TP9", ProductBlacklist: "Universal Xport", BuiltIn: true}},
	})
	wantText(t, `device node rules:
- blacklist:
        (config file rule) ^loop[0-9]
        (default rule)     !^(sd[a-z]|dasd[a-z]|nvme[0-9])
- exceptions:
        <empty>
udev property rules:
- blacklist:
        (config file rule) ID_FOO
- exceptions:
        (default rule)     (SCSI_IDENT_|ID_WWN)
protocol rules:
- blacklist:
        (config file rule) scsi:usb
- exceptions:
        <empty>
wwid rules:
- blacklist:
        (config file rule) SATA_never
- exceptions:
        (config file rule) 3600.*
device rules:
- blacklist:
        (config file rule) FOO:BAR
        (default rule)     SGI:Universal Xport
- exceptions:
        <empty>
`, show.Blacklist(rules))
}

func TestBlockDevices(t *testing.T) {
	list := []show.BlockDevice{{Name: "dm-0"}, {Name: "nvme0c0n1", Hidden: true}, {Name: "sdb"}, {Name: "sdx"}, {Name: "sd\x1bc"}, {Name: "vda"}}
	wantText(t, `available block devices:
    dm-0 devnode blacklisted, unmonitored
    nvme0c0n1 hidden, unmonitored
    sdb  devnode whitelisted, monitored
    sdx devnode whitelisted, unmonitored
    sd\x1bc devnode blacklisted, unmonitored
    vda devnode blacklisted, unmonitored
`, show.BlockDevices(sampled(t), compiled(t, policy.Config{}), list))
}

func TestHoldsBack(t *testing.T) {
	const queues, fails = "1 queue_if_no_path 0 1 1 service-time 0 2 1 8:16 1 8:32 1", "0 0 1 1 service-time 0 2 1 8:16 1 8:32 1"
	const half, dead = "2 0 1 0 1 1 A 0 2 2 8:16 F 1 0 1 8:32 A 0 0 1", "2 0 1 0 1 1 E 0 2 2 8:16 F 1 0 1 8:32 F 1 0 1"
	for _, tt := range []struct {
		table, status string
		want          bool
	}{{queues, half, false}, {queues, dead, true}, {fails, dead, false}} {
		f := newFixture(t)
		f.addMap("ocr1", "3600", 7, 2048, tt.table, tt.status, 1)
		if got := show.HoldsBack(f.s); got != tt.want {
			t.Errorf("%s, %s: %v", tt.table, tt.status, got)
		}
		f.s.Maps[0].Known = false
		if show.HoldsBack(f.s) {
			t.Error("a map that the kernel does not have")
		}
	}
}

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

package sysfs

import "testing"

// A port is named where its transport has names for it; what is not there is left out.
func TestReadPort(t *testing.T) {
	root := open(t, plant(t, "transports"))
	for _, tc := range []struct {
		disk string
		want Port
	}{
		{"sdb", Port{HostNode: "0x20000025b5000001", HostPort: "0x20000025b5aa0001", TargetPort: "0x5005076801100abc", Adapter: "0000:00:05.0", MaxSectorsKB: 1280}},
		{"sdc", Port{Adapter: "192.0.2.17"}},
		{"sdd", Port{}},
		{"sde", Port{Adapter: "0000:00:06.0"}},
		{"sdf", Port{}},
		{"nvme0n1", Port{MaxSectorsKB: 512}},
	} {
		d, err := ReadDisk(root, tc.disk)
		if err != nil {
			t.Errorf("%s: %v", tc.disk, err)
		} else if have := ReadPort(root, d); have != tc.want {
			t.Errorf("%s: have %+v, want %+v", tc.disk, have, tc.want)
		}
	}
}

func TestIsAdapter(t *testing.T) {
	for s, want := range map[string]bool{
		"0000:00:1f.2": true, "10000:e1:00.0": true, "0.0.1700": true,
		"3:0:0:1": false, "1.2.3.4": false, "": false, "host3": false, "pci0000:00": false, "2-1.4": false,
	} {
		if have := isAdapter(s); have != want {
			t.Errorf("%q: %v", s, have)
		}
	}
}

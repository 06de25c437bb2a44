package main

import (
	"bytes"
	"strings"
	"testing"

	"pathkeeper/policy"
)

// namedHost is a host whose configuration has a names section.
type namedHost struct {
	host
	disks []policy.Disk
}

func (h namedHost) loadConfig() (policy.Config, error) {
	cfg, err := h.host.loadConfig()
	cfg.Disks = h.disks
	return cfg, err
}

func TestHookSingleDisk(t *testing.T) {
	entry := policy.Disk{
		WWID: testWWID, Name: "oracleasm/ocr1", Owner: "54321", Group: "root", Mode: 0o660,
		Origin: policy.Origin{File: "/etc/pathkeeper/pathkeeper.yaml", Line: 7, Column: 5},
	}
	with := func(change func(*policy.Disk)) policy.Disk {
		d := entry
		change(&d)
		return d
	}
	for _, c := range []struct {
		name   string
		entry  policy.Disk
		change func(*fakeHost)
		has    []string
		hasNot []string
	}{
		{"named", entry, nil, []string{
			`DM_MULTIPATH_DEVICE_PATH="0"`, `PATHKEEPER_TOLD="1"`, `PATHKEEPER_NAME="oracleasm/ocr1"`,
			`PATHKEEPER_UID="54321"`, `PATHKEEPER_GID="0"`, `PATHKEEPER_MODE="0660"`,
		}, []string{"NAME_REASON"}},
		{"an owner that nobody knows", with(func(d *policy.Disk) { d.Owner = "no-such-user" }), nil, []string{
			`PATHKEEPER_NAME="oracleasm/ocr1"`, `PATHKEEPER_GID="0"`, "owner no-such-user is not known here",
		}, []string{"PATHKEEPER_UID"}},
		{
			"owner and mode unset", with(func(d *policy.Disk) { d.Owner, d.Group, d.Mode = "", "", -1 }), nil,
			[]string{"PATHKEEPER_NAME"},
			[]string{"PATHKEEPER_UID", "PATHKEEPER_GID", "PATHKEEPER_MODE"},
		},
		{"listed in wwids", entry, func(h *fakeHost) { h.write("etc/multipath/wwids", "/"+testWWID+"/\n") }, []string{
			`DM_MULTIPATH_DEVICE_PATH="1"`, "pathkeeper.yaml:7:5]: gives nothing: it is taken as a path of a multipath map (listed in the wwids file)",
		}, []string{"PATHKEEPER_NAME=", "PATHKEEPER_UID"}},
		{
			"a name of the kernel's", with(func(d *policy.Disk) { d.Name = "sdb" }), nil,
			[]string{"gives nothing", "kernel name of a disk"},
			[]string{"PATHKEEPER_NAME=", "PATHKEEPER_UID"},
		},
		{"another disk's", with(func(d *policy.Disk) { d.WWID = "3600beef" }), nil, []string{`PATHKEEPER_TOLD="1"`}, []string{"PATHKEEPER_NAME"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFakeHost(t)
			if c.change != nil {
				c.change(h)
			}
			var out, errs bytes.Buffer
			env := []string{"ACTION=add", "DEVPATH=/devices/x/block/sda", "DEVNAME=/dev/sda", "DEVTYPE=disk", "SUBSYSTEM=block"}
			if code := hookMain(namedHost{h.host, []policy.Disk{c.entry}}, env, streams{&out, &errs}); code != exitDone {
				t.Fatalf("exit %d: %s", code, errs.String())
			}
			for _, want := range c.has {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %s in\n%s", want, out.String())
				}
			}
			for _, not := range c.hasNot {
				if strings.Contains(out.String(), not) {
					t.Errorf("%s in\n%s", not, out.String())
				}
			}
		})
	}
}

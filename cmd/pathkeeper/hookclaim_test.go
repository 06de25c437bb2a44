package main

import (
	"os"
	"path/filepath"
	"testing"

	"pathkeeper/policy"
	"pathkeeper/rules"
)

// -u wants somebody who builds the map, -c does not ask.
func TestClaimOf(t *testing.T) {
	const claimed, free = "DM_MULTIPATH_DEVICE_PATH=\"1\"\n", "DM_MULTIPATH_DEVICE_PATH=\"0\"\n"
	for _, c := range []struct {
		name   string
		change func(*fakeHost)
		ask    bool
		want   string
		claim  policy.Claim
	}{
		{"-u", func(*fakeHost) {}, true, claimed, policy.ClaimFinal},
		{"-u, nobody builds", func(h *fakeHost) { os.RemoveAll(filepath.Join(h.dir, "wants")) }, true, free, policy.ClaimNo},
		{"-c, nobody builds", func(h *fakeHost) { os.RemoveAll(filepath.Join(h.dir, "wants")) }, false, claimed, policy.ClaimFinal},
		{"-u, rules have imported what was said", func(h *fakeHost) { h.write("run/udev/data/b8:0", "E:DM_MULTIPATH_DEVICE_PATH=0\n") }, true, claimed, policy.ClaimFinal},
		{"-u, a wait ran before", func(h *fakeHost) { h.write("run/udev/data/b8:0", "E:FIND_MULTIPATHS_WAIT_UNTIL=3.0\n") }, true, claimed, policy.ClaimFinal},
		{"-u, unknown and alone", func(h *fakeHost) {
			h.write("etc/multipath/wwids", "")
			h.write("etc/multipath.conf", "defaults {\n find_multipaths smart\n find_multipaths_timeout 20\n}\n")
			os.Remove(filepath.Join(h.dir, "sys/block/sdb"))
		}, true, "FIND_MULTIPATHS_WAIT_UNTIL=\"20.000000\"\nDM_MULTIPATH_DEVICE_PATH=\"2\"\n", policy.ClaimMaybe},
	} {
		h := newFakeHost(t)
		h.write("etc/multipath/wwids", "/"+testWWID+"/\n")
		c.change(h)
		kvs, claim, err := claimOf(h.host, "sda", readEnvironment([]string{"DM_MULTIPATH_DEVICE_PATH=1", "ACTION=add"}), c.ask)
		if err != nil || rules.Format(kvs) != c.want || claim != c.claim {
			t.Errorf("%s: %q, %s, %v; want %q, %s", c.name, rules.Format(kvs), claim, err, c.want, c.claim)
		}
	}
	h := newFakeHost(t)
	h.dm("dm-0", "253:0", "mpath-"+testWWID, "sda")
	for _, odd := range []string{"dm-0", "sdx", ""} {
		if kvs, claim, err := claimOf(h.host, odd, nil, false); err == nil || claim != policy.ClaimUnknown || len(kvs) > 0 {
			t.Errorf("%q: %v, %s, %v", odd, kvs, claim, err)
		}
	}
}

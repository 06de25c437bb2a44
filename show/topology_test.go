package show_test

import (
	"strings"
	"testing"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/show"
)

// twoMaps is the sample's map and one of shorter names and numbers.
func twoMaps(t *testing.T) *fixture {
	f := netapp(t)
	f.addMap("b", "b", 4, 20971520, "0 0 1 1 service-time 0 1 2 8:64 1 1", "2 0 0 0 1 1 A 0 1 2 8:64 A 0 0 1", 1)
	f.addPath("1:0:0:0", "sde", "8:64", pathcheck.StateUp, "running", "NETAPP", "LUN")
	return f
}

// `multipath -ll` makes columns as wide as the map needs, `show topology` of the
// daemon as wide as all its paths need.
func TestTopologyWidths(t *testing.T) {
	s := twoMaps(t).s
	head := "b dm-4 NETAPP,LUN\nsize=10G features='0' hwhandler='0' wp=rw\n`-+- policy='service-time 0' prio=1 status=active\n"
	wantText(t, netappSample+head+"  `- 1:0:0:0 sde 8:64 active ready running\n", show.Topology(s, show.TopologyOptions{}))
	all := head + "  `- 1:0:0:0   sde  8:64   active ready  running\n"
	wantText(t, netappSample+all, show.Topology(s, show.TopologyOptions{WideAsAll: true}))
	one, ok := show.TopologyOfMap(s, "/dev/dm-4", show.TopologyOptions{WideAsAll: true})
	if !ok {
		t.Error("no map dm-4")
	}
	wantText(t, all, one)
	// A disk without a map counts too: its device's state is unknown.
	s.Paths = s.Paths[4:]
	orphan := s.Paths[0]
	orphan.ID.Diskseq, orphan.Name, orphan.HCTL, orphan.WWID, orphan.Map, orphan.InTable = 99, "sdlong", "10:0:0:0", "", "", false
	orphan.Decision.Verdict = policy.VerdictReject
	s.Paths, s.Maps = append(s.Paths, orphan), s.Maps[1:]
	wantText(t, head+"  `- 1:0:0:0  sde    8:64 active ready running\n", show.Topology(s, show.TopologyOptions{WideAsAll: true}))
}

func TestTopologyHeader(t *testing.T) {
	s := netapp(t).s
	s.Maps[0].LastAction = "reload"
	first, rest, _ := strings.Cut(netappSample, "\n")
	wantText(t, "\x1b[1m"+first+"\x1b[0m\n"+rest, show.Topology(s, show.TopologyOptions{Bold: true}))
	wantText(t, "reload: "+netappSample, show.Topology(s, show.TopologyOptions{Actions: true}))
	s.Maps[0].LastAction = ""
	wantText(t, netappSample, show.Topology(s, show.TopologyOptions{Actions: true}))
}

func TestVerbose(t *testing.T) {
	s := netapp(t).s
	for level, want := range []string{"", "mpatha\n", netappSample, netappSample} {
		wantText(t, want, show.Verbose(s, level, show.TopologyOptions{}))
	}
}

func TestFindMap(t *testing.T) {
	f := netapp(t)
	// A map may be called as another one's kernel name or WWID is: the kernel's name
	// counts first, then names, then WWIDs.
	f.addMap("dm-3", "other", 4, 2048, "0 0 0 0", "0 0 0 0")
	f.addMap("other", "third", 5, 2048, "0 0 0 0", "0 0 0 0")
	for name, want := range map[string]string{
		"mpatha": "dm-3", "3600a0980000000000000000000000001": "dm-3", "dm-3": "dm-3", "/dev/dm-3": "dm-3", "/dev/mapper/mpatha": "dm-3",
		"other": "dm-5", "third": "dm-5", "dm-4": "dm-4",
		"": "", "sdb": "", "8:16": "", "dm-9": "", "/dev/": "",
	} {
		have, ok := show.FormatOfMap(f.s, name, "%d")
		if strings.TrimSpace(have) != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", name, have, ok, want)
		}
	}
}

// multipath lists maps as the kernel does, by name; multipathd by number.
func TestOrderOfMaps(t *testing.T) {
	s := mpath.Snapshot{Maps: []mpath.MapView{
		{WWID: "W1", Name: "two", Known: true, Truth: mpath.Truth{Name: "two", UUID: "mpath-W1", Dev: table.DevNum{Major: 254, Minor: 0}}},
		{WWID: "W2", Name: "one", Known: true, Truth: mpath.Truth{Name: "one", UUID: "mpath-W2", Dev: table.DevNum{Major: 254, Minor: 1}}},
	}}
	first := func(text string) string { return strings.Fields(text)[0] }
	if got := first(show.Verbose(s, 2, show.TopologyOptions{})); got != "one" {
		t.Errorf("multipath -ll begins with %q", got)
	}
	if got := first(show.Verbose(s, 1, show.TopologyOptions{})); got != "one" {
		t.Errorf("multipath -l -v1 begins with %q", got)
	}
	if got := first(show.Topology(s, show.TopologyOptions{})); got != "two" {
		t.Errorf("show topology begins with %q", got)
	}
}

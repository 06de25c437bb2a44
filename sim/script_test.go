package sim

import (
	"strings"
	"testing"

	"pathkeeper/scenario"
)

// Every verb that the simulator may meet has a meaning here, and no other.
func TestVerbsHaveMeanings(t *testing.T) {
	have := NewSession(ScriptOptions{}).verbs
	known := map[string]bool{}
	for _, v := range scenario.Verbs() {
		known[v.Name] = true
		if v.Side.On(scenario.Sim) != (have[v.Name] != nil) {
			t.Errorf("%q is %s, and the simulator knows it: %v", v.Name, v.Side, have[v.Name] != nil)
		}
	}
	for name := range have {
		if !known[name] {
			t.Errorf("the simulator knows %q, which no script can say", name)
		}
	}
}

func play(t *testing.T, text string) (Result, string) {
	t.Helper()
	script, err := scenario.Parse("x.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r := PlayScript(script, ScriptOptions{Seed: 1, Tell: &b})
	return r, b.String()
}

// two is a LUN behind two ports with a map that nobody manages.
const two = "only: sim\nlun x 64M A1 B1\nrun dmsetup create x --table \"0 131072 multipath 0 0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1\"\n"

// What does not come true is told with its line, what is, and how long it waited,
// which is exactly the time that the script gave.
func TestUntrueExpectations(t *testing.T) {
	for text, want := range map[string]string{
		"expect map x groups=\"B1 | A1\" within=3s": `x.txt:4: expect map x groups="B1 | A1" within=3s: groups is "A1 | B1", not "B1 | A1"` + "\n  the kernel has: wwid= groups=",
		"expect map x paths=1 within=3s":            "waited 3s of simulated time, until second    3.050",
		"expect map y":                              "no multipath map y; there is x; waited 10s",
		"expect maps":                               "the multipath maps are [x], not []",
		"expect no-map x within=1s":                 "the map x exists; waited 1s",
		"expect loads x 0":                          `no mark "" was set; usage: expect loads MAP|any COUNT`,
		"mark\nrun dmsetup message x 0 fail_if_no_path\nexpect messages x 0":   "x.txt:6: expect messages x 0: the kernel saw 1\n  message x fail_if_no_path",
		"expect log nothing within=2s":                                         "no such line; waited 2s",
		"expect owner /dev/mapper/x 1 2 0600 within=1s":                        "/dev/mapper/x is 0:6 0660, not 1:2 0600",
		"probe p write /dev/mapper/x EIO":                                      "it is ok, not EIO",
		"probe p read x:A1 ok stamp=p":                                         `does not begin with the stamp "p"`,
		"path x A1 offline\npath x B1 offline\nprobe p write /dev/mapper/x ok": "it is EIO (EIO: the device is offline or gone), not ok",
		"path x A1 offline\nprobe p write x:A1 ok":                             "it is ENXIO, not ok",
		"daemon stop": "the daemon does not run",
		"daemon start\ndaemon kill at=load\ndaemon start":                                          "the kill at load has not come",
		"io w start /dev/mapper/x\npath x A1 offline\npath x B1 offline\nio w progress\nio w stop": "writes failed, the first: block",
		"io w start /dev/mapper/x\nio w stalled":                                                   "I/O goes on: 2",
		"wait-file /etc/none within=1s":                                                            "there is no such file; waited 1s",
		"expect daemon running within=1s":                                                          "it is ended",
		"hold h /dev/mapper/x\nhold h /dev/mapper/x":                                               "holds a device already; usage: hold NAME DEVICE",
		"run dmsetup remove y":                                                                     "exit 1, not 0; it printed:\ndmsetup: ",
		"run pathkeeper show maps":                                                                 "this simulated host has no program pathkeeper",
		"probe p write x:A1 ok stamp=s\nexpect untouched x":                                        "1 blocks of it were written",
		"uevents lose=1001":                                                                        "is no number out of 1000; usage: uevents",
		"pass soon":                                                                                `"soon" is no duration such as 5s or 2m; usage: pass DURATION`,
	} {
		r, told := play(t, two+text+"\n")
		if r.Err == nil || !strings.Contains(r.Err.Error(), want) || !strings.HasPrefix(r.Err.Error(), "x.txt:") {
			t.Errorf("%s: %v\nwant %s\n%s", text, r.Err, want, told)
		}
	}
}

// for= must hold for the whole time, of the simulated clock.
func TestExpectationsHold(t *testing.T) {
	r, _ := play(t, two+"expect map x failed=\"\" for=7s\n")
	if r.Err != nil || r.Seconds < 7 || r.Seconds > 7.2 {
		t.Errorf("%v after %.3f s", r.Err, r.Seconds)
	}
	r, _ = play(t, two+`io w start /dev/mapper/x
daemon start
expect log ready
daemon pause
path x A1 offline
io w progress
expect map x failed="" for=7s
`)
	if r.Err == nil || !strings.Contains(r.Err.Error(), `failed is "A1", not ""`) {
		t.Errorf("%v", r.Err)
	}
}

// A write that reaches a stranger fails the script at the verb behind which it
// happened, unless the script expects it.
func TestStraysAreTold(t *testing.T) {
	const text = `only: sim
lun x 64M A1 via=iscsi
lun other 64M A1 via=iscsi
run dmsetup create x -u mpath-@wwid:x --table "0 131072 multipath 0 0 1 1 round-robin 0 1 1 8:0 1"
path x A1 remap to=other
probe p write /dev/mapper/x ok
`
	if r, _ := play(t, text); r.Err == nil || !strings.Contains(r.Err.Error(), "x.txt:6: probe p write /dev/mapper/x ok: 1 writes reached another LUN than they were meant for") {
		t.Errorf("%v", r.Err)
	}
}

package packaging_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// host is a tree in which the switch is played, with tools that only keep books.
type host struct {
	t    *testing.T
	root string
	bin  string // the tools, first in PATH
	env  []string
}

const (
	unitDir = "/usr/lib/systemd/system/"
	etcDir  = "/etc/systemd/system/"
)

// tools stand for those of the host. systemctl knows links as the real one does for
// enable and disable, and writes the rest into a log; dpkg-divert keeps a list.
func tools() map[string]string {
	return map[string]string{
		"sync": "#!/bin/sh\n",
		"dpkg-divert": `#!/bin/sh
f=$BOOKS/diversions; touch $f
for last; do :; done
case "$*" in
*" --add "*) grep -qx "$last" $f || echo "$last" >>$f ;;
*) grep -vx "$last" $f >$f.new; mv $f.new $f ;;
esac
`,
		"systemctl": `#!/bin/sh
echo "$*" | sed 's/--root=[^ ]* //; s/--quiet //; s/--no-reload //' >>$BOOKS/calls
root= verb=
for a; do
	case $a in
	--root=*) root=${a#--root=} ;;
	-*) ;;
	*)	if [ -z "$verb" ]; then verb=$a; continue; fi
		w=$root/etc/systemd/system/sysinit.target.wants
		case $verb in
		enable) mkdir -p $w; ln -sfn /usr/lib/systemd/system/$a $w/$a ;;
		disable) rm -f $w/$a ;;
		start) case " ${FAILS:-} " in *" $a "*) exit 1 ;; esac ;;
		is-active) case " ${ACTIVE:-} " in *" $a "*) exit 0 ;; esac; exit 3 ;;
		is-enabled) [ -L $ROOTDIR/etc/systemd/system/sysinit.target.wants/$a ] || exit 1 ;;
		esac ;;
	esac
done
`,
		"udevadm": "#!/bin/sh\necho udevadm $* >>$BOOKS/calls\n",
	}
}

// newHost is a host with multipath-tools installed and enabled, and our package
// unpacked. What stands in files comes on top: a text that begins with "-> " is a link.
func newHost(t *testing.T, files map[string]string) *host {
	t.Helper()
	h := &host{t: t, root: t.TempDir(), bin: t.TempDir()}
	for name, text := range tools() {
		h.write(h.bin, name, text)
	}
	switchScript, err := os.ReadFile("switch")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"/usr/sbin/pathkeeper":                             "#!/bin/sh\n[ -z \"${REFUSES:-}\" ] || { echo refused >&2; exit 1; }\n",
		"/usr/sbin/multipath":                              "theirs multipath",
		"/usr/sbin/multipathd":                             "theirs multipathd",
		"/sbin":                                            "-> usr/sbin",
		"/lib":                                             "-> usr/lib",
		"/usr/lib/udev/rules.d/60-mp.rules":                "theirs rules",
		"/usr/lib/pathkeeper/programs":                     "multipath\nmultipathd\nmultipathc\n",
		"/usr/lib/pathkeeper/their-rules":                  "# a remark\n60-mp.rules\n56-gone.rules\n",
		"/usr/lib/pathkeeper/switch":                       string(switchScript),
		"/usr/lib/pathkeeper/pages":                        "man8/multipath.8.gz\n",
		"/usr/share/man/man8/multipath.8.gz":               "their page",
		unitDir + "multipathd.service":                     "theirs",
		unitDir + "multipathd.socket":                      "theirs",
		unitDir + "pathkeeper.service":                     "ours",
		unitDir + "pathkeeper-queueing.service":            "ours",
		etcDir + "sysinit.target.wants/multipathd.service": "-> " + unitDir + "multipathd.service",
		etcDir + "sockets.target.wants/multipathd.socket":  "-> " + unitDir + "multipathd.socket",
	}
	maps.Copy(all, files)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] != "" {
			h.write(h.root, name, all[name])
		}
	}
	h.env = append(os.Environ(), "PATH="+h.bin+":"+os.Getenv("PATH"), "PATHKEEPER_ROOT="+h.root, "BOOKS="+h.bin, "ROOTDIR="+h.root)
	return h
}

func (h *host) write(dir, name, text string) {
	h.t.Helper()
	file := filepath.Join(dir, name)
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if target, ok := strings.CutPrefix(text, "-> "); ok && err == nil {
		err = os.Symlink(target, file)
	} else if err == nil {
		err = os.WriteFile(file, []byte(text), 0o755)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// run plays the switch and returns what it said and how it ended.
func (h *host) run(verb string, env ...string) (string, error) {
	c := exec.Command("sh", filepath.Join(h.root, "usr/lib/pathkeeper/switch"), verb)
	c.Env = append(slices.Clone(h.env), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

func (h *host) must(verb string, env ...string) {
	h.t.Helper()
	if out, err := h.run(verb, env...); err != nil {
		h.t.Fatalf("%s: %v: %s", verb, err, out)
	}
}

// tree is all that the switch may touch: every file and link with its content, and
// the diversions.
func (h *host) tree() map[string]string {
	out := map[string]string{}
	err := filepath.WalkDir(h.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel := strings.TrimPrefix(name, h.root)
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(name)
			out[rel] = "-> " + target
			return err
		}
		text, err := os.ReadFile(name)
		out[rel] = string(text)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(h.bin, "diversions")); err == nil && len(text) > 0 {
		lines := strings.Fields(string(text))
		slices.Sort(lines)
		out["diversions"] = strings.Join(lines, " ")
	}
	return out
}

// bootable holds what a boot needs at any moment: the programs lead to something,
// one manager is started, and nobody holds our daemon's socket for it.
func (h *host) bootable(when string) {
	h.t.Helper()
	for _, p := range []string{"multipath", "multipathd"} {
		if _, err := os.Lstat(filepath.Join(h.root, "sbin", p)); err != nil {
			h.t.Errorf("%s: %v", when, err)
		}
	}
	tree := h.tree()
	// resolve gives the unit file behind a name: the link in /etc goes first.
	resolve := func(unit string) string {
		if to, ok := tree[etcDir+unit]; ok {
			if target := strings.TrimPrefix(to, "-> "); target != to {
				return target
			}
			return etcDir + unit
		}
		return unitDir + unit
	}
	started := map[string]bool{}
	for name := range tree {
		if unit, ok := strings.CutPrefix(name, etcDir+"sysinit.target.wants/"); ok && !strings.Contains(unit, "queueing") {
			if target := resolve(unit); target != "/dev/null" {
				started[target] = true
			}
		}
	}
	if len(started) != 1 {
		h.t.Errorf("%s: a boot starts %v", when, slices.Sorted(maps.Keys(started)))
	}
	if started[unitDir+"pathkeeper.service"] && resolve("multipathd.socket") != "/dev/null" {
		h.t.Errorf("%s: our daemon is started while systemd holds its socket", when)
	}
}

func same(t *testing.T, what string, have, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if have[name] != want[name] {
			t.Errorf("%s: %s is %q, want %q", what, name, have[name], want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := have[name]; !ok {
			t.Errorf("%s: %s is missing", what, name)
		}
	}
}

func TestSwitchTakesAndGivesBack(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"merged /usr":              nil,
		"masked by hand":           {etcDir + "multipathd.service": "-> /dev/null", etcDir + "multipathd.socket": "-> /dev/null"},
		"a unit of the host's own": {etcDir + "multipathd.service": "the administrator's"},
		"split /usr": {
			"/sbin": "", "/lib": "", "/usr/sbin/multipath": "", "/usr/sbin/multipathd": "", "/usr/lib/udev/rules.d/60-mp.rules": "",
			"/sbin/multipath": "theirs", "/sbin/multipathd": "theirs", "/lib/udev/rules.d/60-mp.rules": "theirs",
		},
		"without multipath-tools": {
			"/usr/sbin/multipath": "", "/usr/sbin/multipathd": "", "/usr/lib/udev/rules.d/60-mp.rules": "", unitDir + "multipathd.service": "",
			unitDir + "multipathd.socket": "", etcDir + "sysinit.target.wants/multipathd.service": "", etcDir + "sockets.target.wants/multipathd.socket": "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, files)
			before := h.tree()
			h.must("take")
			sbin := "/usr/sbin/"
			if _, split := before["/sbin/multipath"]; split {
				sbin = "/sbin/"
			}
			after := h.tree()
			for _, p := range []string{"multipath", "multipathd", "multipathc"} {
				if after[sbin+p] != "-> /usr/sbin/pathkeeper" {
					t.Errorf("%s is %q", p, after[sbin+p])
				}
				if theirs := before[sbin+p]; after[sbin+p+".multipath-tools"] != theirs {
					t.Errorf("theirs is %q beside it, want %q", after[sbin+p+".multipath-tools"], theirs)
				}
				for _, dir := range []string{sbin, "/sbin/"} {
					if !slices.Contains(strings.Fields(after["diversions"]), dir+p) {
						t.Errorf("%s%s is not diverted: %s", dir, p, after["diversions"])
					}
				}
			}
			for name := range after {
				if strings.HasSuffix(name, "60-mp.rules") {
					t.Errorf("%s is still read", name)
				}
			}
			if page := after["/usr/share/man/man8/multipath.8.gz"]; page != "-> /usr/share/pathkeeper/man/man8/multipath.8.gz" {
				t.Errorf("the page is %q", page)
			}
			h.bootable("taken")
			if out, err := h.run("status"); err != nil {
				t.Errorf("status: %v: %s", err, out)
			}
			h.must("take")
			same(t, "taken twice", h.tree(), after)
			h.must("give-back")
			same(t, "given back", h.tree(), before)
			if out, err := h.run("status"); err == nil || !strings.Contains(out, "multipathd.service theirs") {
				t.Errorf("status: %v: %s", err, out)
			}
			h.must("give-back")
			same(t, "given back twice", h.tree(), before)
		})
	}
}

// An interruption before any step leaves a host that boots with one manager, and
// from there both ways lead to their ends.
func TestSwitchIsCutAnywhere(t *testing.T) {
	few := map[string]string{"/usr/lib/pathkeeper/pages": "# none\n", "/usr/lib/pathkeeper/programs": "multipathd\n", "/usr/lib/pathkeeper/their-rules": "60-mp.rules\n"}
	whole := newHost(t, few)
	before := whole.tree()
	whole.must("take")
	after := whole.tree()
	for _, way := range []struct {
		verb, other string
		want, back  map[string]string
	}{{"take", "give-back", after, before}, {"give-back", "take", before, after}} {
		for n := 1; ; n++ {
			h := newHost(t, few)
			if way.verb == "give-back" {
				h.must("take")
			}
			when := fmt.Sprintf("%s cut at step %d", way.verb, n)
			out, err := h.run(way.verb, fmt.Sprintf("PATHKEEPER_SWITCH_CUT=%d", n), "PATHKEEPER_SWITCH_TELL=1")
			if err == nil {
				if n < 12 {
					t.Errorf("%s: it has only so many steps: %s", when, out)
				}
				break
			}
			h.bootable(when)
			if n%2 == 0 { // the other way first, then where it wanted to
				h.must(way.other)
				same(t, when+", then "+way.other, h.tree(), way.back)
			}
			h.must(way.verb)
			same(t, when+", then "+way.verb, h.tree(), way.want)
			if t.Failed() {
				t.Fatalf("%s", out)
			}
		}
	}
}

// calls is what the running systemd was told, without what only asks.
func (h *host) calls() []string {
	text, _ := os.ReadFile(filepath.Join(h.bin, "calls"))
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"), func(s string) bool {
		return s == "" || strings.HasPrefix(s, "is-") || strings.HasPrefix(s, "enable") || strings.HasPrefix(s, "disable")
	})
}

func TestSwitchOfALiveHost(t *testing.T) {
	live := []string{"PATHKEEPER_SWITCH_LIVE=1", "ACTIVE=multipathd.service"}
	expect := func(h *host, want ...string) {
		t.Helper()
		if have := h.calls(); !slices.Equal(have, want) {
			t.Errorf("systemd was told %q, want %q", have, want)
		}
		os.Remove(filepath.Join(h.bin, "calls"))
	}
	// Their socket before their daemon, else a client would wake it again; our
	// daemon only when theirs has stopped.
	h := newHost(t, nil)
	h.must("take", live...)
	expect(h, "stop multipathd.socket", "stop multipathd.service", "daemon-reload", "start pathkeeper.service", "start pathkeeper-queueing.service", "udevadm control --reload")
	// What runs is left alone.
	h.must("take", live...)
	expect(h, "daemon-reload", "start pathkeeper.service", "start pathkeeper-queueing.service", "udevadm control --reload")
	h.must("give-back", live...)
	expect(h, "udevadm control --reload", "stop pathkeeper.service", "stop pathkeeper-queueing.service pathkeeper-shutdown.service", "daemon-reload", "start multipathd.service")

	// Their daemon did not run: it does not start either, unless the boot would.
	h = newHost(t, map[string]string{etcDir + "sysinit.target.wants/multipathd.service": ""})
	h.must("take", live[0])
	h.must("give-back", live[0])
	if have := h.calls(); slices.Contains(have, "start multipathd.service") {
		t.Errorf("%q", have)
	}

	// A configuration that our daemon would not start with: nothing was touched.
	h = newHost(t, nil)
	before := h.tree()
	out, err := h.run("take", append(live, "REFUSES=1")...)
	if err == nil || !strings.Contains(out, "nothing was changed") {
		t.Errorf("%v: %s", err, out)
	}
	expect(h)
	same(t, "refused", h.tree(), before)

	// Our daemon does not come up: theirs is started again.
	out, err = h.run("take", append(live, "FAILS=pathkeeper.service")...)
	if err == nil || !strings.Contains(out, "giving the maps back") {
		t.Errorf("%v: %s", err, out)
	}
	if have := h.calls(); have[len(have)-1] != "start multipathd.service" {
		t.Errorf("%q", have)
	}
	same(t, "not started", h.tree(), before)

	// Where the host's policy starts no services, none is stopped either.
	h = newHost(t, map[string]string{"/usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n"})
	h.must("take", live...)
	expect(h)
	h.bootable("by policy")
}

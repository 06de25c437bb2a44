package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// scriptlet returns the body of a section of the spec, with its macros expanded as rpm
// would and every path that it looks at in a tree of its own.
func scriptlet(t *testing.T, name, root string) string {
	t.Helper()
	spec, err := os.ReadFile("pathkeeper.spec")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("%{_prefix}", "/usr", "%{_localstatedir}", "/var").Replace(string(spec))
	for _, m := range regexp.MustCompile(`(?m)^%global (\w+) (.*)$`).FindAllStringSubmatch(text, -1) {
		text = strings.ReplaceAll(text, "%{"+m[1]+"}", m[2])
	}
	_, body, ok := strings.Cut(text, "\n%"+name+"\n")
	if !ok {
		t.Fatalf("no %%%s", name)
	}
	if end := regexp.MustCompile(`(?m)^%\w`).FindStringIndex(body); end != nil {
		body = body[:end[0]]
	}
	if strings.Contains(body, "%{") {
		t.Fatalf("%%%s has a macro that this test does not know:\n%s", name, body)
	}
	return strings.NewReplacer("/usr/", root+"/usr/", "/var/", root+"/var/", "/run/", root+"/run/").Replace(body)
}

// transaction runs scriptlets as rpm would and returns what systemd and our program were
// told that changes something. The host's systemd runs, and says yes to all that is asked
// but whether a unit is active: that is so of what active names.
func transaction(t *testing.T, active string, theirs bool, steps ...string) []string {
	t.Helper()
	root := t.TempDir()
	calls := filepath.Join(root, "calls")
	for _, dir := range []string{"usr/sbin", "usr/lib/systemd/system", "run/systemd/system", "bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	units := filepath.Join(root, "usr/lib/systemd/system")
	var err error
	if theirs {
		err = os.WriteFile(filepath.Join(units, "multipathd.service"), nil, 0o644)
	} else {
		err = os.Symlink("pathkeeper.service", filepath.Join(units, "multipathd.service"))
	}
	if err != nil {
		t.Fatal(err)
	}
	say := "#!/bin/sh\necho $(basename $0) \"$@\" >>" + calls + "\n"
	systemctl := say + "case \"$*\" in *is-active*) test -n \"" + active + "\" && case \"$*\" in *" + active + "*) exit 0 ;; esac; exit 3 ;; esac\n"
	for name, text := range map[string]string{
		"bin/systemctl": systemctl, "bin/udevadm": say, "bin/modprobe": "#!/bin/sh\n", "bin/systemd-tmpfiles": "#!/bin/sh\n", "usr/sbin/pathkeeper": say,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range steps {
		name, count, _ := strings.Cut(step, " ")
		file := filepath.Join(root, name)
		if err := os.WriteFile(file, []byte(scriptlet(t, name, root)), 0o755); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("sh", "-e", file, count)
		c.Env = append(os.Environ(), "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", step, err, out)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(root, "var/lib/rpm-state/*")); len(left) != 0 {
		t.Errorf("%q leave %q behind", steps, left)
	}
	text, _ := os.ReadFile(calls)
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"), func(s string) bool {
		return strings.Contains(s, "is-") || strings.HasSuffix(s, "reload")
	})
}

// What a host is told by each way that a package comes and goes. lab/scenarios/long/rpm.txt
// does the same on a live host.
func TestSpecScripts(t *testing.T) {
	const (
		keepTheirs = "pathkeeper multipathd forcequeueing daemon"
		keepOurs   = "pathkeeper map keep-queueing"
		stopTheirs = "systemctl --quiet stop multipathd.socket multipathd.service"
		enable     = "systemctl --quiet --no-reload enable pathkeeper.service pathkeeper-queueing.service"
		disable    = "systemctl --quiet --no-reload disable pathkeeper.service pathkeeper-queueing.service"
	)
	start := []string{"systemctl start pathkeeper.service", "systemctl start pathkeeper-queueing.service"}
	stop := []string{disable, "systemctl stop pathkeeper.service", "systemctl stop pathkeeper-queueing.service pathkeeper-shutdown.service"}
	for _, c := range []struct {
		what   string
		active string // of systemd's units
		theirs bool   // the package of multipath-tools is there when ours goes
		steps  []string
		want   []string
	}{
		{"first, or in a swap", "", false, []string{"post 1", "posttrans 1"}, append([]string{keepTheirs, stopTheirs, enable}, start...)},
		{"upgrade", "pathkeeper.service", false, []string{"post 2", "preun 1", "postun 1", "posttrans 2"}, []string{"systemctl restart pathkeeper.service"}},
		{"removal", "pathkeeper.service", false, []string{"preun 0", "postun 0"}, stop},
		{
			"swap back", "pathkeeper.service", true,
			[]string{"preun 0", "postun 0"},
			slices.Concat([]string{keepOurs}, stop, []string{"systemctl --quiet --no-reload enable multipathd.service", "systemctl start multipathd.service"}),
		},
	} {
		if have := transaction(t, c.active, c.theirs, c.steps...); !slices.Equal(have, c.want) {
			t.Errorf("%s:\nhave %q\nwant %q", c.what, have, c.want)
		}
	}
}

// dracut's own module is left out exactly where ours goes in: both look for the same.
func TestDracutModulesAreOneOrTheOther(t *testing.T) {
	conf, err := os.ReadFile("dracut/pathkeeper.conf")
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("dracut/module-setup.sh")
	if err != nil {
		t.Fatal(err)
	}
	looks := regexp.MustCompile(`compgen -G '([^']+)'`)
	want := looks.FindAllStringSubmatch(string(module), -1)
	if have := looks.FindAllStringSubmatch(string(conf), -1); len(want) == 0 || !slices.EqualFunc(have, want, slices.Equal) {
		t.Errorf("the configuration looks for %q, the module for %q", have, want)
	}
	for enabled, want := range map[bool]string{true: "dm multipath ", false: "dm"} {
		root := t.TempDir()
		wants := filepath.Join(root, "etc/systemd/system/sysinit.target.wants")
		if err := os.MkdirAll(wants, 0o755); err != nil {
			t.Fatal(err)
		}
		if enabled {
			if err := os.WriteFile(filepath.Join(wants, "pathkeeper.service"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text := strings.NewReplacer("'/etc/", "'"+root+"/etc/", "'/usr/", "'"+root+"/usr/").Replace(string(conf))
		out, err := exec.Command("bash", "-ec", "omit_dracutmodules=dm\n"+text+"\nprintf %s \"$omit_dracutmodules\"").CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("enabled %v: %q, %v; want %q", enabled, out, err, want)
		}
	}
}

// Package packaging_test checks the files that are installed beside the program.
package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pathkeeper/rules"
)

// unit reads a systemd unit: "Section.Key" to its values in order.
func unit(t *testing.T, name string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	keys, section := map[string][]string{}, ""
	for n, line := range strings.Split(string(b), "\n") {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				t.Errorf("%s:%d: %q", name, n+1, line)
			}
			keys[section+"."+key] = append(keys[section+"."+key], value)
		}
	}
	return keys
}

func TestUnit(t *testing.T) {
	keys := unit(t, "pathkeeper.service")
	for key, want := range map[string]string{
		"Service.Type": "notify", "Service.Restart": "always", "Service.OOMScoreAdjust": "-1000",
		"Service.ExecStart": "/usr/sbin/pathkeeper daemon", "Service.ExecReload": "/usr/sbin/pathkeeper reload",
		"Unit.DefaultDependencies": "no", "Install.WantedBy": "sysinit.target",
	} {
		if !slices.Equal(keys[key], []string{want}) {
			t.Errorf("%s = %q, want %q", key, keys[key], want)
		}
	}
	if len(keys["Service.WatchdogSec"]) == 0 {
		t.Error("no watchdog")
	}
	// These give the unit a mount table of its own (systemd.exec(5)).
	for _, key := range []string{
		"PrivateTmp", "PrivateDevices", "PrivateMounts", "PrivateUsers", "ProtectSystem", "ProtectHome", "ProtectControlGroups",
		"ProtectKernelModules", "ProtectKernelTunables", "ProtectKernelLogs", "ProtectProc", "ProcSubset", "ProtectClock",
		"ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "BindPaths", "BindReadOnlyPaths",
		"TemporaryFileSystem", "RootDirectory", "RootImage", "MountFlags", "DynamicUser",
		"StateDirectory", "CacheDirectory", "LogsDirectory", "ConfigurationDirectory", "RuntimeDirectory",
		// and this one keeps the device nodes away
		"DeviceAllow", "DevicePolicy",
	} {
		if v, ok := keys["Service."+key]; ok {
			t.Errorf("%s=%s: needs a mount, or takes devices away", key, v)
		}
	}
	for _, v := range slices.Concat(keys["Unit.Conflicts"], keys["Unit.Requires"], keys["Unit.BindsTo"]) {
		if strings.Contains(v, "multipathd") {
			t.Errorf("the unit ends or needs multipathd: %s", v)
		}
	}
}

// The queueing unit stops before the daemon that it asks, and behind what is mounted.
func TestQueueingUnit(t *testing.T) {
	keys := unit(t, "pathkeeper-queueing.service")
	before := strings.Fields(strings.Join(keys["Unit.Before"], " "))
	for _, name := range []string{"local-fs-pre.target", "remote-fs-pre.target", "blk-availability.service", "shutdown.target"} {
		if !slices.Contains(before, name) {
			t.Errorf("it does not stop behind %s: %q", name, before)
		}
	}
	for key, want := range map[string]string{
		"Unit.After": "pathkeeper.service", "Service.RemainAfterExit": "yes", "Unit.DefaultDependencies": "no", "Unit.Conflicts": "shutdown.target",
		"Service.ExecStop": "-/usr/sbin/pathkeeper host-ends --all", "Install.WantedBy": "sysinit.target",
	} {
		if !slices.Equal(keys[key], []string{want}) {
			t.Errorf("%s = %q, want %q", key, keys[key], want)
		}
	}
}

// The shutdown unit stops at once, beside the services and file systems that may hang,
// while the daemon is still there; it comes with the daemon and needs no start of its own.
func TestShutdownUnit(t *testing.T) {
	keys := unit(t, "pathkeeper-shutdown.service")
	for key, want := range map[string]string{
		"Unit.After": "pathkeeper.service", "Unit.Conflicts": "shutdown.target", "Unit.DefaultDependencies": "no",
		"Unit.Before":             "shutdown.target reboot.target poweroff.target halt.target kexec.target",
		"Service.RemainAfterExit": "yes", "Service.ExecStop": "-/usr/sbin/pathkeeper host-ends",
	} {
		if !slices.Equal(keys[key], []string{want}) {
			t.Errorf("%s = %q, want %q", key, keys[key], want)
		}
	}
	if wants := unit(t, "pathkeeper.service")["Unit.Wants"]; !slices.Contains(strings.Fields(strings.Join(wants, " ")), "pathkeeper-shutdown.service") {
		t.Errorf("the daemon's unit does not want it: %q", wants)
	}
}

// systemd itself reads the units, where it is installed (the lab always does). It wants
// the program to be there, so it is told of one that is.
func TestUnitVerifies(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed here")
	}
	for _, name := range []string{"pathkeeper.service", "pathkeeper-queueing.service", "pathkeeper-shutdown.service"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name)
		text := strings.ReplaceAll(string(b), "/usr/sbin/pathkeeper", "/bin/true")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, name+":") {
				t.Error(strings.TrimSpace(line))
			}
		}
	}
}

func TestModules(t *testing.T) {
	b, err := os.ReadFile("modules-load.conf")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			names = append(names, line)
		}
	}
	if !slices.Equal(names, []string{"dm-multipath", "sg"}) {
		t.Errorf("%q", names)
	}
}

// The scripts of the images are shell that parses, and the daemon there makes up no name.
func TestInitramfsScripts(t *testing.T) {
	for name, want := range map[string]string{
		"initramfs-tools/hook": "copy_exec /usr/sbin/pathkeeper", "initramfs-tools/maps": "multipath -B", "dracut/module-setup.sh": "inst_multiple /usr/sbin/pathkeeper",
		"dracut/maps.sh": "multipath -B",
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		shell := "sh"
		if strings.HasPrefix(string(text), "#!/bin/bash") {
			shell = "bash"
		}
		if out, err := exec.Command(shell, "-n", name).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s has no %q", name, want)
		}
	}
	// The hook in udev's rules goes by this file where no daemon runs yet.
	hook, err := os.ReadFile("../cmd/pathkeeper/hookhost.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initramfs-tools/hook", "dracut/module-setup.sh"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if marker := "/etc/pathkeeper/initramfs\""; !strings.Contains(string(text), marker) || !strings.Contains(string(hook), marker) {
			t.Errorf("%s and the hook do not agree on %s", name, marker)
		}
	}
	keys := unit(t, "dracut/pathkeeper.service")
	if got := keys["Service.ExecStart"]; !slices.Equal(got, []string{"/usr/sbin/multipathd -B -d"}) {
		t.Errorf("ExecStart %q", got)
	}
	if got := keys["Unit.Conflicts"]; len(got) == 0 || !strings.Contains(got[0], "initrd-cleanup.service") {
		t.Errorf("Conflicts %q: it must end before the root is changed", got)
	}
}

// A rule of theirs that is put aside must not be one of ours, and every file that has
// a counterpart of ours is put aside.
func TestTheirRulesAreNotOurs(t *testing.T) {
	var ours, listed []string
	for _, f := range rules.Files("") {
		ours = append(ours, f.Name)
	}
	if len(ours) == 0 {
		t.Fatal("no rules")
	}
	for _, list := range []string{"their-rules", "their-rules.kpartx"} {
		b, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		names := 0
		for line := range strings.Lines(string(b)) {
			if line, _, _ = strings.Cut(strings.TrimSpace(line), "#"); line == "" {
				continue
			}
			names++
			listed = append(listed, line)
			if slices.Contains(ours, line) || !strings.HasSuffix(line, ".rules") {
				t.Errorf("%s: %q", list, line)
			}
		}
		if names == 0 {
			t.Errorf("%s is empty", list)
		}
	}
	for _, f := range rules.FilesAsMultipathTools("") {
		if !strings.Contains(f.Name, "pathkeeper") && !slices.Contains(listed, f.Name) {
			t.Errorf("%s is not put aside", f.Name)
		}
	}
}

// Every script is one that a shell can read; dash where it is, else the host's.
func TestScriptsParse(t *testing.T) {
	seen := 0
	for _, pattern := range []string{"switch", "build-*", "own-names", "programs.sh", "deb/p*", "deb/standalone/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			seen++
			if out, err := exec.Command("sh", "-n", f).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", f, err, out)
			}
			if info, err := os.Stat(f); err != nil || info.Mode().Perm()&0o111 == 0 {
				t.Errorf("%s cannot be executed: %v", f, err)
			}
		}
	}
	if seen < 11 {
		t.Errorf("%d scripts", seen)
	}
}

// mpathconf is a name of Red Hat's package: the RPM has its link, its completion and its
// page, Debian's packages have none of them.
func TestMpathconfIsRedHats(t *testing.T) {
	// A program that answers as every name.
	fake := filepath.Join(t.TempDir(), "fake")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\necho usage\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, named := range []string{"", "mpathconf"} {
		out, err := exec.Command("./programs.sh", append([]string{fake}, strings.Fields(named)...)...).Output()
		if err != nil || slices.Contains(strings.Fields(string(out)), "mpathconf") != (named != "") || !strings.Contains(string(out), "multipathd\n") {
			t.Errorf("%q: %v: %s", named, err, out)
		}
	}
	for file, want := range map[string]string{
		"build-rpm": "programs.sh \"$bin\" mpathconf", "pathkeeper.spec": "%{_prefix}/sbin/mpathconf\n",
		"build-deb": "rm \"$1/usr/share/bash-completion/completions/mpathconf\" \"$1/usr/share/pathkeeper/man/man8/mpathconf.8.gz\"",
	} {
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: no %q: %v", file, want, err)
		}
	}
}

// The spec file, where rpm's tools are installed; `make rpm` builds by it. That it names
// what `make install` places is looked at in any case.
func TestSpec(t *testing.T) {
	b, err := os.ReadFile("pathkeeper.spec")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"%post\n", "%preun\n", "%postun\n", "%posttrans\n", "%files\n", "tmpfiles.d/pathkeeper.conf", "pathkeeper-queueing.service", "Conflicts: device-mapper-multipath"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %q", want)
		}
	}
	spec, err := exec.LookPath("rpmspec")
	if err != nil {
		t.Skip("rpmspec is not installed here")
	}
	out, err := exec.Command(spec, "--define", "pk_version 1.2", "-q", "--qf", "%{name} %{version}", "pathkeeper.spec").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "pathkeeper 1.2") {
		t.Errorf("%v: %s", err, out)
	}
}

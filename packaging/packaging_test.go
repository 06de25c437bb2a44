// Package packaging_test checks the files that are installed beside the program.
package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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

// systemd itself reads the unit, where it is installed. It wants the program to be
// there, so it is told of one that is.
func TestUnitVerifies(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed here")
	}
	b, err := os.ReadFile("pathkeeper.service")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pathkeeper.service")
	text := strings.ReplaceAll(string(b), "/usr/sbin/pathkeeper", "/bin/true")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "pathkeeper.service:") {
			t.Error(strings.TrimSpace(line))
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
	keys := unit(t, "dracut/pathkeeper.service")
	if got := keys["Service.ExecStart"]; !slices.Equal(got, []string{"/usr/sbin/multipathd -B -d"}) {
		t.Errorf("ExecStart %q", got)
	}
	if got := keys["Unit.Conflicts"]; len(got) == 0 || !strings.Contains(got[0], "initrd-cleanup.service") {
		t.Errorf("Conflicts %q: it must end before the root is changed", got)
	}
}

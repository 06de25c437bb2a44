package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Where another manager's package takes the place of the standalone one, queueing stays
// as it is; a removal for good ends it, as the last stop of a daemon does.
func TestStandaloneGivesWay(t *testing.T) {
	script, err := os.ReadFile("deb/standalone/prerm")
	if err != nil {
		t.Fatal(err)
	}
	const stop = "systemctl stop pathkeeper.service\nsystemctl stop pathkeeper-queueing.service pathkeeper-shutdown.service\n"
	for args, want := range map[string]string{
		"remove":                              stop,
		"remove in-favour pathkeeper 2.0":     "pathkeeper map keep-queueing\n" + stop,
		"remove in-favour multipath-tools 12": "pathkeeper map keep-queueing\n" + stop,
		"remove in-favour mc 4.8":             stop,
		"upgrade 2.0":                         "",
	} {
		dir := t.TempDir()
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, tool := range []string{"systemctl", "pathkeeper"} {
			write(tool, "#!/bin/sh\necho "+tool+" \"$@\" | grep -v disable >>"+filepath.Join(dir, "calls")+"\n")
		}
		write("prerm", strings.ReplaceAll(string(script), "/run/systemd/system", dir)) // systemd runs
		c := exec.Command(filepath.Join(dir, "prerm"), strings.Fields(args)...)
		c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", args, err, out)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "calls")); string(got) != want {
			t.Errorf("%s:\n%swant:\n%s", args, got, want)
		}
	}
}

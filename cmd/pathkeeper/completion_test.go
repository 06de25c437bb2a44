package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func completionText(t *testing.T, name string) string {
	t.Helper()
	files, err := completions(streams{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.name, "/"+name) {
			return f.text
		}
	}
	t.Fatalf("no completion file %s", name)
	return ""
}

// Bash, with the files sourced, completes what was typed.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	for _, c := range []struct {
		program, typed string
		want, not      []string
	}{
		{"multipathd", "reco", []string{"reconfigure"}, []string{"show"}},
		{"multipathd", "show ma", []string{"map", "maps"}, []string{"reconfigure"}},
		{"multipathd", "-", []string{"-d", "-k", "--version"}, []string{"show"}},
		{"multipathc", "show ma", []string{"map", "maps"}, []string{"reconfigure"}},
		{"kpartx", "-", []string{"-l", "-a", "-d", "-u"}, []string{"gpt"}},
		{"kpartx", "-t ", []string{"gpt", "dos"}, []string{"-l"}},
		{"kpartx", "/dev/nu", []string{"/dev/null"}, nil},
		{"multipath", "-l", []string{"-l", "-ll"}, []string{"-v"}},
		{"multipath", "-v ", []string{"0", "2"}, []string{"-l"}},
		{"mpathconf", "--e", []string{"--enable", "--enable_foreign"}, []string{"--disable"}},
		{"mpathconf", "--find_multipaths ", []string{"yes", "smart"}, []string{"--enable"}},
	} {
		words := append([]string{c.program}, strings.Split(c.typed, " ")...)
		script := filepath.Join(t.TempDir(), "script")
		text := completionText(t, c.program) + "COMP_WORDS=('" + strings.Join(words, "' '") + "')\nCOMP_CWORD=" + string(rune('0'+len(words)-1)) +
			"\n_pathkeeper_" + c.program + "\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
		if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(bash, script).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v: %s", c.program, c.typed, err, out)
		}
		have := strings.Fields(string(out))
		for _, w := range c.want {
			if !slices.Contains(have, w) {
				t.Errorf("%s %s: %q, without %s", c.program, c.typed, have, w)
			}
		}
		for _, w := range c.not {
			if slices.Contains(have, w) {
				t.Errorf("%s %s: %q, with %s", c.program, c.typed, have, w)
			}
		}
	}
}

// The scripts for pathkeeper ask the program itself, by a command of cobra's.
func TestCompletionAsks(t *testing.T) {
	for typed, want := range map[string]string{"expl": "explain", "map res": "resize", "show to": "topology", "plan --o": "--out"} {
		var out strings.Builder
		if code := nativeMain(append([]string{"__complete"}, strings.Split(typed, " ")...), streams{&out, io.Discard}); code != exitDone || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit %d: %q", typed, code, out.String())
		}
	}
	for _, name := range []string{"completions/pathkeeper", "_pathkeeper", "pathkeeper.fish"} {
		if text := completionText(t, name); !strings.Contains(text, "__complete") || !strings.Contains(text, "pathkeeper") {
			t.Errorf("%s: %.200s", name, text)
		}
	}
}

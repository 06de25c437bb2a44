package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pathkeeper/configs"
)

// A plan's file stands in the place of the main one, beside the system's drop-ins; a
// directory has its own.
func TestLoaderAt(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return at
	}
	c := &configLoader{paths: configs.PathsAt(put("etc/multipath.conf", "defaults {\n polling_interval 3\n}\n"), filepath.Join(dir, "etc/conf.d"))}
	put("etc/conf.d/a.conf", "defaults {\n no_path_retry 7\n}\n")
	file := put("root/new.conf", "defaults {\n polling_interval 9\n}\n")
	put("root/all/multipath.conf", "defaults {\n polling_interval 11\n}\n")
	put("root/all/conf.d/b.conf", "defaults {\n no_path_retry 4\n}\n")
	bad := put("root/bad.conf", "defaults {\n reservation_key nonsense\n}\n")
	for place, want := range map[string]string{
		"":                             "3 7",
		file:                           "9 7",
		filepath.Join(dir, "root/all"): "11 4",
	} {
		at, err := c.at(place)
		if err != nil {
			t.Fatal(err)
		}
		l, err := at.load()
		if err != nil {
			t.Fatal(err)
		}
		poll, _ := l.config.Defaults.Lookup("polling_interval")
		retry, _ := l.config.Defaults.Lookup("no_path_retry")
		if got := poll.Value + " " + retry.Value; got != want {
			t.Errorf("at %q: %s, want %s", place, got, want)
		}
	}
	for place, want := range map[string]string{
		"new.conf":                      "whole path",
		filepath.Join(dir, "root/none"): "no such file",
	} {
		if _, err := c.at(place); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("at %q: %v, want %q", place, err, want)
		}
	}
	if at, err := c.at(bad); err != nil {
		t.Error(err)
	} else if _, err := at.load(); err == nil || !strings.Contains(err.Error(), "bad.conf:") {
		t.Errorf("a bad file: %v", err)
	}
}

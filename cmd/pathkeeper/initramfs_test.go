package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pathkeeper/rules"
)

// An image is compared with the files of a host: equal, then with another name.
func TestInitramfsCheck(t *testing.T) {
	root := t.TempDir()
	var image bytes.Buffer
	member := func(name, body string, mode uint32) {
		fmt.Fprintf(&image, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", 1, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name)+1, 0, name)
		image.Write(make([]byte, -image.Len()&3))
		image.WriteString(body)
		image.Write(make([]byte, -image.Len()&3))
	}
	put := func(name, body string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		member(strings.TrimPrefix(name, "usr/"), body, 0o100644) // as below /lib, a link to /usr/lib
	}
	put("usr/sbin/pathkeeper", "the program")
	put("etc/multipath.conf", "defaults {\n}\n")
	put("etc/multipath/bindings", "ocr1 W1\n")
	for _, f := range rules.Files("") {
		put("usr/lib/udev/rules.d/"+f.Name, f.Content)
	}
	member("usr/sbin/multipath", "pathkeeper", 0o120777)
	member("TRAILER!!!", "", 0)
	name := filepath.Join(root, "image")
	if err := os.WriteFile(name, image.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	check := func() (int, string) {
		var out, err bytes.Buffer
		code := nativeMain([]string{"initramfs", "check", "--root", root, name}, streams{&out, &err})
		return code, out.String() + err.String()
	}
	if code, said := check(); code != exitDone || !strings.Contains(said, "the same as this host") {
		t.Errorf("exit %d: %s", code, said)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/multipath/bindings"), []byte("ocr2 W1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, said := check(); code != exitDiffers || !strings.Contains(said, "W1 is called ocr1 in the image and ocr2 here") {
		t.Errorf("exit %d: %s", code, said)
	}
}

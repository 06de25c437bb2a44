package handmade

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

func bindings(name string) (wwid, from string, ok bool) {
	if name == "ocr1" {
		return "360060e80056f110000006f110000806c", "/etc/multipath/bindings", true
	}
	return "", "", false
}

// Rules as they are found on real hosts, and what becomes of them: the entries,
// then each note.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.rules")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			r := Translate([]File{{Path: filepath.Base(f), Data: data}}, bindings)
			var got strings.Builder
			got.WriteString(r.YAML())
			for _, n := range r.Notes {
				fmt.Fprintln(&got, n)
			}
			golden := strings.TrimSuffix(f, ".rules") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Error(diff)
			}
			sound(t, r)
		})
	}
}

// sound holds what comes out against what an entry may be.
func sound(t *testing.T, r Result) {
	t.Helper()
	if _, problems := policy.Compile(policy.Config{Disks: r.Disks}); len(problems) != 0 {
		t.Errorf("entries that the configuration refuses: %v", problems)
	}
	for _, line := range strings.Split(r.YAML(), "\n") {
		for _, c := range line {
			if c < ' ' || c == 0x7f || c == 0xfffd {
				t.Errorf("a control byte in %q", line)
			}
		}
	}
	for _, n := range r.Notes {
		if n.Origin.Line < 1 || n.Text == "" {
			t.Errorf("a note without place or text: %v", n)
		}
	}
}

// Notes come in the order of files and lines, and RESULT does not reach over from
// one file to the next.
func TestSeveralFiles(t *testing.T) {
	r := Translate([]File{
		{"b.rules", []byte("PROGRAM==\"/sbin/scsi_id -gu -d /dev/%k\"\nRESULT==\"3600a\", SYMLINK+=\"x\"\nKERNEL==\"sdb\", OWNER=\"o\"\n")},
		{"a.rules", []byte("RESULT==\"3600b\", SYMLINK+=\"y\"\nENV{ID_SERIAL}==\"3600c\", SYMLINK+=\"x\"\nENV{ID_SERIAL}==\"3600a\", OWNER=\"oracle\"\n")},
	}, nil)
	var got []string
	for _, n := range r.Notes {
		got = append(got, n.String())
	}
	want := []string{
		"b.rules:3: not translated: it goes by the kernel's name sdb, which is another disk's after the next boot",
		"a.rules:1: not translated: it wants a RESULT, and no PROGRAM before it is a scsi_id that is known here",
		"a.rules:2: not translated: names entry of 3600c: name x is already given to 3600a; the disk goes without",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(r.Disks) != 1 || r.Disks[0].Owner != "oracle" || r.Disks[0].Name != "x" || !r.Refused() {
		t.Errorf("%+v", r.Disks)
	}
}

// Whatever the text: bounded, no panic, and what comes out is sound.
func FuzzTranslate(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.rules")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sound(t, Translate([]File{{Path: "f", Data: data}}, bindings))
	})
}

// A file of 40,000 rules, each for a disk of its own, is read in one go: the work
// for a rule does not grow with the rules before it. A quadratic reading would
// take more steps than a test may last.
func TestManyRules(t *testing.T) {
	var b strings.Builder
	for i := range 40000 {
		fmt.Fprintf(&b, "ENV{ID_SERIAL}==\"3600%07d\", SYMLINK+=\"d/%d\"\n", i, i)
	}
	r := Translate([]File{{"many.rules", []byte(b.String())}}, nil)
	if len(r.Disks) != 40000 || len(r.Notes) != 0 {
		t.Errorf("%d disks, %v", len(r.Disks), r.Notes)
	}
}

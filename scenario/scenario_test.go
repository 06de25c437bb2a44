package scenario

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	s, err := Parse("x.txt", `# prose
only: lab
boot: systemd
image: clients

lun mysql1 64M A1 "B1" serial='a b'
config <<END
defaults {
  # not prose
}
END
expect map mysql1 groups="A1 | B1" failed="" within=5s
run exit=1 sh -c "echo \"x=1\" match=no"
wait within=3s '^ok$' cat /x=1
expect loads any >=1
`)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Verb string
		Args []string
		Opts map[string]string
		Body string
		Line int
	}
	var got []row
	for _, c := range s.Commands {
		got = append(got, row{c.Verb.Name, c.Args, c.Options, c.Body, c.Line})
	}
	want := []row{
		{"lun", []string{"mysql1", "64M", "A1", "B1"}, map[string]string{"serial": "a b"}, "", 6},
		{"config", nil, map[string]string{}, "defaults {\n  # not prose\n}\n", 7},
		{"expect map", []string{"mysql1"}, map[string]string{"groups": "A1 | B1", "failed": "", "within": "5s"}, "", 12},
		{"run", []string{"sh", "-c", `echo "x=1" match=no`}, map[string]string{"exit": "1"}, "", 13},
		{"wait", []string{"^ok$", "cat", "/x=1"}, map[string]string{"within": "3s"}, "", 14},
		{"expect loads", []string{"any", ">=1"}, map[string]string{}, "", 15},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s.Side != Lab || s.Boot != "systemd" || s.Image != "clients" {
		t.Errorf("side %v boot %v image %q", s.Side, s.Boot, s.Image)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct{ text, line, says string }{
		{"", ":1:", "an empty script"},
		{"both\n", ":2:", "without a single verb"},
		{"lun x 1M A1\n", ":1:", "who runs the script"},
		{"both\nfrobnicate\n", ":2:", `no verb "frobnicate"; the verbs are: say`},
		{"both\nexpect nothing\n", ":2:", "there is expect stamp, expect strays, expect untouched, expect map"},
		{"both\nexpect mapp x\n", ":2:", `no verb "expect mapp", did you mean expect map?`},
		{"both\nprot A1 cut\n", ":2:", `no verb "prot", did you mean port?`},
		{"both\nrun <<END\ntrue\nEND\n", ":2:", "run with a body is known to one side"},
		{"both\nwait ^x cat /x\n", ":2:", "wait cat is known to one side"},
		{"both\ndaemon kill at=load\n", ":2:", "daemon at= is known to one side alone (only: sim)"},
		{"both\nuevents lose=3\n", ":2:", "uevents is known to one side alone (only: sim)"},
		{"both\nlun x\n", ":2:", "usage: lun NAME SIZE PORT"},
		{"both\nalua x A fast\n", ":2:", `"fast" is none of optimized`},
		{"both\npath x A1 offline now\n", ":2:", "too many"},
		{"both\nexpect map x colour=red\n", ":2:", "no option colour="},
		{"both\nexpect map x within=soon\n", ":2:", "no duration"},
		{"both\nexpect map x paths=1 paths=2\n", ":2:", "twice"},
		{"both\nrun true\n", ":2:", "run true is known to one side"},
		{"only: sim\nrun true\n", ":2:", "run true is only: lab"},
		{"both\n\nconfig <<END\nx\n", ":3:", "no line END"},
		{"both\nlun x 1M A1 <<END\nEND\n", ":2:", "takes no body"},
		{"both\nsay \"open\n", ":2:", "without its partner"},
		{"both\nsay x\nboot: bare\n", ":3:", "before the first verb"},
		{"both\nboot: fast\n", ":2:", "there is bare and systemd"},
		{"only: lab\nimage: big\n", ":2:", "there is clients"},
		{"only: lab\nimage: clients\nimage: clients\n", ":3:", "stands once"},
		{"only: lab\nsay x\nimage: clients\n", ":3:", "before the first verb"},
		{"both\nimage: clients\n", ":2:", "only: lab"},
	}
	for _, tt := range tests {
		_, err := Parse("x.txt", tt.text)
		var place *Error
		if !errors.As(err, &place) || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), "x.txt"+tt.line) {
			t.Errorf("%q: %v; want %s ... %s", tt.text, err, tt.line, tt.says)
		}
	}
}

// Every row of the table can be said, and says what it is for.
func TestVerbTable(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range Verbs() {
		if seen[v.Name] || v.Help == "" || (v.Max >= 0 && v.Max < v.Min) {
			t.Errorf("bad row %+v", v)
		}
		seen[v.Name] = true
		for _, o := range v.Options {
			if !isKey(o) {
				t.Errorf("%s: option %q", v.Name, o)
			}
		}
	}
}

func TestSizeAndCount(t *testing.T) {
	for text, want := range map[string]int64{"64M": 64 << 20, "5G": 5 << 30, "4096": 4096, "": 0, "M": 0, "-1": 0, "99999999999T": 0} {
		if got, err := Size(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("Size(%q) = %d, %v", text, got, err)
		}
	}
	for text, holds := range map[string][3]bool{"1": {false, true, false}, ">=1": {false, true, true}, "<=1": {true, true, false}} {
		c, err := ParseCount(text)
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range holds {
			if c.Holds(n) != want {
				t.Errorf("%s holds %d: %v", text, n, !want)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("only: lab\nboot: bare\nlun x 64M A1 B1\nconfig <<E\nx\nE\nexpect map x groups=\"A1 | B1\"\n")
	f.Add("both\nsay 'a' \"b\\\"c\" d=e\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("f", text)
		if (s == nil) == (err == nil) {
			t.Fatalf("script %v, error %v", s, err)
		}
		if err != nil {
			var place *Error
			if !errors.As(err, &place) || place.Line < 1 || place.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("error without its place: %v", err)
			}
		}
	})
}

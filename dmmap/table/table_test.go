package table

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func one(dev string, args ...string) Path {
	d, err := ParseDevNum(dev)
	if err != nil {
		panic(err)
	}
	return Path{Dev: d, Args: args}
}

// Lines that multipath-tools writes and lines that the kernel returns for them.
func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       Table
	}{
		{
			"written, two groups",
			"1 queue_if_no_path 1 alua 2 1 service-time 0 2 1 8:16 1 8:48 1 service-time 0 2 1 8:32 1 8:64 1",
			Table{
				Features: []string{"queue_if_no_path"}, Handler: []string{"alua"}, First: 1,
				Groups: []Group{
					{Selector: "service-time", Paths: []Path{one("8:16", "1"), one("8:48", "1")}},
					{Selector: "service-time", Paths: []Path{one("8:32", "1"), one("8:64", "1")}},
				},
			},
		},
		{
			"written, no features, no handler",
			"0 0 1 1 round-robin 0 2 1 8:0 1 65:16 1",
			Table{First: 1, Groups: []Group{{Selector: "round-robin", Paths: []Path{one("8:0", "1"), one("65:16", "1")}}}},
		},
		{"no paths", "0 0 0 0", Table{}},
		{
			"feature with an argument",
			"3 pg_init_retries 50 queue_if_no_path 1 rdac 1 1 service-time 0 1 1 8:0 1",
			Table{
				Features: []string{"pg_init_retries", "50", "queue_if_no_path"}, Handler: []string{"rdac"}, First: 1,
				Groups: []Group{{Selector: "service-time", Paths: []Path{one("8:0", "1")}}},
			},
		},
		{
			"read back: two arguments per path",
			"1 queue_if_no_path 1 alua 1 1 service-time 0 2 2 8:16 1 1 8:48 1 1",
			Table{
				Features: []string{"queue_if_no_path"}, Handler: []string{"alua"}, First: 1,
				Groups: []Group{{Selector: "service-time", Paths: []Path{one("8:16", "1", "1"), one("8:48", "1", "1")}}},
			},
		},
		{
			"read back: a selector with arguments of its own",
			"0 0 1 1 historical-service-time 2 512 0 1 1 8:16 0",
			Table{First: 1, Groups: []Group{{Selector: "historical-service-time", SelArgs: []string{"512", "0"}, Paths: []Path{one("8:16", "0")}}}},
		},
		{
			"no arguments per path",
			"0 0 1 1 round-robin 0 2 0 8:0 8:16",
			Table{First: 1, Groups: []Group{{Selector: "round-robin", Paths: []Path{one("8:0"), one("8:16")}}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The kernel ends its text with a space.
			for _, text := range []string{tt.text, tt.text + " ", "  " + strings.ReplaceAll(tt.text, " ", "\t ")} {
				have, err := Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(tt.want, have); d != "" {
					t.Errorf("(-want +have)\n%s", d)
				}
			}
			if s := tt.want.String(); s != tt.text {
				t.Errorf("String() = %q, want %q", s, tt.text)
			}
			if err := tt.want.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "word 1 missing: number of features"},
		{"1", `word 1 "1": number of features: only 0 words follow`},
		{"0", "word 2 missing"},
		{"x 0 0 0", `"x" is not a number`},
		{"-1 0 0 0", `"-1" is not a number`},
		{"1025 0 0 0", "1025 is over 1024"},
		{"99999999999999999999 0 0 0", "is over 1024"},
		{"0 0 1 2 round-robin 0 1 0 8:0", `word 4 "2": first group, of 1`},
		{"0 0 1 1", "missing: path selector"},
		{"0 0 1 1 round-robin 0 9 1 8:0 1", "number of paths: only 3 words follow"},
		{"0 0 1 1 round-robin 0 2 1 8:0 1", "missing: path's device number"},
		{"0 0 1 1 round-robin 0 1 1 sda 1", "want major:minor"},
		{"0 0 1 1 round-robin 0 1 1 8:1048576 1", "over 1048575"},
		{"0 0 1 1 round-robin 0 1 2 8:0 1", "path's arguments"},
		{"0 0 0 0 0", `word 5 "0": nothing should follow`},
		{strings.Repeat("0", MaxTextBytes+1), "bytes of text"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse(%.40q) = %v, want an error with %q", tt.text, err, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	good := func() Table {
		v, err := Parse("1 queue_if_no_path 1 alua 2 1 service-time 0 1 1 8:16 1 service-time 0 1 1 8:32 1")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct {
		name, want string
		spoil      func(*Table)
	}{
		{"space in a feature", `feature "a b"`, func(v *Table) { v.Features[0] = "a b" }},
		{"backslash", "cannot stand in a table", func(v *Table) { v.Handler[0] = `al\ua` }},
		{"empty handler word", "hardware handler is empty", func(v *Table) { v.Handler[0] = "" }},
		{"no selector", "group 2: selector is empty", func(v *Table) { v.Groups[1].Selector = "" }},
		{"first beyond", "first group 3 of 2", func(v *Table) { v.First = 3 }},
		{"first missing", "first group 0 of 2", func(v *Table) { v.First = 0 }},
		{"first of none", "first group 1 of none", func(v *Table) { v.Groups = nil }},
		{"empty group", "group 1: 0 paths", func(v *Table) { v.Groups[0].Paths = nil }},
		{"path twice", "path 8:16 stands in group 1 and in group 2", func(v *Table) { v.Groups[1].Paths[0].Dev = DevNum{8, 16} }},
		{"no device", "path 0:0 is no device", func(v *Table) { v.Groups[1].Paths[0].Dev = DevNum{} }},
		{"unlike arguments", "must be alike", func(v *Table) {
			v.Groups[0].Paths = append(v.Groups[0].Paths, one("8:48", "1", "2"))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := good()
			tt.spoil(&v)
			err := v.Check()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check() = %v, want %q", err, tt.want)
			}
			if _, err := v.Line(2048); err == nil {
				t.Error("Line() took a table that Check refuses")
			}
		})
	}
}

func TestQueue(t *testing.T) {
	v := Table{Features: []string{"pg_init_retries", "50"}}
	on := v.WithQueue(true)
	if s := on.String(); s != "3 pg_init_retries 50 queue_if_no_path 0 0 0" || !on.QueueIfNoPath() {
		t.Errorf("on: %s", s)
	}
	if again := on.WithQueue(true); again.String() != on.String() {
		t.Errorf("on twice: %s", again)
	}
	if off := on.WithQueue(false); off.String() != v.String() || off.QueueIfNoPath() {
		t.Errorf("off: %s", off)
	}
	if d := cmp.Diff(Table{}, Table{}.WithQueue(true).WithQueue(false)); d != "" {
		t.Error(d)
	}
}

func TestLine(t *testing.T) {
	v, err := Parse("0 0 1 1 round-robin 0 2 1 8:0 1 65:16 1")
	if err != nil {
		t.Fatal(err)
	}
	l, err := v.Line(2097152)
	if err != nil {
		t.Fatal(err)
	}
	const want = "0 2097152 multipath 0 0 1 1 round-robin 0 2 1 8:0 1 65:16 1"
	if l.String() != want {
		t.Errorf("have %q\nwant %q", l, want)
	}
	for _, s := range []string{want, "0 1024 linear 253:4 2048", "0 8 error"} {
		l, err := ParseLine(s)
		if err != nil || l.String() != s {
			t.Errorf("ParseLine(%q) = %q, %v", s, l, err)
		}
	}
	for _, s := range []string{"", "0", "0 0 error", "0 8", "x 8 error", "0 x error", "18446744073709551615 8 error", "0 8 a-target-name-too-long"} {
		if l, err := ParseLine(s); err == nil {
			t.Errorf("ParseLine(%q) = %q, want an error", s, l)
		}
	}
	if _, err := v.Line(0); err == nil {
		t.Error("a map of no sectors was taken")
	}
	have, size, err := ParseLines([]Line{l})
	if err != nil || size != 2097152 || cmp.Diff(v, have) != "" {
		t.Errorf("ParseLines: %v, %v, %v", have, size, err)
	}
	for _, lines := range [][]Line{nil, {l, l}, {LinearLine(8, DevNum{253, 4}, 0)}} {
		if _, _, err := ParseLines(lines); err == nil {
			t.Errorf("ParseLines(%v) took it", lines)
		}
	}
}

func genWord() *rapid.Generator[string] { return rapid.StringMatching(`[a-z_][a-z0-9_-]{0,8}`) }

func genDev() *rapid.Generator[DevNum] {
	return rapid.Custom(func(t *rapid.T) DevNum {
		return DevNum{rapid.Uint32Range(1, MaxMajor).Draw(t, "major"), rapid.Uint32Range(0, MaxMinor).Draw(t, "minor")}
	})
}

func genWords(most int) *rapid.Generator[[]string] {
	return rapid.Custom(func(t *rapid.T) []string {
		s := rapid.SliceOfN(genWord(), 0, most).Draw(t, "words")
		if len(s) == 0 {
			return nil
		}
		return s
	})
}

func genTable() *rapid.Generator[Table] {
	return rapid.Custom(func(t *rapid.T) Table {
		devs := rapid.SliceOfNDistinct(genDev(), 0, 12, rapid.ID[DevNum]).Draw(t, "devs")
		v := Table{Features: genWords(4).Draw(t, "features"), Handler: genWords(3).Draw(t, "handler")}
		for len(devs) > 0 {
			n := rapid.IntRange(1, len(devs)).Draw(t, "group size")
			args := rapid.IntRange(0, 3).Draw(t, "path arguments")
			g := Group{Selector: genWord().Draw(t, "selector"), SelArgs: genWords(2).Draw(t, "selector arguments")}
			for _, d := range devs[:n] {
				p := Path{Dev: d}
				for range args {
					p.Args = append(p.Args, genWord().Draw(t, "argument"))
				}
				g.Paths = append(g.Paths, p)
			}
			v.Groups = append(v.Groups, g)
			devs = devs[n:]
		}
		if n := len(v.Groups); n > 0 {
			v.First = rapid.IntRange(1, n).Draw(t, "first")
		}
		return v
	})
}

func TestTableRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genTable().Draw(t, "table")
		if err := want.Check(); err != nil {
			t.Fatal(err)
		}
		have, err := Parse(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Fatalf("(-want +have)\n%s", d)
		}
		if d := cmp.Diff(want, want.Clone()); d != "" {
			t.Fatalf("clone (-want +have)\n%s", d)
		}
		if d := Diff(want, have); d != nil {
			t.Fatalf("Diff of a table with itself: %v", d)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"0 0 0 0",
		"1 queue_if_no_path 1 alua 2 1 service-time 0 2 1 8:16 1 8:48 1 service-time 0 2 1 8:32 1 8:64 1",
		"3 pg_init_retries 50 queue_if_no_path 1 rdac 1 1 service-time 0 1 1 8:0 1",
		"0 0 1 1 historical-service-time 2 512 0 1 1 8:16 0 ",
		"0 0 1024 1 a 0 1024 1024",
		"2 queue_mode bio 0 1 1 io-affinity 0 1 1 259:3 00000000,ffffffff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err != nil {
			return
		}
		if v.Check() != nil {
			return // words that a table cannot hold, an empty group and the like
		}
		again, err := Parse(v.String())
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, v, err)
		}
		if d := cmp.Diff(v, again); d != "" {
			t.Fatal(d)
		}
		if d := Diff(v, again); d != nil {
			t.Fatal(d)
		}
	})
}

func TestParseLinear(t *testing.T) {
	dev := DevNum{253, 4}
	if d, o, err := ParseLinear(LinearLine(8, dev, 2048)); err != nil || d != dev || o != 2048 {
		t.Errorf("got %v %v %v", d, o, err)
	}
	for _, l := range []Line{
		{Target: Multipath, Params: "253:4 2048"},
		{Target: Linear, Params: "253:4"},
		{Target: Linear, Params: "sda 2048"},
		{Target: Linear, Params: "253:4 -1"},
		{Target: Linear, Params: "253:4 1 2"},
		{Target: Linear},
	} {
		if d, o, err := ParseLinear(l); err == nil {
			t.Errorf("%q: %v %v", l, d, o)
		}
	}
}

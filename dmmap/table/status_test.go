package table

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseStatus(t *testing.T) {
	const text = "2 0 0 0 2 1 A 0 2 2 8:16 A 0 0 1 8:48 A 0 0 1 E 0 2 2 8:32 F 3 0 1 8:64 A 0 0 1"
	st := []string{"0", "1"}
	want := Status{
		FeatureArgs: []string{"0", "0"}, Next: 1,
		Groups: []GroupStatus{
			{State: GroupActive, Paths: []PathStatus{{Dev: DevNum{8, 16}, State: PathActive, SelArgs: st}, {Dev: DevNum{8, 48}, State: PathActive, SelArgs: st}}},
			{State: GroupEnabled, Paths: []PathStatus{{Dev: DevNum{8, 32}, State: PathFailed, FailCount: 3, SelArgs: st}, {Dev: DevNum{8, 64}, State: PathActive, SelArgs: st}}},
		},
	}
	have, err := ParseStatus(text + " ")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("(-want +have)\n%s", d)
	}
	if s := have.String(); s != text {
		t.Errorf("String() = %q, want %q", s, text)
	}
	if have.QueueIO() || have.Active() != 0 {
		t.Errorf("QueueIO %v, Active %d", have.QueueIO(), have.Active())
	}
	if p, ok := have.Path(DevNum{8, 32}); !ok || p.FailCount != 3 || p.State.String() != "failed" {
		t.Errorf("Path(8:32) = %v, %v", p, ok)
	}
	if _, ok := have.Path(DevNum{8, 0}); ok {
		t.Error("found a path that is not there")
	}
}

// What differs between kernels and must not stop us.
func TestParseStatusTolerant(t *testing.T) {
	tests := []struct {
		name, text string
		ok         func(Status) bool
	}{
		{"no groups", "2 0 0 0 0 0", func(s Status) bool { return len(s.Groups) == 0 && s.Active() == -1 }},
		{"initialising", "2 1 3 0 1 1 E 0 1 0 8:16 A 0", func(s Status) bool { return s.QueueIO() && s.Groups[0].Paths[0].SelArgs == nil }},
		{"more feature words", "4 1 0 0 7 0 1 1 A 0 1 0 8:16 A 0", func(s Status) bool { return s.QueueIO() && s.Active() == 0 }},
		{"handler words", "2 0 0 2 a b 1 1 D 0 1 0 8:16 A 0", func(s Status) bool { return s.Groups[0].State == GroupDisabled }},
		{"unknown letters", "2 0 0 0 1 1 X 0 1 0 8:16 Y 0", func(s Status) bool {
			return s.Groups[0].State == GroupUnknown && s.Groups[0].Paths[0].State == PathUnknown
		}},
		{"fail count wrapped", "2 0 0 0 1 1 A 0 1 0 8:16 F 99999999999", func(s Status) bool { return s.Groups[0].Paths[0].FailCount == 1<<32-1 }},
		{"words behind", "2 0 0 0 1 1 A 0 1 0 8:16 A 0 what else", func(s Status) bool { return len(s.Groups) == 1 }},
		{"next beyond the groups", "2 0 0 0 1 5 A 0 1 0 8:16 A 0", func(s Status) bool { return s.Next == 5 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseStatus(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.ok(s) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestParseStatusErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "word 1 missing"},
		{"2 0", "only 1 words follow"},
		{"2 0 0 0 2 1 A 0 1 0 8:16 A 0", "missing: group state"},
		{"2 0 0 0 1 1 A 0 -1 0", "not a number"},
		{"2 0 0 0 1 1 A 0 300 0 8:16 A 0", "only 4 words follow"},
		{"2 0 0 0 1 1 A 0 1 5 8:16 A 0", "path's status words"},
		{"2 0 0 0 1 1 A 0 1 0 8:16 A x", "fail count is not a number"},
	} {
		_, err := ParseStatus(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseStatus(%q) = %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestMatch(t *testing.T) {
	tab, err := Parse("1 queue_if_no_path 1 alua 2 1 service-time 0 2 2 8:16 1 1 8:48 1 1 service-time 0 2 2 8:32 1 1 65:160 1 1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ status, want string }{
		{"2 0 0 0 2 1 A 0 2 2 8:16 A 0 0 1 8:48 F 3 0 1 E 0 2 2 8:32 A 0 0 1 65:160 A 0 0 1", ""},
		{"2 0 0 0 1 1 A 0 2 2 8:16 A 0 0 1 8:48 F 3 0 1", "table has 2 groups, status 1"},
		{"2 0 0 0 2 1 A 0 2 2 8:16 A 0 0 1 8:48 F 3 0 1 E 0 1 2 8:32 A 0 0 1", "group 2 has 2 paths in the table, 1"},
		{"2 0 0 0 2 1 A 0 2 2 8:16 A 0 0 1 8:49 F 3 0 1 E 0 2 2 8:32 A 0 0 1 65:160 A 0 0 1", "group 1 path 2 is 8:48 in the table, 8:49"},
	} {
		s, err := ParseStatus(tt.status)
		if err != nil {
			t.Fatal(err)
		}
		switch err := Match(tab, s); {
		case tt.want == "" && err != nil:
			t.Error(err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("Match = %v, want %q", err, tt.want)
		}
	}
}

func TestStatusRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := genTable().Draw(t, "table")
		want := Status{FeatureArgs: genWords(3).Draw(t, "features"), HandlerArgs: genWords(2).Draw(t, "handler"), Next: tab.First}
		for _, g := range tab.Groups {
			h := GroupStatus{State: rapid.SampledFrom([]GroupState{GroupActive, GroupEnabled, GroupDisabled}).Draw(t, "state"), SelArgs: g.SelArgs}
			for _, p := range g.Paths {
				h.Paths = append(h.Paths, PathStatus{
					Dev: p.Dev, State: rapid.SampledFrom([]PathState{PathActive, PathFailed}).Draw(t, "path state"),
					FailCount: rapid.Uint32().Draw(t, "fails"), SelArgs: p.Args,
				})
			}
			want.Groups = append(want.Groups, h)
		}
		have, err := ParseStatus(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Fatalf("(-want +have)\n%s", d)
		}
		if err := Match(tab, have); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseStatus(f *testing.F) {
	for _, s := range []string{
		"2 0 0 0 2 1 A 0 2 2 8:16 A 0 0 1 8:48 A 0 0 1 E 0 2 2 8:32 F 3 0 1 8:64 A 0 0 1 ",
		"2 1 3 0 1 1 E 0 1 0 8:16 A 0",
		"2 0 0 0 0 0",
		"2 0 0 0 1 1 A 0 1024 1024 8:16 A 0",
		"2 0 0 2 a b 1 1 X 1 c 1 0 8:16 Y 99999999999",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseStatus(text)
		if err != nil {
			return
		}
		again, err := ParseStatus(s.String())
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, s, err)
		}
		if d := cmp.Diff(s, again); d != "" && uniform(s) {
			t.Fatal(d)
		}
	})
}

// uniform: a status without paths forgets how many words each would have had.
func uniform(s Status) bool {
	for _, g := range s.Groups {
		if len(g.Paths) == 0 {
			return false
		}
	}
	return true
}

package statefile

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBindingsGrammar(t *testing.T) {
	text := "# header\n\nmpatha 3600a\n\t mpathb\t3600b # note\r\nmpathc\nmpathd 3600d extra\nmpatha 3600z\nocr1 3600e#x\n" +
		"long " + strings.Repeat("x", 128) + "\nlast 3600f"
	b, problems := ParseBindings([]byte(text))
	want := []Binding{{"mpatha", "3600a"}, {"mpathb", "3600b"}, {"mpathd", "3600d"}, {"mpatha", "3600z"}, {"ocr1", "3600e"}, {"last", "3600f"}}
	if diff := cmp.Diff(want, b.Lines()); diff != "" {
		t.Error(diff)
	}
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if diff := cmp.Diff([]int{5, 6, 7, 9}, lines); diff != "" {
		t.Errorf("%v\n%s", problems, diff)
	}
	next, err := b.Add(Binding{"mpathx", "3600x"})
	if err != nil || string(next.Bytes()) != text+"\nmpathx 3600x\n" {
		t.Errorf("%q, %v", next.Bytes(), err)
	}
	if got := string(b.Remove("mpatha").Bytes()); strings.Contains(got, "mpatha") || !strings.Contains(got, "mpathc\n") {
		t.Errorf("%q", got)
	}
	if same, err := b.Add(Binding{"ocr1", "3600e"}); err != nil || string(same.Bytes()) != text {
		t.Errorf("%q, %v", same.Bytes(), err)
	}
	if _, err := b.Add(Binding{"ocr1", "other"}); err == nil {
		t.Error("a name for two LUNs was taken")
	}
	for _, bad := range []Binding{{"", "x"}, {"a b", "x"}, {"a", "x#"}, {"a", "x\ny"}, {"a", strings.Repeat("x", 128)}} {
		if _, err := b.Add(bad); !errors.Is(err, ErrUnprintable) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNewFilesHaveAHeader(t *testing.T) {
	b, _ := ParseBindings(nil)
	b, err := b.Add(Binding{"mpatha", "3600a"})
	if err != nil || string(b.Bytes()) != bindingsHeader+"mpatha 3600a\n" {
		t.Errorf("%q, %v", b.Bytes(), err)
	}
	if n := strings.Count(bindingsHeader, "\n"); n != 7 {
		t.Errorf("header of %d lines, multipath-tools has 7", n)
	}
	w, _ := ParseWWIDs(nil)
	w, err = w.Add("3600a")
	if err != nil || string(w.Bytes()) != wwidsHeader+"/3600a/\n" {
		t.Errorf("%q, %v", w.Bytes(), err)
	}
	if n := strings.Count(wwidsHeader, "\n"); n != 5 {
		t.Errorf("header of %d lines, multipath-tools has 5", n)
	}
}

func TestWWIDs(t *testing.T) {
	w, problems := ParseWWIDs([]byte("# Multipath wwids\n/3600a/\n#3600b/\n/3600c/ \nrubbish\n/3600a/\n/a/b/\n"))
	if diff := cmp.Diff([]string{"3600a", "3600c", "a/b"}, w.All()); diff != "" {
		t.Error(diff)
	}
	if len(problems) != 1 || problems[0].Line != 5 {
		t.Errorf("problems %v", problems)
	}
	w, was := w.Remove("3600a")
	if !was || w.Has("3600a") || !strings.Contains(string(w.Bytes()), "#3600a/\n#3600b/\n/3600c/ \nrubbish\n#3600a/\n") {
		t.Errorf("%v: %q", was, w.Bytes())
	}
	if _, was := w.Remove("3600b"); was {
		t.Error("removed twice")
	}
	w, err := w.Add("3600b")
	if err != nil || !w.Has("3600b") || !strings.HasSuffix(string(w.Bytes()), "\n/3600b/\n") {
		t.Errorf("%v: %q", err, w.Bytes())
	}
	for _, bad := range []string{"", "a\nb", " a", strings.Repeat("x", 128)} {
		if _, err := w.Add(bad); !errors.Is(err, ErrUnprintable) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestPRKeys(t *testing.T) {
	p, problems := ParsePRKeys([]byte("# c\n0x0000000000000abc 3600a\n0X00000000deadbeef 3600b\n#x0000000000000001 3600c\nnonsense\n"))
	want := []PRKey{{"3600a", 0xabc, false}, {"3600b", 0xdeadbeef, true}}
	if diff := cmp.Diff(want, p.All()); diff != "" || len(problems) != 1 {
		t.Errorf("%v %s", problems, diff)
	}
	p, err := p.Set(PRKey{"3600a", 0x123, true})
	if key, ok := p.Of("3600a"); err != nil || !ok || key.Key != 0x123 || !key.APTPL {
		t.Errorf("%v, %v", key, err)
	}
	if !strings.Contains(string(p.Bytes()), "\n#x0000000000000abc 3600a\n") || !strings.HasSuffix(string(p.Bytes()), "\n0X0000000000000123 3600a\n") {
		t.Errorf("%q", p.Bytes())
	}
	if _, err := p.Set(PRKey{WWID: "a"}); !errors.Is(err, ErrUnprintable) {
		t.Errorf("key 0: %v", err)
	}
}

func TestOldIDs(t *testing.T) {
	o, _ := ParseOldIDs(nil)
	odd := OldID{Old: "S a#b%\xff", Canonical: "1ATA"}
	o, ok := o.Add(odd)
	if !ok {
		t.Fatal("not added")
	}
	if _, ok := o.Add(OldID{Old: odd.Old, Canonical: "other"}); ok {
		t.Error("a second LUN took the old id")
	}
	again, problems := ParseOldIDs(o.Bytes())
	if diff := cmp.Diff([]OldID{odd}, again.All()); diff != "" || len(problems) != 0 {
		t.Errorf("%v %s", problems, diff)
	}
	twice, problems := ParseOldIDs([]byte("S1 W1\nS1 W2\nthree words here\nS2 %zz\n"))
	if diff := cmp.Diff([]OldID{{"S1", "W1"}}, twice.All()); diff != "" || len(problems) != 3 {
		t.Errorf("%v %s", problems, diff)
	}
}

func TestDeadlines(t *testing.T) {
	d := Deadlines{Boot: "b-1", List: []Deadline{{"w 2", 7, true}, {"w1", 5, false}}, Maps: []Kept{{"w 2", "queue", 5, "unused", nil}, {"w1", "12", 5, "always", []string{"deferred_remove"}}}, Other: []string{"later thing 1"}}
	text := "pathkeeper-deadlines 1\nboot b-1\nretry w%202 7 expired\nretry w1 5 pending\n" +
		"map w%202 queue 5 unused\nmap w1 12 5 always deferred_remove\nlater thing 1\n"
	if got := string(d.Bytes()); got != text {
		t.Errorf("%q", got)
	}
	again, problems := ParseDeadlines([]byte(text))
	if diff := cmp.Diff(d, again); diff != "" || len(problems) != 0 {
		t.Errorf("%v %s", problems, diff)
	}
	if len(again.KeptSince("b-1")) != 2 || again.KeptSince("b-2") != nil || again.KeptSince("") != nil {
		t.Error("settings of another boot count")
	}
	if len(again.Since("b-1")) != 2 || again.Since("b-2") != nil || again.Since("") != nil {
		t.Error("deadlines of another boot count")
	}
	for _, bad := range []string{"pathkeeper-deadlines 2\nretry w 1 pending\n", "pathkeeper-deadlines 1\nretry w -1 pending\n", "pathkeeper-deadlines 1\nmap w queue x unused\n"} {
		if d, problems := ParseDeadlines([]byte(bad)); len(d.List) != 0 || len(problems) != 1 {
			t.Errorf("%q: %v, %v", bad, d, problems)
		}
	}
}

func FuzzBindings(f *testing.F) {
	f.Add([]byte("# x\nmpatha 3600a\r\nmpathb\n"), "mpathc", "3600c")
	f.Add([]byte("a b"), "a", "c")
	f.Fuzz(func(t *testing.T, data []byte, alias, wwid string) {
		b, _ := ParseBindings(data)
		if string(b.Bytes()) != string(data) {
			t.Fatalf("%q became %q", data, b.Bytes())
		}
		next, err := b.Add(Binding{alias, wwid})
		if err != nil {
			return
		}
		again, _ := ParseBindings(next.Bytes())
		have := append(b.Lines(), Binding{alias, wwid})
		if got := again.Lines(); !cmp.Equal(got, have) && !cmp.Equal(got, b.Lines()) {
			t.Fatalf("%q: %v, want %v", next.Bytes(), got, have)
		}
		if !strings.HasPrefix(string(next.Bytes()), string(data)) {
			t.Fatalf("%q lost bytes of %q", next.Bytes(), data)
		}
		for _, line := range next.Remove(alias).Lines() {
			if line.Alias == alias {
				t.Fatalf("%q still there", alias)
			}
		}
	})
}

func FuzzWWIDs(f *testing.F) {
	f.Add([]byte("# x\n/3600a/\n#3600b/\n"), "3600b")
	f.Fuzz(func(t *testing.T, data []byte, wwid string) {
		w, _ := ParseWWIDs(data)
		if string(w.Bytes()) != string(data) {
			t.Fatalf("%q became %q", data, w.Bytes())
		}
		next, err := w.Add(wwid)
		if err != nil {
			return
		}
		again, _ := ParseWWIDs(next.Bytes())
		if !again.Has(wwid) {
			t.Fatalf("%q is not in %q", wwid, next.Bytes())
		}
		if gone, was := again.Remove(wwid); !was || gone.Has(wwid) || len(gone.Bytes()) != len(again.Bytes()) {
			t.Fatalf("%q: %q", wwid, gone.Bytes())
		}
	})
}

func FuzzPRKeys(f *testing.F) {
	f.Add([]byte("0x0000000000000abc 3600a\n"), "3600b", uint64(1), true)
	f.Fuzz(func(t *testing.T, data []byte, wwid string, key uint64, aptpl bool) {
		p, _ := ParsePRKeys(data)
		if string(p.Bytes()) != string(data) {
			t.Fatalf("%q became %q", data, p.Bytes())
		}
		want := PRKey{wwid, key, aptpl}
		next, err := p.Set(want)
		if err != nil {
			return
		}
		again, _ := ParsePRKeys(next.Bytes())
		if got, ok := again.Of(wwid); !ok || got != want {
			t.Fatalf("%q: %v, want %v", next.Bytes(), got, want)
		}
	})
}

func FuzzOldIDs(f *testing.F) {
	f.Add([]byte("S1 W1\n"), "S 2", "W#2")
	f.Fuzz(func(t *testing.T, data []byte, old, canonical string) {
		o, _ := ParseOldIDs(data)
		if string(o.Bytes()) != string(data) {
			t.Fatalf("%q became %q", data, o.Bytes())
		}
		next, ok := o.Add(OldID{old, canonical})
		if !ok {
			return
		}
		again, _ := ParseOldIDs(next.Bytes())
		for _, id := range again.All() {
			if id == (OldID{old, canonical}) {
				return
			}
		}
		t.Fatalf("%q %q is not in %q", old, canonical, next.Bytes())
	})
}

func FuzzDeadlines(f *testing.F) {
	f.Add([]byte("pathkeeper-deadlines 1\nboot b\nretry w 7 expired\nx\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, _ := ParseDeadlines(data)
		if len(d.Boot)+len(d.List)+len(d.Other) == 0 {
			return
		}
		once := d.Bytes()
		again, problems := ParseDeadlines(once)
		if len(problems) != 0 || string(again.Bytes()) != string(once) {
			t.Fatalf("%q: %v, then %q", once, problems, again.Bytes())
		}
	})
}

package mpath

import (
	"testing"

	"pathkeeper/scsi"
)

// TestEnumWords: the word of every value, and of the first that is none.
func TestEnumWords(t *testing.T) {
	for _, c := range []struct{ have, want string }{
		{CommandUnknown.String(), ""},
		{CommandFailPath.String(), "fail path"},
		{CommandResumeMap.String(), "resume map"},
		{CommandKind(len(commandNames)).String(), "command 29"},
		{ReplyUnknown.String(), replyNames[0]},
		{ReplyKept.String(), replyNames[len(replyNames)-1]},
		{ReplyCode(len(replyNames)).String(), "reply 10"},
		{AttentionNone.String(), ""},
		{AttentionReset.String(), "POWER_ON_RESET_OCCURRED"},
		{Attention(6).String(), "attention(6)"},
		{ErrnoNone.String(), ""},
		{ErrnoOther.String(), "error"},
		{(ErrnoOther + 1).String(), "error"},
		{NoOwner().String(), "-:- -"},
		{Owner{UID: 0, GID: 0, Mode: 0}.String(), "0:0 0000"},
	} {
		if c.have != c.want {
			t.Errorf("%q, want %q", c.have, c.want)
		}
	}
	if a := ParseAttention("LUN_RESET"); a != AttentionNone {
		t.Errorf("an attention that says nothing of paths is %v", a)
	}
	var a Attention
	if err := a.UnmarshalText([]byte("LUN_RESET")); err == nil {
		t.Error("an unknown attention was read")
	}
	if err := a.UnmarshalText([]byte("x")); err == nil {
		t.Error("an attention of one letter was read")
	}
	if err := a.UnmarshalText(nil); err != nil || a != AttentionNone {
		t.Errorf("none: %v, %v", a, err)
	}
}

// TestOwnerSet: 0 is root, who may well be asked for; what is negative is left.
func TestOwnerSet(t *testing.T) {
	for _, c := range []struct {
		o    Owner
		want bool
	}{
		{NoOwner(), false},
		{Owner{UID: 0, GID: -1, Mode: -1}, true},
		{Owner{UID: -1, GID: 0, Mode: -1}, true},
		{Owner{UID: -1, GID: -1, Mode: 0}, true},
	} {
		if c.o.Set() != c.want {
			t.Errorf("%v: %v", c.o, c.o.Set())
		}
	}
}

// TestResolveID: numbers are numbers, names are looked up, and what is neither is
// nobody; the largest number means "leave it" to chown(2).
func TestResolveID(t *testing.T) {
	names := []NameID{{"oracle", 501}, {"0racle", 502}}
	for _, c := range []struct {
		text string
		want uint32
		ok   bool
	}{
		{"", 0, false},
		{"0", 0, true},
		{"09", 9, true},
		{"501", 501, true},
		{"4294967294", 4294967294, true},
		{"4294967295", 0, false},
		{"99999999999", 0, false},
		{"oracle", 501, true},
		{"0racle", 502, true},
		{"1:", 0, false},
		{"/", 0, false},
		{"nobody", 0, false},
	} {
		if n, ok := resolveID(c.text, names); n != c.want || ok != c.ok {
			t.Errorf("%q: %d %v, want %d %v", c.text, n, ok, c.want, c.ok)
		}
	}
}

// TestIDStrings: a LUN without a list of ids is known by its canonical one.
func TestIDStrings(t *testing.T) {
	if got := idStrings(scsi.Identity{WWID: "w"}); len(got) != 1 || got[0] != "w" {
		t.Errorf("%q", got)
	}
	if got := idStrings(scsi.Identity{WWID: "w", IDs: []scsi.ID{{Value: "w"}, {Value: "old"}}}); len(got) != 2 || got[1] != "old" {
		t.Errorf("%q", got)
	}
	if got := idStrings(scsi.Identity{}); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestTargetOf: host, channel and target of an address.
func TestTargetOf(t *testing.T) {
	for have, want := range map[string]string{"2:0:1:3": "2:0:1", "": "", "7": ""} {
		if got := targetOf(have); got != want {
			t.Errorf("%q: %q, want %q", have, got, want)
		}
	}
}

// TestPathIDOrder: by device number, then by appearance.
func TestPathIDOrder(t *testing.T) {
	a, b := PathID{Diskseq: 1}, PathID{Diskseq: 2}
	if a.compare(b) != -1 || b.compare(a) != 1 || a.compare(a) != 0 {
		t.Error("by appearance")
	}
	b.Diskseq, b.Dev.Minor = 0, 1
	if a.compare(b) >= 0 || b.compare(a) <= 0 {
		t.Error("by number first")
	}
	for _, bad := range []string{"", "8:0", "8:0@", "8@1", "8:0@x", "8:0@-1"} {
		if err := new(PathID).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestCountedWords: without the count; what has no word behind it has none.
func TestCountedWords(t *testing.T) {
	for text, want := range map[string]int{"": 0, "0": 0, "1 queue_if_no_path": 1, "2 pg_init_retries 50": 2} {
		if got := countedWords(text); len(got) != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// TestRivals: who bears the number or the name of another device, and not who is meant.
func TestRivals(t *testing.T) {
	mc, ps := lawful()
	if got := mc.rivals(PathID{Dev: ps[0].id.Dev, Diskseq: 99}, "other"); len(got) != 1 || got[0] != ps[0] {
		t.Errorf("the same number: %v", got)
	}
	if got := mc.rivals(PathID{Dev: ps[0].id.Dev, Diskseq: 99}, "sdb"); len(got) != 2 {
		t.Errorf("one's number and another one's name: %v", got)
	}
	if got := mc.rivals(ps[0].id, "sda"); len(got) != 0 {
		t.Errorf("itself: %v", got)
	}
}

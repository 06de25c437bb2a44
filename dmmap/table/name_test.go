package table

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDevNum(t *testing.T) {
	for _, tt := range []struct {
		text string
		dev  DevNum
		enc  uint64
	}{
		{"8:16", DevNum{8, 16}, 0x810},
		{"254:0", DevNum{254, 0}, 0xfe00},
		{"65:160", DevNum{65, 160}, 0x41a0},
		{"259:70000", DevNum{259, 70000}, 0x11110370},
		{"4095:1048575", DevNum{4095, 1048575}, 0xffffffff},
	} {
		d, err := ParseDevNum(tt.text)
		if err != nil || d != tt.dev || d.String() != tt.text {
			t.Errorf("ParseDevNum(%q) = %v, %v", tt.text, d, err)
		}
		if e := tt.dev.Encode(); e != tt.enc || DecodeDev(e) != tt.dev {
			t.Errorf("%v.Encode() = %#x, want %#x; decoded %v", tt.dev, e, tt.enc, DecodeDev(e))
		}
	}
	for _, s := range []string{"", "8", "8:", ":16", "8:16:1", "+8:16", "-8:16", " 8:16", "8:16 ", "0x8:1", "4096:0", "8:1048576", "99999999999999999999:0"} {
		if d, err := ParseDevNum(s); err == nil {
			t.Errorf("ParseDevNum(%q) = %v, want an error", s, d)
		}
	}
	if a, b := (DevNum{8, 16}), (DevNum{65, 0}); a.Compare(b) >= 0 || b.Compare(a) <= 0 || a.Compare(a) != 0 {
		t.Error("order")
	}
}

func TestName(t *testing.T) {
	for _, tt := range []struct{ alias, kernel string }{
		{"mpatha", "mpatha"},
		{"voting1", "voting1"},
		{"3600a0b80000f1f2d", "3600a0b80000f1f2d"},
		{"a b", `a\x20b`},
		{`a\x20b`, `a\x20b`},
		{"x#+-.:=@_y", "x#+-.:=@_y"},
		{"é", `\xc3\xa9`},
		{strings.Repeat("n", 127), strings.Repeat("n", 127)},
	} {
		n, err := NewName(tt.alias)
		if err != nil || n.Kernel() != tt.kernel || n.Path() != "/dev/mapper/"+tt.kernel {
			t.Errorf("NewName(%q) = %q, %v, want %q", tt.alias, n.Kernel(), err, tt.kernel)
		}
		if k, err := KernelName(tt.kernel); err != nil || k != n {
			t.Errorf("KernelName(%q) = %q, %v", tt.kernel, k, err)
		}
	}
	for _, tt := range []struct{ alias, want string }{
		{"", "empty"},
		{".", "reserved"},
		{"..", "reserved"},
		{"control", "reserved"},
		{"a/b", "'/'"},
		{"a\x00b", "control character"},
		{"a\nb", "control character 0x0a at byte 1"},
		{`a\x20b c`, "mixes"},
		{strings.Repeat("n", 128), "needs 128 bytes"},
		{strings.Repeat(" ", 32), "needs 128 bytes"},
	} {
		if _, err := NewName(tt.alias); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("NewName(%q): %v, want %q", tt.alias, err, tt.want)
		}
	}
	if n, _ := KernelName(`a\x20b\x0a`); n.String() != `a b\x0a` {
		t.Errorf("String() = %q", n)
	}
	if n, err := KernelName("a b"); err != nil || n.Kernel() != "a b" {
		t.Errorf("a name of another program: %q, %v", n, err)
	}
	for _, s := range []string{"", "a/b", "a\x00", strings.Repeat("n", 128)} {
		if _, err := KernelName(s); err == nil {
			t.Errorf("KernelName(%q) took it", s)
		}
	}
}

func TestUUID(t *testing.T) {
	m, err := MapUUID("3600a0b80000f1f2d")
	if err != nil {
		t.Fatal(err)
	}
	p, err := PartUUID(3, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		uuid UUID
		text string
		kind Kind
		wwid string
		part int
		of   UUID
	}{
		{m, "mpath-3600a0b80000f1f2d", KindMap, "3600a0b80000f1f2d", 0, m},
		{p, "part3-mpath-3600a0b80000f1f2d", KindPart, "3600a0b80000f1f2d", 3, m},
		{mustUUID(t, `mpath-a\x20b`), `mpath-a\x20b`, KindMap, "a b", 0, mustUUID(t, `mpath-a\x20b`)},
		{mustUUID(t, "LVM-abc"), "LVM-abc", KindOther, "", 0, UUID{}},
		{mustUUID(t, "part1-LVM-abc"), "part1-LVM-abc", KindOther, "", 0, UUID{}},
		{mustUUID(t, "part0-mpath-x"), "part0-mpath-x", KindOther, "", 0, UUID{}},
		{mustUUID(t, "part01-mpath-x"), "part01-mpath-x", KindOther, "", 0, UUID{}},
		{mustUUID(t, "part-mpath-x"), "part-mpath-x", KindOther, "", 0, UUID{}},
		{mustUUID(t, "mpath-"), "mpath-", KindOther, "", 0, UUID{}},
		{mustUUID(t, ""), "", KindUnknown, "", 0, UUID{}},
	} {
		if tt.uuid.Kernel() != tt.text || tt.uuid.Kind() != tt.kind || tt.uuid.WWID() != tt.wwid || tt.uuid.Part() != tt.part || tt.uuid.Map() != tt.of {
			t.Errorf("%q: %v %q part %d of %q", tt.uuid.Kernel(), tt.uuid.Kind(), tt.uuid.WWID(), tt.uuid.Part(), tt.uuid.Map())
		}
	}
	for _, w := range []string{"", "a\x00", strings.Repeat("w", 123)} {
		if u, err := MapUUID(w); err == nil {
			t.Errorf("MapUUID(%q) = %q", w, u)
		}
	}
	if u, err := PartUUID(0, m); err == nil {
		t.Error(u)
	}
	if u, err := PartUUID(1, p); err == nil {
		t.Errorf("partition of a partition: %q", u)
	}
	long, err := MapUUID(strings.Repeat("w", 122))
	if err != nil {
		t.Fatal(err)
	}
	if u, err := PartUUID(1, long); err == nil {
		t.Errorf("cut at 128: %q", u)
	}
	if _, err := ParseUUID(strings.Repeat("u", 129)); err == nil {
		t.Error("a UUID of 129 bytes was taken")
	}
}

func mustUUID(t *testing.T, s string) UUID {
	t.Helper()
	u, err := ParseUUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Whatever NewName takes comes back for people as it was, and through the kernel
// and through text unchanged.
func TestNamesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringN(1, 40, 130).Draw(t, "alias")
		if n, err := NewName(s); err == nil {
			if !strings.Contains(s, `\x`) && n.String() != s {
				t.Fatalf("%q became %q", s, n)
			}
			var m Name
			if err := m.UnmarshalText([]byte(n.Kernel())); err != nil || m != n || m.Compare(n) != 0 {
				t.Fatalf("%q: %v, %v", s, m, err)
			}
		}
		if u, err := MapUUID(s); err == nil {
			if !strings.Contains(s, `\x`) && u.WWID() != s {
				t.Fatalf("WWID %q became %q", s, u.WWID())
			}
		}
		d := genDev().Draw(t, "dev")
		if DecodeDev(d.Encode()) != d {
			t.Fatalf("%v", d)
		}
	})
}

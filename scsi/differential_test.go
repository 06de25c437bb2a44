package scsi

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The measured cases of multipath-tools 0.14.3 and systemd 252's scsi_id.

type unitCase struct {
	Name   string     `json:"name"`
	Page   string     `json:"page"`
	Buffer int        `json:"buffer"`
	WWID   *string    `json:"wwid"`
	Serial *string    `json:"serial"`
	Text   *string    `json:"text"`
	Error  *string    `json:"error"`
	Std    string     `json:"std"`
	VPD00  *string    `json:"vpd00"`
	VPD80  *string    `json:"vpd80"`
	VPD83  *string    `json:"vpd83"`
	ScsiID *scsiIDOut `json:"scsi_id"`
	Same   *bool      `json:"same"`
}

type scsiIDOut struct {
	Exit   int               `json:"exit"`
	Serial *string           `json:"serial"`
	Export map[string]string `json:"export"`
	Raw    *string           `json:"raw"`
}

const (
	acmeStd   = "000006021f00000241434d4520202020547572626f203930303020202020202030303031"
	acmeVPD80 = "00800008534e203030303120"
	acmeVPD00 = "00000003008083"
)

func unitCases(t testing.TB, group string) []unitCase {
	t.Helper()
	text, err := os.ReadFile("../testdata/differential/unit-" + group + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []unitCase `json:"cases"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 {
		t.Fatalf("%s: no cases", group)
	}
	return file.Cases
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func optional(t testing.TB, s *string) []byte {
	if s == nil {
		return nil
	}
	return unhex(t, *s)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// errnoName is the errno by which multipath-tools reports the same problem.
func errnoName(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrNoData):
		return "ENODATA"
	case errors.Is(err, ErrOverrun):
		return "EOVERFLOW"
	case errors.Is(err, ErrInvalid):
		return "EINVAL"
	}
	return err.Error()
}

func acme(t testing.TB, page83 []byte) Raw {
	return Raw{Inquiry: unhex(t, acmeStd), VPD00: unhex(t, acmeVPD00), VPD80: unhex(t, acmeVPD80), VPD83: page83}
}

func TestWWIDAsMultipathTools(t *testing.T) {
	for _, c := range unitCases(t, "vpd83") {
		t.Run(c.Name, func(t *testing.T) {
			have, err := wwidFromVPD83(unhex(t, c.Page), c.Buffer)
			if have != deref(c.WWID) || errnoName(err) != deref(c.Error) {
				t.Errorf("have %q, error %v; want %q, %s", have, err, deref(c.WWID), deref(c.Error))
			}
		})
	}
}

func TestScsiIDAsSystemd(t *testing.T) {
	for _, c := range unitCases(t, "vpd83") {
		if c.ScsiID != nil {
			t.Run("vpd83/"+c.Name, func(t *testing.T) {
				checkScsiID(t, acme(t, unhex(t, c.Page)), *c.ScsiID)
				same := deref(c.WWID) != "" && deref(c.WWID) == deref(c.ScsiID.Serial)
				if same != *c.Same {
					t.Errorf("the file contradicts itself: same = %v", *c.Same)
				}
			})
		}
	}
	for _, c := range unitCases(t, "scsi-id") {
		t.Run(c.Name, func(t *testing.T) {
			checkScsiID(t, Raw{
				Inquiry: unhex(t, c.Std), VPD00: optional(t, c.VPD00),
				VPD80: optional(t, c.VPD80), VPD83: optional(t, c.VPD83),
			}, *c.ScsiID)
		})
	}
}

func checkScsiID(t *testing.T, in Raw, want scsiIDOut) {
	t.Helper()
	r, err := ScsiID(in, ScsiIDAuto)
	if err != nil {
		t.Fatal(err)
	}
	if r.Raw != deref(want.Raw) {
		t.Errorf("raw output: have %q, want %q", r.Raw, deref(want.Raw))
	}
	if r.Serial != deref(want.Serial) {
		t.Errorf("ID_SERIAL: have %q, want %q", r.Serial, deref(want.Serial))
	}
	have := map[string]string{}
	for _, p := range r.Export() {
		switch p.Name { // the files leave these out
		case "ID_SCSI", "ID_VENDOR_ENC", "ID_MODEL_ENC", "ID_REVISION", "ID_SERIAL", "ID_WWN_VENDOR_EXTENSION", "ID_TARGET_PORT":
		default:
			have[p.Name] = p.Value
		}
	}
	if d := cmp.Diff(want.Export, have); d != "" {
		t.Errorf("--export (-want +have):\n%s", d)
	}
}

func TestSerialAsMultipathTools(t *testing.T) {
	escaped := regexp.MustCompile(`\\x([0-9a-f]{2})`) // bytes that JSON cannot hold
	for _, c := range unitCases(t, "vpd80") {
		t.Run(c.Name, func(t *testing.T) {
			want := escaped.ReplaceAllStringFunc(*c.Serial, func(s string) string {
				n, err := strconv.ParseUint(s[2:], 16, 8)
				if err != nil {
					t.Fatal(err)
				}
				return string([]byte{byte(n)})
			})
			have, err := serialFromVPD80(unhex(t, c.Page), c.Buffer)
			if have != want || errnoName(err) != deref(c.Error) {
				t.Errorf("have %q, error %v; want %q, %s", have, err, want, deref(c.Error))
			}
		})
	}
}

func Test3PARNameAsMultipathTools(t *testing.T) {
	for _, c := range unitCases(t, "vpd-c0-hp3par") {
		t.Run(c.Name, func(t *testing.T) {
			have, err := Decode3PARName(unhex(t, c.Page))
			if have != deref(c.Text) || errnoName(err) != deref(c.Error) {
				t.Errorf("have %q, error %v; want %q, %s", have, err, deref(c.Text), deref(c.Error))
			}
		})
	}
}

// Identify is deliberately stricter than the two programs where they would let
// two units share an id; everywhere else its WWID is multipath-tools' own, and
// where that has none, udev's.
func TestIdentifyAgainstBoth(t *testing.T) {
	deliberate := map[string]struct{ want, why string }{
		"t10-shorter-than-8":        {"", "scsi_id's 1ACME names a vendor, not a unit"},
		"t10-empty":                 {"", "scsi_id's 1 names nothing"},
		"wrong-length-naa5-7":       {"", "a cut NAA: the units' numbers differ in the part that is missing"},
		"wrong-length-naa5-16":      {"", "NAA 5 has 8 bytes; what the rest is, nobody knows"},
		"wrong-length-naa-0":        {"", "scsi_id's 3 names nothing"},
		"wrong-length-eui-7":        {"", "a cut EUI-64"},
		"wrong-length-eui-15":       {"", "a cut EUI-64"},
		"wrong-length-eui-0":        {"", "scsi_id's 2 names nothing"},
		"naa-unknown-nibble-4":      {"", "no such NAA"},
		"naa-unknown-nibble-0":      {"", "no such NAA"},
		"naa6-ascii-code-set":       {"", "an NAA in text is half of one: 8 of 16 bytes"},
		"overrun-only":              {"", "scsi_id reads what lies behind the page"},
		"page-length-too-big":       {"", "the page says that more designators follow; a better one may be among them"},
		"t10-tab":                   {"1ACME_a_b", "a tab would break state files; udev's form, which multipath-tools is given in life"},
		"0x83-listed-but-refused":   {"", "the unit has better ids, which cannot be read now: another name now would be a second name"},
		"page-0-refused-0x83-there": {"3600a098000abcdef0011223344556677", "multipath-tools' own parser needs no page 0x00"},
	}
	seen := map[string]bool{}
	check := func(name string, in Raw, wwid, udev string) {
		t.Run(name, func(t *testing.T) {
			want := wwid
			if want == "" {
				want = udev
			}
			if d, ok := deliberate[name]; ok {
				seen[name] = true
				if d.want == want {
					t.Errorf("no difference any more: %s", d.why)
				}
				want = d.want
			}
			have := Identify(in)
			if have.WWID != want {
				t.Errorf("have %q (%s), want %q", have.WWID, have.Problem, want)
			}
			if (have.WWID == "") != (have.Problem != "") {
				t.Errorf("WWID %q beside problem %q", have.WWID, have.Problem)
			}
			if have.WWID != "" && udev != "" {
				if _, ok := have.Has(udev); !ok {
					t.Errorf("udev's id %q is not among %v", udev, have.IDs)
				}
			}
		})
	}
	for _, c := range unitCases(t, "vpd83") {
		if c.Buffer == WWIDBufferLen {
			check(c.Name, acme(t, unhex(t, c.Page)), deref(c.WWID), deref(c.ScsiID.Serial))
		}
	}
	for _, c := range unitCases(t, "scsi-id") {
		check(c.Name, Raw{
			Inquiry: unhex(t, c.Std), VPD00: optional(t, c.VPD00),
			VPD80: optional(t, c.VPD80), VPD83: optional(t, c.VPD83),
		}, "", deref(c.ScsiID.Serial))
	}
	for name := range deliberate {
		if !seen[name] {
			t.Errorf("no case %q", name)
		}
	}
}

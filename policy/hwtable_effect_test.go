package policy

import (
	"encoding/csv"
	"os"
	"regexp/syntax"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/scsi"
)

// The table as it was read from the reference row by row, with the one value that
// it declares and then loses.
func TestBuiltinDevicesEqualTheList(t *testing.T) {
	f, err := os.Open("../testdata/hwtable.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	columns, hw := records[0], BuiltinDevices()
	if len(records)-1 != 137 || len(hw) != 137 {
		t.Fatalf("the list has %d rows, the table %d, want 137", len(records)-1, len(hw))
	}
	lost := 0
	for i, record := range records[1:] {
		want, got := map[string]string{}, map[string]string{"vendor": hw[i].Vendor, "product": hw[i].Product}
		for n, value := range record[3:] {
			keyword := columns[n+3]
			if value == "" {
				continue
			}
			if keyword == "max_sectors_kb" {
				lost++
				continue
			}
			want[keyword] = value
		}
		if hw[i].ProductBlacklist != "" {
			got["product_blacklist"] = hw[i].ProductBlacklist
		}
		for _, s := range hw[i].Layer {
			got[s.Keyword] = s.Value
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("row %s, want -, got +:\n%s", record[0], diff)
		}
	}
	if lost != 1 {
		t.Errorf("%d values of max_sectors_kb, want 1: PURE FlashArray's", lost)
	}
}

// samples gives strings that an expression of the table fits: every alternative,
// every letter of a class, with and without what may be left out.
func samples(t *testing.T, pattern string) []string {
	t.Helper()
	re, err := syntax.Parse(pattern, syntax.POSIX)
	if err != nil {
		t.Fatal(err)
	}
	out := expand(t, re)
	slices.Sort(out)
	return slices.Compact(out)
}

func expand(t *testing.T, re *syntax.Regexp) []string {
	t.Helper()
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return []string{""}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{"x"}
	case syntax.OpCharClass:
		var out []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				out = append(out, string(r))
			}
		}
		return out
	case syntax.OpCapture, syntax.OpPlus:
		return expand(t, re.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		return append(expand(t, re.Sub[0]), "")
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			out = append(out, expand(t, sub)...)
		}
		return out
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			var longer []string
			for _, head := range out {
				for _, tail := range expand(t, sub) {
					longer = append(longer, head+tail)
				}
			}
			out = longer
		}
		return out
	}
	t.Fatalf("no sample for %v", re)
	return nil
}

// Every value of every row takes effect on every device that the row is for, with
// the row as its origin. No row is hidden by another: the rule of hwRows holds.
func TestEveryRowTakesEffect(t *testing.T) {
	hw := BuiltinDevices()
	except := map[string]string{
		"built-in NETAPP,LUN prio":    "prio ontap is not there yet: const, with a warning",
		"built-in ^Qsan,.* prio_args": "counts only beside a prio of a device entry, as in the reference; see below",
	}
	// What the device itself says is left out: only the table is looked at.
	asked := layer("test", "detect_prio", "no", "detect_checker", "no", "detect_pgpolicy", "no")
	c := compile(t, Config{Defaults: asked, Devices: hw})
	values := 0
	for i, row := range hw {
		effective := map[string]bool{}
		for _, vendor := range samples(t, row.Vendor) {
			for _, product := range samples(t, row.Product) {
				id := scsi.Identity{WWID: "3600a", Vendor: vendor, Model: product, TPGS: 3}
				matches := c.Matches(id)
				if !slices.ContainsFunc(matches, func(d Device) bool { return d.Origin == row.Origin }) {
					t.Fatalf("row %d %s does not match its own %q, %q", i+1, row.Origin.Note, vendor, product)
				}
				all := c.Effective(Target{Identity: id, Facts: Facts{Devnode: "sda", DevType: "disk", TPGS: true}})
				for _, s := range row.Layer {
					got := effectiveOf(all, s.Keyword)
					winner := firstWith(matches, s.Keyword)
					switch {
					case winner.Origin != row.Origin:
						t.Errorf("%q %q: %s of row %d is hidden by %s", vendor, product, s.Keyword, i+1, winner.Origin.Note)
					case except[row.Origin.Note+" "+s.Keyword] != "":
						if got.Value == s.Value {
							t.Errorf("row %d: %s is listed as without effect", i+1, s.Keyword)
						}
						effective[s.Keyword] = true
					case got.Value != s.Value || got.Origin != row.Origin:
						t.Errorf("row %d, %q %q: %s is %q from %s, want %q from %s", i+1, vendor, product, s.Keyword, got.Value, got.Origin, s.Value, row.Origin)
					default:
						effective[s.Keyword] = true
						values++
					}
				}
			}
		}
		for _, s := range row.Layer {
			if !effective[s.Keyword] {
				t.Errorf("row %d %s: %s %s takes effect on no device", i+1, row.Origin.Note, s.Keyword, s.Value)
			}
		}
	}
	if values < 1000 {
		t.Errorf("only %d values looked at", values)
	}
	qsan := Device{Vendor: "^Qsan", Product: "^XF", Layer: layer("file", "prio", "alua"), Origin: fileAt(1)}
	c = compile(t, Config{Defaults: asked, Devices: append(hw, qsan)})
	got := effectiveOf(c.Effective(Target{Identity: scsi.Identity{WWID: "3600a", Vendor: "Qsan", Model: "XF", TPGS: 3}}), "prio_args")
	if got.Value != "exclusive_pref_bit" || got.Origin.Note != "built-in ^Qsan,.*" {
		t.Errorf("Qsan's prio_args beside a file's prio: got %q from %s", got.Value, got.Origin)
	}
}

func firstWith(devices []Device, keyword string) Device {
	for _, d := range devices {
		if _, ok := d.Layer.Lookup(keyword); ok {
			return d
		}
	}
	return Device{}
}

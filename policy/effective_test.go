package policy

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func effectiveOf(list []Effective, keyword string) Effective {
	i := slices.IndexFunc(list, func(e Effective) bool { return e.Keyword == keyword })
	if i < 0 {
		return Effective{}
	}
	return list[i]
}

func fileAt(line int) Origin { return Origin{File: "f", Line: line, Column: 2} }

func TestEffectivePlaces(t *testing.T) {
	cfg := Config{
		Defaults: Layer{
			{"failback", "5", fileAt(1)},
			{"no_path_retry", "fail", fileAt(2)},
			{"uid_attrs", "sd:ID_UID", fileAt(3)},
			{"fast_io_fail_tmo", "9", fileAt(4)},
			{"path_checker", "directio", fileAt(5)},
			{"polling_interval", "7", fileAt(6)},
			{"max_sectors_kb", "64", fileAt(7)},
		},
		Overrides: Layer{{"fast_io_fail_tmo", "8", fileAt(10)}, {"failback", "manual", fileAt(11)}, {"max_sectors_kb", "0", fileAt(12)}},
		Protocols: []Protocol{
			{Type: "scsi:iscsi", Layer: Layer{{"fast_io_fail_tmo", "6", fileAt(13)}}},
			{Type: "scsi:fcp", Layer: Layer{{"fast_io_fail_tmo", "7", fileAt(14)}}},
		},
		Devices: []Device{
			{Vendor: "ACME", Product: "T", BuiltIn: true, Layer: Layer{{"no_path_retry", "12", Origin{Note: "built-in ACME,T"}}, {"rr_weight", "priorities", Origin{Note: "built-in ACME,T"}}}},
			{Vendor: "ACME", Product: "Turbo", Layer: Layer{{"no_path_retry", "queue", fileAt(20)}}},
		},
		Multipaths: []Multipath{{WWID: "3600a", Layer: Layer{{"failback", "immediate", fileAt(30)}, {"alias", "one", fileAt(31)}}}},
	}
	id := acme
	id.TPGS = 3
	c := compile(t, cfg)
	got := c.Effective(Target{Identity: id, Facts: Facts{Devnode: "sda", DevType: "disk", Protocol: "scsi:fcp", TPGS: true}})
	table := []Effective{
		{Keyword: "alias", Value: "one", Origin: fileAt(31), Place: PlaceMultipaths, Entry: "3600a"},
		{
			Keyword: "failback", Value: "immediate", Origin: fileAt(30), Place: PlaceMultipaths, Entry: "3600a",
			Beat: []Shadowed{{Value: "manual", Origin: fileAt(11), Place: PlaceOverrides}, {Value: "5", Origin: fileAt(1), Place: PlaceDefaults}},
		},
		{
			Keyword: "no_path_retry", Value: "queue", Origin: fileAt(20), Place: PlaceDevice, Entry: "ACME,Turbo",
			Beat: []Shadowed{
				{Value: "12", Origin: Origin{Note: "built-in ACME,T"}, Place: PlaceTable, Entry: "ACME,T"},
				{Value: "fail", Origin: fileAt(2), Place: PlaceDefaults},
			},
		},
		{Keyword: "rr_weight", Value: "priorities", Origin: Origin{Note: "built-in ACME,T"}, Place: PlaceTable, Entry: "ACME,T"},
		{
			Keyword: "fast_io_fail_tmo", Value: "7", Origin: fileAt(14), Place: PlaceProtocol, Entry: "scsi:fcp",
			Beat: []Shadowed{{Value: "8", Origin: fileAt(10), Place: PlaceOverrides}, {Value: "9", Origin: fileAt(4), Place: PlaceDefaults}},
		},
		{
			Keyword: "path_checker", Value: "tur", Origin: Origin{Note: "detect_checker: target port groups"}, Place: PlaceDetected,
			Beat: []Shadowed{{Value: "directio", Origin: fileAt(5), Place: PlaceDefaults, Above: true}},
		},
		{Keyword: "uid_attribute", Value: "ID_UID", Origin: fileAt(3), Place: PlaceDefaults},
		{Keyword: "polling_interval", Value: "7", Origin: fileAt(6), Place: PlaceDefaults},
		{Keyword: "max_polling_interval", Value: "28", Origin: Origin{Note: "4 x polling_interval"}, Place: PlaceDerived},
		{
			Keyword: "max_sectors_kb", Value: "64", Origin: fileAt(7), Place: PlaceDefaults,
			Beat: []Shadowed{{Value: "0", Origin: fileAt(12), Place: PlaceOverrides, Above: true}},
		},
		{Keyword: "eh_deadline", Origin: Origin{Note: builtInNote}, Place: PlaceBuiltIn},
		{Keyword: "retrigger_tries", Value: "3", Origin: Origin{Note: builtInNote}, Place: PlaceBuiltIn},
	}
	for _, want := range table {
		if diff := cmp.Diff(want, effectiveOf(got, want.Keyword)); diff != "" {
			t.Errorf("%s: %s", want.Keyword, diff)
		}
	}
	if e := effectiveOf(got, "wwid"); e.Keyword != "" {
		t.Errorf("wwid is no setting: %+v", e)
	}
	none := c.EffectiveDefaults()
	if e := effectiveOf(none, "no_path_retry"); e.Value != "fail" || e.Place != PlaceDefaults {
		t.Errorf("defaults: %+v", e)
	}
	if e := effectiveOf(none, "failback"); e.Value != "manual" || e.Place != PlaceOverrides {
		t.Errorf("defaults: %+v", e)
	}
}

// An alias that another LUN has already is a candidate that does not count.
func TestEffectiveAliasTaken(t *testing.T) {
	cfg := Config{Multipaths: []Multipath{
		{WWID: "3600b", Layer: Layer{{"alias", "one", fileAt(1)}}},
		{WWID: "3600a", Layer: Layer{{"alias", "one", fileAt(2)}}},
	}}
	c, problems := Compile(cfg)
	if len(problems) != 1 {
		t.Fatal(problems)
	}
	e := effectiveOf(c.Effective(Target{Identity: acme}), "alias")
	if e.Value != "" || e.Place != PlaceBuiltIn || len(e.Beat) != 1 || !e.Beat[0].Above {
		t.Errorf("%+v", e)
	}
}

// The value of features that stands for no_path_retry comes from features' place.
func TestEffectiveQueueFeature(t *testing.T) {
	cfg := Config{Overrides: Layer{{"features", "1 queue_if_no_path", fileAt(4)}}}
	e := effectiveOf(compile(t, cfg).Effective(Target{Identity: acme}), "no_path_retry")
	if e.Value != "queue" || e.Place != PlaceOverrides || e.Origin.Line != 4 {
		t.Errorf("%+v", e)
	}
}

// TestEffectiveAgreesWithSettings compares both over random configurations: each
// value with its origin, and the place's own value where the place is a layer.
func TestEffectiveAgreesWithSettings(t *testing.T) {
	rng := rand.New(rand.NewSource(4))
	for round := range 400 {
		cfg := randomConfig(rng)
		c, _ := Compile(cfg)
		target := randomTarget(rng)
		list := c.Effective(target)
		for _, want := range fieldsOf(c.Decide(target.Identity, target.Facts, target.State).Settings) {
			got := effectiveOf(list, want.Keyword)
			if got.Value != want.Value || got.Origin != want.Origin {
				t.Fatalf("round %d, %s: %q (%s), and the settings say %q (%s)", round, want.Keyword, got.Value, got.Origin, want.Value, want.Origin)
			}
			if got.Place == PlaceUnknown {
				t.Fatalf("round %d: %s has no place: %+v", round, want.Keyword, got)
			}
		}
	}
}

// fieldsOf reads Settings field by field, with its own idea of each value's text,
// so that a field which Texts forgets is found.
func fieldsOf(s Settings) []Setting {
	names := map[string]string{
		"UserFriendly": "user_friendly_names", "Grouping": "path_grouping_policy", "Selector": "path_selector", "Handler": "hardware_handler",
		"MinIO": "rr_min_io_rq", "RRWeight": "rr_weight", "UID": "uid", "GID": "gid", "Checker": "path_checker", "FlushOnLastDel": "flush_on_last_del",
		"FastIOFail": "fast_io_fail_tmo", "DevLoss": "dev_loss_tmo", "EHDeadline": "eh_deadline", "MaxSectorsKB": "max_sectors_kb",
	}
	var out []Setting
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		if !strings.HasPrefix(f.Type().Name(), "Value[") {
			continue
		}
		keyword := names[name]
		if keyword == "" {
			keyword = snake(name)
		}
		o := f.FieldByName("Origin").Interface().(Origin)
		text := ""
		switch x := f.FieldByName("V").Interface().(type) {
		case string:
			text = x
		case bool:
			text = map[bool]string{true: "yes", false: "no"}[x]
		case int:
			text = strconv.Itoa(x)
			if name == "Mode" {
				text = fmt.Sprintf("0%o", x)
			}
			if o.builtIn() && (name == "Mode" || x == 0) {
				text = ""
			}
		case RetryPolicy:
			if text = x.String(); text == "unset" {
				text = ""
			}
		case FailbackPolicy:
			text = x.String()
		case Timeout:
			if text = x.String(); text == "unset" {
				text = ""
			}
		default:
			panic(name)
		}
		out = append(out, Setting{keyword, text, o})
	}
	return out
}

func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func randomTarget(rng *rand.Rand) Target {
	id := acme
	id.TPGS = uint8(rng.Intn(2))
	f := Facts{Devnode: "sda", DevType: "disk", Protocol: "scsi:fcp", TPGS: id.TPGS != 0 && rng.Intn(2) == 0, RDAC: rng.Intn(4) == 0}
	if rng.Intn(3) == 0 {
		f.DHState, f.AccessState = "alua", "optimized"
	}
	k := Kernel{}
	if rng.Intn(3) == 0 {
		k = Kernel{Selectors: []string{"service-time"}, Handlers: []string{"rdac"}}
	}
	return Target{Identity: id, Facts: f, State: State{Kernel: k}}
}

// randomConfig puts values, good and bad, into every layer.
func randomConfig(rng *rand.Rand) Config {
	line := 0
	values := map[string][]string{
		"features": {"0", "1 queue_if_no_path", "2 pg_init_retries 50", "3 x"}, "no_path_retry": {"fail", "queue", "7", "bad"}, "failback": {"manual", "immediate", "5", "0"},
		"path_selector": {"round-robin 0", "queue-length 0", "nonsense 0", "service-time"}, "hardware_handler": {"0", "1 alua", "1 rdac", "2 x"}, "prio": {"alua", "sysfs", "rdac", "none", "const"},
		"path_checker": {"tur", "rdac", "directio", "bogus"}, "path_grouping_policy": {"multibus", "group_by_tpg", "wrong"}, "mode": {"0660", "9"}, "alias": {"one", "two"},
		"find_multipaths": {"on", "smart", "often"}, "polling_interval": {"3", "40", "0"}, "max_polling_interval": {"2", "80"}, "uid": {"0", "oracle"}, "gid": {"5"}, "prio_args": {"x", ""},
		"user_friendly_names": {"yes", "no", "perhaps"}, "detect_prio": {"no"}, "detect_checker": {"no"}, "detect_pgpolicy": {"no"}, "detect_pgpolicy_use_tpg": {"yes"},
		"checker_timeout": {"0", "9"}, "expected_paths": {"4"}, "rr_min_io_rq": {"0", "100"}, "rr_weight": {"priorities"}, "alias_prefix": {"lun"}, "skip_kpartx": {"yes"},
		"deferred_remove": {"yes"}, "auto_resize": {"grow_only"}, "flush_on_last_del": {"always", "perhaps"}, "queue_without_daemon": {"yes"},
	}
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	layer := func() (l Layer) {
		for _, name := range names {
			if rng.Intn(4) == 0 {
				line++
				l = append(l, Setting{name, values[name][rng.Intn(len(values[name]))], Origin{File: "f", Line: line, Column: 1}})
			}
		}
		return l
	}
	return Config{
		Defaults: layer(), Overrides: layer(),
		Devices: append(BuiltinDevices(), Device{Vendor: "AC", Product: ".*", Layer: layer()}, Device{Vendor: "ACME", Product: "Turbo", Layer: layer()}),
		Multipaths: []Multipath{
			{WWID: "3600z", Layer: Layer{{"alias", "two", Origin{File: "f", Line: 9999}}}}, {WWID: "3600a", Layer: layer()}, {WWID: "3600a", Layer: layer()},
		},
	}
}

package policy

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/scsi"
)

// layer makes a Layer of keyword, value pairs; the origin's note is the place.
func layer(place string, pairs ...string) (l Layer) {
	for i := 0; i+1 < len(pairs); i += 2 {
		l = append(l, Setting{Keyword: pairs[i], Value: pairs[i+1], Origin: Origin{Note: place}})
	}
	return l
}

func settingsOf(t *testing.T, cfg Config, id scsi.Identity, f Facts, k Kernel) (Settings, string) {
	t.Helper()
	c, problems := Compile(cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	d := c.Decide(id, f, State{Kernel: k})
	var warnings []string
	for _, step := range d.Trace {
		if strings.HasPrefix(step.Text, "warning: ") {
			warnings = append(warnings, step.Text)
		}
	}
	return d.Settings, strings.Join(warnings, "\n")
}

var acme = scsi.Identity{WWID: "3600a", Vendor: "ACME", Model: "Turbo 9", Rev: "1.0"}

func TestBuiltInDefaults(t *testing.T) {
	s, warnings := settingsOf(t, Config{}, acme, Facts{DevType: "disk"}, Kernel{})
	o := Origin{Note: builtInNote}
	text := func(s string) Value[string] { return Value[string]{s, o} }
	want := Settings{
		Alias: text(""), AliasPrefix: text("mpath"), Grouping: text("failover"), Selector: text("service-time 0"),
		Features: text("0"), Handler: text("0"), RRWeight: text("uniform"), UID: text(""), GID: text(""),
		FlushOnLastDel: text("unused"), Checker: text("tur"), Prio: text("const"), PrioArgs: text(""), FindMultipaths: text("strict"),
		UserFriendly: Value[bool]{false, o}, SkipKpartx: Value[bool]{false, o}, DeferredRemove: Value[bool]{false, o}, ExpectedPaths: Value[int]{0, o}, AutoResize: Value[string]{"never", o}, ReservationKey: Value[string]{"", o}, QueueWithoutDaemon: Value[bool]{false, o},
		NoPathRetry: Value[RetryPolicy]{RetryPolicy{}, o}, Failback: Value[FailbackPolicy]{FailbackPolicy{Mode: FailbackManual}, o},
		MinIO: Value[int]{1, o}, Mode: Value[int]{-1, o}, CheckerTimeout: Value[int]{0, o},
		FastIOFail: Value[Timeout]{Timeout{TimeoutSeconds, 5}, o}, DevLoss: Value[Timeout]{Timeout{}, o}, EHDeadline: Value[Timeout]{Timeout{}, o},
		MaxRetries: Value[Timeout]{Timeout{}, o}, MaxSectorsKB: Value[int]{0, o},
		PollingInterval: Value[int]{5, o}, MaxPollingInterval: Value[int]{20, o},
	}
	if diff := cmp.Diff(want, s); diff != "" || warnings != "" {
		t.Errorf("%s\n%s", warnings, diff)
	}
}

func TestPrecedence(t *testing.T) {
	cfg := Config{
		Defaults: layer("defaults", "failback", "5", "path_selector", "queue-length 0", "no_path_retry", "fail", "rr_weight", "priorities", "prio_args", "of defaults"),
		Devices: []Device{
			{Vendor: "A", Product: ".*", Layer: layer("device 1", "failback", "10", "no_path_retry", "4", "path_selector", "round-robin 0", "features", "2 pg_init_retries 50"), BuiltIn: true},
			{Vendor: "ACME", Product: "^Turbo", Layer: layer("device 2", "failback", "15", "no_path_retry", "6")},
			{Vendor: "ACME", Product: "Slow", Layer: layer("device 3", "failback", "20")},
			{Vendor: "ACME", Product: "Turbo", Revision: "^2", Layer: layer("device 4", "failback", "25")},
		},
		Overrides:  layer("overrides", "failback", "immediate"),
		Multipaths: []Multipath{{WWID: "3600a", Layer: layer("entry 1", "failback", "manual", "alias", "a")}, {WWID: "3600a", Layer: layer("entry 2", "failback", "followover")}},
	}
	s, _ := settingsOf(t, cfg, acme, Facts{}, Kernel{})
	for _, c := range []struct{ name, got, from, want, place string }{
		{"failback", s.Failback.V.String(), s.Failback.Origin.Note, "followover", "entry 2"},
		{"no_path_retry", s.NoPathRetry.V.String(), s.NoPathRetry.Origin.Note, "6", "device 2"},
		{"path_selector", s.Selector.V, s.Selector.Origin.Note, "round-robin 0", "device 1"},
		{"features", s.Features.V, s.Features.Origin.Note, "2 pg_init_retries 50", "device 1"},
		{"rr_weight", s.RRWeight.V, s.RRWeight.Origin.Note, "priorities", "defaults"},
		{"alias", s.Alias.V, s.Alias.Origin.Note, "a", "entry 1"},
	} {
		if c.got != c.want || c.from != c.place {
			t.Errorf("%s = %s from %s, want %s from %s", c.name, c.got, c.from, c.want, c.place)
		}
	}
}

func TestSettings(t *testing.T) {
	tpgs := acme
	tpgs.TPGS = 1
	explicit := layer("c", "path_checker", "readsector0", "prio", "const", "prio_args", "x", "path_grouping_policy", "multibus", "hardware_handler", "1 rdac")
	with := func(l Layer, pairs ...string) Layer { return append(append(Layer{}, l...), layer("c", pairs...)...) }
	cases := []struct {
		name    string
		layer   Layer
		id      scsi.Identity
		facts   Facts
		kernel  Kernel
		want    map[string]string
		warning string
	}{
		{"alua found", explicit, tpgs, Facts{TPGS: true}, Kernel{}, map[string]string{"checker": "tur", "prio": "alua", "args": "", "grouping": "group_by_prio", "handler": "1 alua"}, "detect_prio chose alua"},
		{"the kernel's word does not replace the target's", explicit, tpgs, Facts{TPGS: true, AccessState: "standby"}, Kernel{}, map[string]string{"checker": "tur", "prio": "alua", "args": "", "grouping": "group_by_prio"}, "detect_prio chose alua"},
		{"sysfs by group number", layer("c", "detect_pgpolicy_use_tpg", "yes", "detect_prio", "no", "prio", "sysfs"), tpgs, Facts{TPGS: true, AccessState: "standby"}, Kernel{}, map[string]string{"grouping": "group_by_tpg"}, ""},
		{"array with its own page", layer("c", "path_checker", "directio", "prio", "rdac"), acme, Facts{RDAC: true}, Kernel{}, map[string]string{"checker": "rdac", "prio": "rdac", "grouping": "failover"}, ""},
		{"that array with groups", nil, tpgs, Facts{RDAC: true, TPGS: true, AccessState: "standby"}, Kernel{}, map[string]string{"checker": "rdac", "prio": "alua"}, ""},
		{"that array, not detected", layer("c", "detect_checker", "no", "detect_prio", "no"), tpgs, Facts{RDAC: true}, Kernel{}, map[string]string{"checker": "tur", "prio": "const"}, ""},
		{"sysfs by the configuration", layer("c", "prio", "sysfs", "prio_args", "exclusive_pref_bit", "detect_prio", "no"), tpgs, Facts{AccessState: "standby"}, Kernel{}, map[string]string{"prio": "sysfs", "args": "exclusive_pref_bit"}, ""},
		{"by names", layer("c", "prio", "weightedpath", "prio_args", "devname sda 5"), acme, Facts{}, Kernel{}, map[string]string{"prio": "weightedpath"}, ""},
		{"by port names", layer("c", "prio", "weightedpath", "prio_args", "wwn .* 5"), acme, Facts{}, Kernel{}, map[string]string{"prio": "const"}, "port names are not read"},
		{"not there yet", layer("c", "prio", "path_latency", "path_checker", "cciss_tur"), acme, Facts{}, Kernel{}, map[string]string{"prio": "const", "checker": "tur"}, "is not known here"},
		{"not detected", with(explicit, "detect_prio", "no", "detect_checker", "no", "detect_pgpolicy", "no"), tpgs, Facts{TPGS: true}, Kernel{}, map[string]string{"checker": "readsector0", "prio": "const", "args": "x", "grouping": "multibus", "handler": "1 alua"}, ""},
		{"by group number", layer("c", "detect_pgpolicy_use_tpg", "yes"), tpgs, Facts{TPGS: true}, Kernel{}, map[string]string{"grouping": "group_by_tpg"}, ""},
		{"mixed paths", nil, tpgs, Facts{}, Kernel{}, map[string]string{"prio": "alua", "grouping": "failover", "handler": "0"}, ""},
		{"handler attached", nil, tpgs, Facts{TPGS: true, DHState: "rdac"}, Kernel{}, map[string]string{"handler": "1 rdac"}, ""},
		{"handler detached", nil, acme, Facts{DHState: "detached"}, Kernel{}, map[string]string{"handler": "0"}, ""},
		{"alua without groups", layer("c", "prio", "alua", "hardware_handler", "1 alua", "path_grouping_policy", "group_by_tpg"), acme, Facts{}, Kernel{}, map[string]string{"prio": "const", "handler": "0", "grouping": "failover"}, "prio alua needs target port groups"},
		{"sysfs", layer("c", "prio", "sysfs", "detect_prio", "no"), tpgs, Facts{}, Kernel{}, map[string]string{"prio": "alua"}, "alua instead"},
		{"unknown words", layer("c", "prio", "magic", "path_checker", "magic", "path_selector", "magic 0", "hardware_handler", "1 magic"), acme, Facts{}, Kernel{}, map[string]string{"prio": "const", "checker": "tur", "selector": "service-time 0", "handler": "0"}, `path_selector "magic 0" is not known`},
		{"directio stays", layer("c", "path_checker", "directio"), acme, Facts{}, Kernel{}, map[string]string{"checker": "directio"}, ""},
		{"kernel lacks them", layer("c", "path_selector", "io-affinity 0", "hardware_handler", "1 rdac"), acme, Facts{}, Kernel{Selectors: []string{"service-time"}, Handlers: []string{"alua"}}, map[string]string{"selector": "service-time 0", "handler": "0"}, "is not offered by this kernel"},
		{"selector without count", layer("c", "path_selector", "round-robin"), acme, Facts{}, Kernel{}, map[string]string{"selector": "service-time 0"}, "count its arguments"},
		{"blanks", layer("c", "path_selector", " round-robin  0 "), acme, Facts{}, Kernel{}, map[string]string{"selector": "round-robin 0"}, ""},
		{"blank selector", layer("c", "path_selector", " "), acme, Facts{}, Kernel{}, map[string]string{"selector": "service-time 0"}, "is not known"},
		{"queue feature", layer("c", "features", "1 queue_if_no_path"), acme, Facts{}, Kernel{}, map[string]string{"features": "0", "retry": "queue"}, ""},
		{"queue feature, retry set", layer("c", "features", "3 queue_if_no_path pg_init_retries 5", "no_path_retry", "3"), acme, Facts{}, Kernel{}, map[string]string{"features": "2 pg_init_retries 5", "retry": "3"}, "no_path_retry is 3"},
		{"odd features", layer("c", "features", "4 retain_attached_hw_handler magic queue_mode bio"), acme, Facts{}, Kernel{}, map[string]string{"features": "2 queue_mode bio"}, "does not know magic"},
		{"features miscounted", layer("c", "features", "1bad"), acme, Facts{}, Kernel{}, map[string]string{"features": "0"}, "does not count"},
		{"feature without value", layer("c", "features", "1 pg_init_retries"), acme, Facts{}, Kernel{}, map[string]string{"features": "0"}, "lacks its value"},
		{"nonsense is passed over", layer("c", "failback", "soon", "mode", "0888", "no_path_retry", "-1"), acme, Facts{}, Kernel{}, map[string]string{"failback": "manual", "retry": "unset"}, "passed over"},
		{"only max interval", layer("c", "max_polling_interval", "100"), acme, Facts{}, Kernel{}, map[string]string{"poll": "25/100"}, ""},
		{"small max interval", layer("c", "max_polling_interval", "3"), acme, Facts{}, Kernel{}, map[string]string{"poll": "1/3"}, ""},
		{"interval above max", layer("c", "polling_interval", "10", "max_polling_interval", "7"), acme, Facts{}, Kernel{}, map[string]string{"poll": "7/7"}, "lowered"},
		{"interval only", layer("c", "polling_interval", "10"), acme, Facts{}, Kernel{}, map[string]string{"poll": "10/40"}, ""},
		{"interval 0", layer("c", "polling_interval", "0"), acme, Facts{}, Kernel{}, map[string]string{"poll": "5/20"}, "passed over"},
		{"mode in octal", layer("c", "mode", "660", "uid", "0", "gid", "asmadmin"), acme, Facts{}, Kernel{}, map[string]string{"owner": "0:asmadmin:432"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, warnings := settingsOf(t, Config{Defaults: c.layer}, c.id, c.facts, c.kernel)
			got := map[string]string{
				"checker": s.Checker.V, "prio": s.Prio.V, "args": s.PrioArgs.V, "grouping": s.Grouping.V, "handler": s.Handler.V,
				"selector": s.Selector.V, "features": s.Features.V, "retry": s.NoPathRetry.V.String(), "failback": s.Failback.V.String(),
				"poll":  strconv.Itoa(s.PollingInterval.V) + "/" + strconv.Itoa(s.MaxPollingInterval.V),
				"owner": s.UID.V + ":" + s.GID.V + ":" + strconv.Itoa(s.Mode.V),
			}
			for key, want := range c.want {
				if got[key] != want {
					t.Errorf("%s: %q, want %q", key, got[key], want)
				}
			}
			if c.warning == "" && warnings != "" || !strings.Contains(warnings, c.warning) {
				t.Errorf("warnings %q, want %q", warnings, c.warning)
			}
		})
	}
}

// prio and prio_args come from one place; in the hardware table each from the
// first entry that has it.
func TestPrioTakesItsOwnArguments(t *testing.T) {
	cfg := Config{
		Defaults: layer("defaults", "prio", "const", "prio_args", "d"),
		Devices:  []Device{{Vendor: "ACME", Layer: layer("1", "prio_args", "v")}, {Vendor: "ACME", Layer: layer("2", "prio", "const")}},
	}
	s, _ := settingsOf(t, cfg, acme, Facts{}, Kernel{})
	if s.PrioArgs.V != "v" {
		t.Errorf("device: %+v", s.PrioArgs)
	}
	cfg.Overrides = layer("overrides", "prio", "const")
	s, _ = settingsOf(t, cfg, acme, Facts{}, Kernel{})
	if s.PrioArgs.V != "" || s.Prio.Origin.Note != "overrides" {
		t.Errorf("overrides: %+v %+v", s.Prio, s.PrioArgs)
	}
}

func TestUIDAttribute(t *testing.T) {
	c, _ := Compile(Config{
		Defaults: layer("d", "uid_attrs", "sd:ID_A dasd:ID_B", "uid_attribute", "ID_C"),
		Devices:  []Device{{Vendor: "ACME", Layer: layer("v", "uid_attribute", "")}},
	})
	r := c.resolver(acme, named{}, &tracer{})
	for node, want := range map[string]string{"sda": "ID_A", "dasdb": "ID_B", "nvme0n1": ""} {
		if got := r.uidAttribute(node).V; got != want {
			t.Errorf("%s: %q, want %q", node, got, want)
		}
	}
}

// One decision with the whole built-in table: thousands are taken at boot.
func BenchmarkDecide(b *testing.B) {
	cfg := racConfig()
	cfg.Devices = BuiltinDevices()
	c, _ := Compile(cfg)
	id, facts := racDisk("0db2f233-269850e0"), free()
	b.ReportAllocs()
	for b.Loop() {
		c.Decide(id, facts, State{})
	}
}

func BenchmarkCompile(b *testing.B) {
	cfg := racConfig()
	cfg.Devices = BuiltinDevices()
	b.ReportAllocs()
	for b.Loop() {
		Compile(cfg)
	}
}

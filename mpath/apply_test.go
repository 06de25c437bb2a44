package mpath

import (
	"encoding/json"
	"strings"
	"testing"

	"pathkeeper/configs"
)

// FuzzApply applies plans that somebody has written by hand, on the world and with
// the configuration that they name: whatever they say, the core keeps its laws, does
// not panic, and answers each once.
func FuzzApply(f *testing.F) {
	for _, maps := range []string{
		`[]`,
		`[{"wwid":"w1","name":"mpatha","steps":[{"kind":"reload","reason":"x"}],"after":"0 0 1 1 queue-length 0 2 1 8:0 1 8:16 1"}]`,
		`[{"wwid":"w1","name":"mpatha","to":"one","steps":[{"kind":"rename","reason":"x"}]}]`,
		`[{"wwid":"w1","steps":[{"kind":"reload"},{"kind":"reload"},{"kind":"create"}],"after":"no table"},{"wwid":"w1","steps":[{"kind":"remove"}]}]`,
		`[{"wwid":"w9","name":"gone","steps":[{"kind":"create","reason":"x"}],"after":"0 0 1 1 service-time 0 1 1 9:9 1"}]`,
		`[{"wwid":"w2","steps":[{"kind":""}]},{"wwid":"","steps":[{"kind":"reload"}],"as_grouped":true}]`,
	} {
		f.Add([]byte(maps))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var maps []MapPlan
		if json.Unmarshal(text, &maps) != nil {
			return
		}
		b := newBench()
		var conf []string
		for _, line := range [][]string{{"disk", "sda", "sdb", "lun=w1"}, {"disk", "sdc", "lun=w2"}, {"start"}} {
			if err := b.command(line, &conf); err != nil {
				t.Fatal(err)
			}
		}
		cfg, _, err := configs.Parse([]configs.File{{Path: "/etc/multipath.conf", Data: []byte(benchConf + "overrides {\n path_selector \"queue-length 0\"\n}\n")}})
		if err != nil {
			t.Fatal(err)
		}
		e := Apply{Seq: 7, Config: cfg}
		e.Plan = Plan{Version: PlanVersion, World: b.mc.world(), Maps: maps, Config: PlanConfig{Sum: e.configured().Sum()}}
		b.step(e)
		b.run(3 * Minute)
		for _, law := range append(b.broken, b.mc.CheckState()...) {
			t.Errorf("%s: %v", text, law)
		}
		if len(b.bugs) > 0 || b.answered != 1 || b.mc.apply.seq != 0 {
			t.Errorf("%s: bugs %v, %d answers", text, b.bugs, b.answered)
		}
	})
}

// TestApplyTooEarly: a plan that comes before the first picture is complete, as from
// a client that outlived a daemon, touches nothing and has its answer.
func TestApplyTooEarly(t *testing.T) {
	b := newBench()
	var conf []string
	for _, line := range [][]string{{"disk", "sda", "lun=w1"}, {"hold", "scan"}, {"start"}} {
		if err := b.command(line, &conf); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := b.config("")
	if err != nil {
		t.Fatal(err)
	}
	e := Apply{Seq: 7, Config: cfg}
	e.Plan = Plan{Version: PlanVersion, World: b.mc.world(), Maps: []MapPlan{{WWID: "w1", Steps: []PlanStep{{Kind: PlanCreate}}}}, Config: PlanConfig{Sum: e.configured().Sum()}}
	before := len(b.out.String())
	b.step(e)
	if said := b.out.String()[before:]; b.answered != 1 || b.mc.apply.seq != 0 || !strings.Contains(said, "refused, nothing was touched: "+errTooEarly.Error()) {
		t.Errorf("%d answers:\n%s", b.answered, said)
	}
}

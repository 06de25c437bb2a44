package mpath

import "testing"

// A plan is the same whichever of its steps comes first: a load waits for what its
// paths are asked at that moment, and a rename does not.
func TestPlansDifferInSteps(t *testing.T) {
	reload, rename := PlanStep{Kind: PlanReload, Reason: "size"}, PlanStep{Kind: PlanRename, Reason: "alias"}
	plan := func(steps ...PlanStep) Plan { return Plan{Maps: []MapPlan{{WWID: "w1", Name: "one", Steps: steps}}} }
	if why := PlansDiffer(plan(reload, rename), plan(rename, reload)); why != "" {
		t.Errorf("the order: %s", why)
	}
	other := reload
	other.Reason = "selector"
	for _, now := range []Plan{plan(reload), plan(other, rename), plan(reload, rename, reload), {}} {
		if PlansDiffer(plan(reload, rename), now) == "" {
			t.Errorf("%+v counts as the same", now)
		}
	}
}

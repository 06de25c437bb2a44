package main

import (
	"fmt"

	"pathkeeper/policy"
	"pathkeeper/rules"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// claimOf is what `multipath -u` and `-c` say of a disk: the same decision as the
// hook's, in the two properties that multipath-tools' rules read. env is the
// event's; ask is -u's question whether anybody will build the map. The claim is
// unknown where nothing can be said.
func claimOf(h hookHost, disk string, env uevent.Props, ask bool) ([]rules.KV, policy.Claim, error) {
	d, end, err := newDecider(h)
	if err != nil {
		return nil, policy.ClaimUnknown, err
	}
	defer end()
	found, err := sysfs.ReadFacts(d.tree, disk)
	if err != nil {
		return nil, policy.ClaimUnknown, err
	}
	if found.DM.UUID != "" {
		return nil, policy.ClaimUnknown, fmt.Errorf("%s is a device-mapper device, and no path", disk)
	}
	who := manager{ours: true}
	if ask {
		who = h.manager()
	}
	a := d.path(found, env, who)
	if a.facts.Wait == rules.WaitNone {
		a.facts.WaitUntil = "" // what is known from before is not asked for
	}
	claim := a.decision.Claim
	if claim == policy.ClaimMaybe && a.facts.Wait != rules.WaitRuns {
		claim = policy.ClaimNo
	}
	return rules.ClaimProperties(claim, a.facts), claim, nil
}

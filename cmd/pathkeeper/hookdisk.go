package main

import (
	"strings"

	"pathkeeper/policy"
	"pathkeeper/rules"
)

// diskOwner gives owner and group of a single disk as numbers. One that the host
// does not know leaves the node's own, and is told.
func (d *decider) diskOwner(s policy.Single) rules.DiskOwner {
	var unknown []string
	resolve := func(text string, group bool, what string) string {
		if text == "" {
			return ""
		}
		number, ok := d.host.number(text, group)
		if !ok {
			unknown = append(unknown, what+" "+text+" is not known here: left as it is")
			return ""
		}
		return number
	}
	owner := rules.DiskOwner{UID: resolve(s.Owner, false, "owner"), GID: resolve(s.Group, true, "group")}
	owner.Odd = strings.Join(unknown, "; ")
	return owner
}

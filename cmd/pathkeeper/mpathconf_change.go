package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"pathkeeper/configs"
	"pathkeeper/policy"
)

// mpathconfStart is the file that a host without one gets.
const mpathconfStart = `# Made by mpathconf. multipath.conf(5) says what can stand here,
# ` + "`multipath -t`" + ` what is in force.

defaults {
	user_friendly_names yes
	find_multipaths yes
}

blacklist {
}
`

// defaultProperty is the exception that --property_blacklist says.
const defaultProperty = "(SCSI_IDENT_|ID_WWN)"

// allNodes are the expressions that blacklist every device node; the first is written.
func allNodes() []string { return []string{".*", "^.*$", "^.*", ".*$"} }

// mpathconfRun is one call of mpathconf.
type mpathconfRun struct {
	h   mpathconfHost
	o   mpathconfOptions
	std streams
	say func(text string)
}

// status prints what is in force, in Red Hat's lines.
func (r *mpathconfRun) status() error {
	c, _, err := configs.Load(r.h.paths())
	if err != nil {
		return err
	}
	switch main, _ := r.h.paths().InForce(); {
	case configs.IsNative(main):
		r.say(main + " is the configuration here; of it are these lines")
	case !r.h.there(main):
		r.say("there is no " + main + ": these lines are of what is built in; --enable makes the file")
	}
	for _, line := range mpathconfLines(c) {
		if _, err := fmt.Fprintln(r.std.out, line); err != nil {
			return err
		}
	}
	if r.o.values["with_module"] != "n" {
		fmt.Fprintf(r.std.out, "dm_multipath module is %sloaded\n", not(r.h.moduleLoaded()))
	}
	running := r.h.listens()
	if !running {
		unit, err := r.h.unit()
		running = err == nil && unit.active
	}
	_, err = fmt.Fprintf(r.std.out, "multipathd is %srunning\n", not(running))
	return err
}

func not(so bool) string {
	if so {
		return ""
	}
	return "not "
}

// mpathconfLines says of a configuration what mpathconf speaks of.
func mpathconfLines(c policy.Config) []string {
	able := func(so bool) string {
		if so {
			return "enabled"
		}
		return "disabled"
	}
	yes := func(keyword string) bool { return inDefaults(c, keyword) == "yes" }
	find := inDefaults(c, "find_multipaths")
	if word, ok := map[string]string{"on": "yes", "off": "no"}[find]; ok {
		find = word
	}
	foreign := "enable_foreign is not set (no foreign multipath devices will be shown)"
	if s, ok := c.Defaults.Lookup("enable_foreign"); ok {
		switch s.Value {
		case ".*":
			foreign = "enable_foreign is set (all foreign multipath devices will be shown)"
		case "^$", "NONE":
			foreign = "enable_foreign is set (no foreign multipath devices will be shown)"
		default:
			foreign = "enable_foreign is set (foreign multipath devices may not be shown)"
		}
	}
	property := hasRule(c.Exceptions, policy.ClassProperty, defaultProperty)
	return []string{
		"multipath is " + able(!hasRule(c.Blacklist, policy.ClassDevnode, allNodes()...)),
		"find_multipaths is " + find,
		"user_friendly_names is " + able(yes("user_friendly_names")),
		"recheck_wwid is " + able(yes("recheck_wwid")),
		"default property blacklist is " + able(property),
		foreign,
	}
}

// inDefaults is what section defaults says, else what is built in.
func inDefaults(c policy.Config, keyword string) string {
	if s, ok := c.Defaults.Lookup(keyword); ok {
		return s.Value
	}
	for _, k := range policy.Keywords() {
		if k.Name == keyword {
			return k.Default
		}
	}
	return ""
}

func hasRule(rules []policy.Rule, class policy.RuleClass, patterns ...string) bool {
	return slices.ContainsFunc(rules, func(r policy.Rule) bool { return r.Class == class && slices.Contains(patterns, r.Pattern) })
}

// change edits the file, then does with module and daemon what was asked for.
func (r *mpathconfRun) change() error {
	main, _ := r.h.paths().InForce()
	if configs.IsNative(main) {
		return fmt.Errorf("nothing was changed: %s is the configuration of this host, and multipath.conf is not read beside it; change it there (`pathkeeper config convert` makes one of the other)", main)
	}
	if r.o.disable && (r.o.asksForMore() || r.o.values["with_module"] != "") {
		r.say("only --disable is done; the rest is ignored")
		r.o.settings = nil
		r.o.values = map[string]string{"outfile": r.o.values["outfile"], "with_multipathd": r.o.values["with_multipathd"], "with_chkconfig": r.o.values["with_chkconfig"]}
	}
	have, there, err := r.read(mpathconfFile)
	if err != nil {
		return err
	}
	if !there {
		have = []byte(mpathconfStart)
	}
	c, _, err := configs.Parse([]configs.File{{Path: mpathconfFile, Data: have}})
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	edits, err := r.edits(c)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	want, err := configs.ApplyEdits(configs.File{Path: mpathconfFile, Data: have}, edits)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if out := r.o.values["outfile"]; out != "" {
		if out, err = r.h.absolute(out); err != nil {
			return err
		}
		if out != mpathconfFile {
			was, hadOne, err := r.read(out)
			if err != nil {
				return err
			}
			return r.h.write(out, was, hadOne, want)
		}
	}
	changed := !there || !bytes.Equal(have, want)
	if changed {
		if err := r.h.write(mpathconfFile, have, there, want); err != nil {
			return err
		}
	}
	r.inForce(edits)
	return r.services(changed)
}

// read gives a file's content, and whether there is one.
func (r *mpathconfRun) read(path string) (data []byte, there bool, err error) {
	data, err = r.h.files.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// edits are what the command line asks of a file that says c.
func (r *mpathconfRun) edits(c policy.Config) ([]configs.Edit, error) {
	var out []configs.Edit
	edit := func(do configs.EditDo, section, keyword string, values ...string) {
		out = append(out, configs.Edit{Do: do, Section: section, Keyword: keyword, Values: values})
	}
	switch {
	case r.o.disable:
		if !hasRule(c.Blacklist, policy.ClassDevnode, allNodes()...) {
			edit(configs.EditAdd, "blacklist", "devnode", allNodes()[0])
		}
	case r.o.enable, len(r.o.allow) > 0:
		edit(configs.EditHide, "blacklist", "devnode", allNodes()...)
	}
	if len(r.o.allow) > 0 {
		wwids, err := r.h.allowed(r.o.allow)
		if err != nil {
			return nil, err
		}
		edit(configs.EditAdd, "blacklist", "wwid", ".*")
		edit(configs.EditDelete, "blacklist_exceptions", "wwid")
		edit(configs.EditAdd, "blacklist_exceptions", "wwid", wwids...)
	}
	if find := r.o.values["find_multipaths"]; find != "" {
		edit(configs.EditSet, "defaults", "find_multipaths", cmp.Or(map[string]string{"y": "yes", "n": "no"}[find], find))
	}
	for _, keyword := range []string{"user_friendly_names", "recheck_wwid"} {
		switch s, _ := c.Defaults.Lookup(keyword); {
		case r.o.values[keyword] == "y":
			edit(configs.EditSet, "defaults", keyword, "yes")
		case r.o.values[keyword] == "n" && s.Value == "yes": // no is what is built in
			edit(configs.EditSet, "defaults", keyword, "no")
		}
	}
	switch r.o.values["property_blacklist"] {
	case "y":
		edit(configs.EditAdd, "blacklist_exceptions", "property", defaultProperty)
	case "n":
		edit(configs.EditHide, "blacklist_exceptions", "property", defaultProperty)
	}
	switch s, said := c.Defaults.Lookup("enable_foreign"); {
	case r.o.values["enable_foreign"] == "y" && said:
		edit(configs.EditSet, "defaults", "enable_foreign", ".*")
	case r.o.values["enable_foreign"] == "y":
		edit(configs.EditAdd, "defaults", "enable_foreign", ".*")
	case r.o.values["enable_foreign"] == "n" && said && s.Value != "^$" && s.Value != "NONE":
		edit(configs.EditHide, "defaults", "enable_foreign")
	}
	for _, s := range r.o.settings {
		if s[1] == "" {
			edit(configs.EditDelete, "defaults", s[0])
		} else {
			edit(configs.EditSet, "defaults", s[0], s[1])
		}
	}
	return out, nil
}

// inForce says where what was written is not what counts: drop-ins are laid over it,
// and exceptions take out of the blacklist.
func (r *mpathconfRun) inForce(edits []configs.Edit) {
	c, _, err := configs.Load(r.h.paths())
	if err != nil {
		r.say("the file is written, and yet the configuration cannot be used: " + err.Error())
		return
	}
	main, _ := r.h.paths().InForce()
	for _, e := range edits {
		if s, ok := c.Defaults.Lookup(e.Keyword); ok && e.Section == "defaults" && s.Origin.File != main {
			r.say(fmt.Sprintf("%s: %s %s stands there, and counts", s.Origin, s.Keyword, s.Value))
		}
	}
	if r.o.disable {
		for _, x := range c.Exceptions {
			if x.Class == policy.ClassDevnode {
				r.say(fmt.Sprintf("%s: the exception for devnode %q still lets these disks in", x.Origin, x.Pattern))
			}
		}
	}
	if r.o.enable && hasRule(c.Blacklist, policy.ClassDevnode, allNodes()...) {
		r.say("a file in " + strings.TrimSuffix(r.h.paths().Dir, "/") + " still blacklists every device node")
	}
}

// services does with module and daemon what goes with the change.
func (r *mpathconfRun) services(changed bool) error {
	if r.o.enable && r.o.values["with_module"] != "n" && !r.h.moduleLoaded() {
		if err := r.h.run(mpathconfPatience, "modprobe", "dm_multipath"); err != nil {
			r.say("the module is not loaded: " + err.Error())
		}
	}
	daemon, boot := r.o.values["with_multipathd"] == "y", r.o.values["with_chkconfig"] == "y" && (r.o.enable || r.o.disable)
	if !daemon && !boot {
		return nil
	}
	unit, err := r.h.unit()
	if err != nil {
		return fmt.Errorf("the configuration is as it was asked for, but the daemon is not: %w", err)
	}
	var verbs []string
	switch {
	case boot && r.o.enable:
		verbs = append(verbs, "enable")
	case boot:
		verbs = append(verbs, "disable")
	}
	switch {
	case !daemon:
	case r.o.disable && unit.active:
		verbs = append(verbs, "stop")
	case r.o.enable && !unit.active:
		verbs = append(verbs, "start")
	case !r.o.disable && unit.active && changed:
		verbs = append(verbs, "reload")
	}
	for _, verb := range verbs {
		if err := r.h.run(mpathconfPatience, "systemctl", verb, unit.name); err != nil {
			return fmt.Errorf("the configuration is as it was asked for, but the daemon is not: %w", err)
		}
	}
	return nil
}

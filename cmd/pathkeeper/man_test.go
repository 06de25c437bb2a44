package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pathkeeper/configs"
	"pathkeeper/policy"
	"pathkeeper/roff"
)

// plainText takes the markup out of a page.
func plainText(page string) string {
	return strings.NewReplacer(`\-`, "-", `\e`, `\`, `\&`, "", `\(aq`, "'", `\(ga`, "`", `\(ha`, "^", `\(ti`, "~", `\(dq`, `"`, `\fB`, "", `\fR`, "").Replace(page)
}

func pagesByName(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, p := range manPages(streams{io.Discard, io.Discard}) {
		if _, twice := out[p.file()]; twice {
			t.Errorf("%s is there twice", p.file())
		}
		out[p.file()] = plainText(p.text)
	}
	return out
}

func TestManPagesAreClean(t *testing.T) {
	for _, p := range manPages(streams{io.Discard, io.Discard}) {
		for _, breach := range roff.Check(p.text) {
			t.Errorf("%s: %s", p.file(), breach)
		}
	}
}

// Every command, every flag and every keyword is in a page; every program that we
// stand for has one.
func TestManPagesSayAll(t *testing.T) {
	pages := pagesByName(t)
	root := newRoot(streams{io.Discard, io.Discard})
	seen := 0
	for _, c := range root.Commands() {
		page, ok := pages["man8/pathkeeper-"+c.Name()+".8"]
		switch {
		case !c.IsAvailableCommand():
			if ok {
				t.Errorf("%s is hidden and has a page", c.Name())
			}
			continue
		case !ok:
			t.Errorf("pathkeeper %s has no page", c.Name())
		case !strings.Contains(pages["man8/pathkeeper.8"], "\n"+c.Name()+"\n"):
			t.Errorf("pathkeeper(8) does not list %s", c.Name())
		}
		for _, one := range withBelow(c) {
			seen++
			if len(one.Commands()) == 0 && !strings.Contains(page, useLine(one)) {
				t.Errorf("pathkeeper-%s(8) does not have %q", c.Name(), useLine(one))
			}
			one.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
				if f.Name != "help" && !f.Hidden && !strings.Contains(page, "--"+f.Name) {
					t.Errorf("pathkeeper-%s(8) does not have --%s of %s", c.Name(), f.Name, one.CommandPath())
				}
			})
		}
	}
	if seen < 40 {
		t.Errorf("only %d commands seen", seen)
	}
	conf, native := pages["man5/multipath.conf.5"], pages["man5/pathkeeper.yaml.5"]
	for _, k := range policy.Keywords() {
		page := conf
		if k.Native {
			page = native
		}
		if !strings.Contains(page, ".TP\n"+k.Name+"\n") || !strings.Contains(page, k.Meaning[1:]) {
			t.Errorf("no page has the keyword %s with its meaning", k.Name)
		}
		if k.Default != "" && !strings.Contains(page, "Default: "+k.Default) {
			t.Errorf("no page has %s's default %s", k.Name, k.Default)
		}
	}
	for _, w := range configs.NativeWords() {
		if !strings.Contains(native, ".TP\n"+w.Name+"\n") {
			t.Errorf("pathkeeper.yaml(5) does not have %s", w.Name)
		}
	}
	_, daemonPage, _ := strings.Cut(pages["man8/multipathd.8"], `.SH "COMMANDS"`)
	for _, word := range strings.Fields(multipathdVerbs + " " + multipathdObjects) {
		if word != "list" && !slices.Contains(strings.FieldsFunc(daemonPage, func(r rune) bool { return (r < 'a' || r > 'z') }), word) {
			t.Errorf("multipathd(8) has no command with the word %s", word)
		}
	}
	if page := pages["man8/kpartx.8"]; strings.Contains(page, "MULTIPATH_SOCKET_NAME") || strings.Contains(page, "api.sock") {
		t.Error("kpartx(8) promises a daemon and files that kpartx does not use")
	}
	for name := range mpathconfValues() {
		if !strings.Contains(pages["man8/mpathconf.8"], "--"+name+" ") {
			t.Errorf("mpathconf(8) does not have --%s", name)
		}
	}
	for _, name := range personalities {
		page, ok := pages["man8/"+name+".8"]
		if !ok {
			t.Errorf("%s has no page: add it to personalityPages", name)
		}
		if !strings.Contains(page, "SYNOPSIS") {
			t.Errorf("%s(8): %q", name, page)
		}
	}
}

// What a page refers to is there, or is a page of the system.
func TestManPagesReferToPages(t *testing.T) {
	pages := pagesByName(t)
	for file, page := range pages {
		_, see, _ := strings.Cut(page, `.SH "SEE ALSO"`)
		for _, ref := range strings.Fields(strings.ReplaceAll(see, ",", " ")) {
			name, section, _ := strings.Cut(strings.TrimSuffix(ref, ")"), "(")
			if _, ok := pages["man"+section+"/"+name+"."+section]; !ok {
				t.Errorf("%s refers to %s", file, ref)
			}
		}
	}
}

// Names of commands are lower case, so pages can be found by them.
func TestCommandNames(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() != strings.ToLower(c.Name()) || strings.ContainsAny(c.Name(), " _") {
			t.Errorf("%q", c.Name())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(streams{io.Discard, io.Discard}))
	if !slices.Contains(personalities, "multipathd") {
		t.Error("no multipathd")
	}
}

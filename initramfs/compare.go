package initramfs

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Level says how bad a difference is.
type Level string

// Levels of a Finding.
const (
	// Wrong: the host may come up with other maps or names, or with none.
	Wrong Level = "wrong"
	// Stale: it differs, and the boot goes the same way all the same.
	Stale Level = "stale"
)

// Finding is one difference between an image and the host that it was made for.
type Finding struct {
	Level  Level  `json:"level"`
	File   string `json:"file"`
	Detail string `json:"detail"`
}

// Content is the files that matter, by their path from the root without leading
// slash; a large one is there as its checksum.
type Content map[string][]byte

// Roles of the files that are compared.
type Roles struct {
	Program  string   // the binary
	Configs  []string // files, and directories that end in a slash
	Bindings string
	WWIDs    string
	Rules    []string // of udev: names without directory
	Others   []string // programs that manage maps and are not ours
}

// Config says whether a file is one of the configuration.
func (r Roles) Config(name string) bool {
	return slices.ContainsFunc(r.Configs, func(f string) bool { return name == f || strings.HasSuffix(f, "/") && strings.HasPrefix(name, f) })
}

// Compares says whether a file of an image is held against the host.
func (r Roles) Compares(name string) bool {
	switch {
	case name == r.Program, name == r.Bindings, name == r.WWIDs, slices.Contains(r.Others, name):
		return true
	case strings.Contains(name, "udev/rules.d/"):
		return slices.Contains(r.Rules, path.Base(name))
	}
	return r.Config(name)
}

// Compare holds an image against the host. rename reads a bindings file: alias by
// WWID; a nil result is an unreadable one.
func Compare(image, host Content, roles Roles, rename func([]byte) map[string]string) []Finding {
	c := comparison{image: image, host: host}
	c.same(roles.Program, Wrong, "the image has no Pathkeeper: no map is made before the root file system is there", "another version of the program than the host's")
	c.configs(roles)
	c.bindings(roles.Bindings, rename)
	c.wwids(roles.WWIDs)
	for _, r := range roles.Rules {
		c.rule(r)
	}
	for _, o := range roles.Others {
		if sum, ok := image[o]; ok && !bytes.Equal(sum, image[roles.Program]) {
			c.add(Wrong, o, "another manager of multipath maps is in the image: two of them must not run on one host")
		}
	}
	return c.found
}

type comparison struct {
	image, host Content
	found       []Finding
}

func (c *comparison) add(l Level, file, format string, args ...any) {
	c.found = append(c.found, Finding{l, "/" + file, fmt.Sprintf(format, args...)})
}

// same compares a file that must be there.
func (c *comparison) same(file string, missing Level, absent, differs string) {
	got, ok := c.image[file]
	want, here := c.host[file]
	switch {
	case !ok && here:
		c.add(missing, file, "%s", absent)
	case ok && here && !bytes.Equal(got, want):
		c.add(Stale, file, "%s", differs)
	}
}

func (c *comparison) configs(roles Roles) {
	for _, name := range union(c.image, c.host) {
		if !roles.Config(name) {
			continue
		}
		got, ok := c.image[name]
		want, here := c.host[name]
		switch {
		case !ok:
			c.add(Wrong, name, "not in the image: the maps of the boot are made without it")
		case !here:
			c.add(Wrong, name, "only in the image: the host does not have it any more")
		case !bytes.Equal(got, want):
			c.add(Wrong, name, "differs: the maps of the boot are made by the image's")
		}
	}
}

// bindings compares meanings: a file may have got further names since, and the names
// of the maps that the boot needs are still the same.
func (c *comparison) bindings(file string, read func([]byte) map[string]string) {
	want, here := c.host[file]
	got, ok := c.image[file]
	if !here && !ok {
		return
	}
	hostNames, imageNames := read(want), read(got)
	var wwids []string
	for w := range hostNames {
		wwids = append(wwids, w)
	}
	slices.Sort(wwids)
	missing := 0
	for _, w := range wwids {
		switch in, there := imageNames[w]; {
		case !there:
			missing++
		case in != hostNames[w]:
			c.add(Wrong, file, "%s is called %s in the image and %s here: who mounts by name gets another disk, or none", w, in, hostNames[w])
		}
	}
	if missing > 0 {
		c.add(Stale, file, "%d names are not in the image: those maps are called by their WWIDs until the host's own daemon starts", missing)
	}
	byName := map[string]string{}
	for w, n := range hostNames {
		byName[n] = w
	}
	wwids = wwids[:0]
	for w := range imageNames {
		wwids = append(wwids, w)
	}
	slices.Sort(wwids)
	for _, w := range wwids {
		if other, ok := byName[imageNames[w]]; ok && other != w && hostNames[w] == "" {
			c.add(Wrong, file, "%s is %s in the image and %s here: the name leads to another LUN", imageNames[w], w, other)
		}
	}
}

// wwids: with find_multipaths strict a LUN that is not in the file gets no map.
func (c *comparison) wwids(file string) {
	lines := func(b []byte) []string {
		var out []string
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
				out = append(out, line)
			}
		}
		return out
	}
	in := lines(c.image[file])
	missing := 0
	for _, w := range lines(c.host[file]) {
		if !slices.Contains(in, w) {
			missing++
		}
	}
	if missing > 0 {
		c.add(Stale, file, "%d LUNs are not in the image: with find_multipaths strict it makes no map of them", missing)
	}
}

// rule looks for a file of udev rules in every directory that udev reads.
func (c *comparison) rule(name string) {
	find := func(in Content) ([]byte, bool) {
		for _, dir := range []string{"etc/udev/rules.d/", "usr/lib/udev/rules.d/", "lib/udev/rules.d/"} {
			if b, ok := in[dir+name]; ok {
				return b, true
			}
		}
		return nil, false
	}
	want, here := find(c.host)
	got, ok := find(c.image)
	switch {
	case here && !ok:
		c.add(Wrong, "usr/lib/udev/rules.d/"+name, "not in the image: its udev takes the paths for disks of their own")
	case here && !bytes.Equal(got, want):
		c.add(Stale, "usr/lib/udev/rules.d/"+name, "differs from the host's")
	}
}

func union(a, b Content) []string {
	var out []string
	for n := range a {
		out = append(out, n)
	}
	for n := range b {
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Package rules holds the udev rules that are shipped, and the properties that
// `pathkeeper udev hook` prints when one of them calls it.
//
// The contract between the two: the hook is run with the event's environment and
// prints KEY="value" lines, which udevd takes into the device's properties. It
// prints nothing for a property that it has no say about; udev cannot take an
// empty value.
package rules

import (
	_ "embed"
	"strings"
)

// DefaultProgram is the path under which the shipped rules call the hook.
const DefaultProgram = "/usr/sbin/pathkeeper"

//go:embed 60-pathkeeper.rules
var pathRules string

//go:embed pathkeeper-dm.rules
var mapRules string

//go:embed 57-pathkeeper-owner.rules
var ownerRules string

//go:embed 66-pathkeeper-parts.rules
var partRules string

//go:embed 68-pathkeeper-partitions.rules
var partitionRules string

// File is one file for udev's rules.d.
type File struct {
	Name    string
	Content string
}

// Files gives what is installed into udev's rules.d, by name, for a program that
// is installed as program ("" is DefaultProgram).
//
// The numbers: udevd runs the files of all its directories in the order of their
// names. The rules for maps must follow those of device-mapper that name the
// device, 10-dm.rules (Debian: 55-dm.rules), and precede those that scan it,
// 13-dm-disk.rules (Debian: 60-persistent-storage-dm.rules): no number does both,
// so the file is there twice and works once. The rules for paths must follow
// those of multipath-tools (56-multipath.rules, on Debian 60-multipath.rules),
// which may stay installed, and precede 60-persistent-storage.rules. The owner must
// follow 50-udev-default.rules, and the partitions of paths 68-del-part-nodes.rules.
// The partition maps are made of what 60-persistent-storage-dm.rules found.
func Files(program string) []File {
	at := placed(program)
	return []File{
		{Name: "11-pathkeeper-dm.rules", Content: at(mapRules)},
		{Name: "56-pathkeeper-dm.rules", Content: at(mapRules)},
		{Name: "57-pathkeeper-owner.rules", Content: at(ownerRules)},
		{Name: "60-pathkeeper.rules", Content: at(pathRules)},
		{Name: "66-pathkeeper-parts.rules", Content: at(partRules)},
		{Name: "68-pathkeeper-partitions.rules", Content: at(partitionRules)},
	}
}

// FilesAsMultipathTools gives the same rules under the names that multipath-tools
// uses, upstream's and Debian's: in /etc/udev/rules.d they take the place of its
// own. Where two of its names mean one thing, one has the rules and the other is
// empty.
func FilesAsMultipathTools(program string) []File {
	at := placed(program)
	empty := func(name, instead string) File {
		return File{Name: name, Content: "# Pathkeeper: in the place of the rules of multipath-tools; " + instead + "\n"}
	}
	return []File{
		{Name: "11-dm-mpath.rules", Content: at(mapRules)},
		empty("11-dm-parts.rules", "11-dm-mpath.rules has those for partitions too."),
		{Name: "56-dm-mpath.rules", Content: at(mapRules)},
		empty("56-dm-parts.rules", "56-dm-mpath.rules has those for partitions too."),
		empty("56-multipath.rules", "60-multipath.rules has them."),
		{Name: "57-pathkeeper-owner.rules", Content: at(ownerRules)},
		empty("60-kpartx.rules", "66-kpartx.rules has them."),
		{Name: "60-multipath.rules", Content: at(pathRules)},
		{Name: "66-kpartx.rules", Content: at(partRules)},
		{Name: "68-del-part-nodes.rules", Content: at(partitionRules)},
		empty("99-z-dm-mpath-late.rules", "11-dm-mpath.rules puts back what it has set at the next event."),
	}
}

// placed gives the function that has rules call another program.
func placed(program string) func(string) string {
	if program == "" {
		program = DefaultProgram
	}
	return func(text string) string { return strings.ReplaceAll(text, DefaultProgram+" ", program+" ") }
}

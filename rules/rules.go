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

//go:embed 56-pathkeeper.rules
var pathRules string

//go:embed pathkeeper-dm.rules
var mapRules string

//go:embed 57-pathkeeper-owner.rules
var ownerRules string

//go:embed 66-pathkeeper-parts.rules
var partRules string

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
// so the file is there twice and works once. The rules for paths must precede
// 60-persistent-storage.rules. The owner must follow 50-udev-default.rules. The
// partition maps are made of what 60-persistent-storage-dm.rules found.
func Files(program string) []File {
	if program == "" {
		program = DefaultProgram
	}
	at := func(text string) string { return strings.ReplaceAll(text, DefaultProgram+" ", program+" ") }
	return []File{
		{Name: "11-pathkeeper-dm.rules", Content: at(mapRules)},
		{Name: "56-pathkeeper-dm.rules", Content: at(mapRules)},
		{Name: "56-pathkeeper.rules", Content: at(pathRules)},
		{Name: "57-pathkeeper-owner.rules", Content: at(ownerRules)},
		{Name: "66-pathkeeper-parts.rules", Content: at(partRules)},
	}
}

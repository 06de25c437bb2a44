package handmade

import (
	"fmt"
	"path"
	"strings"
)

// target is whose id a PROGRAM asks for.
type target uint8

const (
	targetNone   target = iota
	targetSelf          // the device of the event
	targetParent        // the disk of a partition
)

// readProgram reads a call of scsi_id, of any udev since 2005.
func readProgram(command string) (target, string) {
	words := strings.Fields(command)
	unknown := func(what string) (target, string) {
		return targetNone, fmt.Sprintf("PROGRAM %q: %s", command, what)
	}
	if len(words) == 0 || path.Base(words[0]) != "scsi_id" {
		return unknown("only scsi_id is known, whose answer is the id of a LUN")
	}
	device := ""
	for i := 1; i < len(words); i++ {
		w := words[i]
		next := func(joined string) string {
			if joined != "" || i+1 >= len(words) {
				return joined
			}
			i++
			return words[i]
		}
		switch name, value, _ := strings.Cut(w, "="); {
		case name == "--whitelisted" || name == "--replace-whitespace" || name == "--verbose":
		case name == "--device":
			device = next(value)
		case name == "--page":
			if p := next(value); p != "0x83" && p != "pre-spc3-83" {
				return unknown("page " + p + " gives no id that names a LUN behind every kind of array")
			}
		case strings.HasPrefix(w, "--"):
			return unknown("option " + name + " is not known here, or its answer is no id")
		case strings.HasPrefix(w, "-"):
			for j := 1; j < len(w); j++ {
				switch w[j] {
				case 'g', 'u', 'v':
				case 'd', 's':
					device, j = next(w[j+1:]), len(w)
				case 'p':
					if p := next(w[j+1:]); p != "0x83" && p != "pre-spc3-83" {
						return unknown("page " + p + " gives no id that names a LUN behind every kind of array")
					}
					j = len(w)
				default:
					return unknown(fmt.Sprintf("option -%c is not known here, or its answer is no id", w[j]))
				}
			}
		case device == "" && i == len(words)-1:
			device = w
		default:
			return unknown("word " + w)
		}
	}
	switch device {
	case "/dev/$name", "/dev/%k", "/dev/$kernel", "$devnode", "%N", "$tempnode", "$root/$name", "$root/%k", "%r/%k", "%r/$name",
		"%p", "$devpath", "/block/%k", "/block/$name", "/block/$kernel", "/sys%p", "/sys$devpath", "/sys/block/%k":
		return targetSelf, ""
	case "/dev/$parent", "/dev/%P", "$root/$parent", "%r/%P", "/block/$parent", "/block/%P":
		return targetParent, ""
	case "":
		return unknown("it names no device")
	default:
		return unknown("device " + device + " is not the device of the event")
	}
}

// Command pathkeeper is the daemon, the command line and the udev hook of
// Pathkeeper. Called as multipath, multipathd, kpartx, mpathconf or scsi_id it answers as they do.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pathkeeper/configs"
	"pathkeeper/show"
)

// Exit codes of the native commands. The personalities keep those of the programs
// that they stand for.
const (
	exitDone  = 0
	exitError = 1 // it could not be done; standard error says why
	exitUsage = 2 // the command line is wrong; nothing was done
)

// streams are a program's standard files.
type streams struct {
	out, err io.Writer
}

func main() { os.Exit(dispatch(os.Args, streams{os.Stdout, os.Stderr})) }

// personalities are the programs that `pathkeeper NAME` is, too, where no link has
// their name; udev's rule calls kpartx so.
var personalities = []string{"multipath", "multipathd", "multipathc", "kpartx", "mpathconf"}

// dispatch goes by the program's name, then by the udev hook: both must start in a
// blink, so they come before the command tree is built.
func dispatch(args []string, std streams) int {
	name := "pathkeeper"
	if len(args) > 0 {
		name, args = filepath.Base(args[0]), args[1:]
	}
	if !slices.Contains(personalities, name) && len(args) > 0 && slices.Contains(personalities, args[0]) {
		name, args = args[0], args[1:]
	}
	switch name {
	case "multipath":
		return multipathMain(args, std)
	case "multipathd", "multipathc":
		if name == "multipathc" {
			return multipathcMain(args, os.Stdin, std)
		}
		return multipathdMain(args, os.Stdin, std)
	case "kpartx":
		return kpartxMain(args, std)
	case "mpathconf":
		return mpathconfMain(args, std)
	case readerName:
		return readerMain(args, std)
	case "mpathpersist":
		fmt.Fprintf(std.err, "%s: not one of Pathkeeper's commands yet; `pathkeeper --help` shows what there is\n", name)
		return exitError
	case "scsi_id":
		return scsiIDMain(args, std)
	}
	if len(args) == 2 && args[0] == "udev" && args[1] == "hook" {
		return hookMain(systemHost(), os.Environ(), std)
	}
	return nativeMain(args, std)
}

// usageError is a mistake on the command line.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// report says on standard error what went wrong, in one line, and gives the exit
// code for it. A mistake in a configuration file is shown below that line.
func report(std streams, name string, err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errChanges) {
		return exitChanges
	}
	var end ending
	if errors.As(err, &end) && end.err == nil {
		return end.code
	}
	text := strings.TrimSpace(err.Error())
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\t' })
	fmt.Fprintf(std.err, "%s: %s\n", name, show.Safe(strings.Join(lines, " ")))
	if end.code != 0 {
		return end.code
	}
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	var bad *configs.Error
	if errors.As(err, &bad) {
		io.WriteString(std.err, bad.Message.Excerpt())
	}
	return exitError
}

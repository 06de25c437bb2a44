package lint

import (
	"fmt"
	"strings"
)

// Markdown gives the page docs/lint.md: every rule with its reason and its remedy.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# What ` + "`pathkeeper config check`" + ` looks for

This page is written by ` + "`pathkeeper config rules --markdown`" + `; a test holds it against the program.

    pathkeeper config check                    this machine's configuration, held against its disks
    pathkeeper config check --offline FILE..   files by themselves
    pathkeeper config check --strict           refuse warnings too: for CI
    pathkeeper config rules ID                 one rule, explained

Exit codes: 0 nothing, or hints only; 1 errors, with ` + "`--strict`" + ` warnings too; 2 warnings; 64 the command line is
wrong (2 is taken). An **error** will not work, or loses data; a **warning** has no effect, or another one than it
seems; a **hint** is harmless and worth a look. Rules marked *machine* need to see the disks, users or kernel.

## Rules about meaning

`)
	parser := false
	for _, r := range Rules() {
		if r.Parser && !parser {
			parser = true
			b.WriteString("## What the reader of the files says\n\n")
		}
		machine := ""
		if r.Machine {
			machine = ", *machine*"
		}
		fmt.Fprintf(&b, "### %s\n\n**%s%s**: %s.\n\n%s\n\n*Fix:* %s\n\n", r.ID, r.Severity, machine, r.Summary, Wrap(r.Why, 120), Wrap(r.Fix, 113))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// Wrap breaks a text into lines of at most width bytes, at blanks.
func Wrap(text string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}

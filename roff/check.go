package roff

import (
	"fmt"
	"strings"
)

// macros are those that a page may use, with whether they take an argument.
func macros() map[string]bool {
	return map[string]bool{"TH": true, "SH": true, "SS": true, "PP": false, "TP": false, "IP": false, "nf": false, "fi": false}
}

// Check holds a page against the rules that New and its methods keep, so that a
// formatter has nothing to warn of: known requests and escapes, fonts that are put
// back in the line, verbatim text that ends, ASCII, a title and a name first. It
// returns each breach with its line.
func Check(page string) []string {
	var out []string
	say := func(n int, format string, args ...any) {
		out = append(out, fmt.Sprintf("line %d: %s", n+1, fmt.Sprintf(format, args...)))
	}
	lines := strings.Split(strings.TrimSuffix(page, "\n"), "\n")
	if len(lines) < 3 || !strings.HasPrefix(lines[0], ".TH ") || lines[1] != `.SH "NAME"` || !strings.Contains(lines[2], ` \- `) {
		say(0, "a page begins with its title and its name")
	}
	verbatim, term := false, false
	for n, line := range lines {
		if !strings.HasPrefix(line, ".") {
			checkText(line, func(format string, args ...any) { say(n, format, args...) })
			if line == "" && !verbatim {
				say(n, "an empty line")
			}
			term = false
			continue
		}
		name, argument, _ := strings.Cut(line[1:], " ")
		takes, known := macros()[name]
		switch {
		case !known:
			say(n, "unknown request .%s", name)
		case takes != (argument != ""):
			say(n, ".%s with the wrong argument %q", name, argument)
		case term:
			say(n, ".%s where a term is expected", name)
		case verbatim && name != "fi":
			say(n, ".%s in verbatim text", name)
		case name == "fi" && !verbatim:
			say(n, ".fi without .nf")
		case takes && strings.Count(argument, `"`)%2 != 0:
			say(n, "a quotation mark without its partner")
		}
		checkText(argument, func(format string, args ...any) { say(n, format, args...) })
		verbatim, term = name == "nf", name == "TP"
		if name == "nf" && n+1 < len(lines) && lines[n+1] == ".fi" {
			say(n, "no text between .nf and .fi")
		}
	}
	if verbatim || term {
		say(len(lines)-1, "the page ends too early")
	}
	return out
}

// checkText looks at the bytes and escapes of one line.
func checkText(line string, say func(string, ...any)) {
	if strings.HasPrefix(line, "'") {
		say("a line that begins with ' is a request")
	}
	font := byte('R')
	for i := 0; i < len(line); i++ {
		if c := line[i]; c != '\\' {
			if c < ' ' || c > '~' {
				say("the byte %#02x", c)
			}
			if strings.IndexByte("`'^~", c) >= 0 {
				say("%c stands for something else in roff", c)
			}
			continue
		}
		rest := line[i+1:]
		switch {
		case strings.HasPrefix(rest, "-"), strings.HasPrefix(rest, "e"), strings.HasPrefix(rest, "&"):
			i++
		case len(rest) >= 3 && rest[0] == '(' && strings.Contains(" aq ga ha ti dq ", " "+rest[1:3]+" "):
			i += 3
		case len(rest) >= 2 && rest[0] == 'f' && strings.IndexByte("BIR", rest[1]) >= 0:
			font = rest[1]
			i += 2
		default:
			say("the escape %.4q", "\\"+rest)
		}
	}
	if font != 'R' {
		say("the font is not put back")
	}
}

// Package show prints what a snapshot of the core holds: the layout of
// `multipath -ll`, native tables, multipathd's tables and a JSON document. It is
// pure: the same snapshot gives the same text.
//
// Names, vendors and messages come from devices, files and other programs.
// Whatever a terminal could take for a command is shown escaped, as \x1b.
package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"pathkeeper/dmmap/table"
)

// Safe gives text that is one line and does nothing to a terminal: everything
// that is not printable, and every byte that is not UTF-8, becomes \xNN or
// \uNNNN. A backslash stays as it is: device-mapper's own names bear them.
func Safe(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, r < 0x80 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unicode.IsPrint(r) && r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// Size gives a size as multipath-tools prints it: one decimal below ten, none
// from there, units K M G T P of 1024: "5.0G", "10G".
func Size(n table.Sectors) string {
	const units = "KMGTP"
	v, u := float64(n)/2, 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	if v < 10 {
		return fmt.Sprintf("%.1f%c", v, units[u])
	}
	return fmt.Sprintf("%.0f%c", v, units[u])
}

// Natural compares names as people sort them: numbers by value, and names that
// count in letters (sda..sdz, sdaa; mpatha..mpathz, mpathaa) by length first.
func Natural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		var p, q string
		p, x = cutRun(x)
		q, y = cutRun(y)
		if c := compareRuns(p, q); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// cutRun cuts the first run of digits or of anything else.
func cutRun(s string) (run, rest string) {
	i := 1
	for i < len(s) && isDigit(s[i]) == isDigit(s[0]) {
		i++
	}
	return s[:i], s[i:]
}

func compareRuns(p, q string) int {
	if isDigit(p[0]) && isDigit(q[0]) {
		p, q = strings.TrimLeft(p, "0"), strings.TrimLeft(q, "0")
		return cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q))
	}
	for _, prefix := range []string{"sd", "vd", "xvd", "dasd", "mpath"} {
		if strings.HasPrefix(p, prefix) && strings.HasPrefix(q, prefix) {
			return cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q))
		}
	}
	return cmp.Compare(p, q)
}

// grid is a table of cells, left-aligned in columns as wide as their widest.
type grid struct {
	rows [][]string
	// padLast pads the last column too, as multipath-tools does.
	padLast bool
}

func (g *grid) add(cells ...string) {
	for i, c := range cells {
		cells[i] = Safe(c)
	}
	g.rows = append(g.rows, cells)
}

// widths gives the width of each column, in characters.
func (g *grid) widths() []int {
	var w []int
	for _, row := range g.rows {
		for len(w) < len(row) {
			w = append(w, 0)
		}
		for i, c := range row {
			w[i] = max(w[i], utf8.RuneCountInString(c))
		}
	}
	return w
}

// lines gives the rows as text, columns joined by one blank.
func (g *grid) lines(w []int) []string {
	out := make([]string, 0, len(g.rows))
	for _, row := range g.rows {
		var b strings.Builder
		for i, c := range row {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(c)
			if pad := w[i] - utf8.RuneCountInString(c); pad > 0 {
				b.WriteString(strings.Repeat(" ", pad))
			}
		}
		line := b.String()
		if !g.padLast {
			line = strings.TrimRight(line, " ")
		}
		out = append(out, line)
	}
	return out
}

// String gives the whole table, each line ended. Header alone is no table: "".
func (g *grid) String() string {
	if len(g.rows) < 2 {
		return ""
	}
	return strings.Join(g.lines(g.widths()), "\n") + "\n"
}

// dash stands for nothing in a column.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// counted gives words with their count before them, as a table has them: "0",
// "1 queue_if_no_path".
func counted(words []string) string {
	return strings.Join(slices.Concat([]string{fmt.Sprint(len(words))}, words), " ")
}

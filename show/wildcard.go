package show

import (
	"strings"

	"pathkeeper/mpath"
)

// wildcard is one %-sequence of multipathd's formats: what it is called in a
// table's header, and what it prints of a map, a path or a group.
type wildcard[T any] struct {
	char  byte
	head  string
	value func(v *view, of T) string
}

// piece is a part of a format: text, then a wildcard; the last one has none.
type piece[T any] struct {
	text string
	wild *wildcard[T]
}

// parseFormat takes a format apart. As in multipath-tools a wildcard that is not
// known prints nothing, and there is no way to print a percent sign.
func parseFormat[T any](format string, known []wildcard[T]) []piece[T] {
	var out []piece[T]
	for {
		text, rest, found := strings.Cut(format, "%")
		if !found || rest == "" {
			return append(out, piece[T]{text: text})
		}
		p := piece[T]{text: text}
		for i := range known {
			if known[i].char == rest[0] {
				p.wild = &known[i]
			}
		}
		out, format = append(out, p), rest[1:]
	}
}

// Style says how a table of wildcards is laid out.
type Style uint8

// Styles.
const (
	StyleUnknown Style = iota
	StyleTable         // `show maps format`: a header, columns padded
	StylePadded        // `show map M format`: the same without the header
	StyleRaw           // `show maps raw format`: neither header nor padding
)

// maxColumn is how far a column is padded; what is longer stands as it is.
const maxColumn = 255

// tabulate prints a line for each row: text and values in turn. rows decide the
// widths; only those that pick says are printed. Without one there is no header.
func tabulate[T any](v *view, format string, known []wildcard[T], style Style, rows []T, pick func(T) bool) string {
	pieces := parseFormat(format, known)
	lines := make([][]string, 0, len(rows)+1)
	chosen := make([]bool, 0, len(rows)+1)
	any := false
	if style != StyleRaw {
		head := make([]string, len(pieces))
		for i, p := range pieces {
			if p.wild != nil {
				head[i] = p.wild.head
			}
		}
		lines, chosen = append(lines, head), append(chosen, style == StyleTable)
	}
	for _, row := range rows {
		picked := pick == nil || pick(row)
		if style == StyleRaw && !picked {
			continue
		}
		cells := make([]string, len(pieces))
		for i, p := range pieces {
			if p.wild != nil {
				cells[i] = Safe(p.wild.value(v, row))
			}
		}
		lines, chosen = append(lines, cells), append(chosen, picked)
		any = any || picked
	}
	if !any {
		return ""
	}
	widths := make([]int, len(pieces))
	if style != StyleRaw {
		for _, cells := range lines {
			for i, c := range cells {
				widths[i] = min(max(widths[i], len(c)), maxColumn)
			}
		}
	}
	var b strings.Builder
	for n, cells := range lines {
		if !chosen[n] {
			continue
		}
		for i, p := range pieces {
			b.WriteString(Safe(p.text))
			b.WriteString(cells[i])
			if pad := widths[i] - len(cells[i]); pad > 0 {
				b.WriteString(strings.Repeat(" ", pad))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Default formats of multipathd's commands.
const (
	FormatPaths      = "%i %d %D %p %t %T %o %C"
	FormatMaps       = "%n %d %w"
	FormatMapsStatus = "%n %F %Q %N %t %r"
	FormatMapsStats  = "%n %0 %1 %2 %3 %4"
	formatPathsLong  = "%w %i %d %D %p %t %T %s %o"
)

// FormatOfMaps prints the maps that the kernel has by a format of wildcards:
// `show maps [raw] format F`, and with the formats above `show maps`, `show maps
// status` and `show maps stats`. Without a map it prints nothing.
func FormatOfMaps(s mpath.Snapshot, format string, style Style) string {
	v := newView(s)
	return tabulate(v, format, mapWildcards(), style, v.knownMaps(), nil)
}

// FormatOfMap prints one map by a format: `show map M [raw] format F`. Columns are
// as wide as all maps would have them, and there is no header. false: no such map.
func FormatOfMap(s mpath.Snapshot, name, format string) (text string, ok bool) {
	v := newView(s)
	one := v.findMap(name)
	if one == nil {
		return "", false
	}
	return tabulate(v, format, mapWildcards(), StylePadded, v.knownMaps(), func(m *mpath.MapView) bool { return m == one }), true
}

// FormatOfPaths prints the paths by a format: `show paths [raw] format F`, and with
// FormatPaths `show paths`.
func FormatOfPaths(s mpath.Snapshot, format string, style Style) string {
	v := newView(s)
	return tabulate(v, format, pathWildcards(), style, v.listedPaths(), nil)
}

// PathState answers `show path P`: running, offline or unknown. false: no such path.
func PathState(s mpath.Snapshot, name string) (text string, ok bool) {
	v := newView(s)
	for _, p := range v.listedPaths() {
		if p.named(name) {
			return Safe(pathDeviceState(v, p)) + "\n", true
		}
	}
	return "", false
}

// PathsList is what `multipath -v3` prints before it starts: every path that was
// found, or that there is none.
func PathsList(s mpath.Snapshot) string {
	text := FormatOfPaths(s, formatPathsLong, StyleTable)
	if text == "" {
		return "===== no paths =====\n"
	}
	return "===== paths list =====\n" + text
}

// Wildcards answers `show wildcards`: the letters that formats know.
func Wildcards() string {
	var b strings.Builder
	b.WriteString("multipath format wildcards:\n")
	listWildcards(&b, mapWildcards())
	b.WriteString("\npath format wildcards:\n")
	listWildcards(&b, pathWildcards())
	b.WriteString("\npathgroup format wildcards:\n")
	listWildcards(&b, groupWildcards())
	return b.String()
}

func listWildcards[T any](b *strings.Builder, list []wildcard[T]) {
	for _, w := range list {
		b.WriteString("%" + string(rune(w.char)) + "  " + w.head + "\n")
	}
}

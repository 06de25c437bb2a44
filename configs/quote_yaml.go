package configs

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// yamlText writes a value as YAML reads it back: bare where nothing can be
// mistaken, else in single quotes, where a backslash stands for itself, else in
// double quotes with escapes.
func yamlText(s string) string {
	if bareInYAML(s) {
		return s
	}
	printable := utf8.ValidString(s)
	for _, c := range s {
		if c < ' ' || c > '~' {
			printable = false
		}
	}
	if printable {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c >= ' ' && c <= '~':
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\U%08x`, c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// bareInYAML says whether a text needs no quotes: a word, or a plain number. A
// WWID, which is mostly digits, has some: other programs would round it.
func bareInYAML(s string) bool {
	if s == "" || len(s) > 60 || strings.EqualFold(s, "null") {
		return false
	}
	if s[0] >= '0' && s[0] <= '9' {
		return len(s) <= 10 && strings.Trim(s, "0123456789") == ""
	}
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		digit := c >= '0' && c <= '9'
		inner := i > 0 && (c == '-' || c == '.' || c == ':' && i < len(s)-1)
		if !letter && !digit && !inner {
			return false
		}
	}
	return true
}

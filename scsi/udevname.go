package scsi

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The three ways in which udev makes a value fit for a property or a file name
// (measured on systemd 252's scsi_id).

// udevBlanks drops white space at both ends and makes one '_' of each run of it
// inside. A vertical tab or form feed in front is white space that udev does
// not drop there: it becomes a '_' too.
func udevBlanks(s string) string {
	var b strings.Builder
	s = strings.TrimLeft(s, " \t\n\r")
	pending := false
	for i := 0; i < len(s); i++ {
		if isSpace(s[i]) {
			pending = true
			continue
		}
		if pending {
			b.WriteByte('_')
			pending = false
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// udevChars puts '_' for every byte that is not a letter, a digit, one of
// "#+-.:=@_", the beginning of "\x" or part of a valid UTF-8 sequence.
func udevChars(s string) string {
	b := []byte(s)
	for i := 0; i < len(b); {
		switch n := udevKeeps(s[i:]); {
		case n > 0:
			i += n
		case strings.HasPrefix(s[i:], `\x`):
			i += 2
		default:
			b[i] = '_'
			i++
		}
	}
	return string(b)
}

// udevEncode writes every byte that udevChars would replace, and the backslash,
// as "\xNN": the _ENC properties.
func udevEncode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if n := udevKeeps(s[i:]); n > 0 {
			b.WriteString(s[i : i+n])
			i += n
		} else {
			fmt.Fprintf(&b, `\x%02x`, s[i])
			i++
		}
	}
	return b.String()
}

// udevKeeps is how many bytes at the beginning of s udev leaves as they are.
func udevKeeps(s string) int {
	c := s[0]
	if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("#+-.:=@_", c) >= 0 {
		return 1
	}
	r, n := utf8.DecodeRuneInString(s)
	if n > 1 && r&0xfffe != 0xfffe && (r < 0xfdd0 || r > 0xfdef) {
		return n
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

package table

import (
	"errors"
	"strings"
)

const hexDigits = "0123456789abcdef"

// plainByte reports whether libdm leaves c as it is in a name or UUID. All other
// bytes become \xNN, because udev splits its SYMLINK lists at spaces and refuses
// most punctuation. The kernel itself would take any byte but '/' and NUL.
func plainByte(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		return true
	}
	return strings.IndexByte("#+-.:=@_", c) >= 0
}

// mangle turns s into the form that libdm hands to the kernel (its default,
// "auto", mode): bytes outside plainByte become \xNN with two lower-case digits,
// a text that is mangled already stays, and a mixture of both is an error since
// nobody could tell what was meant.
func mangle(s string) (string, error) {
	var b strings.Builder
	kept, changed := false, false
	for i := 0; i < len(s); i++ {
		if _, ok := escapeAt(s, i); ok {
			b.WriteString(s[i : i+4])
			i += 3
			kept = true
			continue
		}
		if plainByte(s[i]) {
			b.WriteByte(s[i])
			continue
		}
		b.WriteString(`\x`)
		b.WriteByte(hexDigits[s[i]>>4])
		b.WriteByte(hexDigits[s[i]&15])
		changed = true
	}
	if kept && changed {
		return "", errors.New(`mixes \xNN with characters that would have to become \xNN`)
	}
	return b.String(), nil
}

// unmangle is the inverse: every \xNN becomes its byte. With printable, those of
// control bytes stay as they are, so that the result is fit for a terminal.
func unmangle(s string, printable bool) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := escapeAt(s, i); ok && !(printable && isControl(c)) {
			b.WriteByte(c)
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escapeAt reads the \xNN at s[i:], if there is one.
func escapeAt(s string, i int) (byte, bool) {
	if len(s)-i < 4 || s[i] != '\\' || s[i+1] != 'x' {
		return 0, false
	}
	hi, lo := hexValue(s[i+2]), hexValue(s[i+3])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func isControl(c byte) bool { return c < 0x20 || c == 0x7f }

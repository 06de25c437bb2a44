package rules

import "strings"

// KV is one udev property.
type KV struct{ Key, Value string }

// Format prints properties as IMPORT{program} reads them, one KEY="value" a line.
// Bytes that would end the value or the line become "_".
func Format(kvs []KV) string {
	var b strings.Builder
	for _, kv := range kvs {
		if kv.Value == "" {
			continue // udevd drops the line
		}
		value := strings.Map(func(c rune) rune {
			if c == '"' || c == '\\' || c < ' ' || c == 0x7f {
				return '_'
			}
			return c
		}, kv.Value)
		b.WriteString(kv.Key + `="` + value + "\"\n")
	}
	return b.String()
}

// maxReasonBytes keeps a property short: the udev database is no log.
const maxReasonBytes = 200

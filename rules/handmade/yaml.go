package handmade

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/policy"
)

// YAML prints the entries as they stand in pathkeeper.yaml, each with the place
// of its rule.
func (r Result) YAML() string {
	var b strings.Builder
	if len(r.Disks) > 0 {
		b.WriteString("names:\n")
	}
	for _, d := range r.Disks {
		fmt.Fprintf(&b, "  # %s\n  - wwid: %s\n", place(d.Origin), quote(d.WWID))
		field(&b, "name", d.Name)
		field(&b, "owner", d.Owner)
		field(&b, "group", d.Group)
		mode(&b, d.Mode)
	}
	if len(r.Maps) > 0 {
		b.WriteString("multipaths:\n")
	}
	for _, m := range r.Maps {
		fmt.Fprintf(&b, "  # %s", place(m.Origin))
		if m.From != "" {
			fmt.Fprintf(&b, "; %s", strings.Trim(quote(m.From), `"`))
		}
		fmt.Fprintf(&b, "\n  - wwid: %s\n", quote(m.WWID))
		field(&b, "owner", m.Owner)
		field(&b, "group", m.Group)
		mode(&b, m.Mode)
	}
	return b.String()
}

func place(o policy.Origin) string {
	return strings.Trim(quote(o.File), `"`) + ":" + strconv.Itoa(o.Line)
}

func field(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "    %s: %s\n", name, quote(value))
	}
}

func mode(b *strings.Builder, mode int) {
	if mode >= 0 {
		fmt.Fprintf(b, "    mode: %q\n", policy.FormatMode(mode))
	}
}

// quote always quotes: an id of digits alone must stay a text. Go's escapes are
// YAML's too, for text that is UTF-8.
func quote(s string) string { return strconv.Quote(strings.ToValidUTF8(s, "_")) }

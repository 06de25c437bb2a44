// Package roff writes manual pages in the man(7) macros, and checks them. What comes
// out is ASCII: every page looks the same in groff and in mandoc, in every locale.
package roff

import (
	"fmt"
	"strings"
)

// Page is a manual page that is being written.
type Page struct {
	b strings.Builder
}

// New begins the page of name in a section, for example pathkeeper, 8. Short is the
// one clause of whatis(1), without a full stop; source names the release.
func New(name string, section int, short, source string) *Page {
	p := &Page{}
	fmt.Fprintf(&p.b, ".TH %s %d \"\" %s \"System administration\"\n", argument(strings.ToUpper(name)), section, argument(source))
	p.Section("NAME")
	p.line(escape(name) + ` \- ` + escape(short))
	return p
}

// Section begins a section. Manual pages write their titles in capitals.
func (p *Page) Section(title string) { p.request("SH", strings.ToUpper(title)) }

// Sub begins a part of a section.
func (p *Page) Sub(title string) { p.request("SS", title) }

// Text adds paragraphs, with an empty line between two. A line that is indented
// stands as it is, a word in backquotes is bold, two spaces mean no more than one.
func (p *Page) Text(text string) {
	for i, block := range blocks(text) {
		if i > 0 {
			p.b.WriteString(".PP\n")
		}
		p.block(block)
	}
}

// Item adds a term with what is said about it, paragraphs as of Text.
func (p *Page) Item(term, text string) {
	p.b.WriteString(".TP\n")
	p.line(`\fB` + escape(term) + `\fR`)
	for i, block := range blocks(text) {
		if i > 0 {
			p.b.WriteString(".IP\n")
		}
		p.block(block)
	}
}

// Code adds lines as they are.
func (p *Page) Code(text string) {
	p.b.WriteString(".PP\n")
	p.verbatim(strings.Split(strings.Trim(text, "\n"), "\n"))
}

// SeeAlso ends a page with others, written as name(8), in the order given.
func (p *Page) SeeAlso(pages ...string) {
	if len(pages) == 0 {
		return
	}
	p.Section("SEE ALSO")
	var refs []string
	for _, ref := range pages {
		name, section, _ := strings.Cut(ref, "(")
		refs = append(refs, `\fB`+escape(name)+`\fR(`+escape(section))
	}
	p.line(strings.Join(refs, ",\n"))
}

// String gives the page.
func (p *Page) String() string { return p.b.String() }

func (p *Page) request(name, text string) { fmt.Fprintf(&p.b, ".%s %s\n", name, argument(text)) }

func (p *Page) line(text string) { p.b.WriteString(guard(text) + "\n") }

// block writes one paragraph; where its lines are indented they stand as they are.
func (p *Page) block(lines []string) {
	var prose []string
	flush := func() {
		if len(prose) > 0 {
			p.line(bold(strings.Join(strings.Fields(strings.Join(prose, " ")), " ")))
		}
		prose = nil
	}
	for len(lines) > 0 {
		n := 0
		for n < len(lines) && indented(lines[n]) {
			n++
		}
		if n > 0 {
			flush()
			p.verbatim(lines[:n])
			lines = lines[n:]
			continue
		}
		prose = append(prose, lines[0])
		lines = lines[1:]
	}
	flush()
}

func (p *Page) verbatim(lines []string) {
	p.b.WriteString(".nf\n")
	for _, line := range lines {
		p.line(escape(strings.TrimRight(line, " ")))
	}
	p.b.WriteString(".fi\n")
}

func indented(line string) bool {
	return strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t")
}

// blocks cuts a text at its empty lines.
func blocks(text string) [][]string {
	var out [][]string
	for _, part := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		if part = strings.Trim(part, "\n"); strings.TrimSpace(part) != "" {
			out = append(out, strings.Split(part, "\n"))
		}
	}
	return out
}

// bold makes what stands in backquotes bold. A single backquote stands for itself.
func bold(text string) string {
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 {
		return escape(text)
	}
	var b strings.Builder
	for i, part := range parts {
		if i%2 == 1 {
			b.WriteString(`\fB` + escape(part) + `\fR`)
		} else {
			b.WriteString(escape(part))
		}
	}
	return b.String()
}

// escape makes a text stand for itself. A hyphen becomes a minus, so that options
// can be copied from the screen; what is not ASCII becomes the nearest that is.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "\t", "    ",
		"\u2026", "...", "\u2013", `\-`, "\u2019", `\(aq`, "\u00b5", "u").Replace(text)
}

// guard keeps a line from being taken for a request.
func guard(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}

// argument quotes a macro's argument.
func argument(text string) string { return `"` + strings.ReplaceAll(escape(text), `"`, `\(dq`) + `"` }

package roff

import (
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	p := New("pathkeeper", 8, "maps with stable names", "pathkeeper 1.0")
	p.Section("Description")
	p.Text("One `multipath -ll` and\nmore  of it.\n\n.dots and 'quotes' \\ ~ ^ `\n  an example\n  'indented' x-y\nends.")
	p.Item("-v LEVEL", "how much.\n\nIn a second paragraph.")
	p.Code("$ pathkeeper\n\n.x")
	p.SeeAlso("multipath(8)", "multipath.conf(5)")
	want := `.TH "PATHKEEPER" 8 "" "pathkeeper 1.0" "System administration"
.SH "NAME"
pathkeeper \- maps with stable names
.SH "DESCRIPTION"
One \fBmultipath \-ll\fR and more of it.
.PP
\&.dots and \(aqquotes\(aq \e \(ti \(ha \(ga
.nf
  an example
  \(aqindented\(aq x\-y
.fi
ends.
.TP
\fB\-v LEVEL\fR
how much.
.IP
In a second paragraph.
.PP
.nf
$ pathkeeper

\&.x
.fi
.SH "SEE ALSO"
\fBmultipath\fR(8),
\fBmultipath.conf\fR(5)
`
	if have := p.String(); have != want {
		t.Errorf("have:\n%s\nwant:\n%s", have, want)
	}
	if found := Check(p.String()); found != nil {
		t.Errorf("%q", found)
	}
}

func TestCheckFinds(t *testing.T) {
	head := ".TH \"X\" 8\n.SH \"NAME\"\nx \\- y\n"
	for text, want := range map[string]string{
		"text":                       "begins with its title",
		head + ".XY z\n":             "unknown request",
		head + ".SH\n":               "wrong argument",
		head + ".PP x\n":             "wrong argument",
		head + ".TP\n.PP\n":          "a term is expected",
		head + ".nf\nx\n":            "ends too early",
		head + ".nf\nx\n.SH \"y\"\n": "in verbatim",
		head + ".nf\n.fi\n":          "no text",
		head + ".fi\n":               "without .nf",
		head + ".SH \"x\n":           "without its partner",
		head + "'x\n":                "is a request",
		head + "\\fBx\n":             "not put back",
		head + "\\*x\n":              "the escape",
		head + "a~b\n":               "stands for something else",
		head + "\u00e4\n":            "the byte",
		head + "\nx\n":               "an empty line",
	} {
		if have := strings.Join(Check(text), "; "); !strings.Contains(have, want) {
			t.Errorf("%q: %q, want %q", text, have, want)
		}
	}
	if found := Check(head); found != nil {
		t.Errorf("%q", found)
	}
}

// Whatever a text holds, the page is one that Check accepts.
func FuzzText(f *testing.F) {
	f.Add("a `b` c\n\n  code\n.x\n'y", "term")
	f.Add("`", "\\")
	f.Add("\n\n\n  \n x", "-\n")
	f.Fuzz(func(t *testing.T, text, term string) {
		if strings.ContainsFunc(text+term, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r > '~' }) || strings.Contains(term, "\n") {
			t.Skip("the program's own texts are ASCII, terms are lines")
		}
		p := New("x", 8, "y", "z")
		p.Section("A")
		p.Text(text)
		if strings.TrimSpace(text) != "" {
			p.Item("t"+term, text)
			p.Code("x" + text)
		}
		if found := Check(p.String()); found != nil {
			t.Errorf("%q\n%s", found, p.String())
		}
	})
}

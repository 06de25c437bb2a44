package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads a script. file is its name for errors. The first mistake ends it,
// as an *Error.
func Parse(file, text string) (*Script, error) {
	lines := strings.Split(text, "\n")
	p := &parser{script: &Script{File: file, Boot: "bare"}, verbs: newTable(), more: func() (string, bool) {
		if len(lines) == 0 {
			return "", false
		}
		line := lines[0]
		lines = lines[1:]
		return line, true
	}}
	if err := p.parse(); err != nil {
		return nil, &Error{File: file, Line: max(p.at, 1), Err: err}
	}
	return p.script, nil
}

// ParseCommand reads one command of somebody who types: text is line number at of
// file, and more gives the lines behind it, where a body follows. The error is an
// *Error.
func ParseCommand(file string, at int, text string, side Side, more func() (string, bool)) (Command, error) {
	p := &parser{script: &Script{File: file, Side: side}, verbs: newTable(), more: more, at: at}
	if err := p.command(strings.TrimSpace(text)); err != nil {
		return Command{}, &Error{File: file, Line: at, Err: err}
	}
	return p.script.Commands[0], nil
}

type parser struct {
	script *Script
	verbs  table
	more   func() (string, bool)
	at     int // the 1-based number of the line last taken
	headed bool
	booted bool
	prose  []string // the comment lines before the head
}

func (p *parser) next() (string, bool) {
	line, ok := p.more()
	if !ok {
		return "", false
	}
	p.at++
	return strings.TrimSuffix(line, "\r"), true
}

func (p *parser) parse() error {
	for {
		line, ok := p.next()
		if !ok {
			break
		}
		trimmed := strings.TrimSpace(line)
		if prose, ok := strings.CutPrefix(trimmed, "#"); ok || trimmed == "" {
			if ok && !p.headed {
				p.prose = append(p.prose, strings.TrimSpace(prose))
			}
			continue
		}
		var err error
		switch {
		case !p.headed:
			err = p.head(trimmed)
		case strings.HasPrefix(trimmed, "boot:"):
			err = p.boot(trimmed)
		case strings.HasPrefix(trimmed, "image:"):
			err = p.image(trimmed)
		default:
			err = p.command(trimmed)
		}
		if err != nil {
			return err
		}
	}
	if !p.headed {
		return fmt.Errorf("an empty script: its first line says only: lab, only: sim or both")
	}
	if len(p.script.Commands) == 0 {
		return fmt.Errorf("a script without a single verb proves nothing")
	}
	return nil
}

func (p *parser) head(line string) error {
	switch line {
	case "both":
		p.script.Side = Both
	case "only: lab":
		p.script.Side = Lab
	case "only: sim":
		p.script.Side = Sim
	default:
		return fmt.Errorf("the first line is %q; it says who runs the script: only: lab, only: sim or both", line)
	}
	p.headed = true
	p.script.Prose = strings.Join(p.prose, " ")
	return nil
}

func (p *parser) boot(line string) error {
	kind := strings.TrimSpace(strings.TrimPrefix(line, "boot:"))
	if kind != "bare" && kind != "systemd" {
		return fmt.Errorf("boot: %q; there is bare and systemd", kind)
	}
	if p.booted || len(p.script.Commands) > 0 {
		return fmt.Errorf("boot: stands once, before the first verb")
	}
	p.script.Boot, p.booted = kind, true
	return nil
}

func (p *parser) image(line string) error {
	kind := strings.TrimSpace(strings.TrimPrefix(line, "image:"))
	switch {
	case kind != "clients":
		return fmt.Errorf("image: %q; there is clients, and without the line the lab's own", kind)
	case p.script.Image != "" || len(p.script.Commands) > 0:
		return fmt.Errorf("image: stands once, before the first verb")
	case p.script.Side != Lab:
		return fmt.Errorf("image: is for scripts whose first line says only: lab")
	}
	p.script.Image = kind
	return nil
}

func (p *parser) command(line string) error {
	c := Command{File: p.script.File, Line: p.at, Text: line, Options: map[string]string{}}
	words, err := split(line)
	if err != nil {
		return err
	}
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	v, n, err := p.verbs.lookup(texts)
	if err != nil {
		return err
	}
	c.Verb = v
	words = words[n:]
	if err := p.take(&c, words); err != nil {
		p.at = c.Line
		return fmt.Errorf("%w; usage: %s %s", err, v.Name, v.Usage)
	}
	if err := p.allowed(c); err != nil {
		p.at = c.Line
		return err
	}
	p.script.Commands = append(p.script.Commands, c)
	return nil
}

// allowed says whether the sides that the script's first line names know a command.
func (p *parser) allowed(c Command) error {
	side, what := c.Side()
	switch {
	case side == Both || side == p.script.Side:
		return nil
	case p.script.Side == Both:
		return fmt.Errorf("%s is known to one side alone (%s), and the script says both", what, side)
	}
	return fmt.Errorf("%s is %s, and the script %s", what, side, p.script.Side)
}

// Side says who knows the command, and names in it what another does not.
func (c Command) Side() (side Side, what string) {
	v := c.Verb
	if v.Side != Both {
		return v.Side, v.Name
	}
	for _, key := range v.SimOptions {
		if _, ok := c.Options[key]; ok {
			return Sim, v.Name + " " + key + "="
		}
	}
	switch {
	case v.Program == 0:
	case c.HasBody:
		return Lab, v.Name + " with a body"
	case len(c.Args) >= v.Program && !slices.Contains(Programs(), c.Args[v.Program-1]):
		return Lab, v.Name + " " + c.Args[v.Program-1]
	}
	return Both, v.Name
}

// take sorts the words behind the verb into positional words, options and body.
func (p *parser) take(c *Command, words []word) error {
	v := c.Verb
	if n := len(words); n > 0 && !words[n-1].quoted && strings.HasPrefix(words[n-1].text, "<<") {
		tag := words[n-1].text[2:]
		if v.Body == NoBody {
			return fmt.Errorf("%s takes no body", v.Name)
		}
		if err := p.body(c, tag); err != nil {
			return err
		}
		words = words[:n-1]
	}
	if v.Body == MustBody && !c.HasBody {
		return fmt.Errorf("%s needs a body", v.Name)
	}
	for _, w := range words {
		key, value, isOption := strings.Cut(w.text, "=")
		// Where a program's own words follow, options stand before them.
		if v.Raw && len(c.Args) > 0 {
			isOption = false
		}
		if isOption && !w.quotedKey && slices.Contains(v.Options, key) {
			if _, twice := c.Options[key]; twice {
				return fmt.Errorf("%s= stands twice", key)
			}
			c.Options[key] = value
			continue
		}
		if isOption && !w.quotedKey && !v.Raw && isKey(key) {
			return fmt.Errorf("no option %s=", key)
		}
		c.Args = append(c.Args, w.text)
	}
	switch {
	case len(c.Args) < v.Min:
		return fmt.Errorf("%d words are too few", len(c.Args))
	case v.Max >= 0 && len(c.Args) > v.Max:
		return fmt.Errorf("%d words are too many", len(c.Args))
	}
	for i, set := range v.Choices {
		if set != nil && i < len(c.Args) && !slices.Contains(set, c.Args[i]) {
			return fmt.Errorf("%q is none of %s", c.Args[i], strings.Join(set, ", "))
		}
	}
	for _, key := range []string{"within", "for"} {
		if text, ok := c.Options[key]; ok {
			if d, err := time.ParseDuration(text); err != nil || d <= 0 {
				return fmt.Errorf("%s=%s is no duration such as 5s or 300ms", key, text)
			}
		}
	}
	return nil
}

func (p *parser) body(c *Command, tag string) error {
	if tag == "" {
		return fmt.Errorf("<< without a tag, such as <<END")
	}
	began := p.at
	var b strings.Builder
	for {
		line, ok := p.next()
		if !ok {
			p.at = began
			return fmt.Errorf("no line %s ends the body", tag)
		}
		if line == tag {
			c.Body, c.HasBody = b.String(), true
			return nil
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
}

// word is one word of a line; quoted says that it began with a quote, quotedKey
// that a quote stands before its first '='.
type word struct {
	text              string
	quoted, quotedKey bool
}

// split parts a line at blanks, outside quotes.
func split(line string) ([]word, error) {
	var words []word
	var b strings.Builder
	var w word
	inWord, sawEqual := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == ' ' || c == '\t':
			if inWord {
				w.text = b.String()
				words = append(words, w)
				b.Reset()
				w, inWord, sawEqual = word{}, false, false
			}
		case c == '"' || c == '\'':
			if !inWord {
				w.quoted = true
			}
			if !sawEqual {
				w.quotedKey = true
			}
			inWord = true
			end, err := quoted(line, i, &b)
			if err != nil {
				return nil, err
			}
			i = end
		default:
			sawEqual = sawEqual || c == '='
			inWord = true
			b.WriteByte(c)
		}
	}
	if inWord {
		w.text = b.String()
		words = append(words, w)
	}
	return words, nil
}

// quoted copies the text between the quote at line[at] and its partner, and
// returns the partner's place.
func quoted(line string, at int, b *strings.Builder) (int, error) {
	quote := line[at]
	for i := at + 1; i < len(line); i++ {
		switch {
		case line[i] == quote:
			return i, nil
		case quote == '"' && line[i] == '\\' && i+1 < len(line) && (line[i+1] == '"' || line[i+1] == '\\'):
			i++
			b.WriteByte(line[i])
		default:
			b.WriteByte(line[i])
		}
	}
	return 0, fmt.Errorf("a %c without its partner, from column %d on", quote, at+1)
}

func isKey(s string) bool {
	if s == "" {
		return false
	}
	for _, c := range s {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// Duration returns an option as a duration, or def where it is absent. Parse has
// checked within= and for=.
func (c Command) Duration(key string, def time.Duration) time.Duration {
	d, err := time.ParseDuration(c.Options[key])
	if err != nil {
		return def
	}
	return d
}

// Size reads 64M, 5G, 512K or plain bytes.
func Size(s string) (int64, error) {
	unit := int64(1)
	digits := s
	if s != "" {
		switch s[len(s)-1] {
		case 'K':
			unit = 1 << 10
		case 'M':
			unit = 1 << 20
		case 'G':
			unit = 1 << 30
		case 'T':
			unit = 1 << 40
		}
		if unit > 1 {
			digits = s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("%q is no size such as 64M", s)
	}
	return n * unit, nil
}

// Count is a condition on a number: N, >=N or <=N.
type Count struct {
	Min, Max int // Max < 0: none
}

// ParseCount reads a Count.
func ParseCount(s string) (Count, error) {
	digits, c := s, Count{}
	switch {
	case strings.HasPrefix(s, ">="):
		digits = s[2:]
	case strings.HasPrefix(s, "<="):
		digits = s[2:]
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return c, fmt.Errorf("%q is no count such as 0, >=1 or <=2", s)
	}
	switch {
	case strings.HasPrefix(s, ">="):
		return Count{Min: n, Max: -1}, nil
	case strings.HasPrefix(s, "<="):
		return Count{Max: n}, nil
	}
	return Count{Min: n, Max: n}, nil
}

// Holds says whether n satisfies the condition.
func (c Count) Holds(n int) bool { return n >= c.Min && (c.Max < 0 || n <= c.Max) }

// Words parts a line at blanks as a script does.
func Words(line string) ([]string, error) {
	words, err := split(strings.TrimSpace(strings.TrimSuffix(line, "\r")))
	var out []string
	for _, w := range words {
		out = append(out, w.text)
	}
	return out, err
}

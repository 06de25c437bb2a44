package mpath

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"pathkeeper/policy"
)

// A checkpoint is the whole state of the core as text, so that a recording can be
// replayed from the middle: a line for the machine, one for each path and map, and
// an end. Each line is a word and the fields of the struct by name, as JSON. Fields
// that are not carried are remade: checkpoint_test.go fails for one that is neither
// in a fields list nor named there with its reason.

// carried is a struct of the core.
type carried interface{ fields() []field }

// carriedOne, carriedSlice and carriedList let a struct of the core be a field of
// another: itself, in a slice, as pointers in a slice.
type carriedOne struct{ to carried }

func (c carriedOne) MarshalJSON() ([]byte, error)    { return appendFields(nil, c.to) }
func (c carriedOne) UnmarshalJSON(text []byte) error { return readFields(text, c.to, nil) }

type carriedSlice[T any, P interface {
	*T
	carried
}] struct{ to *[]T }

func (c carriedSlice[T, P]) MarshalJSON() ([]byte, error) {
	out := []byte("[")
	for i := range *c.to {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendFields(out, P(&(*c.to)[i])); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func (c carriedSlice[T, P]) UnmarshalJSON(text []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	*c.to = nil
	for _, r := range raw {
		var one T
		if err := readFields(r, P(&one), nil); err != nil {
			return err
		}
		*c.to = append(*c.to, one)
	}
	return nil
}

type carriedList[T any, P interface {
	*T
	carried
}] struct{ to *[]*T }

func (c carriedList[T, P]) MarshalJSON() ([]byte, error) {
	values := make([]T, len(*c.to))
	for i, v := range *c.to {
		values[i] = *v
	}
	return carriedSlice[T, P]{&values}.MarshalJSON()
}

func (c carriedList[T, P]) UnmarshalJSON(text []byte) error {
	var values []T
	if err := (carriedSlice[T, P]{&values}).UnmarshalJSON(text); err != nil {
		return err
	}
	*c.to = nil
	for i := range values {
		*c.to = append(*c.to, &values[i])
	}
	return nil
}

// appendFields appends {"name":value,...} to text.
func appendFields(text []byte, c carried) ([]byte, error) {
	b := bytes.NewBuffer(text)
	for i, f := range c.fields() {
		b.WriteByte(",{"[boolInt(i == 0)])
		b.WriteString(`"` + f.name + `":`)
		if err := encodePlain(b, f.at); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// readFields reads them back. What another version has more or less is told to
// remark; without one it is an error.
func readFields(text []byte, c carried, remark func(string)) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	for _, f := range c.fields() {
		r, ok := raw[f.name]
		if !ok {
			if remark == nil {
				return fmt.Errorf("%s: %w", f.name, errMissing)
			}
			remark(f.name + " is missing")
			continue
		}
		delete(raw, f.name)
		if err := decodePlain(string(r), f.at); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if len(raw) == 0 {
		return nil
	}
	more := make([]string, 0, len(raw))
	for name := range raw {
		more = append(more, name)
	}
	slices.Sort(more)
	if remark == nil {
		return fmt.Errorf("%s: %w", strings.Join(more, ", "), errUnknown)
	}
	for _, name := range more {
		remark(name + " is not known to this version")
	}
	return nil
}

var (
	errMissing = errors.New("missing")
	errUnknown = errors.New("not known to this version")
	errCut     = errors.New("it ends early")
)

// Checkpoint is a copy of the whole state at one moment. It shares with the core only
// values that are never changed in place, so it may be written elsewhere while the
// core goes on.
type Checkpoint struct {
	core  Machine // with paths and maps, without what is remade
	links links
}

// Checkpoint copies the state. Between two steps only.
func (mc *Machine) Checkpoint() *Checkpoint {
	c := &Checkpoint{core: *mc, links: mc.links()}
	m := &c.core
	m.acts, m.find, m.due, m.looks, m.lines = nil, index{}, dueList{}, lookList{}, nil
	m.wwids, m.failed, m.loading = slices.Clone(m.wwids), slices.Clone(m.failed), slices.Clone(m.loading)
	m.users, m.groups, m.recorded = slices.Clone(m.users), slices.Clone(m.groups), slices.Clone(m.recorded)
	m.kept, m.keys = slices.Clone(m.kept), slices.Clone(m.keys)
	m.other, m.nodes, m.present, m.gone = slices.Clone(m.other), slices.Clone(m.nodes), slices.Clone(m.present), slices.Clone(m.gone)
	m.odd = slices.Clone(m.odd)
	m.batches, m.commands = slices.Clone(m.batches), make([]*command, len(mc.commands))
	for i, b := range m.batches {
		m.batches[i].done, m.batches[i].kept, m.batches[i].wrong = slices.Clone(b.done), slices.Clone(b.kept), slices.Clone(b.wrong)
	}
	for i, c := range mc.commands {
		one := *c
		m.commands[i] = &one
	}
	m.notices.list = slices.Clone(m.notices.list)
	m.untuned, m.odds, m.tuned = slices.Clone(m.untuned), slices.Clone(m.odds), make([]*tuned, len(mc.tuned))
	for i, t := range mc.tuned {
		one := *t
		m.tuned[i] = &one
	}
	k := &m.known
	k.writing, k.pending, k.failed = slices.Clone(k.writing), slices.Clone(k.pending), slices.Clone(k.failed)
	k.asked, k.unsure = slices.Clone(k.asked), slices.Clone(k.unsure)
	paths, maps := make([]path, len(mc.paths)), make([]mmap, len(mc.maps))
	m.paths, m.maps = make([]*path, len(mc.paths)), make([]*mmap, len(mc.maps))
	for i, p := range mc.paths {
		paths[i] = *p
		paths[i].timer = timer{}
		m.paths[i] = &paths[i]
	}
	for i, o := range mc.maps {
		maps[i] = *o
		maps[i].timer, maps[i].paths = timer{}, nil
		maps[i].accepted = slices.Clone(o.accepted)
		m.maps[i] = &maps[i]
	}
	return c
}

// Machine makes a core of it. The checkpoint must not be used after that.
func (c *Checkpoint) Machine() (*Machine, error) {
	if err := c.core.remake(&c.links); err != nil {
		return nil, err
	}
	return &c.core, nil
}

// Write writes it, to be read by ReadCheckpoint. Equal states give equal text.
func (c *Checkpoint) Write(w io.Writer) error {
	var b []byte
	line := func(word string, c carried) (err error) {
		b = append(append(b[:0], word...), ' ')
		if b, err = appendFields(b, c); err != nil {
			return fmt.Errorf("checkpoint: %s: %w", word, err)
		}
		b = append(b, '\n')
		_, err = w.Write(b)
		return err
	}
	if err := line("machine", &c.core); err != nil {
		return err
	}
	if c.core.rules != nil {
		buf := bytes.NewBufferString("config ")
		cfg := c.core.rules.Config()
		if err := encodePlain(buf, &cfg); err != nil {
			return fmt.Errorf("checkpoint: config: %w", err)
		}
		buf.WriteByte('\n')
		if _, err := w.Write(buf.Bytes()); err != nil {
			return err
		}
	}
	for _, p := range c.core.paths {
		if err := line("path", p); err != nil {
			return err
		}
	}
	for _, m := range c.core.maps {
		if err := line("map", m); err != nil {
			return err
		}
	}
	if err := line("links", &c.links); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "end %d %d\n", len(c.core.paths), len(c.core.maps))
	return err
}

// CheckpointLineBytes bounds one line of a checkpoint: a path, a map or the
// configuration.
const CheckpointLineBytes = 64 << 20

// ReadCheckpoint makes a core of what Write wrote. Remarks say what another version
// wrote more or less of: decisions may differ then.
func ReadCheckpoint(r io.Reader) (mc *Machine, remarks []string, err error) {
	var c Checkpoint
	seen := map[string]bool{}
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		text, err := readLine(in)
		if err != nil {
			return nil, remarks, fmt.Errorf("checkpoint: line %d: %w", n, err)
		}
		word, body, _ := strings.Cut(text, " ")
		remark := func(what string) {
			if what = word + ": " + what; !seen[what] {
				seen[what] = true
				remarks = append(remarks, what)
			}
		}
		if word == "end" {
			if want := fmt.Sprintf("%d %d", len(c.core.paths), len(c.core.maps)); body != want {
				return nil, remarks, fmt.Errorf("checkpoint: it has %s paths and maps, its end says %.40q", want, body)
			}
			mc, err = c.Machine()
			return mc, remarks, err
		}
		if err := c.readPart(word, body, remark); err != nil {
			return nil, remarks, fmt.Errorf("checkpoint: line %d: %.20s: %w", n, word, err)
		}
	}
}

func (c *Checkpoint) readPart(word, body string, remark func(string)) error {
	switch word {
	case "machine":
		return readFields([]byte(body), &c.core, remark)
	case "config":
		var cfg policy.Config
		if err := decodePlain(body, &cfg); err != nil {
			return err
		}
		c.core.rules, _ = policy.Compile(cfg)
	case "path":
		p := &path{}
		c.core.paths = append(c.core.paths, p)
		return readFields([]byte(body), p, remark)
	case "map":
		m := &mmap{}
		c.core.maps = append(c.core.maps, m)
		return readFields([]byte(body), m, remark)
	case "links":
		return readFields([]byte(body), &c.links, remark)
	default:
		remark("is not known to this version")
	}
	return nil
}

func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > CheckpointLineBytes:
			return "", fmt.Errorf("it is over %d bytes", CheckpointLineBytes)
		case err == nil:
			return string(line[:len(line)-1]), nil
		case err == io.EOF:
			return "", errCut
		case err != bufio.ErrBufferFull:
			return "", err
		}
	}
}

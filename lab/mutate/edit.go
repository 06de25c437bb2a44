package mutate

import (
	"bytes"
	"slices"
)

// edits collects what is put into a file's text. Ends of what is wrapped come
// before beginnings at the same place, the inner end before the outer one, the
// outer beginning before the inner one: begins must be noted from the outside to
// the inside, ends from the inside to the outside.
type edits struct{ list []edit }

type edit struct {
	at, until int // until > at: this text is replaced
	text      string
	begins    bool
}

func (e *edits) begin(at int, text string) {
	e.list = append(e.list, edit{at: at, until: at, text: text, begins: true})
}

func (e *edits) end(at int, text string) {
	e.list = append(e.list, edit{at: at, until: at, text: text})
}

func (e *edits) replace(at, until int, text string) {
	e.list = append(e.list, edit{at: at, until: until, text: text, begins: true})
}

// apply gives the text with every edit in it.
func (e *edits) apply(src []byte) []byte {
	list := slices.Clone(e.list)
	slices.SortStableFunc(list, func(a, b edit) int {
		if a.at != b.at {
			return a.at - b.at
		}
		switch {
		case a.begins == b.begins:
			return 0
		case b.begins:
			return -1
		}
		return 1
	})
	var out bytes.Buffer
	pos := 0
	for _, x := range list {
		out.Write(src[pos:x.at])
		out.WriteString(x.text)
		pos = x.until
	}
	out.Write(src[pos:])
	return out.Bytes()
}

package show

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"pathkeeper/mpath"
)

// Version of multipathd's JSON form; clients tolerate another minor only.
const jsonVersion = "{\n   \"major_version\": 0,\n   \"minor_version\": 1,\n"

// jsonField is one field of multipathd's JSON: a wildcard of which a number is
// printed bare.
type jsonField struct {
	name string
	char byte
	bare bool
}

func mapFields() []jsonField {
	return []jsonField{
		{"name", 'n', false},
		{"uuid", 'w', false},
		{"sysfs", 'd', false},
		{"failback", 'F', false},
		{"queueing", 'Q', false},
		{"paths", 'N', true},
		{"write_prot", 'r', false},
		{"dm_st", 't', false},
		{"features", 'f', false},
		{"hwhandler", 'h', false},
		{"action", 'A', false},
		{"path_faults", '0', true},
		{"vend", 'v', false},
		{"prod", 'p', false},
		{"rev", 'e', false},
		{"switch_grp", '1', true},
		{"map_loads", '2', true},
		{"total_q_time", '3', true},
		{"q_timeouts", '4', true},
	}
}

func groupFields() []jsonField {
	return []jsonField{{"selector", 's', false}, {"pri", 'p', true}, {"dm_st", 't', false}, {"marginal_st", 'M', false}}
}

func pathFields() []jsonField {
	return []jsonField{
		{"dev", 'd', false},
		{"dev_t", 'D', false},
		{"dm_st", 't', false},
		{"dev_st", 'o', false},
		{"chk_st", 'T', false},
		{"checker", 'c', false},
		{"pri", 'p', true},
		{"host_wwnn", 'N', false},
		{"target_wwnn", 'n', false},
		{"host_wwpn", 'R', false},
		{"target_wwpn", 'r', false},
		{"host_adapter", 'a', false},
		{"lun_hex", 'L', false},
		{"marginal_st", 'M', false},
	}
}

// MapsJSON answers `show maps json`: every map with its groups and paths, in the
// bytes of multipath-tools. There a name with a quote or a backslash makes JSON that
// nobody can read; here every text is escaped, and bytes that are no UTF-8 are told
// as \xNN.
func MapsJSON(s mpath.Snapshot) string {
	v := newView(s)
	j := newMapsWriter(v)
	j.b.WriteString(jsonVersion + "   \"maps\": [")
	maps := v.knownMaps()
	for i, m := range maps {
		j.writeMap(m)
		if i < len(maps)-1 {
			j.b.WriteByte(',')
		}
	}
	j.b.WriteString("]\n}\n")
	return j.b.String()
}

// MapJSON answers `show map M json`. false: there is no such map.
func MapJSON(s mpath.Snapshot, name string) (text string, ok bool) {
	v := newView(s)
	m := v.findMap(name)
	if m == nil {
		return "", false
	}
	j := newMapsWriter(v)
	j.b.WriteString(jsonVersion + "   \"map\":")
	j.writeMap(m)
	j.b.WriteString("\n}\n")
	return j.b.String(), true
}

// mapsWriter writes maps as multipathd does.
type mapsWriter struct {
	v      *view
	b      strings.Builder
	maps   []jsonValue[*mpath.MapView]
	groups []jsonValue[groupRow]
	paths  []jsonValue[pathRow]
}

// jsonValue is a field with where its value comes from.
type jsonValue[T any] struct {
	jsonField
	of func(v *view, of T) string
}

func newMapsWriter(v *view) *mapsWriter {
	return &mapsWriter{v: v, maps: jsonValues(mapFields(), mapWildcards()), groups: jsonValues(groupFields(), groupWildcards()), paths: jsonValues(pathFields(), pathWildcards())}
}

func jsonValues[T any](fields []jsonField, known []wildcard[T]) []jsonValue[T] {
	out := make([]jsonValue[T], 0, len(fields))
	for _, f := range fields {
		for _, w := range known {
			if w.char == f.char {
				out = append(out, jsonValue[T]{f, w.value})
			}
		}
	}
	return out
}

// writeFields writes the fields of one object, each on a line; more says whether
// another member of it follows.
func writeFields[T any](v *view, b *strings.Builder, indent string, fields []jsonValue[T], of T, more bool) {
	for i, f := range fields {
		text := f.of(v, of)
		if !f.bare {
			text = jsonText(text)
		}
		end := ",\n"
		if i == len(fields)-1 && !more {
			end = "\n"
		}
		b.WriteString(indent + `"` + f.name + `" : ` + text + end)
	}
}

func (j *mapsWriter) writeMap(m *mpath.MapView) {
	j.b.WriteString("{\n")
	writeFields(j.v, &j.b, "      ", j.maps, m, true)
	j.b.WriteString("      \"path_groups\": [")
	for i, g := range m.Groups {
		j.b.WriteString("{\n")
		writeFields(j.v, &j.b, "         ", j.groups, groupRow{m, i}, true)
		fmt.Fprintf(&j.b, "         \"group\" : %d,\n         \"paths\": [", i+1)
		for n, id := range g.Paths {
			j.b.WriteString("{\n")
			writeFields(j.v, &j.b, "            ", j.paths, pathRow{m: m, id: id, p: j.v.byID[id]}, false)
			j.b.WriteString("         }" + comma(n < len(g.Paths)-1))
		}
		j.b.WriteString("]\n      }" + comma(i < len(m.Groups)-1))
	}
	j.b.WriteString("]\n   }")
}

func comma(more bool) string {
	if more {
		return ","
	}
	return ""
}

// jsonText gives a JSON string. Printable text stays as it is; what is not UTF-8
// becomes the text \xNN, as device-mapper itself shows such bytes in names.
func jsonText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\\x%02x`, s[i])
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(byte(r))
		case unicode.IsPrint(r):
			b.WriteString(s[i : i+n])
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += n
	}
	b.WriteByte('"')
	return b.String()
}

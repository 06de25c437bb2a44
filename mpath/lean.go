package mpath

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"

	"pathkeeper/policy"
)

// Lean gives a snapshot with all that is printed and without what only explains:
// each device's trace, its udev properties and the settings that nobody shows. The
// whole decision can be had from Basis.
func (s Snapshot) Lean() Snapshot {
	out := s
	out.Maps = slices.Clone(s.Maps)
	for i, m := range s.Maps {
		all := m.Settings
		m.Settings = policy.Settings{Alias: all.Alias, NoPathRetry: all.NoPathRetry, Failback: all.Failback, UID: all.UID, GID: all.GID, Mode: all.Mode}
		out.Maps[i] = m
	}
	out.Paths = slices.Clone(s.Paths)
	for i, p := range s.Paths {
		d := p.Decision
		p.Decision = policy.Decision{Verdict: d.Verdict, Claim: d.Claim, Skipped: d.Skipped, Reason: d.Reason, Origin: d.Origin, Settings: policy.Settings{Checker: d.Settings.Checker}}
		p.Seen.Facts.Properties = nil
		out.Paths[i] = p
	}
	return out
}

// SnapshotText gives a snapshot as JSON on one line in which zero values are left
// out: most of what there is to say of a path is nothing. ParseSnapshot reads it.
func SnapshotText(s Snapshot) []byte {
	var b bytes.Buffer
	appendLean(&b, reflect.ValueOf(s))
	return b.Bytes()
}

// ParseSnapshot reads the text of a snapshot. A field that it does not know is of
// another version, and left out.
func ParseSnapshot(text []byte) (Snapshot, error) {
	var s Snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		return Snapshot{}, err
	}
	if bytes.Contains(text, []byte(`\u0000`)) {
		s = mapStrings(reflect.ValueOf(s), stringOfBytes).Interface().(Snapshot)
	}
	return s, nil
}

func appendLean(b *bytes.Buffer, v reflect.Value) {
	if t, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := t.MarshalText()
		if err != nil {
			panic("mpath: a snapshot holds what has no text: " + err.Error())
		}
		appendLeanString(b, string(text))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		b.WriteString(strconv.FormatUint(v.Uint(), 10))
	case reflect.String:
		appendLeanString(b, v.String())
	case reflect.Slice, reflect.Array:
		appendLeanList(b, v)
	case reflect.Struct:
		b.WriteByte('{')
		appendLeanFields(b, v, true)
		b.WriteByte('}')
	default:
		panic("mpath: a snapshot holds a " + v.Type().String())
	}
}

func appendLeanString(b *bytes.Buffer, s string) {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f && s[i] != '"' && s[i] != '\\'
	}
	if plain {
		b.WriteByte('"')
		b.WriteString(s)
		b.WriteByte('"')
		return
	}
	text, _ := json.Marshal(byteString(s)) // a string always encodes
	b.Write(text)
}

func appendLeanList(b *bytes.Buffer, v reflect.Value) {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		b.WriteString(`"` + base64.StdEncoding.EncodeToString(v.Bytes()) + `"`) // as encoding/json reads it
		return
	}
	b.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		appendLean(b, v.Index(i))
	}
	b.WriteByte(']')
}

// appendLeanFields writes the fields of a struct that are not zero; those of an
// embedded one stand among them. first says whether none stands before them.
func appendLeanFields(b *bytes.Buffer, v reflect.Value, first bool) bool {
	t := v.Type()
	for i := range t.NumField() {
		f := v.Field(i)
		switch {
		case t.Field(i).Anonymous:
			first = appendLeanFields(b, f, first)
			continue
		case f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0:
			continue
		case !first:
			b.WriteByte(',')
		}
		first = false
		b.WriteString(`"` + t.Field(i).Name + `":`)
		appendLean(b, f)
	}
	return first
}

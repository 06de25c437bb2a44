package mpath

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Plain data as JSON on one line. A string that is no UTF-8 (a device may say
// anything, and so may a file) would come back changed; it is written as a NUL and
// one character for each byte, and so is one that begins with a NUL.

// encodePlain appends the JSON of plain data to b.
func encodePlain(b *bytes.Buffer, v any) error {
	start := b.Len()
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	if odd := b.Bytes()[start:]; bytes.Contains(odd, []byte(`\ufffd`)) || bytes.Contains(odd, []byte(`\u0000`)) {
		b.Truncate(start)
		if err := enc.Encode(mapStrings(reflect.ValueOf(v), byteString).Interface()); err != nil {
			return err
		}
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	return nil
}

// decodePlain reads into what at points to. Unknown fields are an error.
func decodePlain(s string, at any) error {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.DisallowUnknownFields()
	if err := dec.Decode(at); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errTail
	}
	if strings.Contains(s, `\u0000`) {
		v := reflect.ValueOf(at).Elem()
		v.Set(mapStrings(v, stringOfBytes))
	}
	return nil
}

// byteString is the form of a string that JSON cannot carry.
func byteString(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, "\x00") {
		return s
	}
	out := make([]rune, 0, len(s)+1)
	out = append(out, 0)
	for i := range len(s) {
		out = append(out, rune(s[i]))
	}
	return string(out)
}

// stringOfBytes is its inverse.
func stringOfBytes(s string) string {
	rest, ok := strings.CutPrefix(s, "\x00")
	if !ok {
		return s
	}
	out := make([]byte, 0, len(rest))
	for _, r := range rest {
		if r > 0xff {
			return s
		}
		out = append(out, byte(r))
	}
	return string(out)
}

// mapStrings copies plain data with every string of an exported field changed.
func mapStrings(v reflect.Value, change func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(change(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(mapStrings(v.Field(i), change))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			return out
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(mapStrings(v.Index(i), change))
		}
	case reflect.Array:
		for i := range v.Len() {
			out.Index(i).Set(mapStrings(v.Index(i), change))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(mapStrings(v.Elem(), change))
		}
	}
	return out
}

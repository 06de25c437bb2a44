package mpath

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pathkeeper/dmmap/table"
)

// fill sets every field of a value to something drawn; slices get one to three
// elements or stay nil.
func fill(t *rapid.T, v reflect.Value) {
	switch v.Interface().(type) {
	case Errno:
		v.SetUint(uint64(rapid.IntRange(0, int(ErrnoOther)).Draw(t, "errno")))
		return
	case Attention:
		v.SetUint(uint64(rapid.IntRange(0, int(AttentionReset)).Draw(t, "attention")))
		return
	case CommandKind:
		v.SetUint(uint64(rapid.IntRange(0, len(commandNames)-1).Draw(t, "command")))
		return
	case ReplyCode:
		v.SetUint(uint64(rapid.IntRange(0, len(replyNames)-1).Draw(t, "reply")))
		return
	case table.DevNum:
		v.Set(reflect.ValueOf(table.DevNum{Major: rapid.Uint32Range(0, 4095).Draw(t, "major"), Minor: rapid.Uint32Range(0, 1<<20-1).Draw(t, "minor")}))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(t, v.Field(i))
			}
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, "len")
		if n == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.String:
		// A device may say anything, and so may a file.
		v.SetString(rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
			rapid.SampledFrom([]string{"\x00", "\x00\u0101", "\x00\xff", "\ufffd", `\ufffd`})).Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16, reflect.Int8:
		n := rapid.Int64().Draw(t, "int")
		if v.OverflowInt(n) {
			n = 1
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		n := rapid.Uint64().Draw(t, "uint")
		if v.OverflowUint(n) {
			n = uint64(rapid.Uint8().Draw(t, "small"))
		}
		v.SetUint(n)
	default:
		t.Fatalf("%s: a %s is no plain data", v.Type(), v.Kind())
	}
}

// roundTrip checks whether the text form of a kind reads back as what it was.
func roundTrip[T any](t *testing.T, kinds []T, print func(T) string, parse func(string) (T, error)) {
	for _, k := range kinds {
		name := reflect.TypeOf(k).Name()
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := reflect.New(reflect.TypeOf(k)).Elem()
				fill(t, v)
				want := v.Interface().(T)
				s := print(want)
				if strings.ContainsRune(s, '\n') || !strings.HasPrefix(s, name+" ") {
					t.Fatalf("text form %q", s)
				}
				got, err := parse(s)
				if err != nil {
					t.Fatalf("%v in %s", err, s)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("%s:\n%s", s, cmp.Diff(want, got))
				}
			})
		})
	}
}

func TestEventText(t *testing.T)  { roundTrip(t, eventKinds(), EventText, ParseEvent) }
func TestActionText(t *testing.T) { roundTrip(t, actionKinds(), ActionText, ParseAction) }

// Every type with the method is in the list, so that it can be read back.
func TestKindsAreComplete(t *testing.T) {
	declared := map[string][]string{}
	for _, name := range []string{"event.go", "action.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv != nil && (fn.Name.Name == "event" || fn.Name.Name == "action") {
				declared[fn.Name.Name] = append(declared[fn.Name.Name], fn.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	listed := map[string][]string{}
	for _, e := range eventKinds() {
		listed["event"] = append(listed["event"], reflect.TypeOf(e).Name())
	}
	for _, a := range actionKinds() {
		listed["action"] = append(listed["action"], reflect.TypeOf(a).Name())
	}
	for _, k := range []string{"event", "action"} {
		slices.Sort(declared[k])
		slices.Sort(listed[k])
		if d := cmp.Diff(declared[k], listed[k]); d != "" {
			t.Errorf("%s kinds:\n%s", k, d)
		}
	}
}

func TestBadText(t *testing.T) {
	for _, s := range []string{"", "Wake", "Nothing {}", `Wake {"More":1}`, `Wake {} {}`, "Wake {", `CheckDone {"Path":"8:16"}`, `CheckDone {"Path":"8@1"}`, `MapRead {"Errno":"EWHAT"}`} {
		if e, err := ParseEvent(s); err == nil {
			t.Errorf("%q: %+v", s, e)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, e := range eventKinds() {
		f.Add(EventText(e))
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEvent(s)
		if err != nil {
			return
		}
		text := EventText(e)
		again, err := ParseEvent(text)
		if err != nil || EventText(again) != text {
			t.Errorf("%q reads as %s, that as %v, %v", s, text, again, err)
		}
	})
}

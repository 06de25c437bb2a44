package mpath

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pathkeeper/configs"
	"pathkeeper/policy"
)

// remade are the fields that a checkpoint does not carry, and why.
var remade = map[string]string{
	"Machine.rules": "compiled from the configuration, which has a line of its own",
	"Machine.lines": "made from state",
	"Machine.paths": "a line each",
	"Machine.maps":  "a line each",
	"Machine.acts":  "empty between two steps",
	"Machine.find":  "made from paths, maps and links.dev",
	"Machine.due":   "made from links",
	"Machine.looks": "made from links",
	"path.timer":    "made from links.heap",
	"path.stirred":  "false between two steps",
	"path.left":     "false for a path that is known",
	"mmap.timer":    "made from links.heap",
	"mmap.left":     "false for a map that is known",
	"mmap.paths":    "made from the paths",

	"index.ids":        "made from the paths",
	"index.names":      "made from the paths",
	"index.dev":        "made from links.dev",
	"index.targets":    "made from the paths",
	"index.holders":    "made from the maps",
	"index.asked":      "made from the maps",
	"index.knobs":      "made from the paths",
	"Machine.breaches": "empty between two steps",
	"Machine.hands":    "set anew in each part of a step",
	"Machine.trip":     "for tests alone",
	"dueList.heap":     "made from links.heap",
	"dueList.paths":    "empty between two steps",
	"dueList.maps":     "made from links.stirred",
	"dueList.checks":   "links.checks",
	"lookList.byName":  "made from links.waiting and links.asked",
	"lookList.bySeq":   "made from links.asked",
	"lookList.waiting": "links.waiting",
	"lookList.open":    "made from links.open",
	"timer.at":         "links.heap",
	"timer.pos":        "made from links.heap",
	"timer.p":          "made from links.heap",
	"timer.m":          "made from links.heap",
}

// A field that is added to the core is carried, or its absence has a reason.
func TestCheckpointCarriesEveryField(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[index](), reflect.TypeFor[dueList](), reflect.TypeFor[lookList](), reflect.TypeFor[timer]()} {
		for i := range typ.NumField() {
			if name := typ.Name() + "." + typ.Field(i).Name; remade[name] == "" {
				t.Errorf("%s is new: say in this test how remake.go makes it", name)
			}
		}
	}
	for _, c := range []carried{&links{}, &Machine{}, &path{}, &mmap{}, &look{}, &oddDevice{}, &saveState{}, &knownState{}, &deadlineState{}, &queueState{}, &part{}, &former{}, &applyState{}, &command{}, &batch{}, &resizing{}, &noticeList{}, &notice{}, &tuned{}} {
		typ := reflect.TypeOf(c).Elem()
		var want, got []string
		for i := range typ.NumField() {
			name := typ.Field(i).Name
			if remade[typ.Name()+"."+name] == "" {
				want = append(want, name)
			}
		}
		v := reflect.ValueOf(c).Elem()
		for _, f := range c.fields() {
			got = append(got, f.name)
			at := reflect.ValueOf(f.at)
			if one, ok := f.at.(*carriedOne); ok {
				at = reflect.ValueOf(one.to)
			} else if at.Elem().Kind() == reflect.Struct && at.Elem().NumField() == 1 && at.Elem().Type().Field(0).Name == "to" {
				at = at.Elem().Field(0)
			}
			if at.Pointer() != v.FieldByName(f.name).Addr().Pointer() {
				t.Errorf("%s.%s: fields points elsewhere", typ.Name(), f.name)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("fields of %s and what checkpoint.go carries (name it in its fields list, or in the test with the reason why not, and remake it in remake.go, and copy it in Checkpoint):\n%s", typ.Name(), d)
		}
	}
}

// fillCarried sets every carried field to something drawn.
func fillCarried(t *rapid.T, c carried) {
	for _, f := range c.fields() {
		switch at := f.at.(type) {
		case *carriedOne:
			fillCarried(t, at.to)
		case *carriedSlice[look, *look]:
			*at.to = fillSlice[look](t)
		case *carriedSlice[notice, *notice]:
			*at.to = fillSlice[notice](t)
		case *carriedSlice[batch, *batch]:
			*at.to = fillSlice[batch](t)
		case *carriedList[tuned, *tuned]:
			for _, c := range fillSlice[tuned](t) {
				*at.to = append(*at.to, &c)
			}
		case *carriedList[command, *command]:
			for _, c := range fillSlice[command](t) {
				*at.to = append(*at.to, &c)
			}
		case *carriedSlice[oddDevice, *oddDevice]:
			*at.to = fillSlice[oddDevice](t)
		default:
			fill(t, reflect.ValueOf(f.at).Elem())
		}
	}
}

func fillSlice[T any, P interface {
	*T
	carried
}](t *rapid.T) (out []T) {
	for range rapid.IntRange(0, 2).Draw(t, "len") {
		var one T
		fillCarried(t, P(&one))
		out = append(out, one)
	}
	return out
}

func drawMachine(t *rapid.T) *Machine {
	mc := New()
	fillCarried(t, mc)
	if mc.configured {
		cfg, _, err := configs.Parse([]configs.File{{Path: "/etc/multipath.conf", Data: []byte("defaults {\n user_friendly_names yes\n}\n")}})
		if err != nil {
			t.Fatal(err)
		}
		mc.rules, _ = policy.Compile(cfg)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "maps") {
		m := &mmap{}
		fillCarried(t, m)
		m.wwid = fmt.Sprint(i, m.wwid)
		m.ask, m.read = uint64(2*i), uint64(2*i+1)
		mc.maps = append(mc.maps, m)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "paths") {
		p := &path{}
		fillCarried(t, p)
		p.id.Dev.Major, p.id.Dev.Minor = 8, uint32(i)
		p.wwid = ""
		if len(mc.maps) > 0 {
			p.wwid = mc.maps[i%len(mc.maps)].wwid
		}
		mc.paths = append(mc.paths, p)
	}
	l := links{checks: 3}
	for i := range rapid.IntRange(0, 4).Draw(t, "looks") {
		o := look{name: fmt.Sprint("sd", i), seq: uint64(i)}
		if i == 0 {
			l.waiting = append(l.waiting, o)
			continue
		}
		l.asked = append(l.asked, o)
		if i > 2 {
			l.open = append(l.open, o.seq)
		}
	}
	for _, m := range mc.maps {
		l.heap = append(l.heap, timerLink{Map: m.wwid, At: 7})
		if m.known {
			l.dev = append(l.dev, m.wwid)
		}
	}
	for _, p := range mc.paths {
		l.heap = append(l.heap, timerLink{Path: p.id, At: 9})
	}
	if err := mc.remake(&l); err != nil {
		t.Fatal(err)
	}
	return mc
}

func checkpoint(t interface{ Fatal(...any) }, mc *Machine) string {
	var b bytes.Buffer
	if err := mc.Checkpoint().Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCheckpointRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawMachine(t)
		text := checkpoint(t, want)
		got, remarks, err := ReadCheckpoint(strings.NewReader(text))
		if err != nil || len(remarks) > 0 {
			t.Fatal(err, remarks)
		}
		if again := checkpoint(t, got); again != text {
			t.Fatal(cmp.Diff(strings.Split(text, "\n"), strings.Split(again, "\n")))
		}
		for i := range want.fields() {
			if a, b := want.fields()[i], got.fields()[i]; !reflect.DeepEqual(a.at, b.at) {
				t.Fatalf("%s: %+v reads as %+v", a.name, a.at, b.at)
			}
		}
		if !reflect.DeepEqual(want.paths, got.paths) || !reflect.DeepEqual(want.maps, got.maps) || !reflect.DeepEqual(want.find, got.find) ||
			!reflect.DeepEqual(want.due, got.due) || !reflect.DeepEqual(want.looks, got.looks) {
			t.Fatal("paths, maps or what connects them read as others")
		}
		if copied, err := want.Checkpoint().Machine(); err != nil || checkpoint(t, copied) != text {
			t.Fatalf("a copy in memory is another machine: %v", err)
		}
	})
}

// A checkpoint shares nothing with its origin that is changed in place.
func TestCheckpointSharesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mc := drawMachine(t)
		c := mc.Checkpoint()
		apart := func(where string, a, b reflect.Value) {
			for i := range a.NumField() {
				f, g := a.Field(i), b.Field(i)
				name := where + "." + a.Type().Field(i).Name
				if name == "Machine.rules" {
					continue // immutable
				}
				switch f.Kind() {
				case reflect.Slice, reflect.Map, reflect.Pointer:
					if !f.IsNil() && (f.Kind() != reflect.Slice || f.Len() > 0) && f.Pointer() == g.Pointer() {
						t.Fatalf("%s is shared by a machine and its checkpoint", name)
					}
				}
			}
		}
		apart("Machine", reflect.ValueOf(mc).Elem(), reflect.ValueOf(&c.core).Elem())
		apart("knownState", reflect.ValueOf(&mc.known).Elem(), reflect.ValueOf(&c.core.known).Elem())
		for i := range mc.paths {
			apart("path", reflect.ValueOf(mc.paths[i]).Elem(), reflect.ValueOf(c.core.paths[i]).Elem())
		}
		for i := range mc.maps {
			apart("mmap", reflect.ValueOf(mc.maps[i]).Elem(), reflect.ValueOf(c.core.maps[i]).Elem())
		}
	})
}

func TestCheckpointOfAnotherVersion(t *testing.T) {
	mc := New()
	mc.paths, mc.maps = []*path{{wwid: "3600"}}, []*mmap{{wwid: "3600"}}
	text := checkpoint(t, mc)
	for _, c := range []struct{ from, to, want string }{
		{`"message":"",`, "", "path: message is missing"},
		{`"message":"",`, `"message":"","colour":1,`, "path: colour is not known to this version"},
		{"\nend 1", "\norbit {}\nend 1", "orbit: is not known to this version"},
	} {
		got, remarks, err := ReadCheckpoint(strings.NewReader(strings.Replace(text, c.from, c.to, 1)))
		if err != nil || !slices.Equal(remarks, []string{c.want}) || len(got.paths) != 1 || got.paths[0].wwid != "3600" {
			t.Errorf("%s: %v %q", c.want, err, remarks)
		}
	}
	for name, bad := range map[string]string{
		"it ends early":       text[:len(text)-20],
		"its end says":        strings.Replace(text, "end 1 1", "end 2 1", 1),
		"are not in their":    strings.Replace(text, "end 1 1", `path {"id":"0:0@1"}`+"\n"+`path {"id":"0:0@0"}`+"\nend 3 1", 1),
		"configuration is":    strings.Replace(text, `"configured":false`, `"configured":true`, 1),
		"not in it: the map":  strings.Replace(text, `"wwid":"3600"`, `"wwid":"3601"`, 1),
		"not in it: question": strings.Replace(text, `"open":null`, `"open":[7]`, 1),
		"not in it: a dead":   strings.Replace(text, `"heap":null`, `"heap":[{"Map":"x","At":1}]`, 1),
		"line 2: path: seen":  strings.Replace(text, `"seen":{`, `"seen":{"More":1,`, 1),
	} {
		if _, _, err := ReadCheckpoint(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q: %v", name, err)
		}
	}
}

func FuzzReadCheckpoint(f *testing.F) {
	mc := New()
	f.Add(checkpoint(f, mc))
	mc.paths, mc.maps = []*path{{wwid: "3600"}}, []*mmap{{wwid: "3600"}}
	f.Add(checkpoint(f, mc))
	f.Fuzz(func(t *testing.T, s string) {
		mc, _, err := ReadCheckpoint(strings.NewReader(s))
		if err != nil {
			return
		}
		text := checkpoint(t, mc)
		again, remarks, err := ReadCheckpoint(strings.NewReader(text))
		if err != nil || len(remarks) > 0 || checkpoint(t, again) != text {
			t.Errorf("%q: %v %q", text, err, remarks)
		}
	})
}

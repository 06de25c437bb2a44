package partition

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pathkeeper/dmmap/table"
)

var (
	testDev  = table.DevNum{Major: 253, Minor: 4}
	otherDev = table.DevNum{Major: 253, Minor: 9}
)

func mustUUID(s string) table.UUID {
	u, err := table.ParseUUID(s)
	if err != nil {
		panic(err)
	}
	return u
}

func kernelName(s string) table.Name {
	n, err := table.KernelName(s)
	if err != nil {
		panic(err)
	}
	return n
}

func testParent() Parent {
	return Parent{Name: kernelName("ocr1"), UUID: mustUUID("mpath-3600a"), Dev: testDev, Size: 100000}
}

// have makes the map of a partition: "ocr1-part1 2048+4096", then open=1, ro, uuid=U,
// dev=D, none.
func have(t *testing.T, text string) Have {
	t.Helper()
	f := strings.Fields(text)
	var start, size table.Sectors
	if _, err := fmt.Sscanf(f[1], "%d+%d", &start, &size); err != nil {
		t.Fatal(err)
	}
	dev := testDev
	h := Have{Name: kernelName(f[0]), Live: true}
	n := f[0][strings.LastIndexAny(f[0], "tp_")+1:]
	h.UUID = mustUUID("part" + n + "-mpath-3600a")
	for _, o := range f[2:] {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "open":
			h.Open = 1
		case "ro":
			h.ReadOnly = true
		case "uuid":
			h.UUID = mustUUID(value)
		case "other":
			dev = otherDev
		case "empty":
			h.Live = false
		default:
			t.Fatalf("what is %q?", o)
		}
	}
	if h.Live {
		h.Lines = []table.Line{table.LinearLine(size, dev, start)}
	}
	return h
}

func TestPlan(t *testing.T) {
	dos := func(ps ...Partition) Table { return Table{Scheme: SchemeDOS, Partitions: ps} }
	one, two := Partition{1, 2048, 4096, 0}, Partition{2, 8192, 4096, 0}
	for _, c := range []struct {
		name  string
		table Table
		have  []string
		rules Rules
		size  table.Sectors
		want  []string
	}{
		{name: "new", table: dos(one, two), want: []string{"create ocr1-part1 0 4096 linear 253:4 2048", "create ocr1-part2 0 4096 linear 253:4 8192"}},
		{name: "read-only", table: dos(one), rules: Rules{ReadOnly: true}, want: []string{"create ocr1-part1 ro 0 4096 linear 253:4 2048"}},
		{name: "all is well", table: dos(one), have: []string{"ocr1-part1 2048+4096 open"}, want: []string{"keep ocr1-part1"}},
		{name: "grown", table: dos(one), have: []string{"ocr1-part1 2048+2000"}, want: []string{"reload ocr1-part1 0 4096 linear 253:4 2048"}},
		{name: "grown while it is open", table: dos(one), have: []string{"ocr1-part1 2048+2000 open"}, want: []string{"reload ocr1-part1 0 4096 linear 253:4 2048"}},
		{name: "smaller", table: dos(one), have: []string{"ocr1-part1 2048+8000"}, want: []string{"reload ocr1-part1 0 4096 linear 253:4 2048"}},
		{name: "smaller while it is open", table: dos(one), have: []string{"ocr1-part1 2048+8000 open"}, want: []string{"refuse ocr1-part1: open 1 times"}},
		{name: "moved", table: dos(one), have: []string{"ocr1-part1 4096+4096"}, want: []string{"reload ocr1-part1 0 4096 linear 253:4 2048"}},
		{name: "moved while it is open", table: dos(one), have: []string{"ocr1-part1 4096+4096 open"}, want: []string{"refuse ocr1-part1: open 1 times"}},
		{name: "writable again", table: dos(one), have: []string{"ocr1-part1 2048+4096 ro"}, want: []string{"reload ocr1-part1 0 4096 linear 253:4 2048"}},
		{name: "writable again while it is open", table: dos(one), have: []string{"ocr1-part1 2048+4096 ro open"}, want: []string{"keep ocr1-part1"}},
		{name: "no table yet", table: dos(one), have: []string{"ocr1-part1 0+0 empty"}, want: []string{"reload ocr1-part1 0 4096 linear 253:4 2048"}},
		{name: "gone", table: dos(one), rules: Rules{Update: true}, have: []string{"ocr1-part1 2048+4096", "ocr1-part2 8192+100", "ocr1-part3 9192+100"}, want: []string{"keep ocr1-part1", "remove ocr1-part3", "remove ocr1-part2"}},
		{name: "gone, no update", table: dos(one), have: []string{"ocr1-part1 2048+4096", "ocr1-part2 8192+100"}, want: []string{"keep ocr1-part1"}},
		{name: "gone while it is open", table: dos(one), rules: Rules{Update: true}, have: []string{"ocr1-part2 8192+100 open"}, want: []string{"create ocr1-part1 0 4096 linear 253:4 2048", "refuse ocr1-part2: in use"}},
		{name: "gone, all of them", table: dos(), rules: Rules{Update: true}, have: []string{"ocr1-part2 8192+100"}, want: []string{"remove ocr1-part2"}},
		{name: "gone, as far as was read", table: Table{Scheme: SchemeDOS, Partitions: []Partition{one}, Incomplete: "a circle"}, rules: Rules{Update: true}, have: []string{"ocr1-part1 2048+4096", "ocr1-part5 8192+100"}, want: []string{"keep ocr1-part1", "refuse ocr1-part5: not read to its end: a circle"}},
		{name: "no table at all", table: Table{}, rules: Rules{Update: true}, have: []string{"ocr1-part2 8192+100"}},
		{name: "unreadable", table: Table{Bad: "EIO"}, rules: Rules{Update: true}, have: []string{"ocr1-part2 8192+100"}},
		{
			name: "what shares sectors with an open one that stays is not made", table: dos(Partition{1, 2048, 1000, 0}, Partition{2, 4000, 1000, 0}, Partition{3, 20000, 1000, 0}), rules: Rules{Update: true},
			have: []string{"ocr1-part1 2048+4096 open"}, want: []string{"refuse ocr1-part1: open", "refuse ocr1-part2: shares sectors with ocr1-part1", "create ocr1-part3 0 1000 linear 253:4 20000"},
		},
		{
			name: "nor moved there", table: dos(Partition{2, 4000, 1000, 0}), rules: Rules{Update: true},
			have: []string{"ocr1-part1 2048+4096 open", "ocr1-part2 20000+1000"}, want: []string{"refuse ocr1-part2: shares sectors with ocr1-part1", "refuse ocr1-part1: in use"},
		},
		{name: "another name", table: dos(one), have: []string{"ocr1p1 2048+4096 open"}, want: []string{"rename ocr1p1 to ocr1-part1", "keep ocr1-part1"}},
		{name: "another name and place", table: dos(one), have: []string{"ocr1p1 4096+4096"}, want: []string{"rename ocr1p1 to ocr1-part1", "reload ocr1-part1 0 4096 linear 253:4 2048"}},
		{name: "the name is another map's", table: dos(one), have: []string{"ocr1-part1 0+100 other uuid=LVM-x"}, want: []string{"refuse ocr1-part1: already in use, and not a kpartx partition"}},
		{name: "the name is another disk's partition", table: dos(one), have: []string{"ocr1-part1 0+100 other uuid=part1-mpath-3600b"}, want: []string{"refuse ocr1-part1: already in use, and a partition of a different device"}},
		{name: "the name is taken, the partition is called otherwise", table: dos(one), have: []string{"ocr1-part1 0+100 other uuid=LVM-x", "ocr1p1 2048+4096"}, want: []string{"refuse ocr1-part1: already in use"}},
		{name: "a map without UUID that is the partition", table: dos(one), have: []string{"ocr1-part1 2048+4096 uuid="}, want: []string{"keep ocr1-part1"}},
		{name: "a map without UUID that is something else", table: dos(one), have: []string{"ocr1-part1 2048+4096 uuid= other"}, want: []string{"refuse ocr1-part1: already in use"}},
		{name: "the UUID with another table", table: dos(one), rules: Rules{Update: true}, have: []string{"ocr1-part1 2048+4096 other", "ocr1-part2 0+1 other"}, want: []string{"refuse ocr1-part1: another table", "refuse ocr1-part2: no piece of the disk"}},
		{name: "beyond the end", table: dos(one, two), size: 8192, want: []string{"create ocr1-part1 0 4096 linear 253:4 2048", "refuse ocr1-part2: the disk has 8192"}},
		{name: "a UUID that only looks like one", table: dos(), rules: Rules{Update: true}, have: []string{"x_1 1+1 uuid=part01-mpath-3600a", "x_2 1+1 uuid=part-mpath-3600a", "x_3 1+1 uuid=part1-mpath-13600a", "x_4 1+1 uuid=apart1-mpath-3600a"}},
		{name: "a delimiter of one's own", table: dos(one), rules: Rules{Delimiter: " "}, want: []string{`create ocr1\x201 0 4096 linear 253:4 2048`}},
		{name: "a delimiter that cannot be", table: dos(one), rules: Rules{Delimiter: "/"}, want: []string{"refuse : takes no '/'"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testParent()
			if c.size != 0 {
				p.Size = c.size
			}
			if c.rules.Delimiter == "" {
				c.rules.Delimiter = UdevDelimiter
			}
			var maps []Have
			for _, h := range c.have {
				maps = append(maps, have(t, h))
			}
			got := Plan(p, c.table, maps, c.rules)
			if len(got) != len(c.want) {
				t.Fatalf("got %v\nwant %v", tell(got), c.want)
			}
			for i, s := range got {
				head, why, _ := strings.Cut(c.want[i], ": ")
				if text := tell([]Step{s})[0]; text != head || !strings.Contains(s.Why, why) {
					t.Errorf("got %q (%s), want %q", text, s.Why, c.want[i])
				}
			}
		})
	}
}

// tell gives steps as one line each.
func tell(steps []Step) []string {
	var out []string
	for _, s := range steps {
		text := s.Do.String() + " " + s.Name.Kernel()
		switch {
		case s.Do == Rename:
			text = "rename " + s.From.Kernel() + " to " + s.Name.Kernel()
		case s.Do == Create || s.Do == Reload:
			if s.ReadOnly {
				text += " ro"
			}
			text += " " + s.Line.String()
		}
		out = append(out, text)
	}
	return out
}

func TestPlanRemoval(t *testing.T) {
	maps := []Have{have(t, "ocr1-part2 8192+100"), have(t, "other 1+1 uuid=LVM-x"), have(t, "ocr1-part1 2048+4096")}
	if got := strings.Join(tell(PlanRemoval(testParent(), maps)), ", "); got != "remove ocr1-part1, remove ocr1-part2" {
		t.Errorf("got %s", got)
	}
	maps[0].Open = 1
	if got := strings.Join(tell(PlanRemoval(testParent(), maps)), ", "); got != "refuse ocr1-part2" {
		t.Errorf("one is in use: %s", got)
	}
	maps[0] = have(t, "ocr1-part2 8192+100 other")
	if got := strings.Join(tell(PlanRemoval(testParent(), maps)), ", "); got != "refuse ocr1-part2" {
		t.Errorf("one is something else: %s", got)
	}
}

// TestOpenStays: whatever the table says and whatever there is, an open map keeps the
// sectors that it has, nothing new is put over one that stays, and a second plan after
// the first has nothing to do.
func TestOpenStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := testParent()
		p.Size = 100
		var tab Table
		tab.Scheme = SchemeGPT
		piece := func(n int, what string) Partition {
			return Partition{Number: n, Start: table.Sectors(rapid.IntRange(0, 60).Draw(t, what+" start")), Size: table.Sectors(rapid.IntRange(1, 60).Draw(t, what+" size"))}
		}
		var maps []Have
		for n := 1; n <= 4; n++ {
			if rapid.Bool().Draw(t, "wanted") {
				tab.Partitions = append(tab.Partitions, piece(n, "want"))
			}
			if !rapid.Bool().Draw(t, "there") {
				continue
			}
			q := piece(n, "have")
			uuid, _ := UUID(n, p.UUID)
			name, _ := Name(p.Name, rapid.SampledFrom([]string{"-part", "p", "-part1"}).Draw(t, "delimiter"), n)
			maps = append(maps, Have{
				Name: name, UUID: uuid, Open: rapid.IntRange(0, 1).Draw(t, "open"), ReadOnly: rapid.Bool().Draw(t, "ro"), Live: true,
				Lines: []table.Line{table.LinearLine(q.Size, testDev, q.Start)},
			})
		}
		rules := Rules{Delimiter: UdevDelimiter, Update: rapid.Bool().Draw(t, "update")}
		after := play(t, maps, Plan(p, tab, maps, rules))
		for _, was := range maps {
			if was.Open == 0 {
				continue
			}
			before, _ := was.on(testDev)
			i := indexOf(after, was.UUID)
			if i < 0 {
				t.Fatalf("%s was open and is gone", was.Name)
			}
			if now, _ := after[i].on(testDev); now.Start != before.Start || now.Size < before.Size {
				t.Fatalf("%s was open, had %v and has %v", was.Name, before, now)
			}
		}
		for _, s := range Plan(p, tab, after, rules) {
			if s.Do != Keep && s.Do != Refuse {
				t.Fatalf("a second plan wants %v", tell([]Step{s}))
			}
		}
	})
}

func indexOf(maps []Have, u table.UUID) int {
	for i, h := range maps {
		if h.UUID == u {
			return i
		}
	}
	return -1
}

// play does the steps on a model of the kernel, which refuses what the kernel would.
func play(t *rapid.T, maps []Have, steps []Step) []Have {
	out := append([]Have(nil), maps...)
	for _, s := range steps {
		i := indexOf(out, s.UUID)
		switch s.Do {
		case Create:
			if i >= 0 {
				t.Fatalf("%s is there", s.Name)
			}
			out = append(out, Have{Name: s.Name, UUID: s.UUID, ReadOnly: s.ReadOnly, Live: true, Lines: []table.Line{s.Line}})
		case Reload:
			if out[i].Name != s.Name {
				t.Fatalf("%s is called %s", s.Name, out[i].Name)
			}
			out[i].Lines, out[i].ReadOnly = []table.Line{s.Line}, s.ReadOnly
		case Rename:
			for _, h := range out {
				if h.Name == s.Name {
					t.Fatalf("%s is taken", s.Name)
				}
			}
			out[i].Name = s.Name
		case Remove:
			if out[i].Open > 0 {
				t.Fatalf("%s is open", s.Name)
			}
			out = append(out[:i], out[i+1:]...)
		}
	}
	return out
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ was, from, to, delimiter, want string }{
		{"mpatha-part1", "mpatha", "data", "", "data-part1"},
		{"mpatha1", "mpatha", "data", "", "data1"},
		{"mpatha1", "mpatha", "data5", "", "data5p1"},
		{"ocr1p2", "ocr1", "data", "", "data2"},
		{"ocr1p2", "ocr1", "ocr3", "", "ocr3p2"},
		{"ocr1-part12", "ocr1", "ocr3", "_", "ocr3_12"},
		{"mpatha1", "mpatha", "data5", "-part", "data5-part1"},
		{"mpatha-part", "mpatha", "data", "", ""},
		{"mpatha-part0", "mpatha", "data", "", ""},
		{"root", "mpatha", "data", "", ""},
		{"mpatha", "mpatha", "data", "", ""},
		{"mpatha1", "mpatha", "data", "/", ""},
		{"mpatha1", "mpatha", strings.Repeat("x", 127), "", ""},
	} {
		got, ok := Renamed(kernelName(c.was), kernelName(c.from), kernelName(c.to), c.delimiter)
		if ok != (c.want != "") || ok && got.Kernel() != c.want {
			t.Errorf("%s of %s that becomes %s, %q: %q %v, want %q", c.was, c.from, c.to, c.delimiter, got.Kernel(), ok, c.want)
		}
	}
	if _, err := Name(kernelName("a"), "", 0); err == nil {
		t.Error("a partition 0")
	}
	if u := NodeUUID(table.DevNum{Major: 7, Minor: 0}); u.Kernel() != "devnode_7:0_Wh5pYvM" {
		t.Errorf("got %s", u)
	}
	u, err := UUID(3, NodeUUID(table.DevNum{Major: 7, Minor: 0}))
	if err != nil || u.Kernel() != "part3-devnode_7:0_Wh5pYvM" || NumberOf(u, NodeUUID(table.DevNum{Major: 7, Minor: 0})) != 3 {
		t.Errorf("got %s %v", u, err)
	}
	if _, err := UUID(1, table.UUID{}); err == nil {
		t.Error("a UUID of nothing")
	}
	if _, err := UUID(0, testParent().UUID); err == nil {
		t.Error("a UUID of partition 0")
	}
}

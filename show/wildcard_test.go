package show_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/show"
)

// of prints one wildcard of the sample's map after a change to it.
func ofMap(t *testing.T, wildcard string, change func(f *fixture, m *mpath.MapView)) string {
	t.Helper()
	f := &fixture{t: t, s: sampled(t)}
	change(f, &f.s.Maps[0])
	text := show.FormatOfMaps(f.s, wildcard, show.StyleRaw)
	return strings.TrimSuffix(text, "\n")
}

func TestMapWildcards(t *testing.T) {
	in := func(f *fixture, s int64) mpath.Instant { return f.s.Now.After(mpath.Span(s) * mpath.Second) }
	failback := func(mode policy.FailbackMode, seconds int) func(*fixture, *mpath.MapView) {
		return func(_ *fixture, m *mpath.MapView) {
			m.Settings.Failback.V = policy.FailbackPolicy{Mode: mode, Seconds: seconds}
		}
	}
	retry := func(mode policy.RetryMode) func(*fixture, *mpath.MapView) {
		return func(_ *fixture, m *mpath.MapView) { m.Settings.NoPathRetry.V = policy.RetryPolicy{Mode: mode} }
	}
	same := func(*fixture, *mpath.MapView) {}
	for _, tt := range []struct {
		wildcard, want string
		change         func(*fixture, *mpath.MapView)
	}{
		{"%n", "mpatha", same},
		{"%F", "immediate", failback(policy.FailbackImmediate, 0)},
		{"%F", "manual", failback(policy.FailbackManual, 0)},
		{"%F", "followover", failback(policy.FailbackFollowover, 0)},
		{"%F", "undef", failback(policy.FailbackUnknown, 0)},
		{"%F", "deferred:10", failback(policy.FailbackDeferred, 10)},
		{"%F", "XXXX...... 4/10", func(f *fixture, m *mpath.MapView) {
			failback(policy.FailbackDeferred, 10)(f, m)
			m.FailbackAt = in(f, 4)
		}},
		{"%Q", "18 chk", same},
		{"%Q", "off", retry(policy.RetryFail)},
		{"%Q", "on", retry(policy.RetryQueue)},
		{"%Q", "-", retry(policy.RetryUnset)},
		{"%Q", "37 sec", func(f *fixture, m *mpath.MapView) { m.Queueing.Until = in(f, 37) }},
		{"%Q", "off", func(f *fixture, m *mpath.MapView) { m.Queueing.Until, m.Queueing.Expired = in(f, -1), true }},
		{"%Q", "off", func(f *fixture, _ *mpath.MapView) {
			for i := range f.s.Paths {
				f.s.Paths[i].State = pathcheck.StateDown
			}
		}},
		{"%N", "3", same}, // up and ghost
		{"%r", "ro", func(_ *fixture, m *mpath.MapView) { m.Truth.ReadOnly = true }},
		{"%t", "suspend", func(_ *fixture, m *mpath.MapView) { m.Truth.Suspended = true }},
		{"%S", "1.0M", func(_ *fixture, m *mpath.MapView) { m.Truth.Size = 2048 }},
		{"%f|%h", "0|0", func(_ *fixture, m *mpath.MapView) { m.Truth.Table.Features, m.Truth.Table.Handler = nil, nil }},
		{"%x %0 %1 %2 %3 %4", "4 3 2 1 90 5", func(_ *fixture, m *mpath.MapView) {
			m.Counters = mpath.Counters{Loads: 1, Switches: 2, Faults: 3, Failures: 4, Waits: 5, Waited: 90*mpath.Second + mpath.Millisecond}
		}},
		{"%A", "reload", func(_ *fixture, m *mpath.MapView) { m.LastAction = "reload" }},
		{"%s|%v|%p|%e", "##,##|##|##|##", func(f *fixture, _ *mpath.MapView) { f.s.Paths = nil }},
		{"%G %k", "-- n/a", same},
		{"%g", "vol.prod.01", func(f *fixture, _ *mpath.MapView) { f.s.Paths[1].Seen.PageData = "vol.prod.01" }},
		{"%", "", same},
		{"%%x", "x", same}, // there is no way to print a percent sign
		{"a%Zb%", "ab", same},
	} {
		if have := ofMap(t, tt.wildcard, tt.change); have != tt.want {
			t.Errorf("%s: have %q, want %q", tt.wildcard, have, tt.want)
		}
	}
}

func TestPathWildcards(t *testing.T) {
	fc := func(p *mpath.PathView) {
		p.Seen.Facts.Protocol = "scsi:fcp"
		p.Seen.Node, p.Seen.Port = "0xt1", mpath.PortNames{HostNode: "0xh1", HostPort: "0xh2", TargetPort: "0xt2", Adapter: "0000:00:05.0"}
	}
	same := func(*mpath.PathView) {}
	for _, tt := range []struct {
		wildcard, want string
		change         func(*mpath.PathView)
	}{
		{"%w %i %d %D", "3600a0980000000000000000000000001 2:0:0:1 sdb 8:16", same},
		{"%i %L", "#:#:#:# 0x0000000000000000", func(p *mpath.PathView) { p.HCTL = "" }},
		{"%t %o %T %p", "active running ready 50", same},
		{"%o %T", "offline faulty", func(p *mpath.PathView) { p.State, p.DevState = pathcheck.StateDown, "transport-offline" }},
		{"%o %T", "running i/o pending", func(p *mpath.PathView) { p.State, p.DevState = pathcheck.StatePending, "blocked" }},
		{"%o %T", "unknown undef", func(p *mpath.PathView) { p.State, p.DevState = pathcheck.StateUnknown, "" }},
		{"%o %T", "running i/o timeout", func(p *mpath.PathView) { p.State = pathcheck.StateTimeout }},
		{"%s", "NETAPP,LUN C-Mode,9800", same},
		{"%c", "(null)", same},
		{"%c", "tur", func(p *mpath.PathView) { p.Decision.Settings.Checker.V = "tur" }},
		{"%C", "XXX....... 6/20", same},
		{"%C", ".......... 0/20", func(p *mpath.PathView) { p.NextCheck = 0 }},
		{"%C", "XXXXXXXXXX 20/20", func(p *mpath.PathView) { p.NextCheck = mpath.Never }},
		{"%S|%z", "10G|80Bxx", func(p *mpath.PathView) { p.Seen.Identity.Serial = "80Bxx" }},
		{"%M %m %G", "normal mpatha --", same},
		{"%M", "marginal", func(p *mpath.PathView) { p.Marginal = true }},
		{"%N %n %R %r %a", "[undef] [undef] [undef] [undef] [undef]", same},
		{"%N %n %R %r %a", "0xh1 0xt1 0xh2 0xt2 0000:00:05.0", fc},
		{"%N %n %R %r %a", "[unknown] [undef] [unknown] [unknown] [undef]", func(p *mpath.PathView) {
			fc(p)
			p.Seen.Node, p.Seen.Port = "", mpath.PortNames{}
		}},
		{"%n %a %P", "iqn.x:t1 192.0.2.17 scsi:iscsi", func(p *mpath.PathView) {
			p.Seen.Facts.Protocol, p.Seen.Node, p.Seen.Port.Adapter = "scsi:iscsi", "iqn.x:t1", "192.0.2.17"
		}},
		{"%g", "[undef]", same},
		{"%0 %P %I", "0 scsi:sas ok", same},
		{"%I", "partial", func(p *mpath.PathView) { p.Seen.Fresh = false }},
		{"%L", "0x0000000100000000", func(p *mpath.PathView) { p.HCTL = "2:0:0:65536" }},
		{"%L", "0xc101000000000000", func(p *mpath.PathView) { p.HCTL = "2:0:0:49409" }},
		{"%A %k", "0x03e8 1280", func(p *mpath.PathView) { p.Seen.Identity.PortGroup, p.Seen.MaxSectorsKB = 1000, 1280 }},
		{"%A %k", "[undef] n/a", same},
	} {
		s := sampled(t)
		tt.change(&s.Paths[0])
		s.Paths = s.Paths[:1]
		if have := show.FormatOfPaths(s, tt.wildcard, show.StyleRaw); have != tt.want+"\n" {
			t.Errorf("%s: have %q, want %q", tt.wildcard, have, tt.want)
		}
	}
}

// A path whose map the kernel does not have is an orphan, and so it is shown.
func TestOrphan(t *testing.T) {
	s := sampled(t)
	s.Maps, s.Paths = nil, s.Paths[:1]
	wantText(t, "2:0:0:1 sdb 8:16 50 undef undef unknown orphan [orphan]\n", show.FormatOfPaths(s, show.FormatPaths+" %m", show.StyleRaw))
}

func TestColumns(t *testing.T) {
	f := netapp(t)
	long := strings.Repeat("x", 300)
	f.addMap(long, "w2", 4, 2048, "0 0 0 0", "0 0 0 0")
	pad := strings.Repeat(" ", 255-len("name"))
	wantText(t, "<name"+pad+">sysfs\n<mpatha"+pad[2:]+">dm-3 \n<"+long+">dm-4 \n", show.FormatOfMaps(f.s, "<%n>%d", show.StyleTable))
	wantText(t, "<mpatha>dm-3\n<"+long+">dm-4\n", show.FormatOfMaps(f.s, "<%n>%d", show.StyleRaw))
	// One map: as wide as all of them, without the header.
	one, ok := show.FormatOfMap(f.s, "mpatha", "%n|%d|%F")
	if want := "mpatha" + pad[2:] + "|dm-3 |undef   \n"; !ok || one != want {
		t.Errorf("have %q, want %q", one, want)
	}
	f.s.Maps, f.s.Paths = nil, nil
	for _, style := range []show.Style{show.StyleTable, show.StylePadded, show.StyleRaw} {
		if have := show.FormatOfMaps(f.s, "%n", style) + show.FormatOfPaths(f.s, "%d", style); have != "" {
			t.Errorf("nothing to show is %q", have)
		}
	}
}

func TestPathState(t *testing.T) {
	s := sampled(t)
	for name, want := range map[string]string{"sdb": "running\n", "8:48": "offline\n", "/dev/sdd": "offline\n", "sdx": "", "": ""} {
		if have, ok := show.PathState(s, name); have != want || ok != (want != "") {
			t.Errorf("%q: %q %v", name, have, ok)
		}
	}
}

func TestPathsList(t *testing.T) {
	s := sampled(t)
	s.Paths = s.Paths[:1]
	wantText(t, `===== paths list =====
uuid                              hcil    dev dev_t pri dm_st  chk_st vend/prod/rev          dev_st 
3600a0980000000000000000000000001 2:0:0:1 sdb 8:16  50  active ready  NETAPP,LUN C-Mode,9800 running
`, show.PathsList(s))
	s.Paths = nil
	wantText(t, "===== no paths =====\n", show.PathsList(s))
}

func TestMapsJSON(t *testing.T) {
	f := netapp(t)
	f.addMap("b", "w2", 4, 2048, "0 0 0 0", "0 0 0 0")
	f.addMap("c", "w3", 5, 2048, "0 0 1 1 service-time 0 1 2 8:99 1 1", "2 0 0 0 1 1 A 0 1 2 8:99 A 0 0 1", -1)
	text := show.MapsJSON(f.s)
	var doc struct {
		Major *int `json:"major_version"`
		Maps  []struct {
			Name   string
			Groups []struct {
				Paths []struct{ Dev, Checker string }
			} `json:"path_groups"`
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Major == nil || len(doc.Maps) != 3 || doc.Maps[1].Name != "b" || len(doc.Maps[1].Groups) != 0 || doc.Maps[2].Groups[0].Paths[0].Dev != "-" {
		t.Errorf("%+v", doc)
	}
	if !strings.HasPrefix(text, "{\n   \"major_version\": 0,\n   \"minor_version\": 1,\n   \"maps\": [{\n      \"name\" : \"mpatha\",\n") ||
		!strings.Contains(text, "         }]\n      }]\n   },{\n      \"name\" : \"b\",\n") || !strings.HasSuffix(text, "      }]\n   }]\n}\n") {
		t.Error(text)
	}
	f.s.Maps = nil
	wantText(t, "{\n   \"major_version\": 0,\n   \"minor_version\": 1,\n   \"maps\": []\n}\n", show.MapsJSON(f.s))
	if text, ok := show.MapJSON(f.s, "mpatha"); ok || text != "" {
		t.Error("JSON of no map")
	}
}

// hostile puts a text wherever a device, a file or another program can put one.
func hostile(t *testing.T, text string) mpath.Snapshot {
	s := sampled(t)
	m := &s.Maps[0]
	m.Name, m.LastAction = text, text
	m.Truth.Table.Features, m.Truth.Table.Handler = []string{text}, []string{text}
	m.Truth.Table.Groups[0].Selector = text
	for i := range s.Paths {
		p := &s.Paths[i]
		p.Name, p.HCTL, p.Message = text, text, text
		p.Seen.Identity.Vendor, p.Seen.Identity.Model, p.Seen.Identity.Rev, p.Seen.Identity.Serial = text, text, text, text
		p.Seen.Node, p.Seen.PageData, p.Seen.Facts.Protocol = text, text, text
		p.Seen.Port = mpath.PortNames{HostNode: text, HostPort: text, TargetPort: text, Adapter: text}
		p.Decision.Settings.Checker.V = text
	}
	return s
}

// Whatever names hold: JSON is JSON and says the name, every table has its lines,
// and nothing reaches a terminal that it could obey.
func FuzzHostile(f *testing.F) {
	for _, s := range []string{`a"b`, `a\b`, "a\nb", "\x1b[2J", "\xff\xfe", "\u202e", "\U000e0001", "é", "\x00", "", "%n %w", strings.Repeat("x", 300)} {
		f.Add(s, "%n|%w|%i|%s|%g|%A|%f|%c|%N|%a")
		f.Add("mpatha", s)
	}
	f.Fuzz(func(t *testing.T, name, format string) {
		s := hostile(t, name)
		text := show.MapsJSON(s)
		var doc struct{ Maps []struct{ Name string } }
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if utf8.ValidString(name) && doc.Maps[0].Name != name {
			t.Errorf("%q came as %q", name, doc.Maps[0].Name)
		}
		for _, style := range []show.Style{show.StyleTable, show.StylePadded, show.StyleRaw} {
			lines := 1
			if style == show.StyleTable {
				lines = 2
			}
			text += wantLines(t, show.FormatOfMaps(s, format, style), lines)
			text += wantLines(t, show.FormatOfPaths(s, format, style), lines+3)
		}
		text += wantLines(t, show.Topology(s, show.TopologyOptions{Actions: true, WideAsAll: true}), 8)
		text += wantLines(t, show.PathsList(s), 6)
		for _, r := range text {
			if r != '\n' && (r < ' ' || r == 0x7f || !utf8.ValidRune(r)) {
				t.Fatalf("%q in %q", r, text)
			}
		}
		if !utf8.ValidString(text) {
			t.Errorf("no UTF-8: %q", text)
		}
	})
}

func wantLines(t *testing.T, text string, want int) string {
	t.Helper()
	if have := strings.Count(text, "\n"); have != want {
		t.Errorf("%d lines, want %d: %q", have, want, text)
	}
	return text
}

// A host of ten thousand paths in large maps and small ones is shown in time that grows
// with their number alone.
func TestLinear(t *testing.T) {
	cost := func(n int) time.Duration {
		s := manyPaths(t, n)
		least := time.Duration(1 << 62)
		for range 3 {
			runtime.GC()
			begin := spent(t)
			for _, text := range []string{show.MultipathdPaths(s), show.Topology(s, show.TopologyOptions{WideAsAll: true}), show.MapsJSON(s), show.PathCounts(s, false), show.Paths(s, true)} {
				if len(text) < 50 {
					t.Fatal(text)
				}
			}
			least = min(least, spent(t)-begin)
		}
		return least
	}
	// Ten times as many take some fifteen times as long, sorting and caches counted
	// in; were it a hundred times, something would look through all for each.
	if few, many := cost(1000), cost(10_000); many > 50*few+100*time.Millisecond {
		t.Errorf("1,000 paths took %s, 10,000 %s", few, many)
	}
}

// spent is the processor time of this process: the clock on the wall also counts what
// others do.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// manyPaths is n paths: half of them in maps of five hundred, the others in maps of
// four.
func manyPaths(t *testing.T, n int) mpath.Snapshot {
	f := newFixture(t)
	minor := uint32(0)
	add := func(paths int) {
		minor++
		var tab, st strings.Builder
		fmt.Fprintf(&tab, "0 0 1 1 service-time 0 %d 1", paths)
		fmt.Fprintf(&st, "2 0 0 0 1 1 A 0 %d 0", paths)
		first := len(f.s.Paths)
		for i := range paths {
			dev := table.DevNum{Major: 8, Minor: uint32(first + i)}
			fmt.Fprintf(&tab, " %s 1", dev)
			fmt.Fprintf(&st, " %s A 0", dev)
			id := mpath.PathID{Dev: dev, Diskseq: uint64(dev.Minor)}
			f.s.Paths = append(f.s.Paths, mpath.PathView{ID: id, Name: fmt.Sprintf("sd%d", first+i), HCTL: fmt.Sprintf("%d:0:0:%d", i, minor), WWID: fmt.Sprintf("w%d", minor), State: pathcheck.StateUp, InTable: true})
		}
		f.addMap(fmt.Sprintf("m%d", minor), fmt.Sprintf("w%d", minor), minor, 2048, tab.String(), st.String(), 1)
	}
	for len(f.s.Paths) < n/2 {
		add(500)
	}
	for len(f.s.Paths) < n {
		add(4)
	}
	return f.s
}

// A disk that nothing but find_multipaths or its user keeps from being a path is
// listed without a map, as multipathd does; one that is blacklisted is not.
func TestOrphansOfNoMap(t *testing.T) {
	s := sampled(t)
	s.Maps = nil
	s.Paths = s.Paths[:3]
	for i := range s.Paths {
		s.Paths[i].WWID, s.Paths[i].Map, s.Paths[i].InTable = "", "", false
		s.Paths[i].Decision.Verdict = policy.VerdictReject
	}
	s.Paths[1].Decision.Skipped = true
	s.Paths[2].Odd = "INQUIRY: no answer"
	wantText(t, "2:0:0:1 sdb 8:16 undef undef unknown orphan [orphan] 3600a0980000000000000000000000001\n", show.FormatOfPaths(s, "%i %d %D %t %T %o %C %m %w", show.StyleRaw))
	wantText(t, "path checker states:\nup                  1\n\npaths: 0\nbusy: False\n", show.PathCounts(s, false))
}

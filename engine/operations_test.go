package engine

import (
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
)

var update = flag.Bool("update", false, "write the operations anew; read the difference as you would read code")

const operationsFile = "testdata/operations.txt"

// TestOperations writes down every request of every operation, in order, and its
// end: once where all goes well, then with each answer in turn being each of the
// ways in which it can be bad. What follows a bad answer is what differs from one
// kind of care to another: what is released, taken back, tried again, and said.
func TestOperations(t *testing.T) {
	want, err := os.ReadFile(operationsFile)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, op := range append(operations(), newerOperations()...) {
		if !*update && !strings.HasPrefix(string(want), out.String()) {
			break // it is told below
		}
		fmt.Fprintf(&out, "== %s\n", op.name)
		well := op.play(t, -1, badAnswer{})
		for i, l := range well {
			fmt.Fprintf(&out, "%3d %s\n", i, l)
		}
		for k := range len(well) - 1 {
			if op.host.plain {
				break
			}
			op.spoil(t, &out, well, k)
		}
	}
	if *update {
		if err := os.WriteFile(operationsFile, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	w, h := strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")
	op := ""
	for i := range min(len(w), len(h)) {
		if strings.HasPrefix(h[i], "==") {
			op = h[i]
		}
		if w[i] != h[i] {
			t.Fatalf("%s:%d, %s (rewrite with -update, and read the difference)\n-%s\n+%s", operationsFile, i+1, op, w[i], h[i])
		}
	}
	if len(w) != len(h) {
		t.Fatalf("%s: %d lines, want %d", operationsFile, len(h), len(w))
	}
}

// spoil plays an operation with each bad answer to request k; those that lead to
// the same stand together.
func (op operation) spoil(t *testing.T, out *strings.Builder, well []string, k int) {
	t.Helper()
	var texts []string
	names := map[string][]string{}
	for _, bad := range badAnswers {
		lines := op.play(t, k, bad)
		if lines == nil {
			continue
		}
		lines = lines[min(k+1, len(lines)):]
		text := strings.Join(lines, "\n\t")
		// What ends as it does when all goes well is not written again.
		for n := range lines {
			if rest := len(lines) - n; rest <= len(well) && slices.Equal(lines[n:], well[len(well)-rest:]) {
				text = strings.Join(append(lines[:n:n], fmt.Sprintf("go on at %d", len(well)-rest)), "\n\t")
				break
			}
		}
		if names[text] == nil {
			texts = append(texts, text)
		}
		names[text] = append(names[text], bad.name)
	}
	for _, text := range texts {
		fmt.Fprintf(out, "   %d %s:\n\t%s\n", k, strings.Join(names[text], ", "), text)
	}
}

var zero = regexp.MustCompile(`"\w+":(?:""|false|null|0|\[\]|\{\}),?`)

// eventWords writes an event without what it does not say.
func eventWords(ev mpath.Event) string {
	if d, ok := ev.(mpath.ActionDone); ok {
		words := fmt.Sprintf("done %d %s %s", d.Seq, d.Errno, d.Detail)
		if d.HasTruth {
			words += fmt.Sprintf("; %s: suspended=%v read-only=%v open=%d", d.Truth.Name, d.Truth.Suspended, d.Truth.ReadOnly, d.Truth.Open)
		}
		for _, c := range d.Changed {
			words += fmt.Sprintf("; %s is %q", c.ID, c.Found)
		}
		return words
	}
	text := mpath.EventText(ev)
	for zero.MatchString(text) {
		text = strings.ReplaceAll(zero.ReplaceAllString(text, ""), ",}", "}")
	}
	return text
}

// operation is one operation and what the kernel below it is like.
type operation struct {
	name string
	act  mpath.Action // nil: LoadState
	eng  Engine
	host host
}

// host answers requests.
type host struct {
	status   string // of the map; "" : there is no map
	open     uint32
	flags    uint32
	inquiry  []byte
	vpd      map[byte][]byte
	files    map[string]string
	lists    map[string][]string
	disk     sysfs.Disk
	rtpg     []byte
	tur      scsi.Response
	rtpgSays *scsi.Response // in place of rtpg
	port     sysfs.Port
	attrs    map[string]string // of sysfs, by path; nil: each says "running"
	noUUIDs  bool              // the kernel is of before 5.13
	tables   []string          // of the map, "target parameters" each; nil: the multipath one of two paths
	statuses []string          // likewise
	noTable  bool              // it has none yet
	deferred bool
	plain    bool // bad answers lead to nothing that another operation does not have
}

// badAnswer is one way in which an answer can be bad; it fits some kinds of requests.
type badAnswer struct {
	name    string
	kind    []Kind
	make    func(a *Answer)
	forever bool // all later requests of that kind fare the same
}

func errnoAnswer(name string, n uint32, kinds ...Kind) badAnswer {
	return badAnswer{name: name, kind: kinds, make: func(a *Answer) { *a = Answer{Errno: n, Detail: "said so"} }}
}

func scsiAnswer(name string, r scsi.Response) badAnswer {
	return badAnswer{name: name, kind: []Kind{KindSCSI}, make: func(a *Answer) { a.SCSI = r }}
}

var badAnswers = []badAnswer{
	errnoAnswer("EBUSY", eBUSY, KindDM, KindHold, KindSetAttr),
	errnoAnswer("EAGAIN", eAGAIN, KindReplaceFile),
	errnoAnswer("EROFS", eROFS, KindDM, KindWriteFile, KindReplaceFile),
	errnoAnswer("ENXIO", eNXIO, KindDM, KindHold, KindDisk, KindAttr, KindSetAttr, KindOwner),
	errnoAnswer("ENODEV", eNODEV, KindAttr, KindSetAttr),
	errnoAnswer("EINVAL", eINVAL, KindSetAttr),
	errnoAnswer("ENOENT", eNOENT, KindFile, KindRemove, KindDisk, KindAttr, KindList),
	errnoAnswer("EIO", eIO, KindFile, KindRemove, KindWriteFile, KindReplaceFile, KindDisk, KindAttr, KindSetAttr, KindScan, KindOwner, KindReadDisk),
	errnoAnswer("an errno that nobody knows", 77, KindDM, KindHold, KindFile, KindWriteFile, KindReplaceFile, KindSetAttr, KindDisk),
	{name: "EIO without a word", kind: []Kind{KindFile, KindRemove, KindWriteFile, KindReplaceFile, KindDisk, KindAttr, KindSetAttr, KindScan, KindHold}, make: func(a *Answer) { *a = Answer{Errno: eIO} }},
	{name: "EIO after some bytes", kind: []Kind{KindFile, KindAttr}, make: func(a *Answer) { *a = Answer{Errno: eIO, Bytes: []byte("E:ID_SERIAL=x"), Detail: "said so"} }},
	{name: "nonsense in it", kind: []Kind{KindFile, KindAttr}, make: func(a *Answer) { a.Bytes = []byte("nonsense\x00 and more\n") }},
	{name: "half of it", kind: []Kind{KindReadDisk}, make: func(a *Answer) { a.N /= 2 }},
	scsiAnswer("errno EIO", scsi.Response{Errno: eIO}),
	scsiAnswer("no connection", scsi.Response{Host: scsi.HostNoConnect}),
	scsiAnswer("TASK SET FULL", scsi.Response{Status: scsi.StatusTaskSetFull}),
	scsiAnswer("unit attention", scsi.Response{Status: scsi.StatusCheckCondition, Sense: []byte{0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x3f, 0x0e, 0, 0, 0, 0}}),
	scsiAnswer("illegal request", scsi.Response{Status: scsi.StatusCheckCondition, Sense: []byte{0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0x00, 0, 0, 0, 0}}),
	scsiAnswer("no sense", scsi.Response{Status: scsi.StatusCheckCondition}),
	scsiAnswer("nothing came", scsi.Response{}),
	forever(scsiAnswer("unit attentions from then on", scsi.Response{Status: scsi.StatusCheckCondition, Sense: []byte{0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0x00, 0, 0, 0, 0}})),
	forever(scsiAnswer("TASK SET FULL from then on", scsi.Response{Status: scsi.StatusTaskSetFull})),
	scsiAnswer("errno EBUSY", scsi.Response{Errno: eBUSY}),
	scsiAnswer("errno EAGAIN", scsi.Response{Errno: 11}),
	scsiAnswer("ACA ACTIVE", scsi.Response{Status: scsi.StatusACAActive}),
	scsiAnswer("three bytes", scsi.Response{Data: []byte{0, 0, 0}}),
	{name: "nonsense", kind: []Kind{KindDM}, make: func(a *Answer) { a.Bytes = []byte{1, 2, 3} }},
	{name: "no room", kind: []Kind{KindDM}, make: func(a *Answer) {
		if len(a.Bytes) >= dmmap.HeaderBytes {
			a.Bytes = slices.Clone(a.Bytes)
			binary.NativeEndian.PutUint32(a.Bytes[28:], binary.NativeEndian.Uint32(a.Bytes[28:])|1<<8)
		}
	}},
	{name: "late", kind: []Kind{KindHold, KindDM, KindSCSI, KindWriteFile, KindReplaceFile}, make: func(a *Answer) { a.Late = true }},
}

func forever(b badAnswer) badAnswer {
	b.forever = true
	return b
}

// play runs an operation; the answer to request k is bad. nil: that request is of
// no such kind.
func (op operation) play(t *testing.T, k int, bad badAnswer) []string {
	t.Helper()
	var lines []string
	var notes []string
	e := op.eng
	op.host.attrs = maps.Clone(op.host.attrs) // they are written to
	e.Files, e.BootID = DefaultFiles(), "boot"
	var st Step
	if op.act == nil {
		st = e.LoadState(policy.Kernel{}, func(s string) { notes = append(notes, s) })
	} else {
		st = e.Start(op.act)
	}
	for n := 0; ; n++ {
		if n > 60 {
			t.Fatalf("%s does not end: %v", op.name, lines)
		}
		if st.Next == nil {
			end := "nothing"
			if st.Event != nil {
				end = eventWords(st.Event)
			}
			for _, n := range notes {
				end += "\n\tnote: " + n
			}
			return append(lines, "-> "+end)
		}
		lines = append(lines, askWords(st.Ask))
		a := op.host.answer(st.Ask)
		if n == k {
			if !slices.Contains(bad.kind, st.Ask.Kind) {
				return nil
			}
			bad.make(&a)
		}
		if n > k && k >= 0 && bad.forever && slices.Contains(bad.kind, st.Ask.Kind) {
			bad.make(&a)
		}
		st = st.Next(a)
	}
}

// askWords writes a request down, with every field that its port goes by.
func askWords(a Ask) string {
	switch a.Kind {
	case KindSCSI:
		return fmt.Sprintf("scsi %s %s %s host %d: %x in %d, %d ms (%d)", a.Device, a.ID, a.SG, a.HostNo, a.SCSI.CDB, a.SCSI.InLen, a.SCSI.TimeoutMS, a.TimeoutMS)
	case KindDM:
		b := a.DM.Buf
		words := fmt.Sprintf("dm %s flags %#x event %#x", a.DM.What, binary.NativeEndian.Uint32(b[28:]), binary.NativeEndian.Uint32(b[32:]))
		for _, field := range [][]byte{b[48:176], b[176:305]} {
			if s := strings.TrimRight(string(field), "\x00"); s != "" {
				words += " " + s
			}
		}
		if len(b) > dmmap.HeaderBytes {
			words += fmt.Sprintf(" %d bytes", len(b))
			if p := printable(b[dmmap.HeaderBytes:]); p != "" {
				words += " " + p
			}
		}
		return words
	case KindHold:
		return fmt.Sprintf("hold exclusive=%v %v", a.Exclusive, a.Paths)
	case KindRelease:
		return fmt.Sprintf("release %v", a.Held)
	case KindScan:
		return "scan"
	case KindDisk:
		return "disk " + a.Device
	case KindAttr:
		return "attr " + a.Path
	case KindSetAttr:
		return "set " + a.Path + " " + a.Text
	case KindFile:
		return "file " + a.Path
	case KindList:
		return "list " + a.Path
	case KindRemove:
		return "remove " + a.Path
	case KindWriteFile, KindReplaceFile:
		return fmt.Sprintf("write %s %#o %q", a.Path, a.Mode, a.Bytes)
	case KindOwner:
		return fmt.Sprintf("owner %s %s", a.Dev, a.Owner)
	case KindReadDisk:
		return fmt.Sprintf("read %s %s at %d, %d bytes, %d ms", a.Device, a.ID, a.Offset, a.Length, a.TimeoutMS)
	}
	return fmt.Sprintf("kind %d", a.Kind)
}

func printable(b []byte) string {
	var words []string
	for _, w := range strings.FieldsFunc(string(b), func(r rune) bool { return r < ' ' || r > '~' }) {
		if len(w) > 2 {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

func (h host) answer(a Ask) Answer {
	switch a.Kind {
	case KindDM:
		return h.dm(a.DM)
	case KindHold:
		return Answer{Held: []uint64{1, 2}}
	case KindScan:
		return Answer{Disks: []mpath.Disk{{Name: "sda", Dev: table.DevNum{Major: 8}, Diskseq: 1}}}
	case KindDisk:
		return Answer{Disk: h.disk, Port: h.port}
	case KindAttr:
		if text, ok := h.attrs[a.Path]; ok {
			return Answer{Bytes: []byte(text + "\n")}
		}
		if h.attrs != nil {
			return Answer{Errno: eNOENT, Detail: a.Path + " is not there"}
		}
		return Answer{Bytes: []byte("running\n")}
	case KindSetAttr:
		if _, ok := h.attrs[a.Path]; ok {
			h.attrs[a.Path] = a.Text
		}
	case KindFile:
		if text, ok := h.files[a.Path]; ok {
			return Answer{Bytes: []byte(text)}
		}
		return Answer{Errno: eNOENT}
	case KindList:
		return Answer{Names: h.lists[a.Path]}
	case KindReadDisk:
		return Answer{N: a.Length}
	case KindSCSI:
		return Answer{SCSI: h.scsi(a.SCSI)}
	}
	return Answer{}
}

func (h host) scsi(r scsi.Request) scsi.Response {
	switch c := r.CDB; {
	case c[0] == 0x12 && c[1] == 0:
		return scsi.Response{Data: h.inquiry}
	case c[0] == 0x12:
		d := h.vpd[c[2]]
		return scsi.Response{Data: d[:min(len(d), int(r.InLen))]}
	case c[0] == 0xa3 && h.rtpgSays != nil:
		return *h.rtpgSays
	case c[0] == 0xa3:
		return scsi.Response{Data: h.rtpg}
	}
	return h.tur
}

// dm answers as the kernel would: a header, and a payload where one is asked for.
func (h host) dm(c dmmap.Call) Answer {
	b := make([]byte, dmmap.HeaderBytes+1024)
	o := binary.NativeEndian
	for i, n := range []uint32{4, 47, 0, uint32(len(b)), dmmap.HeaderBytes, 0, h.open, 1<<5 | h.flags, 7} {
		o.PutUint32(b[4*i:], n)
	}
	o.PutUint64(b[40:], table.DevNum{Major: 253, Minor: 3}.Encode())
	copy(b[48:], "one")
	copy(b[176:], "mpath-w1")
	if h.deferred {
		o.PutUint32(b[28:], 1<<17)
	}
	specs := func(list []string) {
		o.PutUint32(b[20:], uint32(len(list)))
		for i, text := range list {
			target, params, _ := strings.Cut(text, " ")
			p := b[dmmap.HeaderBytes+200*i:]
			o.PutUint64(p, uint64(2048*i))
			o.PutUint64(p[8:], 2048)
			o.PutUint32(p[20:], uint32(200*(i+1)))
			copy(p[24:], target)
			copy(p[40:], params)
		}
	}
	if h.noTable {
		o.PutUint32(b[28:], h.flags)
	}
	switch c.Cmd {
	case dmmap.CmdStatus:
		if h.status == "" {
			return Answer{Errno: eNXIO}
		}
		switch isTable := o.Uint32(c.Buf[28:])&(1<<4) != 0; {
		case h.noTable:
		case isTable && h.tables == nil:
			specs([]string{"multipath 0 0 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1"})
		case isTable:
			specs(h.tables)
		case h.statuses == nil:
			specs([]string{"multipath " + h.status})
		default:
			specs(h.statuses)
		}
	case dmmap.CmdList:
		h.list(b)
	}
	return Answer{Bytes: b}
}

// list writes struct dm_name_list: dev, next, name, event number, flags, UUID.
func (h host) list(b []byte) {
	o := binary.NativeEndian
	if h.noUUIDs {
		o.PutUint32(b[4:], 43) // neither flags nor UUIDs
	}
	p := b[dmmap.HeaderBytes:]
	at := 0
	names := []string{"one", "two", "three"}
	for i, name := range names {
		next := uint32(64)
		if i == len(names)-1 {
			next = 0
		}
		o.PutUint64(p[at:], table.DevNum{Major: 253, Minor: uint32(3 + i)}.Encode())
		o.PutUint32(p[at+8:], next)
		copy(p[at+12:], name)
		end := (at + 12 + len(name) + 1 + 7) &^ 7
		o.PutUint32(p[end:], uint32(10+i))
		switch {
		case h.noUUIDs:
		case i == 1:
			o.PutUint32(p[end+4:], 2) // DM_NAME_LIST_FLAG_DOESNT_HAVE_UUID
		default:
			o.PutUint32(p[end+4:], 1) // DM_NAME_LIST_FLAG_HAS_UUID
			copy(p[end+8:], "mpath-w"+fmt.Sprint(i+1))
		}
		at += int(next)
	}
}

const (
	statusWell   = "2 0 0 0 2 1 A 0 1 2 8:0 A 0 0 1 E 0 1 2 8:16 A 0 0 1"
	statusFailed = "2 0 0 0 2 1 A 0 1 2 8:0 F 1 0 1 E 0 1 2 8:16 A 0 0 1"
)

// wellHost has a map "one" of sda and sdb, both of LUN 3600140500000000000000000000000a1.
func wellHost() host {
	inq := make([]byte, 96)
	inq[2], inq[3], inq[4], inq[5] = 6, 0x12, 91, 0x10
	copy(inq[8:], "BENCH   ARRAY           1.0 ")
	naa := []byte{0x60, 0x01, 0x40, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa1}
	page83 := append([]byte{0, 0x83, 0, 36, 1, 3, 0, 16}, naa...)
	page83 = append(page83, 0x61, 0x14, 0, 4, 0, 0, 0, 1, 0x61, 0x15, 0, 4, 0, 0, 0, 7)
	return host{
		status: statusWell, inquiry: inq,
		vpd:   map[byte][]byte{0x00: {0, 0, 0, 3, 0, 0x80, 0x83}, 0x80: append([]byte{0, 0x80, 0, 4}, "SN01"...), 0x83: page83},
		files: map[string]string{"/proc/self/mountinfo": "", "/proc/swaps": "Filename Type Size Used Priority\n"},
		disk:  sysfs.Disk{Name: "sda", Major: 8, Diskseq: 1, Sectors: 2048, IsSCSI: true, Protocol: "scsi:fcp", TargetNode: "0xnode", SCSI: sysfs.SCSI{Host: 2, Target: 1, LUN: 3, State: "running", SG: "sg0", TimeoutS: 30}},
		rtpg:  []byte{0, 0, 0, 12, 0, 0x8f, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1},
	}
}

const lunID = "3600140500000000000000000000000a1"

func operations() []operation {
	tab := table.Table{First: 1, Groups: []table.Group{
		{Selector: "service-time", Paths: []table.Path{{Dev: table.DevNum{Major: 8}, Args: []string{"1"}}}},
		{Selector: "service-time", Paths: []table.Path{{Dev: table.DevNum{Major: 8, Minor: 16}, Args: []string{"1"}}}},
	}}
	a, b := mpath.PathID{Dev: table.DevNum{Major: 8}, Diskseq: 1}, mpath.PathID{Dev: table.DevNum{Major: 8, Minor: 16}, Diskseq: 2}
	refs := []mpath.PathRef{{ID: a, Name: "sda"}, {ID: b, Name: "sdb", Expect: lunID, SG: "sg1", HostNo: 2}}
	fail := []table.DevNum{b.Dev}
	owner := mpath.Owner{UID: 501, GID: 502, Mode: 0o660}
	well := wellHost()
	with := func(change func(h *host)) host { h := wellHost(); change(&h); return h }
	none := with(func(h *host) { h.status = "" })
	check := mpath.StartCheck{Seq: 9, Path: a, Name: "sda", SG: "sg0", HostNo: 2, Checker: "tur", TimeoutMS: 10_000, Prio: "alua", PortGroup: 7, TPGS: 1, Expect: lunID}
	known := check
	known.Identify = true
	other := known
	other.Expect = "36001405000000000000000000000000b2"
	wild, badPrio, slow := check, check, known
	wild.Checker, badPrio.Prio, slow.TimeoutMS = "no-such", "no-such", 60_000
	direct := check
	direct.Checker, direct.Prio = "directio", ""
	create := mpath.CreateMap{Seq: 1, WWID: "w1", Name: "one", Size: 2048, Table: tab, Paths: refs, Fail: fail, Owner: owner}
	free := create
	free.Owner, free.Fail, free.Paths, free.NoKpartx, free.ReadOnly = mpath.NoOwner(), nil, refs[:1], true, true
	load := mpath.LoadMap{Seq: 2, WWID: "w1", Name: "one", Size: 2048, Table: tab, Paths: refs, Fail: fail}
	strays := slices.Clone(refs)
	strays[1].Expect = "36001405000000000000000000000000b2"
	stray, strayNew := load, create
	stray.Paths, strayNew.Paths = strays, strays
	resize := mpath.ResizeMap{Seq: 3, WWID: "w1", Name: "one", From: 2048, Size: 4096, Table: tab, Paths: refs[:1]}
	shrink := resize
	shrink.From, shrink.Size = 4096, 2048
	names := mpath.SaveNames{Seq: 4, Bindings: []policy.Binding{{Alias: "mpatha", WWID: "w1"}, {Alias: "mpathb", WWID: "w2"}}, OldIDs: []policy.OldID{{Old: "o1", Canonical: "w1"}}}
	haveNames := with(func(h *host) {
		h.files["/etc/multipath/bindings"] = "mpatha w1\n"
		h.files["/etc/multipath/oldids"] = "o1 w1\n"
		h.files["/etc/multipath/wwids"] = "/w1/\n"
	})
	otherNames := with(func(h *host) {
		h.files["/etc/multipath/bindings"] = "mpatha w9\n"
	})
	haveKeys := with(func(h *host) {
		h.files["/etc/multipath/prkeys"] = "0x0000000000000012 w1\n0x0000000000000034 w2\n"
	})
	f := DefaultFiles()
	saved := with(func(h *host) {
		h.files[f.Bindings], h.files[f.WWIDs], h.files[f.OldIDs] = "mpatha w1\nnonsense\n", "/w1/\n/w2/\nx\n", "o1 w1\n"
		h.files[f.PRKeys] = "0X00000000000000ab w1\nnonsense\n"
		h.files[f.Deadlines] = "pathkeeper-deadlines 1\nboot boot\nretry w1 1000 pending\nretry w2 2000 expired\nnonsense of w3\nretry w4 x pending\n" +
			"map w1 12 5 unused\nmap w2 queue 7 always deferred_remove\nmap w3 fail 5 never queue_without_daemon queued_before\nmap w4 unset 5 never queueing_disabled\n"
		h.lists = map[string][]string{f.FailedDir: {"w9", ".", "w8"}, "/run/pathkeeper/loading": {"w7", "w6"}}
	})
	return []operation{
		{"scan", mpath.Scan{Seq: 5}, Engine{}, well},
		{"list", mpath.ListMaps{Seq: 5}, Engine{}, well},
		{"list on an old kernel", mpath.ListMaps{Seq: 5}, Engine{}, with(func(h *host) { h.noUUIDs = true })},
		{"identify", mpath.Identify{Seq: 6, Name: "sda"}, Engine{}, well},
		{"identify what is offline", mpath.Identify{Seq: 6, Name: "sda"}, Engine{}, with(func(h *host) { h.disk.SCSI.State = "offline" })},
		{"identify what is no SCSI disk", mpath.Identify{Seq: 6, Name: "sda"}, Engine{}, with(func(h *host) { h.disk.IsSCSI = false })},
		{"identify quietly", mpath.Identify{Seq: 6, Name: "sda"}, Engine{Quiet: true}, with(func(h *host) {
			h.disk.SCSI.Inquiry, h.disk.SCSI.VPD83 = well.inquiry, well.vpd[0x83]
		})},
		{"identify a member that is in use", mpath.Identify{Seq: 6, Name: "sda"}, Engine{}, with(func(h *host) {
			h.disk.Holders = []sysfs.Holder{{Name: "dm-3", DMName: "one", DMUUID: "mpath-w1"}}
			h.files["/run/udev/data/b8:0"] = "I:1\nE:ID_SERIAL=x\nE:DM_MULTIPATH_DEVICE_PATH=0\n"
			h.files["/proc/swaps"] = "Filename Type Size Used Priority\n/dev/sda partition 1 0 -2\n"
		})},
		{"identify a disk with a long page", mpath.Identify{Seq: 6, Name: "sda"}, Engine{}, with(func(h *host) {
			p := append(slices.Clone(well.vpd[0x83]), make([]byte, 300)...)
			binary.BigEndian.PutUint16(p[2:], uint16(len(p)-4))
			for i := len(well.vpd[0x83]); i+8 <= len(p); i += 8 {
				copy(p[i:], []byte{0x61, 0x14, 0, 4, 0, 0, 0, 9})
			}
			h.vpd[0x83] = p
		})},
		{"check", check, Engine{}, well},
		{"check and identify", known, Engine{}, well},
		{"check what is another LUN", other, Engine{}, well},
		{"check with an unknown checker", wild, Engine{}, well},
		{"check with an unknown priority", badPrio, Engine{}, well},
		{"check with a long time-out", slow, Engine{}, well},
		{"check by reading", direct, Engine{}, well},
		{"check what is down", known, Engine{}, with(func(h *host) {
			h.tur = scsi.Response{Status: scsi.StatusCheckCondition, Sense: []byte{0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0}}
		})},
		{"check in quiet", check, Engine{Quiet: true}, well},
		{"read a map", mpath.ReadMap{Seq: 7, UUID: "mpath-w1"}, Engine{}, well},
		{"read a map that is not there", mpath.ReadMap{Seq: 7, UUID: "mpath-w1"}, Engine{}, none},
		{"read a map, suspended, read-only, open", mpath.ReadMap{Seq: 7, UUID: "mpath-w1"}, Engine{}, with(func(h *host) { h.open, h.flags = 3, 3 })},
		{"read a map whose status does not fit", mpath.ReadMap{Seq: 7, UUID: "mpath-w1"}, Engine{}, with(func(h *host) { h.status = "2 0 0 0 1 1 A 0 1 2 8:0 A 0 0 1" })},
		{"read a map of a bad id", mpath.ReadMap{Seq: 7, UUID: "mpath-" + strings.Repeat("x", 200)}, Engine{}, well},
		{"create", create, Engine{}, well},
		{"create read-only, without owner", free, Engine{}, well},
		{"create with a bad name", mpath.CreateMap{Seq: 1, WWID: "w1", Name: "a/b", Table: tab}, Engine{}, well},
		{"create without paths", mpath.CreateMap{Seq: 1, WWID: "w1", Name: "one", Size: 8}, Engine{}, well},
		{"load", load, Engine{}, well},
		{"load while a path fails", load, Engine{}, with(func(h *host) { h.status = statusFailed })},
		{"load where the path that joins is another LUN", stray, Engine{}, well},
		{"create where a path is another LUN", strayNew, Engine{}, well},
		{"identify a disk behind libata", mpath.Identify{Seq: 6, Name: "sda"}, Engine{}, with(func(h *host) {
			copy(h.inquiry[8:], "ATA     WDC DISK        1.0 ")
			delete(h.vpd, 0x83)
			h.vpd[0x00] = []byte{0, 0, 0, 2, 0, 0x80}
			h.files["/run/udev/data/b8:0"] = "I:1\nE:ID_SERIAL=WDC_DISK_SN01\n"
		})},
		{"identify a disk behind libata that udev knows by another serial", mpath.Identify{Seq: 6, Name: "sda"}, Engine{}, with(func(h *host) {
			copy(h.inquiry[8:], "ATA     WDC DISK        1.0 ")
			delete(h.vpd, 0x83)
			h.vpd[0x00] = []byte{0, 0, 0, 2, 0, 0x80}
			h.files["/run/udev/data/b8:0"] = "I:1\nE:ID_SERIAL=WDC_DISK_OTHER\n"
		})},
		{"load while it stays suspended", load, Engine{}, with(func(h *host) { h.flags = 2 })},
		{"resume", mpath.ResumeMap{Seq: 3, WWID: "w1", Name: "one"}, Engine{}, well},
		{"suspend", mpath.SuspendMap{Seq: 3, WWID: "w1", Name: "one"}, Engine{}, well},
		{"remove", mpath.RemoveMap{Seq: 3, WWID: "w1", Name: "one"}, Engine{}, none},
		{"remove with partitions", mpath.RemoveMap{Seq: 3, WWID: "w1", Name: "one", Partitions: []string{"part1-mpath-w1", "part2-mpath-w1"}}, Engine{}, well},
		{"remove with an open partition", mpath.RemoveMap{Seq: 3, WWID: "w1", Name: "one", Partitions: []string{"part1-mpath-w1"}}, Engine{}, with(func(h *host) { h.open = 1 })},
		{"remove at the last close", mpath.RemoveMap{Seq: 3, WWID: "w1", Name: "one", Partitions: []string{"part1-mpath-w1"}, Deferred: true}, Engine{}, with(func(h *host) { h.open, h.deferred = 1, true })},
		{"rename", mpath.RenameMap{Seq: 3, WWID: "w1", Name: "one", To: "two"}, Engine{}, well},
		{"rename with partitions", mpath.RenameMap{Seq: 3, WWID: "w1", Name: "one", To: "two", NoKpartx: true, Parts: []mpath.PartName{
			{UUID: "mpath-w1", Name: "one-part1", To: "two-part1"}, {UUID: "part2-mpath-w1", Name: "one-part2", To: "two-part2"}, {UUID: "mpath-w1", Name: "", To: "three"},
		}}, Engine{}, well},
		{"rename another map", mpath.RenameMap{Seq: 3, WWID: "w2", Name: "one", To: "two"}, Engine{}, well},
		{"rename to a bad name", mpath.RenameMap{Seq: 3, WWID: "w1", Name: "one", To: ""}, Engine{}, well},
		{"message", mpath.Message{Seq: 3, WWID: "w1", Name: "one", Text: "fail_path 8:0"}, Engine{}, well},
		{"resize", resize, Engine{}, well},
		{"resize with a failed path", resize, Engine{}, with(func(h *host) { h.status = statusFailed })},
		{"shrink", shrink, Engine{}, with(func(h *host) {
			h.disk.Partitions = []sysfs.Partition{{Name: "sda1", Number: 1, Start: 1, Sectors: 2047}}
		})},
		{"shrink below a partition", shrink, Engine{}, with(func(h *host) {
			h.disk.Partitions = []sysfs.Partition{{Name: "sda1", Number: 1, Start: 1, Sectors: 2048}}
		})},
		{"shrink what is open", shrink, Engine{}, with(func(h *host) { h.open = 1 })},
		{"sizes", mpath.ReadSizes{Seq: 8, WWID: "w1", Paths: refs[:1]}, Engine{}, well},
		{"sizes, where one moved already", mpath.ReadSizes{Seq: 8, WWID: "w1", Paths: refs[:1], Stale: 1024}, Engine{}, well},
		{"sizes of another disk", mpath.ReadSizes{Seq: 8, WWID: "w1", Paths: refs[1:]}, Engine{}, well},
		{"save names", names, Engine{}, well},
		{"save names that are there", names, Engine{}, haveNames},
		{"save names that are taken", names, Engine{}, otherNames},
		{"find wwids", mpath.FindWWIDs{Seq: 4, WWIDs: []string{"w0", "w1", "w2"}}, Engine{}, haveNames},
		{"save wwids", mpath.SaveWWIDs{Seq: 4, WWIDs: []string{"w1", "w2"}}, Engine{}, haveNames},
		{"mark failed", mpath.MarkFailed{Seq: 4, WWID: "w1"}, Engine{}, well},
		{"forget a load", mpath.ForgetLoad{Seq: 4, WWID: "w1"}, Engine{}, well},
		{"save deadlines", mpath.SaveDeadlines{Seq: 4, Deadlines: []mpath.Deadline{{WWID: "w1", At: 1000, Expired: true}}}, Engine{}, well},
		{"save a reservation key", mpath.SavePRKey{Seq: 4, Key: mpath.PRKey{WWID: "w1", Key: 0xab, APTPL: true}}, Engine{}, haveKeys},
		{"take a reservation key away", mpath.SavePRKey{Seq: 4, Key: mpath.PRKey{WWID: "w1"}}, Engine{}, haveKeys},
		{"trigger", mpath.Trigger{Seq: 4, Name: "sda", Verb: "change"}, Engine{}, well},
		{"trigger of a disk with partitions", mpath.Trigger{Seq: 4, Name: "sda", Verb: "add"}, Engine{}, with(func(h *host) {
			h.disk.Partitions = []sysfs.Partition{{Name: "sda1", Number: 1}, {Name: "sda2", Number: 2}}
		})},
		{"owner", mpath.SetOwner{Seq: 4, Dev: table.DevNum{Major: 253, Minor: 3}, Owner: owner}, Engine{}, well},
		{"start", nil, Engine{}, saved},
		{"a note", mpath.Note{}, Engine{}, well},
	}
}

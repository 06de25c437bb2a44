package engine

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"pathkeeper/dmmap"
	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// Which answers say that there was no room for a command: nothing is learned from
// those, and every other one counts.
func TestNoRoom(t *testing.T) {
	var statuses []scsi.Status
	for s := range 256 {
		if noRoom(scsi.Response{Status: scsi.Status(s)}) {
			statuses = append(statuses, scsi.Status(s))
		}
		if noRoom(scsi.Response{Status: scsi.Status(s), Errno: eIO}) {
			t.Errorf("%s with EIO", scsi.Status(s))
		}
	}
	if want := []scsi.Status{scsi.StatusBusy, scsi.StatusTaskSetFull, scsi.StatusACAActive, scsi.StatusTaskAborted}; !slices.Equal(statuses, want) {
		t.Errorf("statuses %v, want %v", statuses, want)
	}
	var errnos []uint32
	for n := range uint32(200) {
		if noRoom(scsi.Response{Errno: n}) {
			errnos = append(errnos, n)
		}
	}
	if want := []uint32{eAGAIN, eNOMEM, eBUSY, eNFILE, eMFILE}; !slices.Equal(errnos, want) {
		t.Errorf("errnos %v, want %v", errnos, want)
	}
}

// Only ILLEGAL REQUEST, told as sense of a command that came through, says that a
// device does not have a page.
func TestRefused(t *testing.T) {
	sense := func(key byte) []byte { return []byte{0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0, 0, 0, 0, 0} }
	for key := range byte(16) {
		r := scsi.Response{Status: scsi.StatusCheckCondition, Sense: sense(key)}
		if got := refused(r); got != (key == 5) {
			t.Errorf("sense key %d: %v", key, got)
		}
	}
	for what, r := range map[string]scsi.Response{
		"an errno":  {Errno: eIO, Status: scsi.StatusCheckCondition, Sense: sense(5)},
		"GOOD":      {Sense: sense(5)},
		"no sense":  {Status: scsi.StatusCheckCondition},
		"cut sense": {Status: scsi.StatusCheckCondition, Sense: sense(5)[:2]},
	} {
		if refused(r) {
			t.Error(what, "is taken for a refusal")
		}
	}
}

// A unit attention is news before the answer only in sense of a command that came
// through and ended with CHECK CONDITION.
func TestUnitAttentionIsAskedAgain(t *testing.T) {
	news := []byte{0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0}
	for what, tc := range map[string]struct {
		r     scsi.Response
		again bool
	}{
		"unit attention": {scsi.Response{Status: scsi.StatusCheckCondition, Sense: news}, true},
		"an errno":       {scsi.Response{Errno: eIO, Status: scsi.StatusCheckCondition, Sense: news}, false},
		"BUSY":           {scsi.Response{Status: scsi.StatusBusy, Sense: news}, false},
		"cut sense":      {scsi.Response{Status: scsi.StatusCheckCondition, Sense: news[:2]}, false},
	} {
		q := &inquirer{device: "sda", timeoutMS: 1}
		s := q.command(scsi.Inquiry(1), 0, func(scsi.Response) Step { return Step{} }).Next(Answer{SCSI: tc.r})
		if (s.Next != nil) != tc.again {
			t.Errorf("%s: asked again %v", what, s.Next != nil)
		}
	}
}

// Of a page that may be longer than the first try the rest is asked for, with the
// length that it says of itself.
func TestPageLengths(t *testing.T) {
	for _, tc := range []struct {
		say, has int // bytes behind the header that it says, bytes that came
		second   int // length of the second try, 0: none
	}{
		{0, 0, 0}, {0, 3, 0}, {0, 4, 0}, {1, 5, 0}, {250, 254, 0}, {251, 255, 0}, {252, 255, 256}, {252, 254, 0}, {252, 256, 0}, {300, 4, 0}, {1000, 255, 1004}, {65531, 255, 65535}, {65532, 255, 65535}, {65535, 255, 65535},
	} {
		b := make([]byte, tc.has)
		if tc.has >= 4 {
			b[1], b[2], b[3] = 0x83, byte(tc.say>>8), byte(tc.say)
		}
		var into []byte
		ended := 0
		q := &inquirer{device: "sda", timeoutMS: 1}
		s := q.page(0x83, &into, func(problem string) Step {
			if ended++; problem != "" {
				t.Error(problem)
			}
			return Step{}
		})
		if s.Ask.SCSI.InLen != 255 {
			t.Errorf("the first try is for %d bytes", s.Ask.SCSI.InLen)
		}
		s = s.Next(Answer{SCSI: scsi.Response{Data: b}})
		second := 0
		if s.Next != nil {
			second = int(s.Ask.SCSI.InLen)
			s.Next(Answer{SCSI: scsi.Response{Data: make([]byte, second)}})
		}
		if second != tc.second || ended != 1 || len(into) != max(tc.second, tc.has) {
			t.Errorf("%d bytes that say %d: second try for %d bytes, want %d; has %d, ended %d times", tc.has, tc.say, second, tc.second, len(into), ended)
		}
	}
}

const portWritesFile = "testdata/port-writes.txt"

// TestPortWrites writes down every write to a remote port, from each of some states to
// each of some wishes: "absent" is an attribute that is not there, "-" one that nobody
// wants.
func TestPortWrites(t *testing.T) {
	var out strings.Builder
	for _, hasLoss := range []string{"absent", "1", "60", "600", "2147483647"} {
		for _, hasFail := range []string{"absent", "off", "0", "5", "59", "599", "600"} {
			fmt.Fprintf(&out, "fast_io_fail_tmo %s, dev_loss_tmo %s\n", hasFail, hasLoss)
			for _, toLoss := range []string{"-", "1", "60", ">=60", ">=600", "601"} {
				if hasLoss == "absent" && toLoss != "-" {
					continue
				}
				for _, toFail := range []string{"-", "off", "0", "59", "60", "600"} {
					if hasFail == "absent" && toFail != "-" {
						continue
					}
					if text := portWritesText(hasFail, hasLoss, toFail, toLoss); text != "" {
						fmt.Fprintf(&out, "\t%s, %s: %s\n", toFail, toLoss, text)
					}
				}
			}
		}
	}
	if *update {
		if err := os.WriteFile(portWritesFile, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(portWritesFile)
	if err != nil {
		t.Fatal(err)
	}
	w, h := strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")
	for i := range min(len(w), len(h)) {
		if w[i] != h[i] {
			t.Fatalf("%s:%d (rewrite with -update, and read the difference)\n-%s\n+%s", portWritesFile, i+1, w[i], h[i])
		}
	}
	if len(w) != len(h) {
		t.Fatalf("%s: %d lines, want %d", portWritesFile, len(h), len(w))
	}
}

func portWritesText(hasFail, hasLoss, toFail, toLoss string) string {
	var fail, loss *mpath.Knob
	is := func(s string) string { return strings.TrimSuffix(s, "absent") }
	if toFail != "-" {
		fail = &mpath.Knob{Name: attrFastIOFail, Value: toFail}
	}
	if toLoss != "-" {
		value, raise := strings.CutPrefix(toLoss, ">=")
		loss = &mpath.Knob{Name: attrDevLoss, Value: value, Raise: raise}
	}
	var words []string
	for _, w := range portWrites(fail, is(hasFail), loss, is(hasLoss)) {
		words = append(words, w.name+"="+w.value)
	}
	return strings.Join(words, " ")
}

// An answer that never fits is given up when the room that the kernel takes is used up.
func TestQueryThatNeverFits(t *testing.T) {
	h := wellHost()
	full := h.dm(dmmap.Call{}).Bytes
	binary.NativeEndian.PutUint32(full[28:], 1<<8) // DM_BUFFER_FULL_FLAG
	s := query(dmmap.QueryList{}, dmmap.DecodeList, func(_ []dmmap.Entry, r Answer, bad string) Step {
		if bad == "" || errnoOf(r.Errno) != mpath.ErrnoNoMem {
			t.Errorf("ends with %q, errno %d", bad, r.Errno)
		}
		return done(mpath.Overrun{})
	})
	for n, room := 0, 0; s.Next != nil; n++ {
		if len(s.Ask.DM.Buf) <= room || n > 20 {
			t.Fatalf("%d bytes after %d, try %d", len(s.Ask.DM.Buf), room, n)
		}
		room = len(s.Ask.DM.Buf)
		s = s.Next(Answer{Bytes: full})
	}
	if s.Event == nil {
		t.Error("it does not end")
	}
}

// everyPort writes down what comes to it, and answers with an errno's name.
type everyPort struct{ did []string }

func (p *everyPort) note(format string, args ...any) error {
	p.did = append(p.did, fmt.Sprintf(format, args...))
	return fs.ErrPermission
}

func (p *everyPort) Do(device string, r scsi.Request) scsi.Response {
	_ = p.note("scsi %s %x", device, r.CDB)
	return scsi.Response{Errno: eACCES}
}

func (p *everyPort) Ioctl(cmd uint32, buf []byte) ([]byte, uint32) {
	_ = p.note("dm %d %x", cmd, buf)
	return []byte{9}, eACCES
}

func (p *everyPort) ReadAttr(path string, n int) ([]byte, error) {
	return []byte("x"), p.note("attr %s %d", path, n)
}
func (p *everyPort) ReadDir(path string) ([]string, error) { return nil, p.note("dir %s", path) }
func (p *everyPort) ReadLink(path string) (string, error)  { return "", p.note("link %s", path) }
func (p *everyPort) WriteAttr(path, value string) error    { return p.note("set %s %s", path, value) }

func (p *everyPort) Read(path string) ([]byte, error)  { return []byte("x"), p.note("file %s", path) }
func (p *everyPort) Remove(path string) error          { return p.note("remove %s", path) }
func (p *everyPort) List(dir string) ([]string, error) { return []string{"x"}, p.note("list %s", dir) }

func (p *everyPort) WriteAtomic(path string, data []byte, mode uint32) error {
	return p.note("write %s %s %o", path, data, mode)
}

func (p *everyPort) Replace(path string, was, data []byte, mode uint32) error {
	return p.note("replace %s %s by %s %o", path, was, data, mode)
}

// Each kind of request comes to its port as it was asked, and what the port says comes
// back.
func TestEachRequestGoesToItsPort(t *testing.T) {
	for _, tc := range []struct {
		a   Ask
		did string
	}{
		{Ask{Kind: KindSCSI, Device: "sda", SCSI: scsi.Request{CDB: []byte{1, 2}}}, "scsi sda 0102"},
		{Ask{Kind: KindDM, DM: dmmap.Call{Cmd: 7, Buf: []byte{3}}}, "dm 7 03"},
		{Ask{Kind: KindScan}, "dir block"},
		{Ask{Kind: KindDisk, Device: "sda"}, "link block/sda"},
		{Ask{Kind: KindAttr, Path: "a"}, "attr a 4096"},
		{Ask{Kind: KindSetAttr, Path: "a", Text: "b"}, "set a b"},
		{Ask{Kind: KindFile, Path: "a"}, "file a"},
		{Ask{Kind: KindWriteFile, Path: "a", Bytes: []byte("b"), Mode: 0o600}, "write a b 600"},
		{Ask{Kind: KindReplaceFile, Path: "a", Was: []byte("w"), Bytes: []byte("b"), Mode: 0o640}, "replace a w by b 640"},
		{Ask{Kind: KindRemove, Path: "a"}, "remove a"},
		{Ask{Kind: KindList, Path: "a"}, "list a"},
	} {
		p := &everyPort{}
		a := Ports{SCSI: p, DM: p, Sysfs: p, Write: p, Files: p}.Perform(tc.a)
		if len(p.did) == 0 || p.did[0] != tc.did {
			t.Errorf("%s: %q", tc.did, p.did)
		}
		if a.Errno != eACCES && a.SCSI.Errno != eACCES {
			t.Errorf("%s: %+v", tc.did, a)
		}
	}
	if a := (Ports{}).Perform(Ask{}); a.Errno != eINVAL || a.Detail == "" {
		t.Errorf("no request: %+v", a)
	}
}

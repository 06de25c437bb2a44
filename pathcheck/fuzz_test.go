package pathcheck

import (
	"encoding/binary"
	"testing"

	"pathkeeper/scsi"
)

// maxSteps is more than any conversation may have: three commands, five tries each.
const maxSteps = 3 * maxTries

// script cuts fuzz input into answers: a header of 8 bytes (errno, status, host,
// driver status, length of sense, length of data in 16 bits, one to spare), then
// sense and data.
func script(in []byte) func() Response {
	return func() Response {
		var h [8]byte
		in = in[copy(h[:], in):]
		take := func(n int) []byte {
			b := in[:min(n, len(in))]
			in = in[len(b):]
			return b
		}
		return Response{Errno: uint32(h[0]), Bytes: uint32(h[7]) << 8, Text: string(h[1:]), SCSI: scsi.Response{
			Errno: uint32(h[0]), Status: scsi.Status(h[1]), Host: scsi.HostStatus(h[2]), DriverStatus: uint16(h[3]),
			Sense: take(int(h[4])), Data: take(int(binary.BigEndian.Uint16(h[5:]))),
		}}
	}
}

func FuzzCheckers(f *testing.F) {
	f.Add([]byte{}, uint32(0))
	f.Add([]byte("\x00\x02\x00\x00\x08\x00\x00\x00\x72\x06\x29\x00\x00\x00\x00\x00"), uint32(512))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x03\xff\x00\x00\x02\x00"), uint32(0))
	f.Fuzz(func(t *testing.T, in []byte, blockLen uint32) {
		for _, name := range Checkers() {
			c, err := New(name, Params{TimeoutMS: 1, BlockLen: blockLen})
			if err != nil {
				t.Fatal(err)
			}
			next := script(in)
			step := c.Start()
			for n := 0; !step.Done; n++ {
				if n >= maxSteps {
					t.Fatalf("%s: no end after %d steps", name, n)
				}
				if step.Ask == nil || (step.Ask.SCSI == nil) == (step.Ask.Read == nil) {
					t.Fatalf("%s: %+v", name, step)
				}
				step = c.Answer(next())
			}
			v := step.Verdict
			if v.State == StateUnknown || v.State > StateWild || v.Message == "" || v.Inconclusive && v.State != StatePending {
				t.Fatalf("%s: %+v", name, v)
			}
			c.Answer(next()) // one too many: whatever it says, no panic
		}
	})
}

// FuzzPrios is for those that are not alua, which has its own.
func FuzzPrios(f *testing.F) {
	f.Add([]byte{}, "preferredsds=a")
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x08\x00\x00\xc9\x00\x00vac1"), "hbtl .* 1")
	f.Add([]byte("\x00\x02\x00\x00\x08\x00\x00\x00\x72\x06\x29\x00\x00\x00\x00\x00"), "exclusive_pref_bit")
	f.Fuzz(func(t *testing.T, in []byte, args string) {
		for _, name := range Prioritizers() {
			p, err := NewPrio(name, PrioParams{Args: args, HCTL: "2:0:0:1", Identity: scsi.Identity{TPGS: 1}})
			if err != nil {
				continue
			}
			next := script(in)
			step := p.Start()
			for n := 0; !step.Done; n++ {
				if n >= maxSteps || step.Ask == nil || step.Ask.SCSI == nil && step.Ask.Attr == "" {
					t.Fatalf("%s: step %d: %+v", name, n, step)
				}
				step = p.Answer(next())
			}
			if r := step.Prio; r.Priority < 0 || !r.OK && (r.Message == "" || r.Priority != 0) {
				t.Fatalf("%s: %+v", name, r)
			}
			p.Answer(next())
		}
	})
}

func FuzzALUA(f *testing.F) {
	f.Add([]byte{}, 1, 1)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x0c\x80\xdf\x00\x01\x00\x02\x00\x01\x00\x00\x00\x01"), 1, -1)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\xff\x0c\x80\xdf\x00\x01\x00\x02\x00\x01\x00\x00\x00\x01"), -1, 1)
	f.Fuzz(func(t *testing.T, in []byte, group, port int) {
		p, err := NewPrio("alua", PrioParams{Identity: scsi.Identity{TPGS: 1, PortGroup: group, RelPort: port}})
		if err != nil {
			t.Fatal(err)
		}
		next := script(in)
		step := p.Start()
		for n := 0; !step.Done; n++ {
			if n >= maxSteps {
				t.Fatalf("no end after %d steps", n)
			}
			if step.Ask == nil || step.Ask.SCSI == nil || step.Ask.SCSI.InLen > rtpgLenMax {
				t.Fatalf("%+v", step)
			}
			step = p.Answer(next())
		}
		r := step.Prio
		if r.OK == (r.Message != "") || r.Priority < 0 || r.Priority > 130 || !r.OK && r.Priority != 0 {
			t.Fatalf("%+v", r)
		}
	})
}

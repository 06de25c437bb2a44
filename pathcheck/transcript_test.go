package pathcheck

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/scsi"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/*.txt anew from what the checkers say")

// Transcripts are conversations: a `check` or `prio` line begins one, each
// `answer` line is what the device says to the question before it. The lines
// `ask`, `verdict` and `prio-result` are the checkers' and are written by
// -rewrite; prose stands in lines with #.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			have := play(t, string(text))
			if *rewrite {
				if err := os.WriteFile(name, []byte(have), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if d := cmp.Diff(string(text), have); d != "" {
				t.Errorf("-want +have:\n%s", d)
			}
		})
	}
}

func play(t *testing.T, text string) string {
	var out strings.Builder
	var check Checker
	var prio Prioritizer
	asking := false
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	step := func(s Step) {
		asking = !s.Done
		if s.Done {
			say("verdict %s", verdictText(s.Verdict))
		} else {
			say("ask %s", requestText(s.Ask))
		}
	}
	prioStep := func(s PrioStep) {
		asking = !s.Done
		if s.Done {
			say("prio-result %s", prioText(s.Prio))
		} else {
			say("ask %s", requestText(s.Ask))
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		verb, rest, _ := strings.Cut(line, " ")
		switch verb {
		case "ask", "verdict", "prio-result", "error":
			continue
		case "check", "prio":
			if asking {
				t.Fatalf("%q: the conversation before is not at its end", line)
			}
		}
		say("%s", line)
		switch verb {
		case "check":
			f := strings.Fields(rest)
			c, err := New(f[0], Params{TimeoutMS: 30000, BlockLen: uint32(option(t, f, "block", 0))})
			if err != nil {
				say("error %v", err)
				continue
			}
			check, prio = c, nil
			step(c.Start())
		case "prio":
			f := strings.Fields(rest)
			p := PrioParams{TimeoutMS: 30000, Identity: scsi.Identity{
				TPGS: uint8(option(t, f, "tpgs", 1)), PortGroup: option(t, f, "group", -1), RelPort: option(t, f, "port", -1),
			}}
			_, p.Args, _ = strings.Cut(rest, "args=")
			p.HCTL, p.Name, p.Serial = "2:0:0:1", "sdb", "SN0001"
			c, err := NewPrio(f[0], p)
			if err != nil {
				say("error %v", err)
				continue
			}
			check, prio = nil, c
			prioStep(c.Start())
		case "answer":
			if !asking {
				t.Fatalf("%q: nothing was asked", line)
			}
			r := answer(t, rest)
			if check != nil {
				step(check.Answer(r))
			} else {
				prioStep(prio.Answer(r))
			}
		default:
			if line != "" && !strings.HasPrefix(line, "#") {
				t.Fatalf("%q: no such verb", line)
			}
		}
	}
	if asking {
		t.Fatal("the last conversation is not at its end")
	}
	return out.String()
}

func option(t *testing.T, fields []string, name string, unless int) int {
	for _, f := range fields {
		if v, ok := strings.CutPrefix(f, name+"="); ok {
			n, err := strconv.Atoi(v)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return unless
}

// answer reads what a device says: words of "good", "sense KK/AA/QQ",
// "deferred KK/AA/QQ", "status HEX", "host HEX", "driver HEX", "errno N",
// "data HEX", "zeros N" (bytes of data), "page OFFSET=HEX,..." (128 bytes with those
// set), "bytes N" (read directly), "text WORD" (of an attribute).
func answer(t *testing.T, text string) (out Response) {
	r := &out.SCSI
	f := strings.Fields(text)
	number := func(s string, base int) uint64 {
		n, err := strconv.ParseUint(s, base, 32)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return n
	}
	for ; len(f) > 0; f = f[1:] {
		verb := f[0]
		if verb == "good" {
			continue
		}
		if f = f[1:]; len(f) == 0 {
			t.Fatalf("%q: %s of what?", text, verb)
		}
		switch verb {
		case "sense", "deferred":
			var k, a, q byte
			if _, err := fmt.Sscanf(f[0], "%02x/%02x/%02x", &k, &a, &q); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			r.Status = scsi.StatusCheckCondition
			r.Sense = []byte{0x70, 0, k, 0, 0, 0, 0, 10, 0, 0, 0, 0, a, q, 0, 0, 0, 0}
			if verb == "deferred" {
				r.Sense[0] = 0x71
			}
		case "status":
			r.Status = scsi.Status(number(f[0], 16))
		case "host":
			r.Host = scsi.HostStatus(number(f[0], 16))
		case "driver":
			r.DriverStatus = uint16(number(f[0], 16))
		case "errno":
			r.Errno = uint32(number(f[0], 10))
			out.Errno = r.Errno
		case "bytes":
			out.Bytes = uint32(number(f[0], 10))
		case "text":
			out.Text = f[0]
		case "page":
			r.Data = make([]byte, 128)
			for item := range strings.SplitSeq(f[0], ",") {
				at, b, _ := strings.Cut(item, "=")
				v, err := hex.DecodeString(b)
				if err != nil {
					t.Fatalf("%q: %v", text, err)
				}
				copy(r.Data[number(at, 10):], v)
			}
		case "zeros":
			r.Data = make([]byte, number(f[0], 10))
		case "data":
			b, err := hex.DecodeString(f[0])
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			r.Data = b
		default:
			t.Fatalf("%q: no such word", text)
		}
	}
	return out
}

func requestText(r *Request) string {
	switch {
	case r.SCSI != nil:
		return fmt.Sprintf("%x in=%d timeout=%dms", r.SCSI.CDB, r.SCSI.InLen, r.SCSI.TimeoutMS)
	case r.Read != nil:
		return fmt.Sprintf("read %+v", *r.Read)
	case r.Attr != "":
		return "attribute " + r.Attr
	}
	return "nothing"
}

func verdictText(v Verdict) string {
	flags := ""
	if v.IdentityDoubt {
		flags += " identity-doubt"
	}
	if v.Inconclusive {
		flags += " inconclusive"
	}
	return fmt.Sprintf("%s%s: %s", v.State, flags, v.Message)
}

func prioText(p PrioResult) string {
	text := fmt.Sprintf("%d", p.Priority)
	if !p.OK {
		text = "keep"
	}
	if p.IdentityDoubt {
		text += " identity-doubt"
	}
	return strings.TrimRight(fmt.Sprintf("%s tpg=%d state=%q %s", text, p.TPG, p.State, p.Message), " ")
}

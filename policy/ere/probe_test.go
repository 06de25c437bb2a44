package ere

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// However an expression is nested, an answer comes in moments: also on a text that
// is far longer than any that devices have.
func TestCatastrophicExpressionsEnd(t *testing.T) {
	for _, p := range []string{
		"(a*)*b", "(a+)+b", "(a|a)*b", "(a|aa)+$", "((a*)*)*b", "(.*a){30}b", "(a?){1,255}" + strings.Repeat("a", 255) + "b",
		"^" + strings.Repeat("(", 40) + "a*" + strings.Repeat(")*", 40) + "b",
		"^" + strings.Repeat("(", 8) + "a" + strings.Repeat("){2,32767}", 8) + "b",
		strings.Repeat("(a?){1,255}", 500) + "b",
		strings.Repeat("(a|aa|b?)*", 6000) + "c",
		strings.Repeat("(", 200) + "a" + strings.Repeat("+)+", 200) + "b",
		`((a*)*)*b\1c`, `(a*)(a*)(a*)(a*)(a*)(a*)\1\2\3\4\5\6b`,
	} {
		e, err := Compile(p)
		if err != nil {
			t.Errorf("%.40q: %v", p, err)
			continue
		}
		for _, length := range []int{16, 127, 100000} {
			start := time.Now()
			ok, err := e.Try(strings.Repeat("a", length))
			if took := time.Since(start); took > time.Minute { // milliseconds, but for what else the machine does
				t.Errorf("%.40q on %d letters: took %v", p, length, took)
			}
			if ok || err != nil && !errors.Is(err, ErrTooHard) {
				if p != "(a|aa)+$" {
					t.Errorf("%.40q on %d letters: got %v, %v", p, length, ok, err)
				}
			}
		}
	}
}

func TestProbe(t *testing.T) {
	for p, want := range map[string]bool{
		`((a*)*)*b\1c`: true, strings.Repeat("(", 200) + "a" + strings.Repeat("+)+", 200) + "b": true,
		"": false, "^sd[a-z]+": false, "(a*)*b": false, "(^a|[0-9]{2,3})*": false, `(a)\1`: false, "(HSV1[01]1|HSV2[01]0)": false, "((x+)+)+": false,
	} {
		e, err := Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Probe(); errors.Is(err, ErrTooHard) != want {
			t.Errorf("%.40q: got %v, want too hard: %v", p, err, want)
		}
	}
}

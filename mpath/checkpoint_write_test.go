package mpath

import (
	"bytes"
	"errors"
	"testing"

	"pathkeeper/policy"
)

var errFull = errors.New("no space left")

// full takes some writes, then none.
type full struct {
	bytes.Buffer
	left int
}

func (f *full) Write(b []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errFull
	}
	return f.Buffer.Write(b)
}

// TestCheckpointOnAFullDisk: whichever write fails, the caller hears of it.
func TestCheckpointOnAFullDisk(t *testing.T) {
	mc := New()
	mc.Step(1, StateLoaded{Bindings: []policy.Binding{{Alias: "mpatha", WWID: "w1"}}})
	mc.Step(2, Configured{})
	c := mc.Checkpoint()
	for n := range 1000 {
		f := &full{left: n}
		err := c.Write(f)
		if err == nil {
			if n < 2 {
				t.Fatalf("written with %d writes", n)
			}
			return
		}
		if !errors.Is(err, errFull) {
			t.Fatalf("write %d: %v", n, err)
		}
	}
	t.Fatal("it never ends")
}

package mpath

import "testing"

func TestParsePRKey(t *testing.T) {
	for text, want := range map[string]PRKey{
		"1": {Key: 1}, "0x12": {Key: 0x12}, "0X12": {Key: 0x12}, "aB": {Key: 0xab}, "0xab:aptpl": {Key: 0xab, APTPL: true}, "ffffffffffffffff": {Key: 1<<64 - 1},
		"": {}, "0": {}, "0x": {}, "0x0": {}, "0000000000000000": {}, "00000000000000001": {}, "0x10000000000000000": {}, "xyz": {}, "-1": {}, "1:": {}, "1:aptp": {}, "1:aptpl:aptpl": {}, "0x0x1": {}, "0X0x1": {}, ":aptpl": {},
	} {
		k, err := ParsePRKey(text)
		if k != want || (err == nil) != (want.Key != 0) {
			t.Errorf("%q: %+v, %v", text, k, err)
		}
		if again, err := ParsePRKey(k.String()); want.Key != 0 && (err != nil || again != k) {
			t.Errorf("%q is written as %q: %v", text, k, err)
		}
	}
	if s := (PRKey{WWID: "w"}).String(); s != "none" {
		t.Error(s)
	}
	if PRUnknown.String() != "unknown" || PRUnset.String() != "unset" || PRSet.String() != "set" {
		t.Error(PRUnknown, PRUnset, PRSet)
	}
}

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestSimStorm(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		out  string // contained in standard output
		err  string // contained in standard error
	}{
		{"--storm 3", 0, "every law held", ""},
		{"--storm 3 --gusts none", 0, "every law held", ""},
		{"--storm 3 --core", 0, "every law held", ""},
		{"--storm 3 --paths 3 --gusts 0,2", 0, "storm 3: 3 paths", ""},
		{"--host-steps 1 --core-steps 1 --once", 0, "0 broken laws, 0 unequal", ""},
		{"--host-steps 1 --cover --once", 1, "too rare, and no reason is known", "not survived"},
		{"--storm x", 2, "", "invalid argument"},
		{"--paths 5", 2, "", "belong to --storm"},
		{"--storm 3 --paths 20000", 2, "", "1 to 10000"},
		{"--storm 3 --gusts 1,b", 2, "", "numbers from 0"},
		{"--storm 3 --core --paths 4", 2, "", "neither --paths nor --gusts"},
		{"--host-steps -1", 2, "", "do not"},
		{"--storm 3 --core-steps 5", 2, "", "not both"},
		{"--for 3s", 2, "", "belong to --host-steps"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			var out, err bytes.Buffer
			code := dispatch(append([]string{"pathkeeper", "sim"}, strings.Fields(tt.args)...), streams{&out, &err})
			if code != tt.code || !strings.Contains(out.String(), tt.out) || !strings.Contains(err.String(), tt.err) {
				t.Errorf("exit %d, want %d; standard error %q; standard output ends in %q", code, tt.code, err.String(), out.String()[max(0, out.Len()-300):])
			}
		})
	}
}

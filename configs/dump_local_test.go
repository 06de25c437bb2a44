package configs

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"pathkeeper/policy"
)

// A local dump has the maps of the host and no others, each with its entry; a name
// that no entry gives is told and not said.
func TestDumpLocal(t *testing.T) {
	c, _, err := Parse([]File{{Path: "/etc/multipath.conf", Data: []byte(`multipaths {
	multipath {
		wwid "3600a"
		alias "ocr1"
		failback "manual"
	}
	multipath {
		wwid "3600a"
		failback "immediate"
	}
	multipath {
		wwid "3600away"
		alias "gone"
	}
	multipath {
		wwid "3600c"
		no_path_retry "fail"
	}
}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	text := string(DumpLocal(c, func(policy.Device) bool { return false }, []LocalMap{
		{WWID: "3600a", Name: "ocr1", Entry: "3600a"},
		{WWID: "3600b", Name: "mpath\nb"},
		{WWID: "3600c", Name: "mpathc", Entry: "3600c"},
		{WWID: "3600d", Name: "3600d"},
		{WWID: "3600\n}", Name: "x"},
	}))
	_, have, _ := strings.Cut(text, "\noverrides {\n}\n")
	want := `multipaths {
	multipath {
		wwid "3600a"
		alias "ocr1"
		failback "immediate"
	}
	multipath {
		wwid "3600b"
		# alias "mpath\nb"
	}
	multipath {
		wwid "3600c"
		no_path_retry "fail"
		# alias "mpathc"
	}
	multipath {
		wwid "3600d"
	}
	# "3600\n}": no file can hold this wwid
}
`
	if d := gocmp.Diff(want, have); d != "" {
		t.Error(d)
	}
	if _, _, err := Parse([]File{{Path: "dump", Data: []byte(text)}}); err != nil {
		t.Error(err)
	}
	if none := string(DumpLocal(c, nil, nil)); strings.Contains(none, "multipaths {") {
		t.Error(none)
	}
}

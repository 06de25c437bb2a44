package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// hookAtVariable in the environment makes this program the hook of a fake host.
const hookAtVariable = "PATHKEEPER_HOOK_AT"

func TestMain(m *testing.M) {
	if os.Getenv(hookAtVariable) != "" {
		os.Exit(hookAt(os.Args))
	}
	run := func() { os.Exit(dispatch(os.Args, streams{os.Stdout, os.Stderr})) }
	testscript.Main(m, map[string]func(){"pathkeeper": run, "multipath": run, "multipathd": run, "scsi_id": run, "kpartx": run, readerName: run, "mpathconf": func() { os.Exit(runMpathconfAt()) }})
}

// What the program says to whoever calls it wrongly, or where nothing is there to
// work on. None of it needs root.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}

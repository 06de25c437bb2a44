package daemon

import (
	"strings"
	"testing"

	"pathkeeper/configs"
	"pathkeeper/mpath"
)

// A reload that is refused shows the line in the log, marked.
func TestReportMistake(t *testing.T) {
	_, _, err := configs.Parse([]configs.File{{Path: "m.conf", Data: []byte("blacklist {\n\tdevnode \"*\"\n}\n")}})
	var out strings.Builder
	d := &Daemon{log: newJournal(mpath.LevelError, false)}
	d.reportMistake(err)
	done := make(chan struct{})
	go func() { d.log.write(&out); close(done) }()
	close(d.log.lines)
	<-done
	if want := "config:     2 |  devnode \"*\"\nconfig:       |          ^~~\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

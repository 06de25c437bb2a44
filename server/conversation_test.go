package server_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/mpath"
	"pathkeeper/server"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

// A conversation with multipathd's socket, as a file that people can read: what is
// asked after ">", the answer below it.
func TestMpathdConversation(t *testing.T) {
	const golden = "testdata/conversation.txt"
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	src := &fakeSource{
		snapshot: host, quits: make(chan struct{}), rules: rulesOf(t, "blacklist {\n devnode \"^sdc$\"\n}\n"),
		status: server.Status{Version: "1.2.3", PID: 42, State: server.StateRunning},
		reply: func(c mpath.Command) mpath.Reply {
			switch {
			case c.Map == "nosuch" || c.Path == "sdz":
				return mpath.Reply{Code: mpath.ReplyNotFound, Text: "no map nosuch is known"}
			case c.Kind == mpath.CommandRemoveMap:
				return mpath.Reply{Code: mpath.ReplyBusy, Text: "ocr1: open 1 times"}
			case c.Kind == mpath.CommandRemovePath:
				return mpath.Reply{Code: mpath.ReplyRefused, Text: "sdb: it is the last usable path of ocr1; add another one first, or remove the map"}
			case c.Kind == mpath.CommandAddPath:
				return mpath.Reply{Code: mpath.ReplyRefused, Text: "left alone"}
			}
			return mpath.Reply{OK: true, Code: mpath.ReplyDone}
		},
	}
	c := dial(t, holdMpathd(t, src, 0))
	var got strings.Builder
	head, rest, _ := strings.Cut(string(text), "> ")
	got.WriteString(head)
	for line := range strings.Lines("> " + rest) {
		cmd, asked := strings.CutPrefix(line, "> ")
		if asked {
			got.WriteString(line + ask(t, c, strings.TrimSuffix(cmd, "\n")) + "\n")
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), got.String()); diff != "" {
		t.Errorf("not as the transcript has it (-update writes it; read the difference):\n%s", diff)
	}
}

package server_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pathkeeper/configs"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/server"
)

func holdMpathd(t *testing.T, src server.Source, uid uint32) string {
	t.Helper()
	name := fmt.Sprintf("@pathkeeper-test-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-"))
	serveMpathd(t, src, uid, name)
	return name
}

func serveMpathd(t *testing.T, src server.Source, uid uint32, names ...string) *server.Mpathd {
	t.Helper()
	m, err := server.HoldMpathd(names, as(uid))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Serve(src) }()
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return m
}

func ask(t *testing.T, c net.Conn, cmd string) string {
	t.Helper()
	b := binary.NativeEndian.AppendUint64(nil, uint64(len(cmd)+1))
	if _, err := c.Write(append(append(b, cmd...), 0)); err != nil {
		t.Fatal(err)
	}
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatalf("%q: %v", cmd, err)
	}
	reply := make([]byte, binary.NativeEndian.Uint64(head[:]))
	if _, err := io.ReadFull(c, reply); err != nil {
		t.Fatal(err)
	}
	if reply[len(reply)-1] != 0 {
		t.Errorf("reply to %q has no closing NUL", cmd)
	}
	return string(reply[:len(reply)-1])
}

// hostile is a name that quotes, breaks lines and commands terminals.
const hostile = "a\"b\\\n\x1b[2Jc"

func host() mpath.Snapshot {
	dev := table.DevNum{Major: 8, Minor: 16}
	m := mpath.MapView{
		Name: "ocr1", WWID: "3600", Known: true, Owner: mpath.NoOwner(),
		Truth:       mpath.Truth{Name: "ocr1", Live: true, Target: "multipath", Dev: table.DevNum{Major: 253, Minor: 7}, Size: 2048},
		Reservation: mpath.ReservationView{Status: mpath.PRSet, Hold: mpath.PRUnset, Key: mpath.PRKey{WWID: "3600", Key: 0x12ab, APTPL: true}},
	}
	odd := m
	odd.Name, odd.WWID, odd.Truth.Name, odd.Truth.Dev.Minor, odd.Reservation = hostile, "3601", hostile, 8, mpath.ReservationView{}
	return mpath.Snapshot{Now: 5, Started: true, Maps: []mpath.MapView{m, odd}, Paths: []mpath.PathView{
		{ID: mpath.PathID{Dev: dev, Diskseq: 3}, Name: "sdb", HCTL: "2:0:0:1", WWID: "3600", DevState: "running", Seen: mpath.PathSeen{DevState: "running", Identity: scsi.Identity{WWID: "3600", Vendor: hostile, Model: hostile}}},
		{ID: mpath.PathID{Dev: table.DevNum{Major: 8, Minor: 32}, Diskseq: 4}, Name: "sdc", Decision: policy.Decision{Verdict: policy.VerdictReject, Reason: "blacklisted by devnode \"sdc\""}},
	}}
}

func rulesOf(t *testing.T, conf string) *policy.Compiled {
	t.Helper()
	cfg, _, err := configs.Parse([]configs.File{{Path: "/etc/multipath.conf", Data: []byte(conf)}})
	if err != nil {
		t.Fatal(err)
	}
	rules, _ := policy.Compile(cfg)
	return rules
}

// TestMpathdChanges holds every command that changes something: what it asks the core
// for, and what becomes of each of the core's replies.
func TestMpathdChanges(t *testing.T) {
	src := &fakeSource{snapshot: host}
	c := dial(t, holdMpathd(t, src, 0))
	var reply mpath.Reply
	src.reply = func(mpath.Command) mpath.Reply { return reply }
	for cmd, want := range map[string]mpath.Command{
		"reset maps stats":                   {Kind: mpath.CommandResetStats},
		"reset map ocr1 stats":               {Kind: mpath.CommandResetStats, Map: "ocr1"},
		"add path /dev/sdb":                  {Kind: mpath.CommandAddPath, Path: "sdb"},
		"add path cciss/c0d0":                {Kind: mpath.CommandAddPath, Path: "cciss!c0d0"},
		"del path 8:16":                      {Kind: mpath.CommandRemovePath, Path: "8:16"},
		"add map ocr1":                       {Kind: mpath.CommandAddMap, Map: "ocr1"},
		"remove map dm-7":                    {Kind: mpath.CommandRemoveMap, Map: "dm-7"},
		"del maps":                           {Kind: mpath.CommandRemoveUnused},
		"switch map ocr1 group 2":            {Kind: mpath.CommandSwitchGroup, Map: "ocr1", Arg: "2"},
		"switchgroup multipath ocr1 group x": {Kind: mpath.CommandSwitchGroup, Map: "ocr1", Arg: "x"},
		"suspend map ocr1":                   {Kind: mpath.CommandSuspendMap, Map: "ocr1"},
		"resume map ocr1":                    {Kind: mpath.CommandResumeMap, Map: "ocr1"},
		"resize map /dev/mapper/ocr1":        {Kind: mpath.CommandResizeMap, Map: "ocr1"},
		"reset map ocr1":                     {Kind: mpath.CommandReassign, Map: "ocr1"},
		"reload map \"my map\"":              {Kind: mpath.CommandReloadMap, Map: "my map"},
		"fail path sdb":                      {Kind: mpath.CommandFailPath, Path: "sdb"},
		"reinstate path sdb":                 {Kind: mpath.CommandReinstatePath, Path: "sdb"},
		"disablequeueing map ocr1":           {Kind: mpath.CommandDisableQueueing, Map: "ocr1"},
		"disablequeueing maps":               {Kind: mpath.CommandDisableQueueing},
		"restorequeueing map ocr1":           {Kind: mpath.CommandRestoreQueueing, Map: "ocr1"},
		"restorequeueing maps":               {Kind: mpath.CommandRestoreQueueing},
		"forcequeueing daemon":               {Kind: mpath.CommandForceQueueing},
		"restorequeueing daemon":             {Kind: mpath.CommandUnforceQueueing},
		"setprstatus map ocr1":               {Kind: mpath.CommandSetPRStatus, Map: "ocr1"},
		"setprstatus map ocr1 pathlist a,b":  {Kind: mpath.CommandSetPRStatus, Map: "ocr1", Arg: "a,b"},
		"unsetprstatus map ocr1":             {Kind: mpath.CommandUnsetPRStatus, Map: "ocr1"},
		"setprkey map ocr1 key 0x1:aptpl":    {Kind: mpath.CommandSetPRKey, Map: "ocr1", Arg: "0x1:aptpl"},
		"unsetprkey map ocr1":                {Kind: mpath.CommandUnsetPRKey, Map: "ocr1"},
		"setprhold map ocr1":                 {Kind: mpath.CommandSetPRHold, Map: "ocr1"},
		"unsetprhold map ocr1":               {Kind: mpath.CommandUnsetPRHold, Map: "ocr1"},
		"setmarginal path sdb":               {Kind: mpath.CommandSetMarginal, Path: "sdb"},
		"unsetmarginal path sdb":             {Kind: mpath.CommandUnsetMarginal, Path: "sdb"},
		"unsetmarginal map ocr1":             {Kind: mpath.CommandUnsetMarginal, Map: "ocr1"},
	} {
		want.Within = mpath.Span(3800 * time.Millisecond)
		for _, is := range []struct {
			reply mpath.Reply
			want  string
		}{
			{mpath.Reply{OK: true, Code: mpath.ReplyDone, Text: "x"}, "ok\n"},
			{mpath.Reply{OK: true, Code: mpath.ReplyAlready}, "ok\n"},
			{mpath.Reply{Code: mpath.ReplyNotFound, Text: "x"}, "fail\ndevice not found\n"},
			{mpath.Reply{Code: mpath.ReplyBusy, Text: "x"}, "fail\nmap or partition in use\n"},
			{mpath.Reply{OK: true, Code: mpath.ReplyKept, Text: "x"}, "fail\nmap or partition in use\n"},
			{mpath.Reply{Code: mpath.ReplyTimeout, Text: "x"}, "fail\ntimeout\n"},
			{mpath.Reply{Code: mpath.ReplyRefused, Text: "why\n\x1b[2J"}, "fail\nwhy\\x0a\\x1b[2J\n"},
			{mpath.Reply{Code: mpath.ReplyFailed}, "fail\n"},
		} {
			reply = is.reply
			src.asked = nil
			if got := ask(t, c, cmd); got != is.want {
				t.Errorf("%s, %s: %q, want %q", cmd, is.reply.Code, got, is.want)
			}
			if len(src.asked) != 1 || src.asked[0] != want {
				t.Errorf("%s: the core was asked %+v, want %+v", cmd, src.asked, want)
			}
		}
	}
	src.asked = nil
	reply = mpath.Reply{Code: mpath.ReplyDeferred, OK: true}
	for cmd, want := range map[string]string{
		"del path sdb": "delayed\n", "add path sdb": "ok\n", "del map ocr1": "ok\n",
		// An empty name is no way to say "all".
		"reset map \"\" stats": "fail\ndevice not found\n", "reload map /dev/": "fail\ndevice not found\n", "disablequeueing map \"\"": "fail\ndevice not found\n",
	} {
		if got := ask(t, c, cmd); got != want {
			t.Errorf("%s: %q, want %q", cmd, got, want)
		}
	}
	if len(src.asked) != 3 {
		t.Errorf("the core was asked for all maps: %+v", src.asked)
	}
	reply = mpath.Reply{Code: mpath.ReplyRefused, Text: "left alone"}
	if got := ask(t, c, "add path sdc") + ask(t, c, "add path 8:32") + ask(t, c, "add path sdb"); got != "blacklisted\nblacklisted\nfail\nleft alone\n" {
		t.Errorf("add path: %q", got)
	}
}

func TestMpathdShows(t *testing.T) {
	src := &fakeSource{snapshot: host, rules: rulesOf(t, "defaults {\n uxsock_timeout 6000\n}\nblacklist {\n devnode \"^sdc$\"\n}\n")}
	c := dial(t, holdMpathd(t, src, 1000)) // everybody may look
	for cmd, want := range map[string]string{
		"show daemon":                           "pid 42 idle\n",
		"list daemon":                           "pid 42 idle\n",
		"show path sdb":                         "running\n",
		"show path /dev/sdb":                    "running\n",
		"show path sdz":                         "fail\ndevice not found\n",
		"show map ocr1 format \"%n|%w\"":        "ocr1",
		"show map dm-7 raw format %w":           "3600\n",
		"show map 3600 format %n":               "ocr1",
		"show map nobody topology":              "fail\ndevice not found\n",
		"show map nobody json":                  "fail\ndevice not found\n",
		"show map nobody format %n":             "fail\ndevice not found\n",
		"show maps raw format %w":               "3600\n3601\n",
		"show status":                           "path checker states:\n",
		"show wildcards":                        "multipath format wildcards:\n",
		"show blacklist":                        "(config file rule) ^sdc$",
		"show devices":                          "nvme0c0n1 hidden, unmonitored\n",
		"show config":                           "\tuxsock_timeout 6000\n",
		"show config local":                     "\tuxsock_timeout 6000\n",
		"show topology":                         "size=1.0M features='0' hwhandler='0' wp=rw\n",
		"show maps topology":                    "ocr1 (3600) dm-7 ",
		"show map ocr1 topology":                "ocr1 (3600) dm-7 ",
		"show maps json":                        "\"major_version\": 0",
		"show map ocr1 json":                    "\"name\" : \"ocr1\"",
		"show maps":                             "name",
		"show maps status":                      "queueing",
		"show maps stats":                       "q_timeouts",
		"show paths":                            "hcil",
		"show paths format \"%d %i\"":           "sdb 2:0:0:1",
		"show paths raw format %d":              "sdb\n",
		"show maps format \"%n \x1b[31m %w\"\n": "\\x1b[31m",
	} {
		got := ask(t, c, cmd)
		if !strings.Contains(got, want) || strings.HasPrefix(want, "fail") && got != want {
			t.Errorf("%q: %q, want %q", cmd, got, want)
		}
		if strings.ContainsAny(got, "\x1b\x00\r") {
			t.Errorf("%q: %q commands the terminal", cmd, got)
		}
	}
	src.status = server.Status{PID: 42, State: server.StateConfiguring, ReloadPending: true}
	if got := ask(t, c, "show daemon"); got != "pid 42 configure (pending reconfigure)\n" {
		t.Errorf("%q", got)
	}
	empty := dial(t, serveNamed(t, &fakeSource{}))
	if got := ask(t, empty, "show maps") + ask(t, empty, "show paths") + ask(t, empty, "show topology"); got != "ok\nok\nok\n" {
		t.Errorf("nothing to show: %q", got)
	}
}

func serveNamed(t *testing.T, src server.Source) string {
	name := fmt.Sprintf("@pathkeeper-test-%d-%s-2", os.Getpid(), t.Name())
	serveMpathd(t, src, 0, name)
	return name
}

func TestMpathdReservations(t *testing.T) {
	c := dial(t, holdMpathd(t, &fakeSource{snapshot: host}, 0))
	for cmd, want := range map[string]string{
		"getprstatus map ocr1": "set\n", "getprhold map dm-7": "unset\n", "getprkey map 3600": "0x12ab:aptpl\n",
		"getprstatus map 3601": "unknown\n", "getprkey map /dev/dm-8": "none\n", "getprkey map nobody": "fail\ndevice not found\n",
	} {
		if got := ask(t, c, cmd); got != want {
			t.Errorf("%s: %q, want %q", cmd, got, want)
		}
	}
}

// reconfigure and quit answer before they do anything.
func TestMpathdReconfigureAndQuit(t *testing.T) {
	src := &fakeSource{quits: make(chan struct{})}
	c := dial(t, holdMpathd(t, src, 0))
	for _, cmd := range []string{"reconfigure", "reconf all"} {
		if got := ask(t, c, cmd); got != "ok\n" {
			t.Errorf("%s: %q", cmd, got)
		}
	}
	if got := fmt.Sprint(src.reconfigs); got != "[false true]" {
		t.Errorf("reconfigured %s", got)
	}
	if got := ask(t, c, "shutdown"); got != "ok\n" {
		t.Errorf("shutdown: %q", got)
	}
	select {
	case <-src.quits:
	case <-time.After(5 * time.Second):
		t.Error("nobody was told to end")
	}
}

func TestMpathdUsage(t *testing.T) {
	c := dial(t, holdMpathd(t, &fakeSource{}, 0))
	for cmd, want := range map[string]string{
		"": "no command", "#": "no command", "foo": "`foo` is no word", "show path": "`path` wants a parameter", "show": "`show` is no command",
		"show maps topology extra": "`extra` is no word", "x\x1b[2J": "`x\\x1b[2J` is no word",
	} {
		got := ask(t, c, cmd)
		if !strings.HasPrefix(got, "fail\n") || !strings.Contains(got, want) || strings.Contains(got, "\x1b") ||
			!strings.Contains(got, "\n list|show maps|multipaths topology\n") || !strings.Contains(got, "\n setprkey map|multipath $map key $key\n") || !strings.Contains(got, "\nmultipath-tools v0.14.3 (") || strings.Count(got, "\n") != 2+2+61 {
			t.Errorf("%q: %q", cmd, got)
		}
	}
	if got := ask(t, c, "foo maps"); got != "fail\n" {
		t.Errorf("a wrong word before the last: %q", got)
	}
}

func TestMpathdNotRoot(t *testing.T) {
	src := &fakeSource{quits: make(chan struct{})}
	user := dial(t, holdMpathd(t, src, 1000))
	for _, cmd := range []string{"reconfigure", "quit", "shutdown", "getprkey map ocr1", "fail path sda", "add", "paths show"} {
		if got := ask(t, user, cmd); got != "fail\npermission deny: need to be root\n" {
			t.Errorf("%s: %q", cmd, got)
		}
	}
	if len(src.reconfigs)+int(src.commands.Load()) > 0 {
		t.Error("somebody who is not root had something done")
	}
	if got := ask(t, user, "show daemon"); got != "pid 42 idle\n" {
		t.Errorf("%q", got)
	}
}

func TestMpathdHeld(t *testing.T) {
	name := holdMpathd(t, &fakeSource{}, 0)
	_, err := server.HoldMpathd([]string{name}, nil)
	if !errors.Is(err, server.ErrHeld) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("second holder: %v", err)
	}
	var held *server.HeldError
	if !errors.As(err, &held) || held.PID != os.Getpid() || held.Socket != name {
		t.Errorf("who holds it: %+v", held)
	}
	if got := server.Holder(name + "-nobody"); got != "" {
		t.Errorf("holder of nothing: %q", got)
	}
}

// Both sockets answer; the path one has its mode, is taken over from a dead process and
// never from a living one, and then neither is held.
func TestMpathdBothSockets(t *testing.T) {
	path := filepath.Join(filepath.Dir(socketPath(t)), "multipathd.socket")
	abstract := fmt.Sprintf("@pathkeeper-test-%d-both", os.Getpid())
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.HoldMpathd([]string{abstract, path}, nil); !errors.Is(err, server.ErrHeld) {
		t.Fatalf("beside a living one: %v", err)
	}
	if server.Holder(abstract) != "" {
		t.Error("the other socket is held all the same")
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	serveMpathd(t, &fakeSource{name: "ocr1"}, 0, abstract, path)
	for _, name := range []string{abstract, path} {
		if got := ask(t, dial(t, name), "show daemon"); got != "pid 42 idle\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o666 {
		t.Errorf("%s: %v, %v", path, st.Mode(), err)
	}
	odd := filepath.Join(filepath.Dir(path), "odd")
	if err := os.WriteFile(odd, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	one, err := server.HoldMpathd([]string{abstract + "-2", odd}, nil)
	if err != nil || len(one.Missing) != 1 || !strings.Contains(one.Missing[0].Error(), "no socket") {
		t.Fatalf("beside a file in the other's place: %v", err)
	}
	one.Close()
	if _, err := server.HoldMpathd([]string{odd}, nil); err == nil {
		t.Error("no socket at all is enough")
	}
	if got := server.MpathdNames("@x"); len(got) != 1 || got[0] != "@x" {
		t.Errorf("MULTIPATH_SOCKET_NAME=@x: %q", got)
	}
	if got := server.MpathdNames(""); len(got) != 2 {
		t.Errorf("by default: %q", got)
	}
}

func TestMpathdPassedSockets(t *testing.T) {
	name := fmt.Sprintf("@pathkeeper-test-%d-passed", os.Getpid())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	m := server.MpathdOn([]*net.UnixListener{l}, as(0))
	done := make(chan error, 1)
	go func() { done <- m.Serve(&fakeSource{name: "ocr1"}) }()
	if got := ask(t, dial(t, name), "show daemon"); got != "pid 42 idle\n" {
		t.Errorf("%q", got)
	}
	if err := errors.Join(m.Close(), <-done); err != nil {
		t.Error(err)
	}
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("LISTEN_FDS", "2")
	if server.SocketsPassed() {
		t.Error("sockets of another process are taken for ours")
	}
}

func TestMpathdBadFrames(t *testing.T) {
	name := holdMpathd(t, &fakeSource{}, 0)
	for what, send := range map[string][]byte{
		"zero":      binary.NativeEndian.AppendUint64(nil, 0),
		"too long":  append(binary.NativeEndian.AppendUint64(nil, 513), make([]byte, 513)...),
		"enormous":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"http":      []byte("GET / HTTP/1.1\r\n\r\n"),
		"half head": {5, 0, 0},
		"half text": append(binary.NativeEndian.AppendUint64(nil, 12), 's'),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := dial(t, name)
			c.Write(send)
			begun := time.Now()
			if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d, %v", n, err)
			}
			if d := time.Since(begun); d > 6*time.Second {
				t.Error(d)
			}
		})
	}
	t.Run("longest", func(t *testing.T) {
		longest := "show " + strings.Repeat("x", 512-6)
		if got := ask(t, dial(t, name), longest); !strings.HasPrefix(got, "fail\n") {
			t.Errorf("%q", got)
		}
	})
}

// A command that does not come to an end has its reply in time, and the conversation
// goes on.
func TestMpathdTimeout(t *testing.T) {
	if testing.Short() {
		t.Skip("takes uxsock_timeout")
	}
	src := &fakeSource{hang: make(chan struct{})}
	defer close(src.hang)
	c := dial(t, holdMpathd(t, src, 0))
	begun := time.Now()
	if got := ask(t, c, "resize map slow"); got != "fail\ntimeout\n" {
		t.Errorf("%q", got)
	}
	if d := time.Since(begun); d < 3*time.Second || d > 4100*time.Millisecond {
		t.Errorf("answered after %s", d)
	}
	if got := ask(t, c, "show daemon"); got != "pid 42 idle\n" {
		t.Errorf("%q", got)
	}
}

// A bug in an answer costs that answer: the maps keep their manager, and the conversation
// goes on.
func TestMpathdSurvivesABug(t *testing.T) {
	broken := true
	src := &fakeSource{snapshot: func() mpath.Snapshot {
		if broken {
			panic("planted")
		}
		return host()
	}}
	c, err := net.Dial("unix", holdMpathd(t, src, 1000))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 10 { // more than answers are made at once: none keeps its place
		if got := ask(t, c, "show maps"); !strings.HasPrefix(got, "fail\na bug of Pathkeeper's") {
			t.Fatalf("%q", got)
		}
	}
	src.mu.Lock()
	if len(src.bugs) != 10 || !strings.Contains(src.bugs[0], "planted") {
		t.Errorf("told: %q", src.bugs)
	}
	src.mu.Unlock()
	broken = false
	if got := ask(t, c, "show maps"); !strings.Contains(got, "ocr1") {
		t.Errorf("afterwards: %q", got)
	}
}

// blkdeactivate ends queueing only of a daemon that says it is running; scripts wait
// until it is idle.
func TestMpathdRunningWhileAMapHoldsBack(t *testing.T) {
	src := &fakeSource{}
	var queueing bool
	src.snapshot = func() mpath.Snapshot {
		s := host()
		s.Maps[0].Queueing.On = queueing // and has no path
		return s
	}
	c := dial(t, holdMpathd(t, src, 1000))
	for _, tt := range []struct {
		queueing bool
		want     string
	}{{false, "pid 42 idle\n"}, {true, "pid 42 running\n"}} {
		queueing = tt.queueing
		if got := ask(t, c, "show daemon"); got != tt.want {
			t.Errorf("queueing %v: %q, want %q", tt.queueing, got, tt.want)
		}
	}
}

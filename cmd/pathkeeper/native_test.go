package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/pathcheck"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/server"
	"pathkeeper/show"
)

// fakeDaemon answers at a socket with one map and two disks.
type fakeDaemon struct {
	server.Hub
	refuse   string
	commands []mpath.Command
}

func (f *fakeDaemon) Rules() *policy.Compiled          { return nil }
func (f *fakeDaemon) Reconfigure(bool)                 {}
func (f *fakeDaemon) Quit()                            {}
func (f *fakeDaemon) Bug(string)                       {}
func (f *fakeDaemon) BlockDevices() []show.BlockDevice { return nil }

func (f *fakeDaemon) Snapshot() mpath.Snapshot {
	dev := table.DevNum{Major: 8, Minor: 16}
	tab, _ := table.Parse("0 0 1 1 service-time 0 1 1 8:16 1")
	st, _ := table.ParseStatus("2 0 0 0 1 1 A 0 1 2 8:16 A 0 0 1")
	id := mpath.PathID{Dev: dev, Diskseq: 3}
	return mpath.Snapshot{
		Now: 9e9, Started: true,
		Maps: []mpath.MapView{{
			WWID: testWWID, Name: "ocr1", Known: true, Owner: mpath.Owner{UID: 54321, GID: 503, Mode: 0o660},
			Truth: mpath.Truth{
				Name: "ocr1", UUID: "mpath-" + testWWID, Dev: table.DevNum{Major: 253, Minor: 1048575}, Size: 10485760,
				Target: "multipath", Live: true, Table: tab, Status: st,
			},
			Groups: []mpath.GroupView{{Number: 1, Selector: "service-time", Priority: 50, State: table.GroupActive, Current: true, Paths: []mpath.PathID{id}}},
		}},
		Paths: []mpath.PathView{{
			ID: id, Name: "sdb", HCTL: "2:0:0:1", WWID: testWWID, Map: "ocr1", State: pathcheck.StateUp, DevState: "running",
			Priority: 50, InTable: true, Seen: mpath.PathSeen{Identity: scsi.Identity{Vendor: "NETAPP", Model: "LUN"}},
		}, {
			Name: "sda", HCTL: "0:0:0:0", ID: mpath.PathID{Dev: table.DevNum{Major: 8}}, Priority: -1,
			Decision: policy.Decision{Verdict: policy.VerdictReject, Reason: "in use: mounted on /"},
		}},
	}
}

func (f *fakeDaemon) Basis(context.Context) (mpath.Snapshot, mpath.Basis, error) {
	return f.Snapshot(), mpath.Basis{}, nil
}

func (f *fakeDaemon) Status() server.Status {
	return server.Status{Version: version, PID: 1, State: "running"}
}

func (f *fakeDaemon) Plan(context.Context, string) (server.PlanResult, error) {
	return server.PlanResult{}, errors.New("no plan here")
}

func (f *fakeDaemon) Apply(context.Context, mpath.Plan) (mpath.Applied, error) {
	return mpath.Applied{}, errors.New("no apply here")
}

func (f *fakeDaemon) Reload(context.Context) (server.ReloadResult, error) {
	if f.refuse != "" {
		return server.ReloadResult{}, errors.New(f.refuse)
	}
	return server.ReloadResult{Warnings: []string{"/etc/multipath.conf:3:2: selector is path_selector today"}}, nil
}

func (f *fakeDaemon) Command(_ context.Context, c mpath.Command) (mpath.Reply, error) {
	f.commands = append(f.commands, c)
	if f.refuse != "" {
		return mpath.Reply{Code: mpath.ReplyRefused, Text: f.refuse}, nil
	}
	return mpath.Reply{OK: true, Code: mpath.ReplyDone, Text: c.Path + c.Map + ": well"}, nil
}

// Each command line becomes one command; what the core says is the answer.
func TestOperatorCommands(t *testing.T) {
	for line, want := range map[string]mpath.Command{
		"path fail sda":                {Kind: mpath.CommandFailPath, Path: "sda"},
		"path reinstate 8:0":           {Kind: mpath.CommandReinstatePath, Path: "8:0"},
		"path add sda":                 {Kind: mpath.CommandAddPath, Path: "sda"},
		"path remove sda":              {Kind: mpath.CommandRemovePath, Path: "sda"},
		"map add ocr1":                 {Kind: mpath.CommandAddMap, Map: "ocr1"},
		"map remove ocr1":              {Kind: mpath.CommandRemoveMap, Map: "ocr1"},
		"map remove --deferred ocr1":   {Kind: mpath.CommandRemoveMap, Map: "ocr1", Arg: "deferred"},
		"map remove-unused":            {Kind: mpath.CommandRemoveUnused},
		"map resize ocr1":              {Kind: mpath.CommandResizeMap, Map: "ocr1"},
		"map resize ocr1 --force":      {Kind: mpath.CommandResizeMap, Map: "ocr1", Force: true},
		"map reload ocr1":              {Kind: mpath.CommandReloadMap, Map: "ocr1"},
		"map rename ocr1":              {Kind: mpath.CommandRenameMap, Map: "ocr1"},
		"map suspend ocr1":             {Kind: mpath.CommandSuspendMap, Map: "ocr1"},
		"map resume ocr1":              {Kind: mpath.CommandResumeMap, Map: "ocr1"},
		"map switch ocr1 2":            {Kind: mpath.CommandSwitchGroup, Map: "ocr1", Arg: "2"},
		"map disable-queueing ocr1":    {Kind: mpath.CommandDisableQueueing, Map: "ocr1"},
		"map restore-queueing --all":   {Kind: mpath.CommandRestoreQueueing},
		"map reset-counts --all":       {Kind: mpath.CommandResetStats},
		"map restore-queueing":         {},
		"map restore-queueing a --all": {},
		"map switch ocr1":              {},
		"path fail":                    {},
		"path explode sda":             {},
	} {
		f := &fakeDaemon{}
		out, talk, code := runNative(append([]string{"--socket", startFake(t, f)}, strings.Fields(line)...)...)
		if want == (mpath.Command{}) {
			if code != exitUsage || len(f.commands) > 0 || talk == "" {
				t.Errorf("%s: exit %d, %q, %v", line, code, talk, f.commands)
			}
			continue
		}
		if code != exitDone || out != "" || !strings.Contains(talk, "well") || len(f.commands) != 1 || f.commands[0] != want {
			t.Errorf("%s: exit %d, %q, %v", line, code, talk, f.commands)
		}
	}
	f := &fakeDaemon{refuse: "ocr1: open 1 times"}
	if _, talk, code := runNative("--socket", startFake(t, f), "map", "remove", "ocr1"); code != exitError || !strings.Contains(talk, "open 1 times") {
		t.Errorf("refused: %d %q", code, talk)
	}
	if _, talk, code := runNative("--socket", "/nonexistent/s", "map", "remove", "ocr1"); code != exitError || !strings.Contains(talk, "not running") {
		t.Errorf("no daemon: %d %q", code, talk)
	}
}

func startFake(t *testing.T, f *fakeDaemon) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "run", "s")
	a, err := server.New(f, server.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(a.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return path
}

func runNative(args ...string) (out, talk string, code int) {
	var o, e bytes.Buffer
	code = nativeMain(args, streams{&o, &e})
	return o.String(), e.String(), code
}

func TestShowFromDaemon(t *testing.T) {
	socket := startFake(t, &fakeDaemon{})
	const topology = "ocr1 (" + testWWID + ") dm-1048575 NETAPP,LUN\n" +
		"size=5.0G features='0' hwhandler='0' wp=rw\n" +
		"`-+- policy='service-time 0' prio=50 status=active\n" +
		"  `- 2:0:0:1 sdb 8:16 active ready running\n"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"show", "topology"}, topology},
		{[]string{"list", "topology", "ocr1"}, topology},
		{[]string{"show", "topology", "/dev/sdb"}, topology},
		{[]string{"show", "maps"}, "name sysfs      size paths state  queueing owner-wanted   owner wwid                              note\n" +
			"ocr1 dm-1048575 5.0G 1/1   active off      54321:503,0660 -     3600a0980000000000000000000000001\n"},
		{[]string{"show", "paths"}, "dev hctl    dev_t map  dm     checker device  prio note\nsdb 2:0:0:1 8:16  ocr1 active ready   running 50\n"},
		{[]string{"show", "paths", "--all"}, "dev hctl    dev_t map    dm     checker device  prio note\n" +
			"sda 0:0:0:0 8:0   (none) -      -       -       -    in use: mounted on /\n" +
			"sdb 2:0:0:1 8:16  ocr1   active ready   running 50\n"},
	} {
		out, talk, code := runNative(append([]string{"--socket", socket}, c.args...)...)
		if d := cmp.Diff(c.want, out); d != "" || talk != "" || code != exitDone {
			t.Errorf("%v: exit %d, %q\n%s", c.args, code, talk, d)
		}
	}
	for args, paths := range map[string]int{"show paths --json": 1, "show paths --json --all": 2} {
		out, _, _ := runNative(append([]string{"--socket", socket}, strings.Fields(args)...)...)
		var d show.Document
		if err := json.Unmarshal([]byte(out), &d); err != nil || d.Paths == nil || len(*d.Paths) != paths {
			t.Errorf("%s: %v %s", args, err, out)
		}
	}
	_, talk, code := runNative("--socket", socket, "show", "maps", "nothing")
	if code != exitError || strings.Count(talk, "\n") != 1 || !strings.Contains(talk, "no map and no path") {
		t.Errorf("no such map: %d %q", code, talk)
	}
}

func TestReloadCommand(t *testing.T) {
	f := &fakeDaemon{}
	socket := startFake(t, f)
	out, talk, code := runNative("--socket", socket, "reload")
	if os.Geteuid() != 0 {
		if code != exitError || !strings.Contains(talk, "needs root") {
			t.Errorf("%d %q", code, talk)
		}
		return
	}
	if out != "" || code != exitDone || talk != "/etc/multipath.conf:3:2: selector is path_selector today\n" {
		t.Errorf("%d %q %q", code, out, talk)
	}
	f.refuse = "/etc/multipath.conf:7:3: no such keyword\nthe old one stays"
	_, talk, code = runNative("--socket", socket, "reload")
	if code != exitError || !strings.Contains(talk, "conf:7:3") || strings.Count(talk, "\n") != 1 {
		t.Errorf("%d %q", code, talk)
	}
}

func TestParseMultipath(t *testing.T) {
	for in, want := range map[string]multipathOptions{
		"":                  {level: 2},
		"-ll":               {task: taskListLong, level: 2},
		"-l":                {task: taskList, level: 2},
		"-l ocr1":           {task: taskList, level: 2, name: "ocr1"},
		"-v1 -ll":           {task: taskListLong, level: 1},
		"-ll -v 1 mpatha x": {task: taskListLong, level: 1, name: "mpatha"},
		"-ll -- -odd":       {task: taskListLong, level: 2, name: "-odd"},
		"-f x":              {task: taskFlush, level: 2, name: "x"},
		"-F -R3 -q":         {task: taskFlushAll, level: 2, retries: 3, retried: true, queueing: true},
		"-p multibus -d":    {task: taskDry, level: 2, grouping: "multibus"},
		"-dll":              {task: taskListLong, level: 2},
		"-riBDM /x":         {level: 2, reload: true, ignore: true, readNames: true, alone: true},
		"-u sda":            {task: taskValid, level: 2, udev: true, name: "sda"},
		"-U":                {task: taskUsable, level: 2, udev: true},
		"ocr1 -h -Z":        {level: 2, help: true},
		"-v3 -t -v":         {level: 3, dump: true},
	} {
		got, err := parseMultipath(strings.Fields(in))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v, want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"-f": "-f wants the map", "-c": "-c wants", "-C": "-C wants", "-a": "-a wants", "-w": "-w wants", "-v x": "-v wants a number", "-R -1": "-R wants a number",
		"-p fastest": "-p wants one of failover", "-Z": "no option -Z", "-v": "-v wants a value",
	} {
		if o, err := parseMultipath(strings.Fields(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v %v, want %s", in, o, err, want)
		}
	}
	// getopt gives -l all that is joined to it.
	if o, err := parseMultipath([]string{"-llv1"}); err != nil || o.task != taskListLong || o.level != 2 || len(o.talk) != 1 {
		t.Errorf("-llv1: %+v %v", o, err)
	}
}

func TestParseScsiID(t *testing.T) {
	for in, want := range map[string]scsiIDOptions{
		"-g -u -s /block/sda":                         {device: "/dev/sda", whitelisted: true, underscores: true},
		"--whitelisted --device=/dev/sda":             {device: "/dev/sda", whitelisted: true},
		"--whitelisted --replace-whitespace /dev/sdb": {device: "/dev/sdb", whitelisted: true, underscores: true},
		"-gxd /dev/sda":                               {device: "/dev/sda", whitelisted: true, export: true},
		"-gud/dev/sda -p0x80":                         {device: "/dev/sda", whitelisted: true, underscores: true, page: scsi.ScsiIDPage80},
		"-g --page-code pre-spc3-83 -s 4 /dev/sda":    {device: "/dev/sda", whitelisted: true, page: scsi.ScsiIDPreSPC3},
		"-g -- /dev/sda":                              {device: "/dev/sda", whitelisted: true},
		"-g -b /dev/sda":                              {device: "/dev/sda"},
	} {
		got, err := parseScsiID(strings.Fields(in))
		if err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"-s", "-s 5", "--device", "--export=1", "-q", "-p 1"} {
		if o, err := parseScsiID(strings.Fields(in)); err == nil {
			t.Errorf("%s: %+v", in, o)
		}
	}
}

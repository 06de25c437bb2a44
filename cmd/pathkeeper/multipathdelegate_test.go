package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// patient is a machine on which waiting takes no time.
type patient struct {
	machine
	waited *time.Duration
}

func (p patient) sleep(d time.Duration) { *p.waited += d }

// playedDaemon answers from a play: of several answers to one command each is given
// once, the last one from then on.
type playedDaemon struct {
	t     *testing.T
	play  map[string][]string
	asked []string
}

func (d *playedDaemon) Close() {}

func (d *playedDaemon) ask(command string) (string, error) {
	d.asked = append(d.asked, command)
	list := d.play[command]
	if len(list) == 0 {
		d.t.Errorf("nobody expects %q", command)
		return "fail\n", nil
	}
	if len(list) > 1 {
		d.play[command] = list[1:]
	}
	return list[0], nil
}

const listCommand = `show maps raw format "%2|%n|%w"`

// What a daemon, ours or Debian's, was asked to do is waited for, and what it changed is
// printed with the word for it.
func TestDelegateMake(t *testing.T) {
	d := &playedDaemon{t: t, play: map[string][]string{
		listCommand:               {"0|a|W1\n2|b|W2\n5|c|W 3\n", "0|a|W1\n2|b|W2\n5|c|W 3\n", "1|a|W1\n2|b|W2\n5|C|W 3\n1|d|W4\n"},
		"reconfigure":             {"ok\n"},
		"show daemon":             {"pid 7 configure\n", "pid 7 idle (pending reconfigure)\n", "pid 7 idle\n"},
		"show map W1 topology":    {"reload: a (W1) dm-0 V,P\nsize=1.0G\n"},
		`show map "W 3" topology`: {"\x1b[1mC (W 3) dm-2 V,P\x1b[0m\nsize=1.0G\n"},
		"show map W4 topology":    {"d (W4) dm-3 V,P\nsize=1.0G\n"},
	}}
	var out, talk bytes.Buffer
	waited := time.Duration(0)
	r := &multipathRun{multipathOptions: multipathOptions{level: 2}, on: patient{waited: &waited}, std: streams{&out, &talk}}
	ok, err := r.delegateMake(context.Background(), d)
	want := "reload: a (W1) dm-0 V,P\nsize=1.0G\nrename: C (W 3) dm-2 V,P\nsize=1.0G\ncreate: d (W4) dm-3 V,P\nsize=1.0G\n"
	if !ok || err != nil || out.String() != want || talk.Len() > 0 {
		t.Errorf("%v %v, %q, %q; want %q", ok, err, out.String(), talk.String(), want)
	}
	if waited < 6*settleTurn || waited > 12*settleTurn {
		t.Errorf("it was waited %s", waited)
	}
	if !slices.Contains(d.asked, "reconfigure") {
		t.Errorf("asked %q", d.asked)
	}
}

// A daemon that never comes to rest is not waited for without end.
func TestDelegateMakeNeverSettles(t *testing.T) {
	d := &playedDaemon{t: t, play: map[string][]string{listCommand: {"0|a|W1\n"}, "reconfigure": {"ok\n"}, "show daemon": {"pid 7 configure\n"}}}
	var out, talk bytes.Buffer
	waited := time.Duration(0)
	r := &multipathRun{multipathOptions: multipathOptions{level: 2}, on: patient{waited: &waited}, std: streams{&out, &talk}}
	if ok, err := r.delegateMake(context.Background(), d); !ok || err != nil || out.Len() > 0 || !strings.Contains(talk.String(), "still at it") || waited != settleLimit {
		t.Errorf("%v %v, %q, %q after %s", ok, err, out.String(), talk.String(), waited)
	}
}

func TestDelegateFlush(t *testing.T) {
	for _, c := range []struct {
		o       multipathOptions
		command string
		replies []string
		ok      bool
		talk    string
		asked   int
	}{
		{multipathOptions{task: taskFlush, name: "/dev/mapper/a"}, "del map a", []string{"ok\n"}, true, "", 1},
		{multipathOptions{task: taskFlush, name: "odd name"}, `del map "odd name"`, []string{"ok\n"}, true, "", 1},
		{multipathOptions{task: taskFlush, name: "a", retries: 3}, "del map a", []string{"fail\nmap or partition in use\n", "fail\n", "ok\n"}, true, "", 3},
		{multipathOptions{task: taskFlush, name: "a", retries: 1}, "del map a", []string{"fail\nmap or partition in use\n"}, false, "in use", 2},
		{multipathOptions{task: taskFlush, name: "a", retries: 9}, "del map a", []string{"fail\ndevice not found\n"}, false, "device not found", 1},
		{multipathOptions{task: taskFlushAll}, "del maps", []string{"fail\n"}, false, "only says that it failed", 1},
	} {
		d := &playedDaemon{t: t, play: map[string][]string{c.command: c.replies}}
		var out, talk bytes.Buffer
		waited := time.Duration(0)
		r := &multipathRun{multipathOptions: c.o, on: patient{waited: &waited}, std: streams{&out, &talk}}
		ok, err := r.delegateFlush(d)
		if ok != c.ok || err != nil || !strings.Contains(talk.String(), c.talk) || len(d.asked) != c.asked || out.Len() > 0 {
			t.Errorf("%+v: %v %v, %q, asked %d times", c.o, ok, err, talk.String(), len(d.asked))
		}
	}
}

func TestWithoutBold(t *testing.T) {
	var out bytes.Buffer
	if have := withoutBold("\x1b[1ma\x1b[0m b\x1b[31;1mc \x1b[2J", &out); have != "a bc \x1b[2J" {
		t.Errorf("have %q", have)
	}
}

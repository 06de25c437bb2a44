package server_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/server"
)

// Only root learns reservation keys.
func TestKeysAreRootsAlone(t *testing.T) {
	secret := func() mpath.Snapshot {
		s := host()
		s.Maps[0].Reservation.Key.Key = 0xfeedbeef
		s.Maps[0].Settings.ReservationKey.V = "0xfeedbeef"
		s.Paths[0].Decision.Settings.ReservationKey.V = "0xfeedbeef"
		return s
	}
	for uid, want := range map[uint32]bool{0: true, 1000: false} {
		path := start(t, &fakeSource{snapshot: secret}, server.Options{Cred: as(uid)})
		s, _, err := server.NewClient(path).Snapshot(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Maps) != 2 || len(s.Paths) != 2 {
			t.Errorf("uid %d: %d maps, %d paths", uid, len(s.Maps), len(s.Paths))
		}
		if got := strings.Contains(string(text), "0xfeedbeef") || strings.Contains(string(text), "4276993775"); got != want {
			t.Errorf("uid %d: told %v, want %v", uid, got, want)
		}
	}
}

// The configuration that multipathd's socket shows to everybody has none either.
func TestKeysOfTheConfiguration(t *testing.T) {
	src := &fakeSource{snapshot: host, rules: rulesOf(t, "defaults {\n reservation_key 0xfeedbee1\n}\nmultipaths {\n multipath {\n  wwid "+host().Maps[0].WWID+"\n  reservation_key 0xfeedbee2\n }\n}\n")}
	for uid, want := range map[uint32]string{0: "feedbee", 1000: "hidden"} {
		t.Run(want, func(t *testing.T) {
			c := dial(t, holdMpathd(t, src, uid))
			for cmd, n := range map[string]int{"show config": 2, "show config local": 1} {
				got := ask(t, c, cmd)
				if strings.Count(got, want) != n || uid != 0 && strings.Contains(got, "feedbee") {
					t.Errorf("%s: want %s %d times:\n%s", cmd, want, n, got)
				}
			}
		})
	}
	if got := src.rules.Config().Defaults; len(got) != 1 || got[0].Value != "0xfeedbee1" {
		t.Errorf("the configuration in force has %v", got)
	}
}

package sim

import (
	"strings"
	"testing"

	"pathkeeper/mpath"
)

// A path that an operator calls flaky gets a group of its own at once, used last,
// where marginal_pathgroups is on, whatever failback says; and comes back when he takes
// it back.
func TestCommandMarginal(t *testing.T) {
	r := newRig(t, 131, plain+"defaults {\n marginal_pathgroups on\n}\n")
	l, _ := r.alua("one")
	r.start(10 * second)
	a := r.write(r.mapNamed("mpatha"), l, 50*mpath.Millisecond)
	set := mpath.Command{Kind: mpath.CommandSetMarginal, Path: "sda"}
	r.ask(set, mpath.ReplyDone)
	r.wantGroups("mpatha", "[sdb] | sdc sdd | sda")
	r.ask(set, mpath.ReplyAlready)
	r.run(5 * mpath.Minute)
	r.wantGroups("mpatha", "[sdb] | sdc sdd | sda")
	r.ask(mpath.Command{Kind: mpath.CommandUnsetMarginal, Map: "mpatha"}, mpath.ReplyDone)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	r.ask(mpath.Command{Kind: mpath.CommandUnsetMarginal, Path: "sda"}, mpath.ReplyAlready)
	r.ask(mpath.Command{Kind: mpath.CommandSetMarginal, Path: "sdz"}, mpath.ReplyNotFound)
	if len(a.errors) > 0 {
		r.fail("I/O errors: %v", a.errors)
	}
	r.wantSound()
}

// Without marginal_pathgroups the word is noted and shown, and no table is loaded.
func TestCommandMarginalOff(t *testing.T) {
	r := newRig(t, 132, plain)
	r.alua("one")
	r.start(10 * second)
	r.ask(mpath.Command{Kind: mpath.CommandSetMarginal, Path: "sda"}, mpath.ReplyDone, "off")
	r.run(10 * second)
	r.wantGroups("mpatha", "[sda sdb] | sdc sdd")
	for _, p := range r.d.Snapshot().Paths {
		if p.Marginal != (p.Name == "sda") {
			r.fail("%s: marginal %v", p.Name, p.Marginal)
		}
	}
	r.wantSound()
}

// Keys go into the prkeys file, durably and one line a LUN; a key counts where the
// configuration says `file`. States are what those who make reservations say.
func TestCommandReservations(t *testing.T) {
	r := newRig(t, 133, plain+"defaults {\n reservation_key file\n}\n")
	r.alua("one")
	r.start(10 * second)
	want := func(status, hold mpath.PRState, key string) {
		r.Helper()
		if v := r.mapView("mpatha").Reservation; v.Status != status || v.Hold != hold || v.Key.String() != key {
			r.fail("status %s hold %s key %s, want %s %s %s", v.Status, v.Hold, v.Key, status, hold, key)
		}
	}
	ask := func(k mpath.CommandKind, arg string, code mpath.ReplyCode) {
		r.Helper()
		r.ask(mpath.Command{Kind: k, Map: "mpatha", Arg: arg}, code)
	}
	want(mpath.PRUnset, mpath.PRUnset, "none")
	ask(mpath.CommandSetPRKey, "0x123abc:aptpl", mpath.ReplyDone)
	want(mpath.PRUnknown, mpath.PRUnknown, "0x123abc:aptpl")
	for _, bad := range []string{"", "0", "0x", "0x11223344556677889", "12:apt", "xyz"} {
		ask(mpath.CommandSetPRKey, bad, mpath.ReplyRefused)
	}
	if got := r.w.Files.Text("/etc/multipath/prkeys"); !strings.Contains(got, "0X0000000000123abc "+r.mapView("mpatha").WWID+"\n") {
		r.fail("prkeys: %q", got)
	}
	ask(mpath.CommandSetPRStatus, "sda,sdb", mpath.ReplyDone)
	ask(mpath.CommandSetPRStatus, "sda,sdz", mpath.ReplyNotFound)
	ask(mpath.CommandSetPRHold, "", mpath.ReplyDone)
	want(mpath.PRSet, mpath.PRSet, "0x123abc:aptpl")
	for _, p := range r.d.Snapshot().Paths {
		if p.Registered != (p.Name == "sda" || p.Name == "sdb") {
			r.fail("%s: registered %v", p.Name, p.Registered)
		}
	}
	ask(mpath.CommandUnsetPRStatus, "", mpath.ReplyDone)
	want(mpath.PRUnset, mpath.PRUnset, "0x123abc:aptpl")
	r.d.Kill()
	r.start(10 * second)
	want(mpath.PRUnknown, mpath.PRUnknown, "0x123abc:aptpl")
	ask(mpath.CommandUnsetPRKey, "", mpath.ReplyDone)
	want(mpath.PRUnset, mpath.PRUnset, "none")
	r.wantSound()
}

package sim

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
)

// twin is a machine with two FC hosts on two fabrics, and an array with a port
// of each of two controllers on each.
func twin(t *testing.T, transport Transport) (*World, *LUN, []*HBA, []*Port) {
	t.Helper()
	w := New(1)
	l := w.AddLUN(LUN{Name: "one"})
	a := w.AddArray("array")
	var hosts []*HBA
	var ports []*Port
	for i, name := range []string{"left", "right"} {
		f := w.AddFabric(name)
		hosts = append(hosts, w.AddHBA(HBA{Number: uint32(i + 1), Transport: transport, Fabric: f, FastIOFail: 5 * second}))
		ports = append(ports, a.AddPort(Port{TPG: 1, Fabric: f}), a.AddPort(Port{TPG: 2, Fabric: f}))
	}
	for _, p := range ports {
		l.Export(p, 7)
	}
	return w, l, hosts, ports
}

func names(ds []*Disk) string {
	var out []string
	for _, d := range ds {
		out = append(out, d.Name+"="+d.HCTL())
	}
	return strings.Join(out, " ")
}

func TestScanFindsEveryMappedLUN(t *testing.T) {
	w, l, hosts, ports := twin(t, FibreChannel)
	if got, want := names(w.ScanAll()), "sda=1:0:0:7 sdb=1:0:1:7 sdc=2:0:0:7 sdd=2:0:1:7"; got != want {
		t.Fatalf("found %s, want %s", got, want)
	}
	if again := w.ScanAll(); len(again) > 0 {
		t.Errorf("found again: %s", names(again))
	}
	// Deleted and found again: the same name and number, another diskseq.
	d := w.Disk("sdb")
	seq := d.Diskseq
	d.Delete()
	if got := names(hosts[0].Scan()); got != "sdb=1:0:1:7" || w.Disk("sdb").Diskseq <= seq || w.Disk("sdb").Minor != d.Minor {
		t.Errorf("found again as %s, diskseq %d after %d", got, w.Disk("sdb").Diskseq, seq)
	}
	// A deleted disk that is held keeps its number; its name goes to nobody else.
	id, _, errno := Block{w}.Hold("sdb")
	if errno != 0 {
		t.Fatal(errno)
	}
	w.Disk("sdb").Delete()
	if got := names(hosts[0].Scan()); got != "sde=1:0:1:7" {
		t.Errorf("found as %s while sdb is held", got)
	}
	Block{w}.Release(id)
	two := w.AddLUN(LUN{Name: "two"})
	two.Export(ports[0], 8)
	if err := (Tree{w}).WriteAttr("class/scsi_host/host1/scan", "- - 9"); err != nil || w.Disk("sdb") != nil {
		t.Errorf("scan for another LUN: %v", err)
	}
	if err := (Tree{w}).WriteAttr("class/scsi_host/host1/scan", "- - -"); err != nil || w.Disk("sdb") == nil || w.Disk("sdb").LUN() != two {
		t.Errorf("scan: %v, %s", err, names(w.Disks()))
	}
	if err := (Tree{w}).WriteAttr("class/scsi_host/host1/scan", "all"); !errors.Is(err, errInvalid) {
		t.Errorf("nonsense: %v", err)
	}
	// Withdrawn: the disk stays and says that there is no such unit.
	l.Withdraw(ports[1])
	if s := sendTUR(w, "sde"); s.asc != 0x25 {
		t.Errorf("after the withdrawal: %+v", s)
	}
}

// sendTUR sends TEST UNIT READY and gives the sense.
func sendTUR(w *World, disk string) sense {
	r := SCSI{w}.Do(disk, scsi.Request{CDB: make([]byte, 6), TimeoutMS: 1000})
	if len(r.Sense) < 14 {
		return sense{}
	}
	return sense{r.Sense[2], r.Sense[12], r.Sense[13]}
}

func TestCutsTakeAllTheirPaths(t *testing.T) {
	for _, tc := range []struct {
		what string
		cut  func(*HBA, *Port)
		mend func(*HBA, *Port)
		want string
	}{
		{"host", func(h *HBA, _ *Port) { h.Cut() }, func(h *HBA, _ *Port) { h.Mend() }, "sda sdb"},
		{"port", func(_ *HBA, p *Port) { p.Cut() }, func(_ *HBA, p *Port) { p.Mend() }, "sda"},
		{"fabric", func(h *HBA, _ *Port) { h.Fabric.Cut() }, func(h *HBA, _ *Port) { h.Fabric.Mend() }, "sda sdb"},
	} {
		for _, transport := range []Transport{Unspecified, FibreChannel, ISCSI} {
			w, _, hosts, ports := twin(t, transport)
			w.ScanAll()
			var events []string
			w.Listen(func(e Uevent) { events = append(events, e.Action+" "+e.Name) })
			state := func(want string) {
				t.Helper()
				var hit []string
				for _, d := range w.Disks() {
					if transport == Unspecified && !d.reachable() || transport != Unspecified && d.State == want {
						hit = append(hit, d.Name)
					}
				}
				if got := strings.Join(hit, " "); got != tc.want {
					t.Errorf("%s of %d: %s: %s, want %s", tc.what, transport, want, got, tc.want)
				}
			}
			tc.cut(hosts[0], ports[0])
			state("blocked")
			if transport != Unspecified {
				w.Run(hosts[0].FastIOFail + second)
				state("transport-offline")
			}
			tc.mend(hosts[0], ports[0])
			w.Run(second)
			if n := len(slices.DeleteFunc(w.Disks(), (*Disk).reachable)); n > 0 {
				t.Errorf("%s of %d: %d paths do not come back", tc.what, transport, n)
			}
			if len(events) > 0 { // a change of `state` sends none
				t.Errorf("%s of %d: events %q", tc.what, transport, events)
			}
		}
	}
}

// After dev_loss_tmo FC takes the disks away; a remote port that comes back is
// scanned, and they have new names and sequence numbers.
func TestDevLoss(t *testing.T) {
	w, _, hosts, _ := twin(t, FibreChannel)
	w.ScanAll()
	seq := w.Disk("sda").Diskseq
	tree := Tree{w}
	if err := tree.WriteAttr("class/fc_remote_ports/rport-1:0-0/fast_io_fail_tmo", "90"); !errors.Is(err, errInvalid) {
		t.Errorf("a fast_io_fail_tmo above dev_loss_tmo: %v", err)
	}
	for _, port := range []string{"rport-1:0-0", "rport-1:0-1"} { // each has its own
		if err := tree.WriteAttr("class/fc_remote_ports/"+port+"/dev_loss_tmo", "20"); err != nil {
			t.Error(err)
		}
	}
	hosts[0].Cut()
	w.Run(21 * second)
	if got := names(w.Disks()); got != "sdc=2:0:0:7 sdd=2:0:1:7" {
		t.Errorf("after dev_loss_tmo: %s", got)
	}
	hosts[0].Mend()
	w.Run(5 * second)
	// Each port is scanned when it is there: either may be first.
	if got := names(w.Disks()); got != "sda=1:0:0:7 sdb=1:0:1:7 sdc=2:0:0:7 sdd=2:0:1:7" && got != "sda=1:0:1:7 sdb=1:0:0:7 sdc=2:0:0:7 sdd=2:0:1:7" || w.Disk("sda").Diskseq <= seq {
		t.Errorf("after the return: %s", got)
	}
}

// Transport and target node, as package sysfs reads them.
func TestTransportInSysfs(t *testing.T) {
	for transport, want := range map[Transport]string{
		Unspecified: sysfs.ProtocolUnspec, FibreChannel: sysfs.ProtocolFC, ISCSI: sysfs.ProtocolISCSI, SAS: sysfs.ProtocolSAS, ATA: sysfs.ProtocolATA,
	} {
		w, _, _, ports := twin(t, transport)
		w.ScanAll()
		var nodes []string
		for _, name := range []string{"sda", "sdb", "sdc"} {
			d, err := sysfs.ReadDisk(Tree{w}, name)
			if err != nil {
				t.Fatalf("%d: %v", transport, err)
			}
			if d.Protocol != want || d.SCSI.AccessState != "active/optimized" || d.Diskseq == 0 || d.SCSI.VPD83 == nil {
				t.Errorf("%d: %+v", transport, d)
			}
			nodes = append(nodes, d.TargetNode)
		}
		switch transport {
		case FibreChannel, ISCSI: // one array, one node, whatever the port
			if nodes[0] != ports[0].Array().NodeName || nodes[0] != nodes[1] || nodes[1] != nodes[2] {
				t.Errorf("%d: nodes %q", transport, nodes)
			}
		case SAS:
			if nodes[0] != ports[0].WWPN() || nodes[1] != ports[1].WWPN() {
				t.Errorf("nodes %q", nodes)
			}
		}
	}
}

// I/O over a cut FC path waits for fast_io_fail_tmo, then goes the other way.
func TestFastIOFail(t *testing.T) {
	r := newRig(t, 5, plain)
	w, l, hosts, _ := twin(t, FibreChannel)
	r.w, r.d = w, NewDaemon(w)
	w.ScanAll()
	r.start(10 * second)
	a := r.write(r.mapNamed("mpatha"), l, 10*mpath.Millisecond)
	r.run(5 * second)
	hosts[0].Cut()
	r.run(20 * second)
	if a.slowest < hosts[0].FastIOFail || a.slowest > hosts[0].FastIOFail+second {
		r.fail("the slowest write took %d ms", a.slowest/mpath.Millisecond)
	}
	hosts[0].Mend()
	r.run(30 * second)
	r.wantSound()
	if n := r.mapNamed("mpatha").live.multipaths()[0].valid(); n != 4 {
		r.fail("%d paths: %s", n, groups(r.mapNamed("mpatha")))
	}
}

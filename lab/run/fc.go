package run

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"pathkeeper/lab/storage"
	"pathkeeper/lab/wire"
)

const fcoe = "/sys/module/libfcoe/parameters/"

// startFC loads what an FC fabric needs, once in a guest.
func (s *session) startFC() error {
	return s.sh(30*time.Second, "for m in libfcoe fcoe tcm_fc; do modprobe $m; done")
}

// plugFC makes the fabric of a port unless it is there: a veth pair with an FCoE
// port at either end. The link stays down: libfcoe takes frames before a new port
// is whole, and one from the other end would be its end (an oops in
// fcoe_ctlr_vn_recv, 6.1).
func (s *session) plugFC(port string) (fresh bool, err error) {
	initiator, target := storage.InitiatorLink(port), storage.TargetLink(port)
	entries, err := s.guest.Look("/sys/class/net/" + initiator)
	if err != nil || len(entries) > 0 {
		return false, err
	}
	script := fmt.Sprintf("ip link add %s mtu 3000 address %s type veth peer name %s mtu 3000 address %s\n",
		initiator, storage.InitiatorMAC(port), target, storage.TargetMAC(port))
	for _, end := range []string{target, initiator} {
		script += "echo " + end + " > " + fcoe + "create_vn2vn\n"
	}
	return true, s.sh(30*time.Second, script)
}

// losesWrites is a filter of a target's network link: it drops FCP_CMND (R_CTL 6)
// of commands that write (WRDATA in byte 11 of the IU). Offsets are from the
// network header: 14 bytes of FCoE, 24 of FC.
const losesWrites = "protocol 0x8906 u32 match u8 6 0xff at 14 match u8 1 1 at 49 action drop"

// idleTarget prints "idle" when all writes in flight are among the lost ones: $1
// is the target's link, $2 the initiator's.
const idleTarget = `lost=$(tc -s filter show dev $1 ingress | sed -n 's/.*(dropped \([0-9]*\),.*/\1/p')
cat /sys/class/net/$2/ctlr_*/host*/rport-*/target*/*/block/*/inflight 2>/dev/null |
	awk -v lost=${lost:-0} '{ writes += $2 } END { print (lost >= writes ? "idle" : "busy"), lost, writes+0 }'`

// cableFC pulls a port's cable, or plugs it: the initiator's link goes with the
// target's. A target that waits for a write's data when the link goes waits for
// ever, and with it libfc's one work queue (tcm_fc's ft_recv_seq, 6.1): so the
// writes are lost on the wire first.
func (s *session) cableFC(port string, out bool) error {
	initiator, target := storage.InitiatorLink(port), storage.TargetLink(port)
	if !out {
		return s.sh(20*time.Second, "tc qdisc del dev "+target+" clsact 2>/dev/null || true\nip link set "+target+" up")
	}
	if err := s.sh(20*time.Second, "tc qdisc replace dev "+target+" clsact\ntc filter replace dev "+target+" ingress "+losesWrites); err != nil {
		return err
	}
	if _, err := s.guest.Wait(wire.Wait{Argv: []string{"sh", "-c", idleTarget, "sh", target, initiator}, Match: "^idle"}, 10*time.Second); err != nil {
		return fmt.Errorf("the target of port %s has writes whose data does not come: %w", port, err)
	}
	return s.sh(20*time.Second, "ip link set "+target+" down")
}

// connectFC brings a new fabric up, and waits until the host has the LUN.
func (s *session) connectFC(l *storage.LUN, port string, fresh bool) error {
	entries, err := s.guest.Look("/sys/class/net/" + storage.InitiatorLink(port) + "/ctlr_*/host*")
	if err != nil {
		return err
	}
	if len(entries) != 1 {
		return fmt.Errorf("the interface %s has %d FC hosts, want one: did create_vn2vn work?", storage.InitiatorLink(port), len(entries))
	}
	// An initiator gives its only target the id 0, and keeps it for that WWPN.
	s.address[l.Name+" "+port] = strings.TrimPrefix(filepath.Base(entries[0].Path), "host") + ":0:0"
	if !fresh {
		return s.scan(l, port)
	}
	if err := s.sh(20*time.Second, "ip link set "+storage.InitiatorLink(port)+" up"); err != nil {
		return err
	}
	if err := s.cableFC(port, false); err != nil {
		return err
	}
	hctl, err := s.hctl(l, port)
	if err != nil {
		return err
	}
	if err := s.waitDisk(hctl); err != nil { // the transport scans by itself, 2-3 s after the link is up
		return fmt.Errorf("port %s, target %s: %w", port, storage.TargetWWPN(port), err)
	}
	return nil
}

// removeFC takes a LUN's disks from its FC hosts, and the hosts of ports that
// only this LUN uses; dropFC then takes those ports' fabrics.
func (s *session) removeFC(l *storage.LUN) error {
	for _, p := range l.Ports {
		hctl, err := s.hctl(l, p)
		if err != nil {
			continue // never came up
		}
		if err := s.guest.Do(wire.Step{Write: "/sys/bus/scsi/devices/" + hctl + "/delete", Data: []byte("1"), Maybe: true}); err != nil {
			return err
		}
		if s.array.Shared(l, p) {
			continue
		}
		if err := s.sh(30*time.Second, "echo "+storage.InitiatorLink(p)+" > "+fcoe+"destroy"); err != nil {
			return err
		}
	}
	return nil
}

// dropFC removes the fabrics of ports that no LUN uses any more.
func (s *session) dropFC(ports []string) error {
	for _, p := range ports {
		if s.array.OnFC(p) {
			continue
		}
		script := "echo " + storage.TargetLink(p) + " > " + fcoe + "destroy\nip link del " + storage.TargetLink(p)
		if err := s.sh(30*time.Second, script); err != nil {
			return err
		}
	}
	return nil
}

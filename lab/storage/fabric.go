package storage

import (
	"fmt"
	"path"
	"slices"

	"pathkeeper/lab/wire"
)

// loopDigits are the nine digits of a loop target's NAA: the port's name in
// ASCII and the LUN's number, so that a human finds A1 of LUN 2 as 004131002.
func (l *LUN) loopDigits(port string) string {
	return fmt.Sprintf("%06s%03x", fmt.Sprintf("%x", port), l.Number)
}

// loopName is the target's directory: NAA 5 with LIO's company id.
func (l *LUN) loopName(port string) string { return "naa.5001405" + l.loopDigits(port) }

// IQN is the name of an iSCSI port's target.
func IQN(port string) string { return "iqn.2026-01.lab.pathkeeper:" + port }

// dir is the portal group of a LUN on a port.
func (l *LUN) dir(port string) string {
	switch l.Via {
	case ISCSI:
		return Target + "/iscsi/" + IQN(port) + "/tpgt_1"
	case FC:
		return Target + "/fc/" + colons(wwpn(port, fcTarget)) + "/tpgt_1"
	}
	return Target + "/loopback/" + l.loopName(port) + "/tpgt_1"
}

// slot is the LUN directory in which a backstore is linked.
func (l *LUN) slot(port string) string {
	if l.Via != Loop {
		return fmt.Sprintf("%s/lun/lun_%d", l.dir(port), l.Number)
	}
	return l.dir(port) + "/lun/lun_0"
}

// Portal is the address of an iSCSI port: each port its own on loopback.
func (a *Array) Portal(port string) string {
	n := 0
	for _, c := range []byte(port) {
		n = n*31 + int(c)
	}
	return fmt.Sprintf("127.0.%d.%d:3260", 1+n/250%250, 1+n%250)
}

// makePort makes what the LUN needs on a port before it can be linked.
func (a *Array) makePort(l *LUN, port string) []wire.Step {
	switch l.Via {
	case FC:
		return []wire.Step{{Mkdir: l.dir(port)}, {Mkdir: l.acl(port)}}
	case ISCSI:
		if a.Shared(l, port) {
			return nil
		}
		dir := l.dir(port)
		return []wire.Step{
			{Mkdir: dir},
			{Mkdir: dir + "/np/" + a.Portal(port)},
			write(dir+"/attrib/authentication", "0"),
			write(dir+"/attrib/generate_node_acls", "1"),
			write(dir+"/attrib/demo_mode_write_protect", "0"),
			write(dir+"/attrib/cache_dynamic_acls", "1"),
			write(dir+"/enable", "1"),
		}
	}
	return []wire.Step{
		{Mkdir: l.dir(port)},
		write(l.dir(port)+"/nexus", "naa.6001405"+l.loopDigits(port)),
	}
}

// Shared says whether another LUN of the same transport lives behind a port of l.
func (a *Array) Shared(l *LUN, port string) bool {
	for _, o := range a.luns {
		if o != l && o.Via == l.Via && slices.Contains(o.Ports, port) {
			return true
		}
	}
	return false
}

// dropPort takes down what makePort made.
func (a *Array) dropPort(l *LUN, port string) []wire.Step {
	switch l.Via {
	case FC:
		steps := []wire.Step{{Remove: l.slot(port), Maybe: true}}
		if a.Shared(l, port) {
			return steps
		}
		return append(steps, wire.Step{Remove: l.acl(port)}, wire.Step{Remove: l.dir(port)}, wire.Step{Remove: path.Dir(l.dir(port))})
	case ISCSI:
		steps := []wire.Step{{Remove: l.slot(port), Maybe: true}}
		if a.Shared(l, port) {
			return steps
		}
		return append(steps,
			wire.Step{Remove: l.dir(port) + "/np/" + a.Portal(port), Maybe: true},
			wire.Step{Remove: l.dir(port), Maybe: true},
			wire.Step{Remove: Target + "/iscsi/" + IQN(port), Maybe: true})
	}
	return []wire.Step{
		{Remove: l.slot(port), Maybe: true},
		{Remove: l.dir(port)},
		{Remove: Target + "/loopback/" + l.loopName(port)},
	}
}

// link maps other's backstore in l's place on a port. tcm_loop scans as soon as
// the link is there, before the ALUA group can be set (it is an attribute of
// the linked LUN), and the host would keep the wrong group: so the link is made
// with the cable out, where the scan finds nothing. Scan then shows the LUN.
func (a *Array) link(l *LUN, port string, other *LUN) []wire.Step {
	l.mapped[port] = other.Name
	slot := l.slot(port)
	steps := []wire.Step{{Mkdir: slot}}
	if l.Via == Loop {
		steps = append(steps, l.cable(port, true)...)
	}
	steps = append(steps, wire.Step{Link: slot + "/port", Target: other.core()})
	if g := Group(port); slices.Contains(other.Groups(), g) {
		steps = append(steps, write(slot+"/alua_tg_pt_gp", g))
	}
	if l.Via == Loop && !a.cut[port] {
		steps = append(steps, l.cable(port, false)...)
	}
	if l.Via == FC { // tcm_fc knows no demo mode: the initiator's port must be told each LUN
		steps = append(steps, wire.Step{Mkdir: l.mappedLUN(port)}, wire.Step{Link: l.mappedLUN(port) + "/lun", Target: slot})
	}
	return steps
}

func (a *Array) unlink(l *LUN, port string) []wire.Step {
	delete(l.mapped, port)
	var steps []wire.Step
	if l.Via == FC {
		steps = []wire.Step{{Remove: l.mappedLUN(port) + "/lun"}, {Remove: l.mappedLUN(port)}}
	}
	return append(steps, wire.Step{Remove: l.slot(port) + "/port"})
}

// cable pulls or plugs a port's cable for one LUN. Commands to a loop port
// without it end with DID_TRANSPORT_DISRUPTED, as on a fabric whose link is
// down; an iSCSI port refuses the sessions.
func (l *LUN) cable(port string, out bool) []wire.Step {
	switch l.Via {
	case FC:
		return nil
	case ISCSI:
		state := "1"
		if out {
			state = "0"
		}
		return []wire.Step{write(l.dir(port)+"/enable", state)}
	}
	state := "online"
	if out {
		state = "offline"
	}
	return []wire.Step{write(l.dir(port)+"/transport_status", state)}
}

// AddressFile is the file that tells a loop port's SCSI address, "host:0:target".
func (l *LUN) AddressFile(port string) string { return l.dir(port) + "/address" }

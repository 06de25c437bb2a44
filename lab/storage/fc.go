package storage

import (
	"fmt"
	"strings"
)

// An FC port is a fabric of its own: FCoE in VN2VN mode over the two ends of a
// veth pair. On one end libfcoe's port is the initiator, on the other tcm_fc
// makes it LIO's target. VN2VN takes the last two bytes of the address as the
// port's N_Port id, so that the two ends differ there.
const (
	fcInitiator = 1
	fcTarget    = 2
	// maxFCPort is how many letters of a port's name its address has room for.
	maxFCPort = 3
)

// InitiatorLink and TargetLink are the network interfaces of an FC port.
func InitiatorLink(port string) string { return "i" + port }

// TargetLink is the target's end.
func TargetLink(port string) string { return "t" + port }

// InitiatorMAC and TargetMAC are their addresses, locally administered: the
// port's name in ASCII is in the middle, so that a human finds A1 as 41:31.
func InitiatorMAC(port string) string { return colons(mac(port, fcInitiator)) }

// TargetMAC is the target's.
func TargetMAC(port string) string { return colons(mac(port, fcTarget)) }

func mac(port string, end int) string {
	return fmt.Sprintf("02%s%02x", strings.Repeat("0", 2*(maxFCPort+1)-2*len(port))+fmt.Sprintf("%x", port), end)
}

// wwpn is how libfcoe makes a port's name of an address (fcoe_wwn_from_mac, scheme 2).
func wwpn(port string, end int) string { return "2000" + mac(port, end) }

// TargetWWPN is the name of the target port as fc_remote_ports prints it.
func TargetWWPN(port string) string { return "0x" + wwpn(port, fcTarget) }

// colons parts the bytes of a name, as ip and tcm_fc write them.
func colons(digits string) string {
	var parts []string
	for i := 0; i < len(digits); i += 2 {
		parts = append(parts, digits[i:i+2])
	}
	return strings.Join(parts, ":")
}

// acl is the initiator's port as the target knows it.
func (l *LUN) acl(port string) string {
	return l.dir(port) + "/acls/" + colons(wwpn(port, fcInitiator))
}

// mappedLUN is the LUN as that initiator sees it.
func (l *LUN) mappedLUN(port string) string { return fmt.Sprintf("%s/lun_%d", l.acl(port), l.Number) }

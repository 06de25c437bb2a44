package sysfs

import (
	"fmt"
	"path"
	"strings"
)

// Port says between which ports the path of a disk runs, and how much one request
// may carry. What the kernel does not have, or does not tell now, is "" or 0.
type Port struct {
	HostNode     string // fc_host node_name, "0x20000025b5000001"
	HostPort     string // fc_host port_name
	TargetPort   string // fc_remote_ports port_name; its node is Disk.TargetNode
	Adapter      string // PCI device ("0000:00:05.0") or ccw device of the host; of iSCSI the host's own address
	MaxSectorsKB int    // block/sda/queue/max_sectors_kb
}

// ReadPort reads what names the ports of a disk. It is only told, never decided by:
// what cannot be read is left out.
func ReadPort(t Tree, d Disk) Port {
	p := Port{MaxSectorsKB: int((&walker{t: t}).number(path.Join(d.Path, "queue/max_sectors_kb"), 10, 31))}
	if !d.IsSCSI {
		return p
	}
	parts := strings.Split(d.Path, "/")
	host := fmt.Sprintf("host%d", d.SCSI.Host)
	read := func(at ...string) string {
		return strings.TrimSpace((&walker{t: t}).line(path.Join(append([]string{"class"}, at...)...)))
	}
	switch d.Protocol {
	case ProtocolISCSI:
		p.Adapter = read("iscsi_host", host, "ipaddress")
		return p
	case ProtocolFC:
		p.HostNode, p.HostPort = read("fc_host", host, "node_name"), read("fc_host", host, "port_name")
		if rport, ok := last(parts, isPrefixed("rport-")); ok {
			p.TargetPort = read("fc_remote_ports", rport, "port_name")
		}
	case ProtocolSAS:
	default:
		return p
	}
	p.Adapter, _ = last(parts, isAdapter)
	return p
}

// isAdapter matches the names of PCI functions, "0000:00:1f.2" (drivers/pci/probe.c
// pci_setup_device), and of ccw devices, "0.0.1700".
func isAdapter(s string) bool {
	f := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '.' })
	var form string
	switch len(f) {
	case 4:
		form = f[0] + ":" + f[1] + ":" + f[2] + "." + f[3]
	case 3:
		form = f[0] + "." + f[1] + "." + f[2]
	}
	return form == s && s != "" && strings.Trim(s, "0123456789abcdef:.") == ""
}

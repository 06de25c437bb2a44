package sim

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/mpath"
)

// What the transport classes show in sysfs: drivers/scsi/scsi_transport_fc.c,
// scsi_transport_iscsi.c, scsi_transport_sas.c, hosts.c.

// device is the SCSI device's directory. The names on the way to it tell the
// transport.
func (d *Disk) device() string {
	h, t := d.Host, d.Target
	way := ""
	switch d.nexus.Host.Transport {
	case FibreChannel:
		way = fmt.Sprintf("devices/pci0000:00/0000:00:%02x.0/host%d/rport-%d:0-%d", h, h, h, t)
	case ISCSI:
		way = fmt.Sprintf("devices/platform/host%d/%s", h, d.nexus.session())
	case SAS:
		way = fmt.Sprintf("devices/pci0000:00/0000:00:%02x.0/host%d/port-%d:%d/end_device-%d:%d", h, h, h, t, h, t)
	case ATA:
		way = fmt.Sprintf("devices/pci0000:00/0000:00:1f.2/ata%d/host%d", h+1, h)
	default:
		way = fmt.Sprintf("devices/sim/host%d", h)
	}
	return fmt.Sprintf("%s/target%d:0:%d/%s", way, h, t, d.HCTL())
}

// session is the kernel's name of an iSCSI session: one per nexus.
func (n *Nexus) session() string { return fmt.Sprintf("session%d", n.Host.Number<<8|n.Target+1) }

// class is a directory below class/: the class, or a device of it.
func (t Tree) class(parts []string) (directory, bool) {
	if len(parts) == 1 {
		out := listing{}
		for _, h := range t.w.hosts {
			for _, c := range h.classDevices(parts[0]) {
				out.dirs = append(out.dirs, c.name)
			}
		}
		return out, len(out.dirs) > 0
	}
	if d := t.scsiDisk(parts); d != nil {
		return listing{attrs: map[string]string{"max_retries": cmp.Or(d.retries, "5") + "\n"}}, true
	}
	if c, ok := t.classDevice(parts[0], parts[1]); ok && len(parts) == 2 {
		return listing{attrs: c.attrs()}, true
	}
	return nil, false
}

// classDevice is one device of a class: of a host, or of a nexus.
type classDevice struct {
	name  string
	attrs func() map[string]string
	host  *HBA
	nexus *Nexus
}

// classDevice finds a device of a class; its name has the host's number.
func (t Tree) classDevice(class, name string) (classDevice, bool) {
	digits := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz_-")
	digits, _, _ = strings.Cut(digits, ":")
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return classDevice{}, false
	}
	if class == "iscsi_session" {
		n = (n - 1) >> 8
	}
	h := t.w.HBA(uint32(n))
	if h == nil {
		return classDevice{}, false
	}
	for _, c := range h.classDevices(class) {
		if c.name == name {
			return c, true
		}
	}
	return classDevice{}, false
}

func (h *HBA) classDevices(class string) []classDevice {
	var out []classDevice
	switch {
	case class == "scsi_host":
		out = append(out, classDevice{fmt.Sprintf("host%d", h.Number), h.scsiHost, h, nil})
	case class == "fc_host" && h.Transport == FibreChannel:
		out = append(out, classDevice{fmt.Sprintf("host%d", h.Number), h.fcHost, h, nil})
	case class == "iscsi_host" && h.Transport == ISCSI, class == "sas_host" && h.Transport == SAS:
		out = append(out, classDevice{fmt.Sprintf("host%d", h.Number), h.plainHost, h, nil})
	}
	for _, n := range h.nexuses {
		switch {
		case class == "fc_remote_ports" && h.Transport == FibreChannel:
			out = append(out, classDevice{fmt.Sprintf("rport-%d:0-%d", h.Number, n.Target), n.remotePort, h, n})
		case class == "iscsi_session" && h.Transport == ISCSI:
			out = append(out, classDevice{n.session(), n.iscsiSession, h, n})
		case class == "sas_device" && h.Transport == SAS:
			out = append(out, classDevice{fmt.Sprintf("end_device-%d:%d", h.Number, n.Target), n.sasDevice, h, n})
		}
	}
	return out
}

func (h *HBA) scsiHost() map[string]string {
	deadline := cmp.Or(h.deadline, "off")
	return map[string]string{"eh_deadline": deadline + "\n", "proc_name": h.driver() + "\n", "state": "running\n", "unique_id": fmt.Sprintf("%d\n", h.Number)}
}

func (h *HBA) driver() string {
	switch h.Transport {
	case FibreChannel:
		return "sim_fc"
	case ISCSI:
		return "iscsi_tcp"
	case SAS:
		return "sim_sas"
	case ATA:
		return "ahci"
	}
	return "sim"
}

func (h *HBA) fcHost() map[string]string {
	state := "Online"
	if h.cut || h.Fabric != nil && h.Fabric.cut {
		state = "Linkdown"
	}
	return map[string]string{"port_name": h.PortName + "\n", "node_name": h.NodeName + "\n", "port_state": state + "\n"}
}

func (h *HBA) plainHost() map[string]string {
	return map[string]string{"initiatorname": h.PortName + "\n"}
}

// remotePort is fc_remote_ports/rport-H:C-R.
func (n *Nexus) remotePort() map[string]string {
	state := "Online"
	switch {
	case n.lost:
		state = "Not Present"
	case n.broken:
		state = "Blocked"
	}
	return map[string]string{
		"node_name": n.Port.node() + "\n", "port_name": n.Port.Name + "\n", "port_state": state + "\n", "roles": "FCP Target\n",
		"fast_io_fail_tmo": timeout(n.fastIOFail, "off"), "dev_loss_tmo": timeout(n.devLoss, devLossMax),
	}
}

func (n *Nexus) iscsiSession() map[string]string {
	state := "LOGGED_IN"
	if n.broken {
		state = "FAILED"
	}
	return map[string]string{
		"targetname": n.Port.node() + "\n", "state": state + "\n", "recovery_tmo": timeout(n.fastIOFail, "off"),
		"initiatorname": n.Host.PortName + "\n",
	}
}

func (n *Nexus) sasDevice() map[string]string {
	return map[string]string{"sas_address": n.Port.Name + "\n"}
}

// node is the name of the node that the port belongs to.
func (p *Port) node() string {
	if p.array == nil {
		return p.Name
	}
	return p.array.NodeName
}

func timeout(s mpath.Span, never string) string {
	if s == Forever {
		return never + "\n"
	}
	return fmt.Sprintf("%d\n", s.Seconds())
}

// writeScan is store_scan: "CHANNEL TARGET LUN", each a number or "-".
func (t Tree) writeScan(p string, h *HBA, value string) error {
	f := strings.Fields(value)
	if len(f) != 3 {
		return fmt.Errorf("write %s: %w", p, errInvalid)
	}
	for _, s := range f {
		if _, err := strconv.ParseUint(s, 10, 64); err != nil && s != "-" {
			return fmt.Errorf("write %s: %w", p, errInvalid)
		}
	}
	t.w.cost(mpath.Millisecond, 20*mpath.Millisecond)
	for _, n := range h.nexuses {
		if f[1] == "-" || f[1] == fmt.Sprint(n.Target) {
			n.scan(f[2])
		}
	}
	return nil
}

package sysfs

import (
	"fmt"
	"path"
	"strings"
)

// Knob is one time-out as the kernel shows it.
type Knob struct {
	Path string // below the tree: "block/sda/device/timeout"
	Text string // its content without blanks; "" the kernel has none
}

// Timeouts are the time-outs below a SCSI disk, of each layer. Which are there
// depends on the transport and on the kernel.
type Timeouts struct {
	Protocol string

	Command    Knob // block/sda/device/timeout: seconds for one command (drivers/scsi/scsi_sysfs.c)
	EHTimeout  Knob // block/sda/device/eh_timeout: seconds for one step of the error handler
	Retries    Knob // scsi_disk max_retries, which older kernels do not have; -1: no limit (drivers/scsi/sd.c)
	EHDeadline Knob // scsi_host eh_deadline: seconds for the error handler, or off (drivers/scsi/hosts.c)

	FastIOFail Knob // fc_remote_ports: seconds, or off (drivers/scsi/scsi_transport_fc.c)
	DevLoss    Knob // fc_remote_ports: seconds

	Recovery     Knob // iscsi_session recovery_tmo: seconds, below 0: for ever (drivers/scsi/scsi_transport_iscsi.c)
	NoopInterval Knob // iscsi_connection recv_tmo: seconds of silence until a ping, 0 never (drivers/scsi/libiscsi.c)
	NoopTimeout  Knob // iscsi_connection ping_tmo: seconds for its answer
}

// ReadTimeouts reads the time-outs of a disk. Those that are not there are empty.
func ReadTimeouts(t Tree, name string) (Timeouts, error) {
	d, err := ReadDisk(t, name)
	if err != nil {
		return Timeouts{}, err
	}
	out := Timeouts{Protocol: d.Protocol}
	w := walker{t: t}
	read := func(at ...string) Knob {
		p := path.Join(at...)
		return Knob{Path: p, Text: strings.TrimSpace(w.line(p))}
	}
	out.Command = read("block", name, "device/timeout")
	out.EHTimeout = read("block", name, "device/eh_timeout")
	if !d.IsSCSI {
		return out, w.err
	}
	s := d.SCSI
	out.Retries = read("class/scsi_disk", fmt.Sprintf("%d:%d:%d:%d", s.Host, s.Channel, s.Target, s.LUN), "max_retries")
	out.EHDeadline = read("class/scsi_host", fmt.Sprintf("host%d", s.Host), "eh_deadline")
	parts := strings.Split(d.Path, "/")
	if rport, ok := last(parts, isPrefixed("rport-")); ok && d.Protocol == ProtocolFC {
		out.FastIOFail = read("class/fc_remote_ports", rport, "fast_io_fail_tmo")
		out.DevLoss = read("class/fc_remote_ports", rport, "dev_loss_tmo")
	}
	if session, ok := last(parts, isNumbered("session")); ok && d.Protocol == ProtocolISCSI {
		out.Recovery = read("class/iscsi_session", session, "recovery_tmo")
		connection := "connection" + strings.TrimPrefix(session, "session") + ":0"
		out.NoopInterval = read("class/iscsi_connection", connection, "recv_tmo")
		out.NoopTimeout = read("class/iscsi_connection", connection, "ping_tmo")
	}
	return out, w.err
}

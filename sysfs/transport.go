package sysfs

import (
	"path"
	"strconv"
	"strings"
)

// Protocol names as multipath-tools prints them (wildcard %P, blacklist
// keyword `protocol`).
const (
	ProtocolFC     = "scsi:fcp"
	ProtocolISCSI  = "scsi:iscsi"
	ProtocolSAS    = "scsi:sas"
	ProtocolATA    = "scsi:ata"
	ProtocolUSB    = "scsi:usb"
	ProtocolUnspec = "scsi:unspec" // SRP, SPI, tcm_loop, scsi_debug: nothing in sysfs tells
	ProtocolCCW    = "ccw"
	ProtocolCCISS  = "cciss"
	ProtocolUndef  = "undef"
)

// transport says how a SCSI device is attached and the name of the target
// behind it: SAS address, FC world-wide node name, iSCSI target name, USB
// device, "ata-N.00"; empty where there is none. nexus is the kernel's name of a
// remote port, session or end device. parts are the components of the SCSI device's
// path; the order of the questions is multipath-tools'.
func (w *walker) transport(parts []string) (protocol, targetNode, nexus string) {
	if end, ok := last(parts, isPrefixed("end_device-")); ok {
		if addr := w.class("sas_device", end, "sas_address"); addr != "" {
			return ProtocolSAS, addr, end
		}
	}
	if usb, ok := last(parts, isUSBDevice); ok {
		return ProtocolUSB, usb, ""
	}
	if rport, ok := last(parts, isPrefixed("rport-")); ok {
		if node := w.class("fc_remote_ports", rport, "node_name"); node != "" {
			return ProtocolFC, node, rport
		}
	}
	if session, ok := last(parts, isNumbered("session")); ok {
		if name := w.class("iscsi_session", session, "targetname"); name != "" {
			return ProtocolISCSI, name, session
		}
	}
	if ata, ok := last(parts, isNumbered("ata")); ok {
		return ProtocolATA, "ata-" + strings.TrimPrefix(ata, "ata") + ".00", ""
	}
	return ProtocolUnspec, "", ""
}

// class reads an attribute of a class device, from the top of the tree.
func (w *walker) class(class, device, attr string) string {
	top := walker{t: w.t, err: w.err}
	s := strings.TrimSpace(top.line(path.Join("class", class, device, attr)))
	w.err = top.err
	return s
}

// otherProtocol names what is not SCSI: "nvme:tcp", "ccw", "cciss", "undef". The
// walker stands in the directory of the device that the disk belongs to.
func (w *walker) otherProtocol(name string) string {
	switch {
	case strings.HasPrefix(name, "nvme"):
		if t := strings.TrimSpace(w.line("transport")); t != "" {
			return "nvme:" + t
		}
		return "nvme:undef"
	case strings.HasPrefix(name, "dasd"):
		return ProtocolCCW
	case strings.HasPrefix(name, "cciss"):
		return ProtocolCCISS
	}
	return ProtocolUndef
}

func last(parts []string, match func(string) bool) (string, bool) {
	for i := len(parts) - 1; i >= 0; i-- {
		if match(parts[i]) {
			return parts[i], true
		}
	}
	return "", false
}

func isPrefixed(prefix string) func(string) bool {
	return func(s string) bool { return strings.HasPrefix(s, prefix) }
}

func isNumbered(prefix string) func(string) bool {
	return func(s string) bool {
		digits, ok := strings.CutPrefix(s, prefix)
		_, err := strconv.ParseUint(digits, 10, 32)
		return ok && err == nil
	}
}

// isUSBDevice matches BUS-PORT[.PORT]... ("2-1.4"), as drivers/usb/core/usb.c
// names devices; an interface has a ':' in addition.
func isUSBDevice(s string) bool {
	bus, ports, ok := strings.Cut(s, "-")
	if !ok || bus == "" || ports == "" {
		return false
	}
	return strings.Trim(bus, "0123456789") == "" && strings.Trim(ports, "0123456789.") == ""
}

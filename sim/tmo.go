package sim

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/sysfs"
)

// What the kernel does with values that are written for how long it waits, and what
// it refuses: drivers/scsi/scsi_transport_fc.c, scsi_transport_iscsi.c, hosts.c, sd.c,
// block/blk-sysfs.c.

const (
	devLossMax     = "2147483647"
	blockMax       = 600 * mpath.Second // SCSI_DEVICE_BLOCK_MAX_TIMEOUT
	maxHWSectorsKB = 4096
	defaultSectors = 1280
	pageKB         = 4
	maxRetries     = 5 // SD_MAX_RETRIES
)

// writeClass writes a host's scan or eh_deadline, a disk's max_retries, or a time-out
// of a remote port or session.
func (t Tree) writeClass(p string, parts []string, value string) error {
	if d := t.scsiDisk(parts[:2]); d != nil && parts[2] == "max_retries" {
		n, err := strconv.Atoi(value)
		if err != nil || n < -1 || n > maxRetries {
			return fmt.Errorf("write %s: %w", p, errInvalid)
		}
		d.retries = strconv.Itoa(n)
		return nil
	}
	c, ok := t.classDevice(parts[0], parts[1])
	if !ok {
		return fmt.Errorf("write %s: %w", p, sysfs.ErrAbsent)
	}
	err := sysfs.ErrAbsent
	switch parts[0] + "/" + parts[2] {
	case "scsi_host/scan":
		return t.writeScan(p, c.host, value)
	case "scsi_host/eh_deadline":
		if _, bad := strconv.ParseUint(value, 10, 31); bad != nil && value != "off" {
			return fmt.Errorf("write %s: %w", p, errInvalid)
		}
		c.host.deadline = value
		return nil
	case "fc_remote_ports/fast_io_fail_tmo":
		err = c.nexus.storeFastIOFail(value)
	case "fc_remote_ports/dev_loss_tmo":
		err = c.nexus.storeDevLoss(value)
	case "iscsi_session/recovery_tmo":
		err = c.nexus.storeRecovery(value)
	}
	if err != nil {
		return fmt.Errorf("write %q to %s: %w", value, p, err)
	}
	return nil
}

// storeFastIOFail is store_fc_rport_fast_io_fail_tmo.
func (n *Nexus) storeFastIOFail(value string) error {
	if n.broken || n.lost {
		return errBusy
	}
	if strings.HasPrefix(value, "off") {
		if n.devLoss > blockMax {
			n.Host.w.Harms = append(n.Host.w.Harms, fmt.Sprintf("rport-%d:0-%d would be blocked for all of its dev_loss_tmo: fast_io_fail_tmo is off", n.Host.Number, n.Target))
		}
		n.fastIOFail = Forever
		return nil
	}
	s, err := strconv.ParseUint(value, 10, 32)
	span := mpath.Span(s) * mpath.Second
	if err != nil || span >= n.devLoss || span > blockMax {
		return errInvalid
	}
	n.fastIOFail = span
	return nil
}

// storeDevLoss is fc_rport_set_dev_loss_tmo. The drivers make 1 of 0. It takes a time
// that is not above fast_io_fail_tmo, whatever that costs.
func (n *Nexus) storeDevLoss(value string) error {
	if n.broken || n.lost {
		return errBusy
	}
	s, err := strconv.ParseUint(value, 10, 32)
	span := mpath.Span(s) * mpath.Second
	if err != nil || n.fastIOFail == Forever && span > blockMax {
		return errInvalid
	}
	if s == 0 || n.fastIOFail != Forever && span <= n.fastIOFail {
		n.Host.w.Harms = append(n.Host.w.Harms, fmt.Sprintf("dev_loss_tmo %s of rport-%d:0-%d, fast_io_fail_tmo is %d s", value, n.Host.Number, n.Target, n.fastIOFail.Seconds()))
	}
	n.devLoss = max(span, mpath.Second)
	if value == devLossMax {
		n.devLoss = Forever
	}
	return nil
}

// storeRecovery is store_priv_session_recovery_tmo.
func (n *Nexus) storeRecovery(value string) error {
	if n.broken {
		return errBusy
	}
	if value == "off" {
		n.fastIOFail = Forever
		return nil
	}
	s, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return errInvalid
	}
	n.fastIOFail = mpath.Span(s) * mpath.Second
	if s < 0 {
		n.fastIOFail = Forever
	}
	return nil
}

// scsiDisk is the disk of scsi_disk/H:C:T:L, nil if it is not that.
func (t Tree) scsiDisk(parts []string) *Disk {
	var host, channel, target uint32
	var number uint64
	if len(parts) != 2 || parts[0] != "scsi_disk" {
		return nil
	}
	if _, err := fmt.Sscanf(parts[1], "%d:%d:%d:%d", &host, &channel, &target, &number); err != nil {
		return nil
	}
	return t.w.address(host, target, number)
}

func (d *Disk) maxSectors() uint32 {
	if d.sectors == 0 {
		return defaultSectors
	}
	return d.sectors
}

// storeMaxSectors is queue_max_sectors_store. Less than before, under a map that has
// requests on their way, fails those that are larger.
func (d *Disk) storeMaxSectors(value string) error {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n < pageKB || n > maxHWSectorsKB {
		return errInvalid
	}
	for _, m := range d.w.maps { // a table that is loaded and not live has no requests
		if m.live.uses(d) {
			d.w.Harms = append(d.w.Harms, fmt.Sprintf("max_sectors_kb %d of %s, which is in the table of %s", n, d.Name, m.name))
		}
	}
	d.sectors = uint32(n)
	return nil
}

// maxSectors is the least of the disks below (blk_stack_limits, at the load).
func (m *Map) maxSectors() uint32 {
	least := uint32(maxHWSectorsKB)
	if m.live != nil {
		for _, d := range m.live.disks {
			least = min(least, d.maxSectors())
		}
	}
	return least
}

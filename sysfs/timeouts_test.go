package sysfs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The knobs of each transport are where the kernel has them; what is not there is
// empty, and no error.
func TestReadTimeouts(t *testing.T) {
	tree, err := OpenRoot(plant(t, "timeouts"))
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	at := func(text, path string) Knob { return Knob{Path: path, Text: text} }
	for _, want := range []struct {
		disk string
		Timeouts
	}{
		{"sdb", Timeouts{
			Protocol: ProtocolFC, Command: at("30", "block/sdb/device/timeout"), EHTimeout: at("10", "block/sdb/device/eh_timeout"),
			Retries: at("5", "class/scsi_disk/3:0:0:1/max_retries"), EHDeadline: at("off", "class/scsi_host/host3/eh_deadline"),
			FastIOFail: at("5", "class/fc_remote_ports/rport-3:0-2/fast_io_fail_tmo"), DevLoss: at("600", "class/fc_remote_ports/rport-3:0-2/dev_loss_tmo"),
		}},
		{"sdc", Timeouts{
			Protocol: ProtocolISCSI, Command: at("30", "block/sdc/device/timeout"), EHTimeout: at("", "block/sdc/device/eh_timeout"),
			Retries: at("", "class/scsi_disk/4:0:0:1/max_retries"), EHDeadline: at("", "class/scsi_host/host4/eh_deadline"),
			Recovery:     at("120", "class/iscsi_session/session7/recovery_tmo"),
			NoopInterval: at("5", "class/iscsi_connection/connection7:0/recv_tmo"), NoopTimeout: at("6", "class/iscsi_connection/connection7:0/ping_tmo"),
		}},
	} {
		got, err := ReadTimeouts(tree, want.disk)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Timeouts, got); diff != "" {
			t.Errorf("%s: %s", want.disk, diff)
		}
	}
	if _, err := ReadTimeouts(tree, "sdx"); err == nil {
		t.Error("a disk that is not there has time-outs")
	}
}

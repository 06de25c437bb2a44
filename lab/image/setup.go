package image

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Aside is where the guest keeps multipath-tools' udev rules and the list of
// its masked units, so that a scenario can bring it back.
const Aside = "usr/share/lab/multipath-tools"

// maskedUnits would act on the scenario's devices, or wait for what the guest
// does not have.
var maskedUnits = []string{
	"multipathd.service", "multipathd.socket", "multipath-tools.service", "multipath-tools-boot.service",
	"iscsid.service", "iscsid.socket", "iscsi.service", "open-iscsi.service",
	"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
	"systemd-firstboot.service", "systemd-random-seed.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
	"systemd-timesyncd.service", "systemd-remount-fs.service", "systemd-machine-id-commit.service", "getty@tty1.service",
	"serial-getty@ttyS0.service", "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount",
}

const labTarget = `[Unit]
Description=The lab's scenarios
Requires=basic.target multi-user.target
After=basic.target multi-user.target
AllowIsolate=yes
`

const agentService = `[Unit]
Description=The lab's agent
DefaultDependencies=no
After=systemd-udevd.service systemd-tmpfiles-setup.service dbus.socket
Before=shutdown.target

[Service]
Type=simple
ExecStart=/usr/lib/lab/agent serve systemd
Restart=no
# What a scenario starts must outlive nothing but the guest.
KillMode=process
TasksMax=infinity
OOMScoreAdjust=-900
`

// denied keeps udev's coldplug from loading what costs seconds under emulation
// and serves no scenario.
const denied = `blacklist kvm
blacklist kvm_amd
blacklist kvm_intel
blacklist ccp
blacklist aesni_intel
blacklist ghash_clmulni_intel
blacklist sha1_ssse3
blacklist sha256_ssse3
blacklist sha512_ssse3
blacklist powernow_k8
blacklist lpc_ich
blacklist i2c_i801
blacklist button
blacklist evdev
blacklist psmouse
blacklist pcspkr
`

// setUp makes the unpacked Debian a lab guest.
func (b *builder) setUp() error {
	if err := b.setMultipathAside(); err != nil {
		return err
	}
	for _, unit := range maskedUnits {
		if err := b.link("/dev/null", "etc/systemd/system/"+unit); err != nil {
			return err
		}
	}
	files := []struct {
		name, text string
	}{
		{"etc/hostname", "lab\n"},
		{"etc/hosts", "127.0.0.1 localhost lab\n"},
		{"etc/fstab", ""},
		{"etc/resolv.conf", ""},
		{"etc/machine-id", "6c61626c61626c61626c61626c61626c\n"},
		{"etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.2026-01.lab.pathkeeper:guest\n"},
		{"etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=volatile\nRateLimitBurst=0\n"},
		{"etc/modprobe.d/lab.conf", denied},
		{"etc/systemd/system/lab.target", labTarget},
		{"etc/systemd/system/lab-agent.service", agentService},
	}
	for _, f := range files {
		if err := b.write(f.name, f.text, 0o644); err != nil {
			return err
		}
	}
	if err := b.link("/etc/systemd/system/lab-agent.service", "etc/systemd/system/lab.target.wants/lab-agent.service"); err != nil {
		return err
	}
	if err := b.link("/etc/systemd/system/lab.target", "etc/systemd/system/default.target"); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(b.root, "usr/lib/lab"), 0o755)
}

// setMultipathAside moves the udev rules of multipath-tools and kpartx out of
// udev's sight. dmsetup's own rules stay where every Debian has them.
func (b *builder) setMultipathAside() error {
	text, err := b.output("dpkg", "-L", "multipath-tools", "kpartx")
	if err != nil {
		return err
	}
	aside := filepath.Join(b.root, Aside, "rules.d")
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return err
	}
	moved := 0
	for line := range strings.Lines(text) {
		name := strings.TrimSpace(line)
		if !strings.Contains(name, "/udev/rules.d/") || !strings.HasSuffix(name, ".rules") {
			continue
		}
		if err := os.Rename(filepath.Join(b.root, name), filepath.Join(aside, filepath.Base(name))); err != nil {
			return err
		}
		moved++
	}
	if moved == 0 {
		return fmt.Errorf("multipath-tools and kpartx name no udev rules: has the package changed?")
	}
	// modules-load.d would load dm-multipath behind a scenario's back.
	return os.Rename(filepath.Join(b.root, "usr/lib/modules-load.d/multipath.conf"), filepath.Join(b.root, Aside, "modules-load.conf"))
}

func (b *builder) link(target, name string) error {
	file := filepath.Join(b.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(file); err != nil {
		return err
	}
	return os.Symlink(target, file)
}

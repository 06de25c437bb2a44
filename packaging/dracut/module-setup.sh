#!/bin/bash
# dracut: puts Pathkeeper with its configuration, names and udev rules into the image,
# and runs its daemon there until the root file system is there.

is_map() {
	[[ -e /sys/dev/block/$1/dm/uuid ]] && [[ $(< "/sys/dev/block/$1/dm/uuid") == *mpath-* ]]
}

check() {
	require_binaries /usr/sbin/pathkeeper || return 1
	# Only where the host's maps are Pathkeeper's: installed is not enabled.
	compgen -G '/etc/systemd/system/*.wants/pathkeeper.service' > /dev/null \
		|| compgen -G '/usr/lib/systemd/system/*.wants/pathkeeper.service' > /dev/null || return 1
	[[ $hostonly ]] || [[ $mount_needs ]] && {
		for_each_host_dev_and_slaves is_map || return 255
	}
	return 0
}

depends() {
	echo rootfs-block dm
}

installkernel() {
	hostonly='' instmods dm_multipath dm_service_time dm_round_robin dm_queue_length dm_historical_service_time dm_io_affinity \
		scsi_dh_alua scsi_dh_rdac scsi_dh_emc scsi_dh_hp_sw sg
}

install() {
	inst_multiple /usr/sbin/pathkeeper
	ln -sf pathkeeper "${initdir}/usr/sbin/multipath"
	ln -sf pathkeeper "${initdir}/usr/sbin/multipathd"
	ln -sf pathkeeper "${initdir}/usr/sbin/kpartx"
	inst_multiple -o /etc/multipath.conf '/etc/multipath/conf.d/*.conf' /etc/pathkeeper/pathkeeper.yaml '/etc/pathkeeper/conf.d/*.yaml' \
		/etc/multipath/bindings /etc/multipath/wwids
	local rules
	for rules in /usr/lib/udev/rules.d/*pathkeeper*.rules /etc/udev/rules.d/*pathkeeper*.rules; do
		[[ -f $rules ]] && inst_simple "$rules"
	done
	mkdir -p "${initdir}/etc/pathkeeper"
	: > "${initdir}/etc/pathkeeper/initramfs"
	if dracut_module_included "systemd"; then
		inst_simple "$moddir/pathkeeper.service" "$systemdsystemunitdir/pathkeeper.service"
		$SYSTEMCTL -q --root "$initdir" enable pathkeeper.service
	else
		inst_hook initqueue/settled 20 "$moddir/maps.sh"
	fi
}

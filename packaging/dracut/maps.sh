#!/bin/sh
# dracut without systemd: makes the maps when udev has looked at the disks, again and
# again until the root file system is there. No name is made up here (-B).
getargbool 1 rd.multipath || return 0
getarg nompath > /dev/null && return 0
[ "$(getarg multipath)" = off ] && return 0
modprobe -q dm_multipath
/usr/sbin/multipath -B -v0

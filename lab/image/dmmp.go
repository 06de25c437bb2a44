package image

import _ "embed"

// dmmpSource is our client of libdmmp.
//
//go:embed clients/dmmp.c
var dmmpSource string

// dmmpBuild makes /usr/lib/lab/dmmp in the guest's root. No package of Debian's brings
// libdmmp: it is compiled from the source of the multipath-tools that the guest has,
// which apt checks as it checks packages, and the compiler goes again.
const dmmpBuild = `mkdir -p /tmp/dmmp /usr/lib/lab
cd /tmp/dmmp
tools='gcc libc6-dev libjson-c-dev libudev-dev libdevmapper-dev'
apt-get install -y --no-install-recommends $tools
apt-get source --download-only multipath-tools
tar --strip-components=1 -xf multipath-tools_*.orig.tar.*
gcc -std=gnu99 -O2 -D_GNU_SOURCE -Ilibdmmp -Ilibmpathcmd -I/usr/include/json-c \
	-o /usr/lib/lab/dmmp dmmp.c libdmmp/*.c libmpathcmd/mpath_cmd.c -l:libjson-c.a -lpthread
cd /
rm -r /tmp/dmmp
apt-get purge -y --auto-remove $tools
`

// dmmp wants apt as install has set it up, with the archive's sources.
func (b *builder) dmmp() error {
	if err := b.write("tmp/dmmp/dmmp.c", dmmpSource, 0o644); err != nil {
		return err
	}
	return b.chroot("sh", "-ec", dmmpBuild)
}

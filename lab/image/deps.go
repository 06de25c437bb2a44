package image

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// need is a program that the lab calls on the host, with Debian's package that
// brings it.
type need struct{ program, pkg string }

var needs = []need{
	{"qemu-system-x86_64", "qemu-system-x86"},
	{"debootstrap", "debootstrap"},
	{"mke2fs", "e2fsprogs"},
	{"chroot", "coreutils"},
}

// longNeeds are for the long scenarios alone: one installs the RPM package.
var longNeeds = []need{{"rpmbuild", "rpm"}}

// Missing returns the packages that must be installed on this host, in order; long
// has those for the long scenarios too.
func Missing(long bool) []string {
	all := needs
	if long {
		all = slices.Concat(needs, longNeeds)
	}
	var out []string
	for _, n := range all {
		if !onHost(n.program) {
			out = append(out, n.pkg)
		}
	}
	return out
}

// InstallDeps installs what Missing reports with apt-get. Where apt-get or root
// is absent it says what to install.
func InstallDeps(talk io.Writer, long bool) error {
	missing := Missing(long)
	if len(missing) == 0 {
		return nil
	}
	if os.Geteuid() != 0 || !onHost("apt-get") {
		return fmt.Errorf("the lab needs %s: install them, or run this as root on a Debian-like machine", strings.Join(missing, ", "))
	}
	fmt.Fprintf(talk, "lab deps: installing %s\n", strings.Join(missing, " "))
	if _, err := command([]string{"apt-get", "update"}); err != nil {
		return err
	}
	_, err := command(append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, missing...))
	return err
}

// onHost also looks into the sbin directories, which a plain user's PATH lacks.
func onHost(program string) bool {
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if _, err := os.Stat(dir + program); err == nil {
			return true
		}
	}
	return false
}

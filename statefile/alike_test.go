package statefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A file that is made like another one gets its attributes, and not the ACL of the
// directory; where that fails the old file stays, and nothing unfinished.
func TestLike(t *testing.T) {
	root := t.TempDir()
	d := NewDisk(root)
	for _, name := range []string{"/etc/model", "/etc/file"} {
		if err := d.WriteAtomic(name, []byte("old"), ModePublic); err != nil {
			t.Fatal(err)
		}
	}
	at, model := filepath.Join(root, "etc/file"), filepath.Join(root, "etc/model")
	// linux/posix_acl_xattr.h: user, a user, group, mask, others.
	acl := "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x06\x00\xd7\x11\x00\x00\x04\x00\x00\x00\xff\xff\xff\xff\x10\x00\x06\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff"
	err := errors.Join(unix.Setxattr(model, "user.one", []byte("1"), 0), unix.Setxattr(filepath.Dir(at), "system.posix_acl_default", []byte(acl), 0))
	if errors.Is(err, unix.ENOTSUP) {
		t.Skip("the file system has no ACLs: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	d.sys = &faulty{at: 2, errno: syscall.EPERM} // after create
	if err := d.Like("/etc/model").WriteAtomic("/etc/file", []byte("new"), 0o640); !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "owner and attributes of "+model) {
		t.Errorf("%v", err)
	}
	if b, _ := os.ReadFile(at); string(b) != "old" {
		t.Errorf("%q", b)
	}
	d.sys = realSystem{}
	if err := d.Like("/etc/model").Replace("/etc/file", []byte("old"), []byte("new"), 0o640); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 16)
	if n, err := unix.Getxattr(at, "user.one", value); err != nil || string(value[:n]) != "1" {
		t.Errorf("%q %v", value, err)
	}
	if _, err := unix.Getxattr(at, accessACL, nil); !errors.Is(err, unix.ENODATA) {
		t.Errorf("an ACL that the model has not: %v", err)
	}
	if info, err := os.Stat(at); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(at)); len(entries) != 2 {
		t.Errorf("%v", entries)
	}
}

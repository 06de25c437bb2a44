package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/statefile"
)

// mpathconfVariable in the environment is the directory below which mpathconf finds
// its host; systemctl and modprobe only tell there that they were called.
const mpathconfVariable = "PATHKEEPER_MPATHCONF_AT"

// mpathconfAt is mpathconf on the host below a directory: /units has what systemctl
// shows, /fails the verb that fails, /calls gets every call.
func mpathconfAt(base string) mpathconfHost {
	call := func(_ time.Duration, name string, args ...string) (string, error) {
		f, err := os.OpenFile(base+"/calls", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if _, err := f.WriteString(name + " " + strings.Join(args, " ") + "\n"); err != nil {
			return "", err
		}
		if fails, _ := os.ReadFile(base + "/fails"); len(fails) > 0 && args[0] == strings.TrimSpace(string(fails)) {
			return "", errors.New(name + " " + args[0] + ": exit status 1: it does not want to")
		}
		if args[0] == "show" {
			b, err := os.ReadFile(base + "/units")
			return string(b), err
		}
		return "", nil
	}
	return mpathconfHost{
		base: base, root: os.Getenv("NOBODY") == "", files: statefile.NewDisk(base), call: call,
		listens: func() bool { _, err := os.Stat(base + "/listens"); return err == nil },
	}
}

// runMpathconfAt is the test program as mpathconf.
func runMpathconfAt() int {
	base, err := filepath.EvalSymlinks(os.Getenv(mpathconfVariable))
	if err != nil {
		return exitUsage
	}
	return mpathconfOn(mpathconfAt(base), os.Args[1:], streams{os.Stdout, os.Stderr})
}

// mpathconfTree is a host with these files.
func mpathconfTree(t *testing.T, files map[string]string) string {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		at := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

func callMpathconf(base string, args ...string) (code int, out, talk string) {
	var o, e strings.Builder
	code = mpathconfOn(mpathconfAt(base), args, streams{&o, &e})
	return code, o.String(), e.String()
}

func contentAt(t *testing.T, base, name string) string {
	t.Helper()
	b, err := os.ReadFile(base + name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// What systemctl shows of the units, with our package and with multipath-tools.
const (
	unitsOurs    = "Id=pathkeeper.service\nLoadState=loaded\nActiveState=%s\n\nId=pathkeeper.service\nLoadState=loaded\nActiveState=%s\n"
	unitsBeside  = "Id=multipathd.service\nLoadState=not-found\nActiveState=inactive\n\nId=pathkeeper.service\nLoadState=loaded\nActiveState=%s\n"
	unitsTheirs  = "Id=multipathd.service\nLoadState=loaded\nActiveState=%s\n\nId=pathkeeper.service\nLoadState=not-found\nActiveState=inactive\n"
	unitsNothing = "Id=multipathd.service\nLoadState=not-found\nActiveState=inactive\n\nId=pathkeeper.service\nLoadState=masked\nActiveState=inactive\n"
)

// What is done with module and daemon.
func TestMpathconfServices(t *testing.T) {
	const conf = "defaults {\n\tuser_friendly_names yes\n\tfind_multipaths yes\n}\n"
	for _, c := range []struct {
		args, units, state string
		code               int
		calls              []string // besides systemctl show
	}{
		{"--enable", unitsOurs, "inactive", 0, []string{"modprobe dm_multipath"}},
		{"--enable --with_module n", unitsOurs, "inactive", 0, nil},
		{"--enable --with_multipathd y", unitsOurs, "inactive", 0, []string{"modprobe dm_multipath", "systemctl start pathkeeper.service"}},
		{"--enable --with_multipathd y", unitsOurs, "active", 0, []string{"modprobe dm_multipath"}},
		{"--enable --with_multipathd y --with_module n --user_friendly_names n", unitsOurs, "active", 0, []string{"systemctl reload pathkeeper.service"}},
		{"--enable --with_chkconfig y --with_module n", unitsOurs, "active", 0, []string{"systemctl enable pathkeeper.service"}},
		{"--enable --with_chkconfig n --with_module n", unitsOurs, "active", 0, nil},
		{"--disable", unitsOurs, "active", 0, nil},
		{"--disable --with_multipathd y", unitsOurs, "active", 0, []string{"systemctl stop pathkeeper.service"}},
		{"--disable --with_multipathd y", unitsTheirs, "active", 0, []string{"systemctl stop multipathd.service"}},
		{"--disable --with_multipathd y", unitsOurs, "inactive", 0, nil},
		{"--disable --with_chkconfig y", unitsOurs, "active", 0, []string{"systemctl disable pathkeeper.service"}},
		{"--find_multipaths y --user_friendly_names y --with_multipathd y", unitsOurs, "active", 0, nil},
		{"--find_multipaths y --user_friendly_names n --with_multipathd y", unitsOurs, "active", 0, []string{"systemctl reload pathkeeper.service"}},
		{"--find_multipaths y --user_friendly_names n --with_multipathd y", unitsBeside, "active", 0, []string{"systemctl reload pathkeeper.service"}},
		{"--find_multipaths y --user_friendly_names n --with_multipathd y", unitsOurs, "inactive", 0, nil},
		{"--find_multipaths y --user_friendly_names n", unitsOurs, "active", 0, nil},
		{"--enable --with_multipathd y --with_module n", unitsNothing, "", 1, nil},
		{"--enable --with_multipathd y --outfile /x", unitsOurs, "inactive", 0, nil},
	} {
		base := mpathconfTree(t, map[string]string{mpathconfFile: conf, "/units": strings.ReplaceAll(c.units, "%s", c.state)})
		code, out, talk := callMpathconf(base, strings.Fields(c.args)...)
		var calls []string
		for line := range strings.Lines(contentAt(t, base, "/calls")) {
			if !strings.HasPrefix(line, "systemctl show") {
				calls = append(calls, strings.TrimSpace(line))
			}
		}
		if code != c.code || out != "" || strings.Join(calls, ", ") != strings.Join(c.calls, ", ") {
			t.Errorf("%s, %s: exit %d, %q, %q, calls %q, want exit %d, calls %q", c.args, c.state, code, out, talk, calls, c.code, c.calls)
		}
	}
}

// A mode stays, a link stays, the old content is kept beside, and nothing unfinished is left.
func TestMpathconfWrites(t *testing.T) {
	base := mpathconfTree(t, map[string]string{"/srv/conf/m.conf": "defaults {\n\tfind_multipaths no\n}\n"})
	if err := os.MkdirAll(base+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(base+"/srv/conf/m.conf", base+mpathconfFile); err != nil {
		t.Fatal(err)
	}
	if code, _, talk := callMpathconf(base, "--find_multipaths", "smart"); code != 0 || talk != "" {
		t.Fatalf("exit %d: %s", code, talk)
	}
	if got := contentAt(t, base, "/srv/conf/m.conf"); got != "defaults {\n\tfind_multipaths smart\n}\n" {
		t.Errorf("%q", got)
	}
	if got := contentAt(t, base, "/srv/conf/m.conf.old"); got != "defaults {\n\tfind_multipaths no\n}\n" {
		t.Errorf("the old content: %q", got)
	}
	info, err := os.Stat(base + "/srv/conf/m.conf")
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if to, err := os.Readlink(base + mpathconfFile); err != nil || to != base+"/srv/conf/m.conf" {
		t.Errorf("the link: %s %v", to, err)
	}
	if names, _ := os.ReadDir(base + "/srv/conf"); len(names) != 2 {
		t.Errorf("%v", names)
	}
	fresh := mpathconfTree(t, map[string]string{"/etc/hosts": ""})
	if code, _, talk := callMpathconf(fresh, "--enable", "--with_module", "n"); code != 0 || talk != "" {
		t.Fatalf("exit %d: %s", code, talk)
	}
	if got := contentAt(t, fresh, mpathconfFile); got != mpathconfStart {
		t.Errorf("%s", got)
	}
	if info, err := os.Stat(fresh + mpathconfFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if got := contentAt(t, fresh, mpathconfFile+".old"); got != "" {
		t.Errorf("a copy of nothing: %q", got)
	}
}

// The new file and the copy have owner, group, ACL and other attributes of the old one.
func TestMpathconfKeepsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving files away wants root")
	}
	// linux/posix_acl_xattr.h: version 2, then tag, permissions and id of user, a user, group, mask, others.
	acl := "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\xd7\x11\x00\x00\x04\x00\x00\x00\xff\xff\xff\xff\x10\x00\x04\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff"
	for _, attributes := range []map[string]string{
		nil,
		{"user.comment": strings.Repeat("x", 2000)},
		{"system.posix_acl_access": acl, "security.pathkeeper_test": "label"},
	} {
		base := mpathconfTree(t, map[string]string{mpathconfFile: "defaults {\n\tfind_multipaths no\n}\n", mpathconfFile + ".old": "of root"})
		if err := os.Chown(base+mpathconfFile, 1234, 4321); err != nil {
			t.Fatal(err)
		}
		for name, value := range attributes {
			if err := unix.Setxattr(base+mpathconfFile, name, []byte(value), 0); errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
				delete(attributes, name)
			} else if err != nil {
				t.Fatal(name, err)
			}
		}
		if code, _, talk := callMpathconf(base, "--find_multipaths", "smart"); code != 0 || talk != "" {
			t.Fatalf("exit %d: %s", code, talk)
		}
		for _, path := range []string{base + mpathconfFile, base + mpathconfFile + ".old"} {
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err != nil || st.Uid != 1234 || st.Gid != 4321 || st.Mode&0o7777 != 0o640 {
				t.Errorf("%s: %d:%d, mode %o, %v", path, st.Uid, st.Gid, st.Mode, err)
			}
			for name, value := range attributes {
				got := make([]byte, 4096)
				n, err := unix.Getxattr(path, name, got)
				if err != nil || string(got[:n]) != value {
					t.Errorf("%s: %s is %q, %v", path, name, got[:max(n, 0)], err)
				}
			}
		}
	}
}

// --allow takes maps by every name, what lies on them, and WWIDs.
func TestMpathconfAllow(t *testing.T) {
	disks := map[string]string{"/run/image/etc/hosts": "", mpathconfFile: "blacklist {\n\tdevnode \".*\"\n}\nblacklist_exceptions {\n\twwid 36old\n}\n"}
	for kernel, d := range map[string][3]string{
		"dm-0": {"mysql1", "mpath-360000000000000a1", "253:0"}, "dm-1": {"mysql1-part1", "part1-mpath-360000000000000a1", "253:1"},
		"dm-2": {"mpathb", "mpath-1ATA_X+Y", "253:2"}, "dm-3": {"vg-root", "LVM-abc", "253:3"}, "dm-4": {"crypt", "CRYPT-x", "253:4"},
	} {
		at := "/sys/block/" + kernel
		disks[at+"/dm/name"], disks[at+"/dm/uuid"], disks[at+"/dev"] = d[0]+"\n", d[1]+"\n", d[2]+"\n"
	}
	for _, holds := range []string{"dm-3/slaves/dm-1", "dm-3/slaves/dm-2", "dm-4/slaves/sda"} {
		disks["/sys/block/"+holds+"/x"] = ""
	}
	for _, c := range []struct{ args, want, talk string }{
		{"--allow mysql1", `"360000000000000a1"`, ""},
		{"--allow /dev/mapper/mysql1-part1 --allow 253:0", `"360000000000000a1"`, ""},
		{"--allow vg-root", `"360000000000000a1" "1ATA_X\+Y"`, ""},
		{"--allow /dev/dm-2", `"1ATA_X\+Y"`, ""},
		{"--allow 3600508b4000156d700012000000b0000", `"3600508b4000156d700012000000b0000"`, ""},
		{"--allow crypt", "", "no multipath map lies below"},
		{"--allow 8:16", "", "no such map"},
		{"--allow mysql2", "", "no such map"},
		{"--allow /dev/sda", "", "no such map"},
		{"--allow 36(00508b4000156d700", "", "nothing was changed"},
	} {
		base := mpathconfTree(t, disks)
		code, _, talk := callMpathconf(base, append(strings.Fields(c.args), "--outfile", "/run/image/etc/multipath.conf")...)
		got := contentAt(t, base, "/run/image/etc/multipath.conf")
		if (code == 0) != (c.talk == "") || !strings.Contains(talk, c.talk) {
			t.Errorf("%s: exit %d: %q", c.args, code, talk)
		}
		if c.talk != "" {
			if got != "" {
				t.Errorf("%s: written: %s", c.args, got)
			}
			continue
		}
		want := "blacklist {\n\twwid \".*\"\n#\tdevnode \".*\"\n}\nblacklist_exceptions {\n\twwid " + strings.ReplaceAll(c.want, " ", "\n\twwid ") + "\n}\n"
		if got != want {
			t.Errorf("%s:\n%swant:\n%s", c.args, got, want)
		}
		if contentAt(t, base, mpathconfFile) != disks[mpathconfFile] || contentAt(t, base, "/calls") != "" {
			t.Errorf("%s: the host was changed", c.args)
		}
	}
}

// --outfile makes no directories, and then nothing else either.
func TestMpathconfOutfileNowhere(t *testing.T) {
	for _, c := range []struct{ out, talk string }{
		{"/no/such/dir/x", "the directory /no/such/dir does not exist"},
		{"/srv/none/x", "the directory /srv/none does not exist"},
		{"/srv/file/x", "/srv/file is no directory"},
		{"/srv/file/sub/x", "not a directory"},
	} {
		base := mpathconfTree(t, map[string]string{mpathconfFile: mpathconfStart, "/srv/file": ""})
		code, _, talk := callMpathconf(base, "--enable", "--find_multipaths", "smart", "--outfile", c.out)
		if code != exitError || !strings.Contains(talk, c.talk) {
			t.Errorf("%s: exit %d: %s", c.out, code, talk)
		}
		var found []string
		err := filepath.WalkDir(base, func(path string, _ fs.DirEntry, err error) error {
			found = append(found, strings.TrimPrefix(path, base))
			return err
		})
		if want := " /etc /etc/multipath.conf /srv /srv/file"; err != nil || strings.Join(found, " ") != want || contentAt(t, base, mpathconfFile) != mpathconfStart {
			t.Errorf("%s: %q, want %q, %v", c.out, found, want, err)
		}
	}
}

// The lines say what is in force, drop-ins included.
func TestMpathconfStatus(t *testing.T) {
	const quiet = "recheck_wwid is disabled\ndefault property blacklist is disabled\nenable_foreign is not set (no foreign multipath devices will be shown)\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
		talk  string
	}{
		{"nothing", nil, "multipath is enabled\nfind_multipaths is strict\nuser_friendly_names is disabled\n" + quiet + "dm_multipath module is not loaded\nmultipathd is not running\n", "there is no"},
		{
			"as made",
			map[string]string{mpathconfFile: mpathconfStart, "/sys/module/dm_multipath/x": "", "/units": strings.ReplaceAll(unitsOurs, "%s", "active")},
			"multipath is enabled\nfind_multipaths is yes\nuser_friendly_names is enabled\n" + quiet + "dm_multipath module is loaded\nmultipathd is running\n", "",
		},
		{
			"all",
			map[string]string{
				mpathconfFile:                  "defaults {\nuser_friendly_names no\nfind_multipaths 0\nrecheck_wwid 1\nenable_foreign \".*\"\n}\nblacklist {\ndevnode ^.*$\n}\nblacklist_exceptions {\nproperty \"(SCSI_IDENT_|ID_WWN)\"\n}\n",
				"/etc/multipath/conf.d/a.conf": "defaults {\nuser_friendly_names yes\n}\n", "/proc/modules": "dm_multipath 53248 2 dm_service_time, Live 0x0\n", "/listens": "",
			},
			"multipath is disabled\nfind_multipaths is no\nuser_friendly_names is enabled\nrecheck_wwid is enabled\ndefault property blacklist is enabled\nenable_foreign is set (all foreign multipath devices will be shown)\n" +
				"dm_multipath module is loaded\nmultipathd is running\n", "",
		},
		{
			"YAML",
			map[string]string{mpathconfFile: mpathconfStart, "/etc/pathkeeper/pathkeeper.yaml": "defaults:\n  find_multipaths: smart\n  enable_foreign: nvme\n"},
			"multipath is enabled\nfind_multipaths is smart\nuser_friendly_names is disabled\nrecheck_wwid is disabled\ndefault property blacklist is disabled\n" +
				"enable_foreign is set (foreign multipath devices may not be shown)\ndm_multipath module is not loaded\nmultipathd is not running\n", "pathkeeper.yaml is the configuration here",
		},
	} {
		base := mpathconfTree(t, c.files)
		code, out, talk := callMpathconf(base)
		if code != 0 || out != c.want || !strings.Contains(talk, c.talk) || (talk == "") != (c.talk == "") {
			t.Errorf("%s: exit %d, %s\n%s\nwant:\n%s", c.name, code, talk, out, c.want)
		}
	}
}

// meddled is a file system on which something happens before a file is replaced.
type meddled struct {
	mpathconfFiles
	before func() error
}

func (m meddled) Like(path string) statefile.Port {
	return meddledLike{m.mpathconfFiles.Like(path), m.before}
}

type meddledLike struct {
	statefile.Port
	before func() error
}

func (m meddledLike) Replace(path string, was, data []byte, mode uint32) error {
	if err := m.before(); err != nil {
		return err
	}
	return m.Port.Replace(path, was, data, mode)
}

// Whoever else wrote the file meanwhile keeps what he wrote, and a file that cannot be
// written is the old one; the daemon is then left alone.
func TestMpathconfInterfered(t *testing.T) {
	const conf, others = "defaults {\n\tfind_multipaths no\n}\n", "# by hand\n"
	for _, c := range []struct {
		name, want, talk string
		before           func(base string) error
	}{
		{"written by hand", others, "changed by somebody else", func(base string) error { return os.WriteFile(base+mpathconfFile, []byte(others), 0o644) }},
		{"no room", conf, "no space", func(string) error { return errors.New("no space left on device") }},
	} {
		base := mpathconfTree(t, map[string]string{mpathconfFile: conf, "/units": strings.ReplaceAll(unitsOurs, "%s", "active")})
		h := mpathconfAt(base)
		h.files = meddled{h.files, func() error { return c.before(base) }}
		var out, talk strings.Builder
		code := mpathconfOn(h, []string{"--find_multipaths", "smart", "--with_multipathd", "y"}, streams{&out, &talk})
		if got := contentAt(t, base, mpathconfFile); code != exitError || got != c.want || !strings.Contains(talk.String(), c.talk) {
			t.Errorf("%s: exit %d, %q, %q", c.name, code, talk.String(), got)
		}
		if calls := contentAt(t, base, "/calls"); calls != "" {
			t.Errorf("%s: %s", c.name, calls)
		}
	}
}

package daemon

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// KernelOffers finds the path selectors and hardware handlers of the running
// kernel by its modules. Where that cannot be told, everything is assumed.
func KernelOffers(root string) policy.Kernel {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return policy.Kernel{}
	}
	dir := filepath.Join(root, "lib/modules", unix.ByteSliceToString(u.Release[:]))
	var text string
	for _, f := range []string{"modules.dep", "modules.builtin"} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			return policy.Kernel{}
		}
		text += string(b)
	}
	var k policy.Kernel
	for _, s := range []string{"round-robin", "queue-length", "service-time", "historical-service-time", "io-affinity"} {
		if strings.Contains(text, "/dm-"+s+".ko") {
			k.Selectors = append(k.Selectors, s)
		}
	}
	for _, h := range []string{"alua", "rdac", "emc", "hp_sw"} {
		if strings.Contains(text, "/scsi_dh_"+h+".ko") {
			k.Handlers = append(k.Handlers, h)
		}
	}
	if len(k.Selectors) == 0 {
		return policy.Kernel{}
	}
	return k
}

// resolveNames finds the numbers of the user and group names in a
// configuration: the files first, then, once and bounded, whatever else the
// host uses (userdb, LDAP) by getent. A name without a number is a warning: the
// node keeps its owner.
func resolveNames(cfg policy.Config, warn func(policy.Origin, string)) (users, groups []mpath.NameID) {
	for _, s := range owners(cfg) {
		if s.Keyword == "uid" {
			users = addName(users, s, "passwd", lookupUser, warn)
		} else {
			groups = addName(groups, s, "group", lookupGroup, warn)
		}
	}
	return users, groups
}

// owners gives the uid and gid settings of a configuration, in its order.
func owners(cfg policy.Config) (out []policy.Setting) {
	layers := []policy.Layer{cfg.Defaults, cfg.Overrides}
	for _, m := range cfg.Multipaths {
		layers = append(layers, m.Layer)
	}
	for _, l := range layers {
		for _, s := range l {
			if s.Keyword == "uid" || s.Keyword == "gid" {
				out = append(out, s)
			}
		}
	}
	return out
}

func addName(list []mpath.NameID, s policy.Setting, db string, lookup func(string) (string, error), warn func(policy.Origin, string)) []mpath.NameID {
	if _, err := strconv.ParseUint(s.Value, 10, 32); err == nil || s.Value == "" {
		return list
	}
	if slices.ContainsFunc(list, func(n mpath.NameID) bool { return n.Name == s.Value }) {
		return list
	}
	text, err := lookup(s.Value)
	if err != nil {
		text, err = getent(db, s.Value)
	}
	n, err2 := strconv.ParseUint(text, 10, 32)
	if err != nil || err2 != nil {
		warn(s.Origin, s.Keyword+" "+s.Value+": no such name in "+db+": the nodes keep their owner")
		return list
	}
	return append(list, mpath.NameID{Name: s.Value, ID: uint32(n)})
}

func lookupUser(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func lookupGroup(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// getent asks the host's name service once, for at most two seconds.
func getent(db, name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", db, "--", name).Output()
	if err != nil {
		return "", err
	}
	f := strings.Split(strings.TrimSpace(string(out)), ":")
	if len(f) < 3 {
		return "", os.ErrNotExist
	}
	return f[2], nil
}

// UnknownNames gives the users and groups of a configuration that this machine
// does not know, those of single disks not among them.
func UnknownNames(cfg policy.Config) (users, groups []string) {
	known, knownGroups := resolveNames(cfg, func(policy.Origin, string) {})
	unknown := func(name string, have []mpath.NameID, list []string) []string {
		if _, err := strconv.ParseUint(name, 10, 32); err == nil || name == "" || slices.Contains(list, name) ||
			slices.ContainsFunc(have, func(n mpath.NameID) bool { return n.Name == name }) {
			return list
		}
		return append(list, name)
	}
	for _, s := range owners(cfg) {
		if s.Keyword == "uid" {
			users = unknown(s.Value, known, users)
		} else {
			groups = unknown(s.Value, knownGroups, groups)
		}
	}
	return users, groups
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"pathkeeper/dmmap/table"
	"pathkeeper/policy"
	"pathkeeper/rules"
	"pathkeeper/show"
	"pathkeeper/sysfs"
	"pathkeeper/uevent"
)

// valid answers -c and -u: is the device a path, as the udev hook decides it.
func (r *multipathRun) valid() (ok bool, err error) {
	var env uevent.Props
	name := ""
	if r.udev {
		env = readEnvironment(os.Environ())
		if name = eventDevice(env); name == "" && r.name == "" {
			return false, fmt.Errorf("-u wants a udev event of a disk: neither DEVPATH nor DEVNAME is set")
		}
	}
	if name == "" {
		if name, err = r.kernelName(); err != nil {
			return false, err
		}
		env = uevent.Props{{Key: "DEVTYPE", Value: "disk"}}
	}
	properties, claim, err := claimOf(r.on.hookHost(), name, env, r.udev)
	switch {
	case err != nil:
		return false, err
	case claim == policy.ClaimUnknown && !r.udev:
		return false, fmt.Errorf("%s is no device that could be a path", r.name)
	}
	if _, err := io.WriteString(r.std.out, rules.Format(properties)); err != nil {
		return false, err
	}
	return claim > policy.ClaimNo || r.udev && claim == policy.ClaimNo, nil
}

// kernelName gives the kernel's name of the device argument.
func (r *multipathRun) kernelName() (string, error) {
	name := r.resolved()
	tree, end, err := r.on.tree()
	if err != nil {
		return "", err
	}
	defer end()
	if n := strings.ReplaceAll(name, "/", "!"); sysfs.IsBlock(tree, n) {
		return n, nil
	}
	if n, ok, err := numbered(tree, name); ok || err != nil {
		return n, err
	}
	return "", fmt.Errorf("%s is no block device of this host", r.name)
}

// numbered gives the whole disk of a device number, "8:16". The kernel has a link for
// each, so that nothing is read of the many others of a large host; a tree without
// the links is searched.
func numbered(tree sysfs.Tree, number string) (name string, ok bool, err error) {
	dev, notDev := table.ParseDevNum(number)
	if notDev == nil {
		link, err := tree.ReadLink("dev/block/" + dev.String())
		if name = path.Base(link); err == nil && sysfs.IsBlock(tree, name) {
			return name, true, nil
		}
	}
	names, err := sysfs.ListBlock(tree)
	if err != nil || notDev != nil {
		return "", false, err
	}
	for _, n := range names {
		if b, err := tree.ReadAttr("block/"+n+"/dev", sysfs.MaxAttr); err == nil && strings.TrimSpace(string(b)) == dev.String() {
			return n, true, nil
		}
	}
	return "", false, nil
}

// usable answers -C and -U: has the map a path that the kernel calls active and whose
// device runs. Nothing is sent to any device.
func (r *multipathRun) usable(ctx context.Context) (ok bool, err error) {
	name := r.name
	if r.udev {
		env := readEnvironment(os.Environ())
		if name = env.Value("DM_NAME"); name == "" {
			name = env.Value("DEVNAME")
		}
		if name == "" && r.name == "" {
			return false, fmt.Errorf("-U wants a udev event of a map: neither DM_NAME nor DEVNAME is set")
		}
		if name == "" {
			name = r.name
		}
	}
	s, err := r.look(ctx, false)
	if err != nil {
		return false, err
	}
	one, found := show.Select(s, name)
	if !found || len(one.Maps) == 0 || !one.Maps[0].Known {
		return false, fmt.Errorf("there is no map %s; `multipath -l -v1` lists them", name)
	}
	for _, p := range one.Paths {
		if p.InTable && !p.KernelFailed && (p.DevState == "" || p.DevState == "running" || p.DevState == "live") {
			return true, nil
		}
	}
	r.say(2, "%s: no usable paths found", name) // trident looks for these words
	return false, nil
}

// dumpLocal answers -T.
func (r *multipathRun) dumpLocal(ctx context.Context) (ok bool, err error) {
	c, messages, err := r.on.config(r.at)
	if err != nil {
		return false, err
	}
	s, err := r.look(ctx, false)
	if err != nil {
		return false, err
	}
	return true, dumpFor(r.std, c, messages, s)
}

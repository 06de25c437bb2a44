package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"pathkeeper/lab/guest"
	"pathkeeper/scenario"
)

// rootUnit runs the body of rootboot once the host is up, and switches it off.
const rootUnit = `[Unit]
Description=What the scenario asks of a host whose root is on a map
DefaultDependencies=no
After=sysinit.target pathkeeper.service
Before=shutdown.target

[Service]
Type=oneshot
StandardOutput=file:/dev/ttyS1
StandardError=file:/dev/ttyS1
ExecStart=/bin/sh /usr/lib/lab-root-script
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=600
`

// rootboot boots a second machine from an image that this guest has made: its root
// file system is on a disk with two paths.
func (s *session) rootboot(c scenario.Command) error {
	initrd, err := s.guest.ReadFile(c.Args[0])
	if err != nil {
		return err
	}
	b := guest.RootBoot{Image: s.image, Initrd: initrd, Append: c.Options["append"], Accel: s.guest.Accel}
	if s.opts.Tree != "" {
		if b.Files, err = readTree(s.opts.Tree); err != nil {
			return err
		}
	}
	b.Files = append(withoutLab(b.Files),
		guest.Inject{Path: "/usr/lib/lab-root-script", Mode: 0o755, Data: []byte(c.Body)},
		guest.Inject{Path: "/etc/systemd/system/lab-root.service", Mode: 0o644, Data: []byte(rootUnit)},
		guest.Inject{Path: "/etc/systemd/system/lab.target.wants/lab-root.service", Mode: os.ModeSymlink, Data: []byte("/etc/systemd/system/lab-root.service")},
		guest.Inject{Path: "/etc/systemd/system/lab-agent.service", Mode: os.ModeSymlink, Data: []byte("/dev/null")},
		guest.Inject{Path: "/etc/systemd/system/sysinit.target.wants/pathkeeper.service", Mode: os.ModeSymlink, Data: []byte("/usr/lib/systemd/system/pathkeeper.service")},
	)
	ctx, cancel := context.WithTimeout(context.Background(), s.guest.Scale(c.Duration("within", 3*time.Minute)))
	defer cancel()
	r, err := b.Run(ctx)
	if err == nil {
		err = errors.Join(said("it", r.Said, c.Options["match"]), said("its console", r.Console, c.Options["console"]))
	}
	if err != nil {
		kept := filepath.Join(s.opts.Failures, "rootboot-"+time.Now().Format("150405")+".txt")
		if e := os.MkdirAll(s.opts.Failures, 0o755); e == nil {
			_ = os.WriteFile(kept, []byte(r.Console+"\n--- said\n"+r.Said), 0o644)
		}
		return fmt.Errorf("%w; it said:\n%s\nits console is in %s", err, r.Said, kept)
	}
	s.progress("%s", r.Said)
	return nil
}

// said holds what a machine said against an expression; "" is none.
func said(who, text, want string) error {
	re, err := regexp.Compile("(?s)" + want)
	if err == nil && !re.MatchString(text) {
		err = fmt.Errorf("%s said nothing that matches %q", who, want)
	}
	return err
}

// withoutLab leaves out the lab's own programs: they would be most of the image.
func withoutLab(files []guest.Inject) []guest.Inject {
	return slices.DeleteFunc(files, func(f guest.Inject) bool { return strings.HasPrefix(f.Path, "/usr/lib/pathkeeper-lab/") })
}

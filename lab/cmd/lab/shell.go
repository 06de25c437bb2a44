package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"pathkeeper/lab/guest"
	"pathkeeper/lab/image"
)

// shell boots a guest and connects this terminal to a shell in it.
func shell(ctx context.Context, args []string) error {
	boot, variant := guest.Bare, image.Plain
	for _, a := range args {
		switch a {
		case string(guest.Bare), string(guest.Systemd):
			boot = guest.Boot(a)
		case string(image.Clients):
			variant = image.Clients
		default:
			return fmt.Errorf("lab shell %q: there is bare and systemd, and clients", a)
		}
	}
	if err := image.InstallDeps(os.Stderr, false); err != nil {
		return err
	}
	img, err := image.Ensure(os.Stderr, variant)
	if err != nil {
		return err
	}
	cfg := guest.Config{Image: img, Boot: boot, Talk: os.Stderr}
	if bin, err := guest.BuildStatic("pathkeeper/cmd/pathkeeper"); err == nil {
		cfg.Files = append(cfg.Files, guest.Inject{Path: "/usr/sbin/pathkeeper", Mode: 0o755, Data: bin})
	} else {
		fmt.Fprintln(os.Stderr, "lab: the guest has no pathkeeper:", err)
	}
	g, err := guest.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer g.Close()
	fd := int(os.Stdin.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return errors.New("lab shell needs a terminal")
	}
	var rows, cols uint16
	if size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil {
		rows, cols = size.Row, size.Col
	}
	raw := *old
	raw.Iflag &^= unix.BRKINT | unix.ICRNL | unix.INPCK | unix.ISTRIP | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ICANON | unix.IEXTEN | unix.ISIG
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return err
	}
	defer unix.IoctlSetTermios(fd, unix.TCSETS, old)
	return g.Shell(os.Stdin.Read, func(b []byte) error {
		_, err := os.Stdout.Write(b)
		return err
	}, rows, cols)
}

package run

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

// evidence is what a failed scenario leaves: file name and shell command.
var evidence = []struct{ name, command string }{
	{"dmesg.txt", "dmesg"},
	{"dm.txt", "dmsetup info -c; dmsetup table; dmsetup status; dmsetup info"},
	{"lsblk.txt", "lsblk -o NAME,KNAME,MAJ:MIN,SIZE,TYPE,MOUNTPOINTS,OWNER,GROUP,MODE; ls -l /dev/mapper"},
	{"scsi.txt", "for d in /sys/bus/scsi/devices/*:*:*:*; do echo $d $(cat $d/state) $(ls $d/block 2>/dev/null); done"},
	{"udev.txt", "udevadm info --export-db"},
	{"ps.txt", "ps -eLo pid,tid,ppid,stat,wchan:32,etime,args"},
	{"stacks.txt", "for p in $(ps -eo pid,stat | awk '$2 ~ /D/ {print $1}'); do echo == $p; cat /proc/$p/stack; done"},
	{"journal.txt", "journalctl --no-pager -o short-monotonic 2>/dev/null | tail -5000"},
	{"topology.txt", binary + " show topology; " + binary + " show paths --all"},
	{"snapshot.json", binary + " show topology --json"},
	{"multipathd.txt", "timeout 5 multipathd show topology; timeout 5 multipathd show paths"},
}

// keep saves everything that helps to understand a failure, and returns where.
func (s *session) keep(script *scenario.Script, failure error) string {
	name := strings.TrimSuffix(filepath.Base(script.File), ".txt")
	dir := filepath.Join(s.opts.Failures, name+"-"+time.Now().Format("150405"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "not kept: " + err.Error()
	}
	save := func(file string, data []byte) {
		if len(data) > 0 {
			os.WriteFile(filepath.Join(dir, file), data, 0o644)
		}
	}
	save("failure.txt", []byte(failure.Error()+"\n"))
	if console, err := s.guest.Console(); err == nil {
		save("console.txt", console)
	}
	if !s.guest.Alive() {
		return dir
	}
	for _, e := range evidence {
		if strings.HasPrefix(e.command, binary) && s.opts.Tree == "" {
			continue
		}
		exit, err := s.guest.Exec(wire.Exec{Argv: []string{"sh", "-c", e.command}}, 20*time.Second)
		if err != nil {
			save(e.name, []byte(err.Error()))
			continue
		}
		save(e.name, append(exit.Stdout, exit.Stderr...))
	}
	if data, err := s.guest.ReadFile(tracing + "/trace"); err == nil {
		save("trace.txt", data)
	}
	data, err := s.guest.Tar("/run/lab", "/run/pathkeeper", "/var/lib/pathkeeper", "/etc/multipath", "/etc/multipath.conf", "/etc/pathkeeper")
	if err == nil {
		err = unpack(data, dir)
	}
	if err != nil {
		save("files-error.txt", []byte(err.Error()))
	}
	return dir
}

// outbox is where a program in the guest puts what the host shall have.
const outbox = "run/lab/out"

// fetch copies the outbox to the host, if the host wants it.
func (s *session) fetch() error {
	if s.opts.Fetch == "" || !s.guest.Alive() {
		return nil
	}
	data, err := s.guest.Tar("/" + outbox)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pathkeeper-lab-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := unpack(data, dir); err != nil {
		return err
	}
	from := filepath.Join(dir, outbox)
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		body, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		to := filepath.Join(s.opts.Fetch, strings.TrimPrefix(name, from))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, body, 0o644)
	})
}

// unpack writes the regular files of a tar archive below dir, without the LUNs'
// images.
func unpack(data []byte, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the guest's files: %w", err)
		}
		if strings.HasSuffix(h.Name, ".img") {
			continue
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := root.MkdirAll(filepath.Dir(h.Name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(h.Name, body, 0o644); err != nil {
			return err
		}
	}
}

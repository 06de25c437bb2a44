package run

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

const ioDir = "/run/lab/io"

func (s *session) io(c scenario.Command) error {
	name, action := c.Args[0], c.Args[1]
	device, running := s.ios[name]
	if action == "start" {
		if running {
			return fmt.Errorf("I/O %q runs already", name)
		}
		if len(c.Args) != 3 {
			return fmt.Errorf("on which device?")
		}
		return s.startIO(c)
	}
	if !running {
		return fmt.Errorf("no I/O %q was started", name)
	}
	switch action {
	case "stop":
		return s.stopIO(name, c.Options["errors"] == "some")
	case "progress":
		return s.ioProgress(name, device, c.Duration("within", soon))
	case "stalled":
		done, err := s.ioDone(device)
		if err != nil {
			return err
		}
		_, err = s.guest.Wait(wire.Wait{File: statFile(device), Match: done, HoldMS: c.Duration("for", 2*time.Second).Milliseconds()}, 0)
		if err != nil {
			return fmt.Errorf("I/O goes on: %w", err)
		}
		return nil
	}
	return fmt.Errorf("no action %q", action)
}

// startIO starts fio: random writes, each read back and checked soon after, at
// a bounded rate so that two slow CPUs are left for what is being tested.
func (s *session) startIO(c scenario.Command) error {
	name := c.Args[0]
	device, err := s.device(c.Args[2])
	if err != nil {
		return err
	}
	size, rate := c.Options["size"], c.Options["rate"]
	if size == "" {
		size = "16M"
	}
	if rate == "" {
		rate = "100"
	}
	if _, err := scenario.Size(size); err != nil {
		return err
	}
	if err := s.guest.Do(wire.Step{Mkdir: ioDir}); err != nil {
		return err
	}
	// The kernel has a map a moment before udevd has made its link.
	var real string
	if err := s.eventually(soon, 0, func() (err error) { real, err = s.resolve(device); return err }); err != nil {
		return err
	}
	if _, err := s.guest.Start("io-"+name, ioDir+"/"+name+".log", "fio", "--name="+name, "--filename="+real, "--rw=randwrite", "--bs=4k",
		"--ioengine=libaio", "--iodepth=4", "--direct=1", "--size="+size, "--rate_iops="+rate, "--time_based", "--runtime=7200",
		"--verify=crc32c", "--verify_backlog=16", "--verify_fatal=1", "--do_verify=1", "--randrepeat=0", "--allow_file_create=0",
		"--output-format=json", "--output="+ioDir+"/"+name+".json"); err != nil {
		return err
	}
	s.ios[name] = real
	return s.ioProgress(name, real, 30*time.Second) // fio takes its time to start
}

// resolve follows links to the node, so that a name that goes away later does
// not matter.
func (s *session) resolve(device string) (string, error) {
	entries, err := s.guest.Look(device)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 || entries[0].Mode&unix.S_IFMT != unix.S_IFBLK {
		return "", fmt.Errorf("%s is no block device", device)
	}
	if entries[0].Link != "" {
		return entries[0].Link, nil
	}
	return device, nil
}

func statFile(device string) string { return "/sys/block/" + filepath.Base(device) + "/stat" }

// ioDone returns a pattern that matches the device's stat file as long as no
// further read or write completes (Documentation/block/stat.rst: fields 1 and 5).
func (s *session) ioDone(device string) (string, error) {
	text, err := s.guest.ReadFile(statFile(device))
	if err != nil {
		return "", err
	}
	f := strings.Fields(string(text))
	if len(f) < 5 {
		return "", fmt.Errorf("%s says %q", statFile(device), text)
	}
	return fmt.Sprintf(`^\s*%s(\s+\d+){3}\s+%s\s`, f[0], f[4]), nil
}

func (s *session) ioProgress(name, device string, limit time.Duration) error {
	done, err := s.ioDone(device)
	if err != nil {
		return err
	}
	if _, err := s.guest.Wait(wire.Wait{File: statFile(device), Match: done, Not: true}, limit); err != nil {
		return fmt.Errorf("no I/O completes on %s: %w%s", device, err, s.jobLog("io-"+name, ioDir+"/"+name+".log"))
	}
	if !s.guest.Running("io-" + name) {
		return fmt.Errorf("fio has ended:%s", s.jobLog("io-"+name, ioDir+"/"+name+".log"))
	}
	return nil
}

func (s *session) jobLog(name, file string) string {
	text, _ := s.guest.ReadFile(file)
	if len(text) == 0 {
		return ""
	}
	return "\n--- " + name + ":\n" + string(text)
}

// fioReport is what we read of fio's JSON.
type fioReport struct {
	Jobs []struct {
		Error       int `json:"error"`
		TotalErr    int `json:"total_err"`
		Read, Write struct {
			TotalIOs int64 `json:"total_ios"`
			LatNS    struct {
				Max float64 `json:"max"`
			} `json:"lat_ns"`
		}
	} `json:"jobs"`
}

// stopIO interrupts fio, which then prints its report.
func (s *session) stopIO(name string, errorsAllowed bool) error {
	delete(s.ios, name)
	early := s.guest.Signal("io-"+name, syscall.SIGINT) != nil
	exit, err := s.guest.Reap("io-"+name, 30*time.Second)
	if err != nil {
		s.guest.Signal("io-"+name, syscall.SIGKILL)
		s.guest.Reap("io-"+name, 10*time.Second)
		return err
	}
	text, err := s.guest.ReadFile(ioDir + "/" + name + ".json")
	if err != nil {
		return fmt.Errorf("fio left no report: %w%s", err, s.jobLog("io-"+name, ioDir+"/"+name+".log"))
	}
	at := strings.IndexByte(string(text), '{')
	var r fioReport
	if at >= 0 {
		err = json.Unmarshal(text[at:], &r)
	}
	if at < 0 || err != nil || len(r.Jobs) != 1 {
		return fmt.Errorf("fio's report cannot be read (%v):\n%s", err, text)
	}
	j := r.Jobs[0]
	s.progress("        fio %s: %d writes, %d verified reads, longest write %.0f ms, error %d, exit %d",
		name, j.Write.TotalIOs, j.Read.TotalIOs, j.Write.LatNS.Max/1e6, j.Error, exit.Code)
	if !errorsAllowed {
		log := s.jobLog("fio", ioDir+"/"+name+".log")
		switch {
		case j.Error != 0 || early:
			return fmt.Errorf("fio ended with error %d (%v):%s\n%s", j.Error, syscall.Errno(j.Error), log, text[:max(at, 0)])
		case exit.Code != 0 && exit.Code != 128:
			return fmt.Errorf("fio: exit %d:%s", exit.Code, log)
		case j.Read.TotalIOs == 0:
			return fmt.Errorf("fio verified nothing: it ran too short")
		}
	}
	return nil
}

func (s *session) probe(c scenario.Command) error {
	name, how := c.Args[0], c.Args[1]
	p := wire.Probe{Name: name, Write: how == "write", Later: how == "ends", Stamp: c.Options["stamp"]}
	want := c.Args[len(c.Args)-1]
	if (len(c.Args) == 4) == p.Later {
		return fmt.Errorf("a device stands with read and write, and not with ends")
	}
	if !p.Later {
		var err error
		if p.Path, err = s.device(c.Args[2]); err != nil {
			return err
		}
		if strings.HasPrefix(p.Path, "/dev/mapper/") {
			if err := s.eventually(soon, 0, func() error { _, err := s.resolve(p.Path); return err }); err != nil {
				return err
			}
		}
	}
	if p.Write && p.Stamp == "" {
		p.Stamp = name
	}
	if text := c.Options["offset"]; text != "" {
		var err error
		if p.Offset, err = scenario.Size(text); err != nil {
			return err
		}
	}
	r, err := s.guest.Probe(p, c.Duration("within", soon))
	if err != nil {
		return err
	}
	if r.Pending {
		s.probes[name] = true
	} else {
		delete(s.probes, name)
	}
	have := "ok"
	switch {
	case r.Pending:
		have = "pending"
	case r.Errno != 0:
		have = unix.ErrnoName(syscall.Errno(r.Errno))
	case r.Error != "":
		have = r.Error
	}
	s.progress("        probe %s: %s after %.0f ms", name, have, r.MS)
	if have != want {
		return fmt.Errorf("it is %s after %s ms, not %s; %s", have, strconv.FormatFloat(r.MS, 'f', 0, 64), want, r.Error)
	}
	if p.Stamp != "" && how == "read" && !regexp.MustCompile("^"+regexp.QuoteMeta(p.Stamp)+"\n").Match(r.Head) {
		return fmt.Errorf("the block begins with %q, not with the stamp", r.Head)
	}
	return nil
}

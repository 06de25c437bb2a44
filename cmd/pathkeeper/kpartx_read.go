package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/blockio"
	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/partition"
)

// A map that queues because it has no path lets a read wait for ever, and no signal
// ends it. So a process of its own reads, which is left to itself when its time is
// over: it ends when the map lets go of it. udevd's worker goes on meanwhile.
const (
	readerName   = "kpartx-read" // the name that the reading process is called by
	readPatience = 20 * time.Second
	maxFound     = 1 << 20 // bytes that it may print
)

// readTable implements kpartxHost.
func (ownHost) readTable(device string, o partition.Options) (kpartxFound, error) {
	request, err := json.Marshal(readRequest{Device: device, Options: o})
	if err != nil {
		return kpartxFound{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return kpartxFound{}, err
	}
	c := exec.Command(program)
	c.Args = []string{readerName, string(request)}
	out, err := runBounded(c, readPatience)
	if err != nil {
		return kpartxFound{}, fmt.Errorf("reading the partition table of %s: %w", device, err)
	}
	var found kpartxFound
	if err := json.Unmarshal(out, &found); err != nil {
		return kpartxFound{}, fmt.Errorf("reading the partition table of %s: %w", device, err)
	}
	return found, nil
}

// errStuck is a read that took too long.
var errStuck = errors.New("no answer")

// runBounded runs a program as a reader and gives what it prints. One that does not
// end in time is killed, and not waited for: the kill waits in the kernel as well.
func runBounded(c *exec.Cmd, patience time.Duration) ([]byte, error) {
	pipe, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var talk bytes.Buffer // a pipe of its own: nobody else's stays open with it
	c.Stderr = &talk
	if err := c.Start(); err != nil {
		return nil, err
	}
	type result struct {
		out []byte
		err error
	}
	end := make(chan result, 1)
	go func() {
		out, err := io.ReadAll(io.LimitReader(pipe, maxFound))
		if e := c.Wait(); err == nil && e != nil {
			err = fmt.Errorf("%w: %s", e, strings.TrimSpace(talk.String()))
		}
		end <- result{out, err}
	}()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case r := <-end:
		return r.out, r.err
	case <-t.C:
		_ = c.Process.Kill()
		return nil, fmt.Errorf("%w within %v: does it have a path? Nothing was changed", errStuck, patience)
	}
}

// readRequest is what the reading process is told.
type readRequest struct {
	Device  string
	Options partition.Options
}

// readerMain is the reading process.
func readerMain(args []string, std streams) int {
	var r readRequest
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &r) != nil {
		fmt.Fprintf(std.err, "%s: only kpartx calls this\n", readerName)
		return exitUsage
	}
	path, err := realPath(r.Device)
	if err == nil {
		var found kpartxFound
		if found, err = readPartitions(blockio.New(""), strings.TrimPrefix(path, "/"), r.Options); err == nil {
			err = json.NewEncoder(std.out).Encode(found)
		}
	}
	return report(std, readerName, err)
}

// readPartitions reads a device's table past the page cache.
func readPartitions(port blockio.Port, device string, o partition.Options) (kpartxFound, error) {
	info, errno := port.Info(device)
	if errno != 0 {
		return kpartxFound{}, fmt.Errorf("opening it: %w", dmmap.Errno(errno))
	}
	found := kpartxFound{Size: table.Sectors(info.Bytes / table.SectorBytes), ReadOnly: info.ReadOnly}
	found.Table = partition.ReadAt(partition.Device{Size: found.Size, BlockBytes: int(info.SectorSize)}, o, func(off int64, n int) ([]byte, error) {
		b, errno := port.ReadAt(device, uint64(off), uint32(n))
		if errno != 0 {
			return nil, unix.Errno(errno)
		}
		return b, nil
	})
	return found, nil
}

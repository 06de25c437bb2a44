package daemon

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pathkeeper/server"
)

// maxSockets bounds what is read of /proc/net/unix.
const maxSockets = 16 << 20

// holdSockets takes multipathd's sockets. A killed manager that still hangs in the
// kernel has them until it ends, and answers nobody: then there are none, and dead is
// its pid. Whoever else answers there manages maps, whatever became of a pid file.
// The process itself is looked at, since this one has started anew since it put a
// lock aside.
func holdSockets(names []string, proc string) (m *server.Mpathd, dead int, err error) {
	m, err = server.HoldMpathd(names, nil)
	var held *server.HeldError
	switch {
	case err == nil:
		return m, 0, nil
	case !errors.As(err, &held):
	case held.PID != 0 && dying(held.PID, proc):
		return nil, held.PID, nil
	case held.PID == 0:
		if dead = deadListener(held.Socket, proc); dead != 0 {
			return nil, dead, nil
		}
	}
	return nil, 0, fmt.Errorf("another manager answers for this host: %w", err)
}

// deadListener finds the dying manager that has a socket whose queue is full, so that
// the kernel does not say who listens there: by its descriptors.
func deadListener(name, proc string) int {
	list, err := os.Open(filepath.Join(proc, "net/unix"))
	if err != nil {
		return 0
	}
	defer list.Close()
	link := ""
	for lines := bufio.NewScanner(io.LimitReader(list, maxSockets)); lines.Scan(); {
		f := strings.Fields(lines.Text()) // number, references, protocol, flags, type, state, inode, name
		if len(f) == 8 && f[7] == name && listening(f[3]) {
			link = "socket:[" + f[6] + "]"
		}
	}
	if link == "" {
		return 0
	}
	dirs, _ := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || !dying(pid, proc) {
			continue
		}
		files, _ := filepath.Glob(filepath.Join(dir, "task/*/fd/*"))
		for _, file := range files {
			if to, err := os.Readlink(file); err == nil && to == link {
				return pid
			}
		}
	}
	return 0
}

// listening reads the flags of a socket: __SO_ACCEPTCON of linux/net.h.
func listening(flags string) bool {
	n, err := strconv.ParseUint(flags, 16, 64)
	return err == nil && n&(1<<16) != 0
}

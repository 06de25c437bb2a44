package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// notifier speaks sd_notify(3): one datagram a line to $NOTIFY_SOCKET.
type notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration // 0: none wanted
	last     time.Time

	lock sync.Mutex
	owed []string // what systemd had no room for, oldest first
}

// owedMost bounds what is kept for a systemd that hangs.
const owedMost = 16

func newNotifier() *notifier {
	n := &notifier{}
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return n
	}
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return n
	}
	n.conn = c
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if pid := os.Getenv("WATCHDOG_PID"); err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// say tells systemd something. The loop itself says that it is alive, and must not wait
// for an init that hangs, as it may on the very map that the loop is to mend. What
// systemd has no room for is said again with the next line, and by alive: a service
// whose READY=1 is lost is killed.
func (n *notifier) say(line string) {
	if n.conn == nil {
		return
	}
	n.lock.Lock()
	defer n.lock.Unlock()
	if line != "" && len(n.owed) < owedMost && !slices.Contains(n.owed, line) {
		n.owed = append(n.owed, line)
	}
	for len(n.owed) > 0 && n.send(n.owed[0]) {
		n.owed = n.owed[1:]
	}
}

// send tries once, and waits for nobody. false: there was no room.
func (n *notifier) send(line string) bool {
	raw, err := n.conn.SyscallConn()
	if err != nil {
		return true // closed: nobody will ever hear it
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		_, sent = unix.SendmsgN(int(fd), []byte(line), nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return true
	})
	return err != nil || !errors.Is(sent, unix.EAGAIN) && !errors.Is(sent, unix.ENOBUFS) && !errors.Is(sent, unix.EINTR)
}

// alive feeds the watchdog. The loop itself calls it, so that a loop that hangs
// is restarted.
func (n *notifier) alive() {
	line := ""
	if t := time.Now(); n.watchdog > 0 && t.Sub(n.last) >= n.watchdog/3 {
		n.last, line = t, "WATCHDOG=1"
	}
	n.say(line)
}

// stopUnit asks systemd to stop a service of ours, so that it is not started again.
// It waits only until systemd has taken that in, and not for long.
func (n *notifier) stopUnit(unit string) {
	if n.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	taken := make(chan struct{})
	go func() { // left behind where even the start of a program hangs
		defer close(taken)
		_ = exec.CommandContext(ctx, "systemctl", "stop", "--no-block", unit).Run()
	}()
	select {
	case <-taken:
	case <-ctx.Done():
	}
}

package daemon

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// notifier speaks sd_notify(3): one datagram a line to $NOTIFY_SOCKET.
type notifier struct {
	conn     net.Conn
	watchdog time.Duration // 0: none wanted
	last     time.Time
}

// sayLimit is how long systemd may take to make room for a line.
const sayLimit = 20 * time.Millisecond

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
// for an init that hangs, as it may on the very map that the loop is to mend.
func (n *notifier) say(line string) {
	if n.conn != nil {
		_ = n.conn.SetWriteDeadline(time.Now().Add(sayLimit))
		_, _ = n.conn.Write([]byte(line))
	}
}

// alive feeds the watchdog. The loop itself calls it, so that a loop that hangs
// is restarted.
func (n *notifier) alive() {
	if n.watchdog == 0 || n.conn == nil {
		return
	}
	if t := time.Now(); t.Sub(n.last) >= n.watchdog/3 {
		n.last = t
		n.say("WATCHDOG=1")
	}
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

// restarting asks systemd whether this stop is half of a restart: then queueing
// is left as it is, since another daemon follows at once. Without systemd, or
// without an answer in time, the stop counts as final, as multipathd's does.
func (n *notifier) restarting(unit string) bool {
	if n.conn == nil {
		return false
	}
	// In a goroutine that is left behind: on a dead root even the start of a
	// program hangs, whatever its context says.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	answer := make(chan []byte, 1)
	go func() {
		out, err := exec.CommandContext(ctx, "systemctl", "list-jobs", "--no-legend", "--plain").Output()
		if err != nil {
			out = nil
		}
		answer <- out
	}()
	var out []byte
	select {
	case out = <-answer:
	case <-ctx.Done():
	}
	for _, line := range strings.Split(string(out), "\n") {
		f := strings.Fields(line)
		if len(f) >= 3 && f[1] == unit {
			return f[2] == "restart" || f[2] == "try-restart" || f[2] == "start"
		}
	}
	return false
}

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/configs"
	"pathkeeper/server"
)

// What a client of multipathd goes by: the daemon takes at most its uxsock_timeout, and
// a little more is waited than it needs to say so.
const (
	replyWait       = 4000 * time.Millisecond
	replyWaitMargin = time.Second
	connectWait     = 2 * time.Second
)

// errNobody is that no daemon of multipath maps answers on this host.
var errNobody = errors.New("no daemon answers")

// multipathdSockets are the addresses of the daemon, in the order in which they are
// tried: MULTIPATH_SOCKET_NAME alone, or the pathname first and then the abstract one.
func multipathdSockets(getenv func(string) string) []string {
	if name := getenv("MULTIPATH_SOCKET_NAME"); name != "" {
		return []string{name}
	}
	return []string{server.MpathdPath, server.MpathdSocket}
}

// mpathdClient is a conversation with the daemon of this host, ours or Debian's.
type mpathdClient struct {
	conn net.Conn
	at   string // the address that answered
	wait time.Duration
}

// dialMultipathd connects to the first address at which somebody listens. errNobody:
// there is none. Any other error is one of a daemon that is there.
func dialMultipathd(sockets []string, wait time.Duration) (*mpathdClient, error) {
	for _, name := range sockets {
		c, err := net.DialTimeout("unix", name, connectWait)
		switch {
		case err == nil && !ofManager(c):
			c.Close() // anybody may take an abstract name; a manager is root
			continue
		case err == nil:
			return &mpathdClient{conn: c, at: name, wait: wait}, nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errRefused):
			continue // nobody there
		}
		return nil, fmt.Errorf("connecting to multipathd's socket %s: %w", name, plainError(err))
	}
	return nil, fmt.Errorf("%w at multipathd's socket (%s), failed to connect: start it, `systemctl start pathkeeper`", errNobody, strings.Join(sockets, ", "))
}

// ofManager says whether root listens at the other end, or who we are ourselves. What
// cannot be said is no reason to refuse.
func ofManager(c net.Conn) bool {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return true
	}
	cred, err := server.PeerCred(u)
	return err != nil || cred.Manages()
}

// plainError takes package net's wrapping off.
func plainError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func (c *mpathdClient) Close() { c.conn.Close() }

// ask sends one command and gives the whole answer.
func (c *mpathdClient) ask(command string) (string, error) {
	if len(command)+1 > server.RequestBytes {
		return "", fmt.Errorf("the command has %d bytes; multipathd takes at most %d", len(command), server.RequestBytes-1)
	}
	if strings.IndexByte(command, 0) >= 0 {
		return "", errors.New("the command holds a NUL byte")
	}
	_ = c.conn.SetDeadline(time.Now().Add(c.wait))
	if _, err := c.conn.Write(server.AppendFrame(nil, command)); err != nil {
		return "", c.explain("sending the command to", err)
	}
	text, err := server.ReadReply(c.conn)
	if err != nil {
		return "", c.explain("reading the answer of", err)
	}
	return text, nil
}

func (c *mpathdClient) explain(what string, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s the daemon at %s: nothing came within %d ms; what was asked for may still be done", what, c.at, c.wait.Milliseconds())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return fmt.Errorf("%s the daemon at %s: it closed the connection", what, c.at)
	}
	return fmt.Errorf("%s the daemon at %s: %w", what, c.at, plainError(err))
}

// verdictOf takes a reply apart: "fail" with more behind it is the rest alone.
func verdictOf(reply string) (text string, ok bool) {
	rest, failed := strings.CutPrefix(reply, "fail\n")
	switch {
	case reply == "fail":
		return "fail\n", false
	case !failed:
		return reply, true
	case rest == "":
		return reply, false
	}
	return rest, false
}

// terminalOut says whether what is printed is seen on a terminal.
func terminalOut(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// withoutBold takes bold out of what a daemon says that runs on a terminal, but for one.
func withoutBold(text string, out io.Writer) string {
	if !strings.Contains(text, "\x1b[") || terminalOut(out) {
		return text
	}
	return regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(text, "")
}

// socketWait is how long an answer is waited for: uxsock_timeout, and the margin.
func socketWait() time.Duration {
	wait := replyWait
	if cfg, _, err := configs.Load(configs.SystemPaths()); err == nil {
		for _, s := range cfg.Defaults {
			if n, err := strconv.Atoi(s.Value); s.Keyword == "uxsock_timeout" && err == nil && n >= 4000 && n < 1<<31 {
				wait = time.Duration(n) * time.Millisecond
			}
		}
	}
	return wait + replyWaitMargin
}

// commandLine joins the words of a command line to one command: a word that has blanks
// or quotes in it is quoted as multipath.conf quotes. One word alone that has blanks
// is a whole command already.
func commandLine(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, " \t\"#!{}") {
			w = `"` + strings.ReplaceAll(w, `"`, `""`) + `"`
		}
		quoted[i] = w
	}
	return strings.Join(quoted, " ")
}

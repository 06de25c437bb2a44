package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/show"
)

// MpathdSocket is multipathd's abstract socket. Who holds it is the host's manager
// of multipath maps; its clients (multipath -u among them) ask there whether one
// is running. Environment MULTIPATH_SOCKET_NAME replaces it.
const MpathdSocket = "@/org/kernel/linux/storage/multipathd"

// Limits of multipathd's protocol: what a request and an answer may measure, bytes
// with the closing NUL, and how long a begun request or an answer may take.
const (
	mpathdRequestBytes = 512
	mpathdReplyBytes   = 32 << 20
	mpathdTime         = 4 * time.Second
	mpathdIdle         = 10 * time.Minute
	mpathdClients      = 128
)

// Mpathd holds multipathd's socket, so that no second manager starts, and answers
// the commands of its clients.
type Mpathd struct {
	src    Source
	listen *limited

	mu     sync.Mutex
	conns  map[*client]struct{}
	closed bool
}

// HoldMpathd takes the socket; "" is MpathdSocket, a leading @ means abstract. A
// living process there is ErrHeld, with its name. Nothing is answered before Serve.
func HoldMpathd(name string, cred func(*net.UnixConn) (Cred, error)) (*Mpathd, error) {
	if name == "" {
		name = MpathdSocket
	}
	var l *net.UnixListener
	var err error
	path := ""
	if strings.HasPrefix(name, "@") {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	} else {
		path = name
		l, err = listenPath(name)
	}
	if errors.Is(err, unix.EADDRINUSE) || errors.Is(err, ErrHeld) {
		who := Holder(name)
		if who == "" {
			who = "a process that does not answer"
		}
		return nil, fmt.Errorf("take multipathd's socket %s: %w: %s; one manager of multipath maps per host: stop the other one first", name, ErrHeld, who)
	}
	if err != nil {
		return nil, fmt.Errorf("take multipathd's socket %s: %w", name, err)
	}
	return &Mpathd{listen: newLimited(l, path, mpathdClients, cred), conns: map[*client]struct{}{}}, nil
}

// Serve answers until Close. It returns nil then.
func (m *Mpathd) Serve(src Source) error {
	m.src = src
	for {
		c, err := m.listen.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		conn := c.(*client)
		if !m.add(conn) {
			return nil
		}
		go func() {
			defer m.drop(conn)
			m.talk(conn)
		}()
	}
}

// Close gives the socket back and ends all conversations.
func (m *Mpathd) Close() error {
	m.mu.Lock()
	m.closed = true
	for c := range m.conns {
		c.Close()
	}
	m.mu.Unlock()
	return m.listen.Close()
}

func (m *Mpathd) add(c *client) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		c.Close()
		return false
	}
	m.conns[c] = struct{}{}
	return true
}

func (m *Mpathd) drop(c *client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, c)
	c.Close()
}

// talk answers one request after the other.
func (m *Mpathd) talk(c *client) {
	for {
		cmd, err := readFrame(c)
		if err != nil {
			return
		}
		c.SetWriteDeadline(time.Now().Add(mpathdTime))
		if err := writeFrame(c, m.answer(cmd, c.cred)); err != nil {
			return
		}
	}
}

// lengthBytes is sizeof(size_t).
const lengthBytes = strconv.IntSize / 8

// timedReader is a connection as far as requests are read from it.
type timedReader interface {
	io.Reader
	SetReadDeadline(time.Time) error
}

// readFrame reads a request: its length in the machine's own size_t, the closing
// NUL counted, and the text. A length that cannot be is an error, and the end.
func readFrame(c timedReader) (string, error) {
	var head [lengthBytes]byte
	c.SetReadDeadline(time.Now().Add(mpathdIdle))
	if _, err := io.ReadFull(c, head[:1]); err != nil {
		return "", err
	}
	c.SetReadDeadline(time.Now().Add(mpathdTime))
	if _, err := io.ReadFull(c, head[1:]); err != nil {
		return "", err
	}
	n := uint64(0)
	if lengthBytes == 8 {
		n = binary.NativeEndian.Uint64(head[:])
	} else {
		n = uint64(binary.NativeEndian.Uint32(head[:]))
	}
	if n == 0 || n > mpathdRequestBytes {
		return "", fmt.Errorf("request of %d bytes, want 1 to %d", n, mpathdRequestBytes)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(c, text); err != nil {
		return "", err
	}
	cmd, _, _ := strings.Cut(string(text), "\x00")
	return cmd, nil
}

func writeFrame(c net.Conn, text string) error {
	if len(text)+1 > mpathdReplyBytes {
		text = "fail\nthe answer is too long\n"
	}
	buf := make([]byte, 0, lengthBytes+len(text)+1)
	if lengthBytes == 8 {
		buf = binary.NativeEndian.AppendUint64(buf, uint64(len(text)+1))
	} else {
		buf = binary.NativeEndian.AppendUint32(buf, uint32(len(text)+1))
	}
	_, err := c.Write(append(append(buf, text...), 0))
	return err
}

// answer gives the reply to one command. Every command gets one.
func (m *Mpathd) answer(cmd string, who Cred) string {
	words := strings.Fields(cmd)
	reading := len(words) > 0 && (words[0] == "show" || words[0] == "list")
	if !reading && !who.Root() {
		return "fail\npermission deny: need to be root\n"
	}
	object := ""
	if reading {
		object = strings.Join(words[1:], " ")
	}
	text := ""
	switch object {
	case "daemon":
		st := m.src.Status()
		return fmt.Sprintf("pid %d %s\n", st.PID, st.State)
	case "topology", "maps topology", "multipaths topology":
		text = show.Topology(m.src.Snapshot(), show.TopologyOptions{})
	case "maps", "multipaths":
		text = show.MultipathdMaps(m.src.Snapshot())
	case "paths":
		text = show.MultipathdPaths(m.src.Snapshot())
	default:
		return "fail\nthis is pathkeeper, which does not know the command `" + show.Safe(cmd) + "` here: see `pathkeeper show --help`\n"
	}
	if text == "" {
		return "ok\n"
	}
	return text
}

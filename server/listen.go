package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHeld says that a living process has the socket.
var ErrHeld = errors.New("another process answers there")

// HeldError is ErrHeld of one of multipathd's sockets, and who the kernel says began to
// listen there; PID 0: it does not say.
type HeldError struct {
	Socket, Who string
	PID         int
}

// Error implements error.
func (e *HeldError) Error() string {
	return fmt.Sprintf("take multipathd's socket %s: %v: %s; one manager of multipath maps per host: stop the other one first", e.Socket, ErrHeld, e.Who)
}

// Unwrap makes it an ErrHeld.
func (e *HeldError) Unwrap() error { return ErrHeld }

// PeerCred asks the kernel who is at the other end.
func PeerCred(c *net.UnixConn) (Cred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Cred{}, err
	}
	var u *unix.Ucred
	var got error
	if err := raw.Control(func(fd uintptr) { u, got = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return Cred{}, err
	}
	if got != nil {
		return Cred{}, fmt.Errorf("SO_PEERCRED: %w", got)
	}
	return Cred{PID: u.Pid, UID: u.Uid}, nil
}

// listenPath binds a socket with mode 0666 in a directory that only its owner can
// write to. A socket that nobody answers at is replaced, in one rename; anything
// else in its place is left there and an error.
func listenPath(path string) (*net.UnixListener, error) {
	dir := filepath.Dir(path)
	if err := socketDir(dir); err != nil {
		return nil, err
	}
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("look at %s: %w", path, err)
	case st.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("listen at %s: it is there and is no socket; remove it", path)
	default:
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("listen at %s: %w", path, ErrHeld)
		} else if !errors.Is(err, unix.ECONNREFUSED) {
			return nil, fmt.Errorf("ask who is at %s: %w", path, err)
		}
	}
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(temp, 0o666), os.Rename(temp, path)); err != nil {
		l.Close()
		os.Remove(temp)
		return nil, err
	}
	return l, nil
}

// socketDir makes the directory, or checks that nobody else can swap what is in it.
// Where others may write but the sticky bit keeps them off what is not theirs (a /run
// of mode 1777, as an early boot has it), they cannot.
func socketDir(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		return os.Chmod(dir, 0o755) // whatever the umask
	}
	if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s is no directory", dir)
	case st.Uid != uint32(os.Geteuid()) || st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0:
		return fmt.Errorf("%s belongs to uid %d and has mode %04o: want uid %d and nobody else to write", dir, st.Uid, st.Mode&0o7777, os.Geteuid())
	}
	return nil
}

// limited accepts connections up to a number, one for root and one for all others,
// so that nobody can lock root out. What is too much is closed at once.
type limited struct {
	*net.UnixListener
	cred  func(*net.UnixConn) (Cred, error)
	most  int
	path  string      // unlinked at the end; "" none
	inode os.FileInfo // what stood at path when it was made

	mu          sync.Mutex
	root, other int
	refused     uint64
}

func newLimited(l *net.UnixListener, path string, most int, cred func(*net.UnixConn) (Cred, error)) *limited {
	if cred == nil {
		cred = PeerCred
	}
	lim := &limited{UnixListener: l, cred: cred, most: most, path: path}
	if path != "" {
		lim.inode, _ = os.Lstat(path)
	}
	return lim
}

// client is a connection and who it is.
type client struct {
	*net.UnixConn
	cred Cred
	once sync.Once
	done func()
}

func (c *client) Close() error {
	c.once.Do(c.done)
	return c.UnixConn.Close()
}

// Accept implements net.Listener; the connections are *client.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.next()
		if err != nil {
			return nil, err
		}
		cred, err := l.cred(c)
		if err != nil || !l.enter(cred) {
			c.Close()
			continue
		}
		return &client{UnixConn: c, cred: cred, done: func() { l.leave(cred) }}, nil
	}
}

// next waits for the next connection, whoever it is.
func (l *limited) next() (*net.UnixConn, error) {
	for {
		c, err := l.AcceptUnix()
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.ENOMEM) {
			time.Sleep(50 * time.Millisecond) // full for now: try again, more slowly
			continue
		}
		return c, err
	}
}

func (l *limited) enter(c Cred) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := &l.other
	if c.Root() {
		n = &l.root
	}
	if *n >= l.most {
		l.refused++
		return false
	}
	*n++
	return true
}

func (l *limited) leave(c Cred) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Root() {
		l.root--
	} else {
		l.other--
	}
}

// Close ends listening and unlinks the path, if it is still ours.
func (l *limited) Close() error {
	if l.path != "" && l.inode != nil {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.inode) {
			os.Remove(l.path)
		}
	}
	return l.UnixListener.Close()
}

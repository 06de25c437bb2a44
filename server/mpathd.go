package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"
)

// MpathdSocket is multipathd's abstract socket. Who holds it is the host's manager
// of multipath maps; its clients (multipath -u among them) ask there whether one
// is running. MpathdPath is the other one, which newer clients ask first.
// Environment MULTIPATH_SOCKET_NAME replaces both.
const (
	MpathdSocket = "@/org/kernel/linux/storage/multipathd"
	MpathdPath   = "/run/multipathd.socket"
)

// MpathdNames are the sockets to hold: replaced, where that is set, else both.
func MpathdNames(replaced string) []string {
	if replaced != "" {
		return []string{replaced}
	}
	return []string{MpathdSocket, MpathdPath}
}

// Limits of what multipathd's clients can cost. Idle ones cost nothing but a
// descriptor and a goroutine, and stay as long as they like; where there are too many,
// the one that has been idle for longest makes room for a new one. Root and all
// others have each their own room.
const (
	mpathdClients    = 2048
	mpathdComputing  = 4        // answers that are made at once
	mpathdReplyRoom  = 64 << 20 // bytes of large answers in memory
	mpathdSmallReply = 64 << 10 // what a socket takes without its reader
)

// Mpathd holds multipathd's sockets, so that no second manager starts, and answers
// the commands of its clients.
type Mpathd struct {
	src     Source
	listens []*limited
	cred    func(*net.UnixConn) (Cred, error)
	most    int           // clients, of root and of all others each
	wait    time.Duration // in place of uxsock_timeout; 0: what is configured

	// Missing says why sockets were not taken that nobody else holds.
	Missing []error

	mu     sync.Mutex
	conns  [2]map[*mpathdClient]struct{} // of others, of root
	closed bool

	computing [2]chan struct{}
	room      [2]*semaphore.Weighted
}

// HoldMpathd takes sockets; a leading @ means an abstract one. A living process there
// is ErrHeld, with its name, and then none is taken. A path whose process is dead is
// taken over. One that cannot be taken for another reason is Missing, as long as there
// is another one: maps need their manager more than clients a second socket. Nothing is
// answered before Serve.
func HoldMpathd(names []string, cred func(*net.UnixConn) (Cred, error)) (*Mpathd, error) {
	m := newMpathd(cred)
	for _, name := range names {
		l, err := holdSocket(name)
		switch {
		case err == nil:
			m.listens = append(m.listens, l)
		case errors.Is(err, ErrHeld):
			_ = m.Close()
			return nil, err
		default:
			m.Missing = append(m.Missing, err)
		}
	}
	if len(m.listens) == 0 {
		return nil, errors.Join(m.Missing...)
	}
	return m, nil
}

// MpathdOn serves sockets that somebody else listens at, systemd for one.
func MpathdOn(passed []*net.UnixListener, cred func(*net.UnixConn) (Cred, error)) *Mpathd {
	m := newMpathd(cred)
	for _, l := range passed {
		l.SetUnlinkOnClose(false)
		m.listens = append(m.listens, newLimited(l, "", 0, nil))
	}
	return m
}

func newMpathd(cred func(*net.UnixConn) (Cred, error)) *Mpathd {
	if cred == nil {
		cred = PeerCred
	}
	m := &Mpathd{cred: cred, most: mostClients()}
	for i := range m.conns {
		m.conns[i] = map[*mpathdClient]struct{}{}
		m.computing[i] = make(chan struct{}, mpathdComputing)
		m.room[i] = semaphore.NewWeighted(mpathdReplyRoom)
	}
	return m
}

// mostClients leaves the daemon three quarters of its descriptors.
func mostClients() int {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil || lim.Cur > 8*mpathdClients {
		return mpathdClients
	}
	return max(int(lim.Cur)/8, 16)
}

func holdSocket(name string) (*limited, error) {
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
		// Anybody may take an abstract name. Whoever is not root, or does not listen,
		// is no manager, and does not keep the maps from having one.
		who, cred, known := holderOf(name)
		owner, told := ownerOf(name)
		switch {
		case !known && told && !(Cred{UID: owner}).Manages():
			return nil, fmt.Errorf("take multipathd's socket %s: a process of uid %d holds it and takes no connection, and is no manager of maps: end it (`ss -xap` lists it)", name, owner)
		case known && !cred.Manages():
			return nil, fmt.Errorf("take multipathd's socket %s: %s of uid %d holds it, and is no manager of maps: end it", name, who, cred.UID)
		case who == "" && deaf(name):
			return nil, fmt.Errorf("take multipathd's socket %s: a process holds it and does not listen there: end it (`ss -xap` lists it)", name)
		}
		if who == "" {
			who = "a process that does not answer"
		}
		held := &HeldError{Socket: name, Who: who}
		if known {
			held.PID = int(cred.PID)
		}
		return nil, held
	}
	if err != nil {
		return nil, fmt.Errorf("take multipathd's socket %s: %w", name, err)
	}
	return newLimited(l, path, 0, nil), nil
}

// Serve answers until Close. It returns nil then.
func (m *Mpathd) Serve(src Source) error {
	m.src = src
	var g errgroup.Group
	for _, l := range m.listens {
		g.Go(func() error { return m.accept(l) })
	}
	return g.Wait()
}

func (m *Mpathd) accept(l *limited) error {
	for {
		c, err := l.next()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		cred, err := m.cred(c)
		if err != nil {
			_ = c.Close()
			continue
		}
		conn := &mpathdClient{UnixConn: c, cred: cred, idle: true, since: time.Now()}
		if !m.add(conn) {
			_ = c.Close()
			continue
		}
		go func() {
			defer m.drop(conn)
			m.talk(conn)
		}()
	}
}

// Close gives the sockets back and ends all conversations.
func (m *Mpathd) Close() error {
	m.mu.Lock()
	m.closed = true
	for _, class := range m.conns {
		for c := range class {
			_ = c.Close()
		}
	}
	m.mu.Unlock()
	var err error
	for _, l := range m.listens {
		err = errors.Join(err, l.Close())
	}
	return err
}

// mpathdClient is one conversation.
type mpathdClient struct {
	*net.UnixConn
	cred  Cred
	idle  bool // it has asked nothing that is not answered; Mpathd.mu
	since time.Time
}

func (c *mpathdClient) class() int {
	if c.cred.Root() {
		return 1
	}
	return 0
}

// add lets a client in; the one that has been idle for longest goes where there is
// no room. false: all are at work, or the end has come.
func (m *Mpathd) add(c *mpathdClient) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	class := m.conns[c.class()]
	if m.closed {
		return false
	}
	if len(class) >= m.most {
		var longest *mpathdClient
		for o := range class {
			if o.idle && (longest == nil || o.since.Before(longest.since)) {
				longest = o
			}
		}
		if longest == nil {
			return false
		}
		delete(class, longest)
		_ = longest.Close()
	}
	class[c] = struct{}{}
	return true
}

func (m *Mpathd) drop(c *mpathdClient) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns[c.class()], c)
	_ = c.Close()
}

func (m *Mpathd) setIdle(c *mpathdClient, idle bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.idle, c.since = idle, time.Now()
}

// talk answers one request after the other.
func (m *Mpathd) talk(c *mpathdClient) {
	for {
		limit := m.limit()
		cmd, err := readFrame(begun{c, func() { m.setIdle(c, false) }}, limit)
		if err != nil {
			return
		}
		text, then, leave := m.reply(cmd, c, limit)
		_ = c.SetWriteDeadline(time.Now().Add(limit))
		err = writeFrame(c, text)
		leave()
		if then != nil {
			then()
		}
		if err != nil {
			return
		}
		m.setIdle(c, true)
	}
}

// reply answers a command in bounded memory and time. leave is to be called when the
// answer was sent.
func (m *Mpathd) reply(cmd string, c *mpathdClient, limit time.Duration) (text string, then, leave func()) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	leave = func() {}
	r, job := m.parse(cmd, c.cred, limit)
	if job != nil {
		r = m.run(ctx, job, c)
	}
	text = r.String()
	if len(text)+1 > ReplyBytes {
		return failWord + "the answer is too long\n", nil, leave
	}
	n := int64(len(text))
	if n <= mpathdSmallReply {
		return text, r.then, leave
	}
	room := m.room[c.class()]
	if !room.TryAcquire(n) {
		// What waits for room is not in memory meanwhile: it is made anew.
		text, r.text, r.detail = "", "", ""
		if room.Acquire(ctx, n) != nil {
			return failed(failTimeout).String(), r.then, leave
		}
		if job != nil && job.reads {
			text = m.run(ctx, job, c).String()
		}
		if text == "" || int64(len(text)) > n {
			room.Release(n)
			return failed(failTimeout).String(), r.then, leave
		}
	}
	return text, r.then, func() { room.Release(n) }
}

// run carries out a command; of those that read, few are carried out at once. They
// change nothing, so that a bug in one costs its answer, and is told, and not the
// daemon that the maps need.
func (m *Mpathd) run(ctx context.Context, j *job, c *mpathdClient) (r reply) {
	if !j.reads {
		return j.run(ctx)
	}
	defer func() {
		if cause := recover(); cause != nil {
			m.src.Bug(fmt.Sprintf("answering a client of multipathd's socket: %v\n%s", cause, debug.Stack()))
			r = refused("a bug of Pathkeeper's, please report it; the daemon's log says more")
		}
	}()
	gate := m.computing[c.class()]
	select {
	case gate <- struct{}{}:
		defer func() { <-gate }()
		return j.run(ctx)
	case <-ctx.Done():
		return failed(failTimeout)
	}
}

// limit is how long a request, its answer's making and its answer's sending may
// take, each: uxsock_timeout.
func (m *Mpathd) limit() time.Duration {
	if m.wait > 0 {
		return m.wait
	}
	rules := m.src.Rules()
	if rules == nil {
		return mpathdTime
	}
	s, ok := rules.Config().Defaults.Lookup("uxsock_timeout")
	if !ok {
		return mpathdTime
	}
	return timeOf(s.Value)
}

// SocketsPassed says whether systemd has passed sockets to this process.
func SocketsPassed() bool {
	return passedCount(os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getpid()) > 0
}

// PassedSockets gives the sockets that systemd has passed to this process, at most
// two, and takes the word of them out of the environment (sd_listen_fds(3)).
func PassedSockets() ([]*net.UnixListener, error) {
	defer func() {
		for _, name := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
			_ = os.Unsetenv(name)
		}
	}()
	n := passedCount(os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getpid())
	var out []*net.UnixListener
	for fd := firstPassed; fd < firstPassed+n; fd++ {
		f := os.NewFile(uintptr(fd), fmt.Sprintf("passed socket %d", fd))
		l, err := net.FileListener(f)
		_ = f.Close()
		if err != nil {
			return out, fmt.Errorf("take over descriptor %d from systemd: %w", fd, err)
		}
		u, ok := l.(*net.UnixListener)
		if !ok {
			_ = l.Close()
			return out, fmt.Errorf("take over descriptor %d from systemd: it is %s, no socket of multipathd's kind", fd, l.Addr().Network())
		}
		out = append(out, u)
	}
	return out, nil
}

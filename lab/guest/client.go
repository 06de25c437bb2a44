package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"pathkeeper/lab/wire"
)

// Client asks the agent. Durations that callers pass are what the thing takes
// on the reference machine; the client stretches them by Factor.
type Client struct {
	// Hello is what the agent said of itself.
	Hello wire.Hello

	conn   net.Conn
	send   sync.Mutex
	hello  chan wire.Hello
	factor float64

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan wire.Response
	gone    error // set once the connection ended
}

// referenceSpawnMS is one fork, exec and exit in an idle guest of two CPUs under
// TCG on the machine that the scenarios' deadlines were written on.
const referenceSpawnMS = 20.0

// maxFactor bounds the stretching: beyond it a machine is too slow to be
// believed.
const maxFactor = 6.0

// ErrHangs means that the guest's agent stopped answering.
var ErrHangs = errors.New("the guest hangs")

func newClient(conn net.Conn) *Client {
	c := &Client{conn: conn, hello: make(chan wire.Hello, 1), waiting: map[uint64]chan wire.Response{}, factor: 1}
	go c.read()
	return c
}

// Factor is by how much deadlines are stretched: at least 1.
func (c *Client) Factor() float64 { return c.factor }

// Scale stretches a duration by Factor.
func (c *Client) Scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) * c.factor)
}

func (c *Client) greeted(ctx context.Context, exited <-chan struct{}) error {
	select {
	case c.Hello = <-c.hello:
		c.factor = min(max(1, c.Hello.SpawnMS/referenceSpawnMS), maxFactor)
		return nil
	case <-exited:
		return errGuestGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) read() {
	in := bufio.NewReaderSize(c.conn, 256<<10)
	for {
		var r wire.Response
		if err := wire.Receive(in, &r); err != nil {
			c.mu.Lock()
			c.gone = fmt.Errorf("the agent's channel ended: %w", err)
			for id, ch := range c.waiting {
				close(ch)
				delete(c.waiting, id)
			}
			c.mu.Unlock()
			return
		}
		if r.Hello != nil {
			select {
			case c.hello <- *r.Hello:
			default:
			}
			continue
		}
		c.mu.Lock()
		ch := c.waiting[r.ID]
		if ch != nil && !r.More {
			delete(c.waiting, r.ID)
		}
		c.mu.Unlock()
		if ch != nil {
			ch <- r
		}
	}
}

// AgentError is a refusal by the agent. errors.Is finds the guest's errno.
type AgentError struct {
	What  string
	Errno syscall.Errno
}

func (e *AgentError) Error() string { return e.What }

// Unwrap gives the errno that the guest's kernel answered, if it did.
func (e *AgentError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// grace is how long an answer may take beyond the agent's own deadline.
const grace = 20 * time.Second

// ask sends one request and waits for its answer. Where the agent refuses, the
// answer comes with the error.
func (c *Client) ask(req wire.Request, limit time.Duration) (wire.Response, error) {
	ch := make(chan wire.Response, 1)
	if err := c.post(&req, ch); err != nil {
		return wire.Response{}, err
	}
	timer := time.NewTimer(limit + c.Scale(grace))
	defer timer.Stop()
	select {
	case r, ok := <-ch:
		if !ok {
			return r, c.gone
		}
		if r.Err != "" {
			return r, &AgentError{What: r.Err, Errno: syscall.Errno(r.Errno)}
		}
		return r, nil
	case <-timer.C:
		// An agent that does not answer within its own deadline and the grace
		// will not answer the next request either: nobody should wait again.
		c.mu.Lock()
		delete(c.waiting, req.ID)
		c.gone = fmt.Errorf("%w: no answer for %s", ErrHangs, (limit + c.Scale(grace)).Round(time.Second))
		c.mu.Unlock()
		return wire.Response{}, c.gone
	}
}

func (c *Client) post(req *wire.Request, ch chan wire.Response) error {
	c.mu.Lock()
	if c.gone != nil {
		c.mu.Unlock()
		return c.gone
	}
	c.next++
	req.ID = c.next
	c.waiting[req.ID] = ch
	c.mu.Unlock()
	c.send.Lock()
	defer c.send.Unlock()
	return wire.Send(c.conn, *req)
}

// Exec runs a program in the guest to its end. A non-zero exit is no error
// here: the caller looks at Exit.
func (c *Client) Exec(e wire.Exec, limit time.Duration) (wire.Exit, error) {
	limit = c.Scale(limit)
	e.TimeoutMS = limit.Milliseconds()
	r, err := c.ask(wire.Request{Exec: &e}, limit)
	if err != nil {
		return wire.Exit{}, fmt.Errorf("run %q in the guest: %w", e.Argv, err)
	}
	return *r.Exit, nil
}

// Run runs argv and returns its stdout; a non-zero exit or the limit is an
// error that carries stderr.
func (c *Client) Run(limit time.Duration, argv ...string) (string, error) {
	exit, err := c.Exec(wire.Exec{Argv: argv}, limit)
	if err != nil {
		return "", err
	}
	if exit.TimedOut {
		return "", fmt.Errorf("%s: no end after %s", strings.Join(argv, " "), c.Scale(limit))
	}
	if exit.Code != 0 {
		return string(exit.Stdout), fmt.Errorf("%s: exit %d: %s", strings.Join(argv, " "), exit.Code, strings.TrimSpace(string(exit.Stderr)+string(exit.Stdout)))
	}
	return string(exit.Stdout), nil
}

// Start runs a program in the background and returns its pid.
func (c *Client) Start(name, log string, argv ...string) (int, error) {
	r, err := c.ask(wire.Request{Start: &wire.Start{Name: name, Argv: argv, Log: log}}, 0)
	return r.PID, err
}

// Reap waits for a background program's end.
func (c *Client) Reap(name string, limit time.Duration) (wire.Exit, error) {
	limit = c.Scale(limit)
	r, err := c.ask(wire.Request{Reap: &wire.Reap{Name: name, TimeoutMS: limit.Milliseconds()}}, limit)
	if err != nil {
		return wire.Exit{}, err
	}
	return *r.Exit, nil
}

// Running says whether a background program of that name runs.
func (c *Client) Running(name string) bool {
	_, err := c.ask(wire.Request{Signal: &wire.Signal{Name: name}}, 0)
	return err == nil
}

// Signal sends a signal to a background program.
func (c *Client) Signal(name string, sig syscall.Signal) error {
	_, err := c.ask(wire.Request{Signal: &wire.Signal{Name: name, Signal: int(sig)}}, 0)
	return err
}

// Do changes the guest's file system, step by step.
func (c *Client) Do(steps ...wire.Step) error {
	if len(steps) == 0 {
		return nil
	}
	_, err := c.ask(wire.Request{Do: steps}, 60*time.Second)
	return err
}

// WriteFile makes or replaces a regular file, or writes an attribute.
func (c *Client) WriteFile(path string, data []byte, mode uint32) error {
	return c.Do(wire.Step{Write: path, Data: data, Mode: mode})
}

// ReadFile returns a file's content.
func (c *Client) ReadFile(path string) ([]byte, error) {
	r, err := c.ask(wire.Request{Read: &wire.Read{Path: path}}, 20*time.Second)
	return r.Data, err
}

// Look lists the files that patterns match, in sorted order for each pattern.
func (c *Client) Look(patterns ...string) ([]wire.Entry, error) {
	r, err := c.ask(wire.Request{Look: patterns}, 20*time.Second)
	return r.Entries, err
}

// Wait waits until a condition holds; w's times are stretched. It returns the
// text that satisfied the condition, or was seen last.
func (c *Client) Wait(w wire.Wait, limit time.Duration) (string, error) {
	w.TimeoutMS = c.Scale(limit).Milliseconds()
	r, err := c.ask(wire.Request{Wait: &w}, c.Scale(limit)+time.Duration(w.HoldMS)*time.Millisecond)
	return string(r.Data), err
}

// Probe does one timed O_DIRECT I/O; p.TimeoutMS is set from limit.
func (c *Client) Probe(p wire.Probe, limit time.Duration) (wire.ProbeResult, error) {
	p.TimeoutMS = c.Scale(limit).Milliseconds()
	r, err := c.ask(wire.Request{Probe: &p}, c.Scale(limit))
	if err != nil {
		return wire.ProbeResult{}, err
	}
	return *r.Probe, nil
}

// Tar collects files and trees.
func (c *Client) Tar(paths ...string) ([]byte, error) {
	r, err := c.ask(wire.Request{Tar: &wire.Tar{Paths: paths}}, 60*time.Second)
	return r.Data, err
}

// Shell runs a login shell on a terminal in the guest until it ends: keys come
// from in, output goes to out.
func (c *Client) Shell(in func([]byte) (int, error), out func([]byte) error, rows, cols uint16) error {
	ch := make(chan wire.Response, 64)
	req := wire.Request{Shell: &wire.Shell{Start: true, Rows: rows, Cols: cols}}
	if err := c.post(&req, ch); err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := in(buf)
			if n > 0 {
				c.send.Lock()
				wire.Send(c.conn, wire.Request{ID: req.ID, Shell: &wire.Shell{Keys: buf[:n]}})
				c.send.Unlock()
			}
			if err != nil {
				return
			}
		}
	}()
	for r := range ch {
		if r.More {
			if err := out(r.Data); err != nil {
				return err
			}
			continue
		}
		if r.Err != "" {
			return errors.New(r.Err)
		}
		return nil
	}
	return c.gone
}

func (c *Client) close() { c.conn.Close() }

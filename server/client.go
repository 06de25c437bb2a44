package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/mpath"
)

// What a Client's errors are, for errors.Is.
var (
	ErrNotRunning = errors.New("the daemon is not running")
	ErrDenied     = errors.New("permission denied")
	ErrRefused    = errors.New("the daemon refuses") // with its own words
)

// Limits of a Client.
const (
	maxAnswerBytes = 256 << 20
	maxEventBytes  = 1 << 20
)

// Client talks to the daemon's API.
type Client struct {
	path string
	http *http.Client
}

// NewClient makes a client for the socket at path; "" is SocketPath. It connects
// when it is used, within two seconds or not at all.
func NewClient(path string) *Client {
	if path == "" {
		path = SocketPath
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: 2 * time.Second}
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext: dial, MaxIdleConns: 1, IdleConnTimeout: 5 * time.Second, DisableCompression: true,
	}}}
}

// Snapshot gets the core's snapshot, a lean one (mpath.Snapshot.Lean), and the daemon's version.
func (c *Client) Snapshot(ctx context.Context) (s mpath.Snapshot, version string, err error) {
	var a rawAnswer
	if err = c.call(ctx, http.MethodGet, "/v1/raw", &a); err != nil {
		return s, "", err
	}
	if s, err = mpath.ParseSnapshot(a.Snapshot); err != nil {
		err = fmt.Errorf("the answer of %s is not understood (is the daemon of another version?): %w", c.path, err)
	}
	return s, a.Version, err
}

// Basis gets what the core decides from, the snapshot of the same moment, and the
// daemon's version.
func (c *Client) Basis(ctx context.Context) (s mpath.Snapshot, b mpath.Basis, version string, err error) {
	var a basisAnswer
	err = c.call(ctx, http.MethodGet, "/v1/basis", &a)
	return a.Snapshot, a.Basis, a.Version, err
}

// Status asks who answers.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/status", &s)
	return s, err
}

// Reload has the daemon read its configuration again and waits for it. ErrRefused:
// the configuration is not good, the old one stays.
func (c *Client) Reload(ctx context.Context) (r ReloadResult, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/reload", &r)
	return r, err
}

// Command has the daemon carry out what an operator asks for and waits for its reply,
// which may say no.
func (c *Client) Command(ctx context.Context, cmd mpath.Command) (r mpath.Reply, err error) {
	b, err := json.Marshal(cmd)
	if err != nil {
		return r, err
	}
	err = c.send(ctx, http.MethodPost, "/v1/command", b, &r)
	return r, err
}

// Events calls each for every event until it or ctx ends the stream, or the daemon
// does: nil then.
func (c *Client) Events(ctx context.Context, each func(Event) error) error {
	body, err := c.open(ctx, http.MethodGet, "/v1/events", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEventBytes)
	for lines.Scan() {
		var line struct {
			Event
			errorAnswer
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("event from %s: %w", c.path, err)
		}
		if line.Error != "" {
			return fmt.Errorf("events from %s: %w: %s", c.path, ErrRefused, line.Error)
		}
		if err := each(line.Event); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return lines.Err()
}

func (c *Client) call(ctx context.Context, method, path string, into any) error {
	return c.send(ctx, method, path, nil, into)
}

func (c *Client) send(ctx context.Context, method, path string, request []byte, into any) error {
	body, err := c.open(ctx, method, path, request)
	if err != nil {
		return err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, maxAnswerBytes+1))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.path, err)
	}
	if len(b) > maxAnswerBytes {
		return fmt.Errorf("the answer of %s is over %d bytes", c.path, maxAnswerBytes)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("the answer of %s is not understood (is the daemon of another version?): %w", c.path, err)
	}
	return nil
}

// open sends a request and gives the body of a good answer.
func (c *Client) open(ctx context.Context, method, path string, request []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://pathkeeper"+path, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var a errorAnswer
	if json.Unmarshal(b, &a) != nil || a.Error == "" {
		a.Error = resp.Status + " " + string(bytes.TrimSpace(b))
	}
	kind := ErrRefused
	if resp.StatusCode == http.StatusForbidden {
		kind = ErrDenied
	}
	return nil, fmt.Errorf("%w: %s", kind, a.Error)
}

// explain turns what the kernel said into what it means.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("connect to %s: %w", c.path, ErrNotRunning)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("connect to %s: %w", c.path, ErrDenied)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("ask the daemon at %s: %w", c.path, err)
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return fmt.Errorf("the daemon at %s closed the connection (too many clients?): %w", c.path, err)
	}
	return fmt.Errorf("ask the daemon at %s: %w", c.path, err)
}

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"pathkeeper/mpath"
	"pathkeeper/show"
)

// Limits bounds what clients can cost. The zero value means DefaultLimits.
type Limits struct {
	Clients     int           // connections at once, of root and of all others each
	HeaderBytes int           // request line and headers
	BodyBytes   int64         // of a request
	Answers     int           // big answers in memory at once, for root and all others each
	Events      int           // events in wait per stream
	ReadTime    time.Duration // for a whole request
	WriteTime   time.Duration // for a whole answer, or one event
	IdleTime    time.Duration // between requests
	ReloadTime  time.Duration
	PlanBytes   int64 // of a plan that root sends, one at a time
	ApplyTime   time.Duration
}

// DefaultLimits are what the daemon runs with.
func DefaultLimits() Limits {
	return Limits{
		Clients: 64, HeaderBytes: 8 << 10, BodyBytes: 4 << 10, Answers: 4, Events: 1024,
		ReadTime: 5 * time.Second, WriteTime: 15 * time.Second, IdleTime: 30 * time.Second, ReloadTime: 2 * time.Minute,
		PlanBytes: 64 << 20, ApplyTime: 5 * time.Minute,
	}
}

// Options say how to serve.
type Options struct {
	Path   string // "" : SocketPath
	Limits Limits
	// Cred asks who a peer is; nil: PeerCred.
	Cred func(*net.UnixConn) (Cred, error)
	// Log takes a line on what went wrong with a client; nil: nobody. It must not block.
	Log func(string)
}

// API is the HTTP and JSON API on a unix socket.
type API struct {
	src    Source
	lim    Limits
	http   *http.Server
	listen *limited
	// gates bound the big answers: [0] for others, [1] for root.
	gates [2]chan struct{}
	// applies lets in one plan at a time: it may be large.
	applies chan struct{}
	stop    context.CancelFunc
}

// New binds the socket. Serve answers.
func New(src Source, opt Options) (*API, error) {
	if opt.Path == "" {
		opt.Path = SocketPath
	}
	lim := opt.Limits
	if lim == (Limits{}) {
		lim = DefaultLimits()
	}
	if lim.PlanBytes == 0 {
		lim.PlanBytes = DefaultLimits().PlanBytes
	}
	if lim.ApplyTime == 0 {
		lim.ApplyTime = DefaultLimits().ApplyTime
	}
	l, err := listenPath(opt.Path)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	a := &API{src: src, lim: lim, listen: newLimited(l, opt.Path, lim.Clients, opt.Cred), stop: stop, applies: make(chan struct{}, 1)}
	for i := range a.gates {
		a.gates[i] = make(chan struct{}, lim.Answers)
	}
	a.http = &http.Server{
		Handler: a.handler(), ReadHeaderTimeout: lim.ReadTime, ReadTimeout: lim.ReadTime, WriteTimeout: lim.WriteTime,
		IdleTimeout: lim.IdleTime, MaxHeaderBytes: lim.HeaderBytes, ErrorLog: log.New(lineLog{opt.Log}, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, credKey{}, c.(*client).cred)
		},
	}
	a.http.SetKeepAlivesEnabled(true)
	return a, nil
}

// Serve answers until Close. It returns nil then.
func (a *API) Serve() error {
	if err := a.http.Serve(a.listen); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends everything at once: streams too. The socket's path is unlinked.
func (a *API) Close() error {
	a.stop()
	err := a.http.Close()
	if e := a.listen.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	return err
}

type credKey struct{}

// lineLog hands net/http's complaints on.
type lineLog struct{ to func(string) }

func (l lineLog) Write(b []byte) (int, error) {
	if l.to != nil {
		l.to(show.Safe(string(trimNewline(b))))
	}
	return len(b), nil
}

func trimNewline(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == '\n' {
		b = b[:len(b)-1]
	}
	return b
}

func (a *API) handler() http.Handler {
	routes := map[string]struct {
		method string
		serve  func(http.ResponseWriter, *http.Request, Cred)
	}{
		"/v1/snapshot": {http.MethodGet, a.snapshot},
		"/v1/raw":      {http.MethodGet, a.raw},
		"/v1/basis":    {http.MethodGet, a.basis},
		"/v1/status":   {http.MethodGet, a.status},
		"/v1/events":   {http.MethodGet, a.events},
		"/v1/reload":   {http.MethodPost, a.reload},
		"/v1/command":  {http.MethodPost, a.command},
		"/v1/plan":     {http.MethodPost, a.plan},
		"/v1/apply":    {http.MethodPost, a.apply},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cred, _ := r.Context().Value(credKey{}).(Cred)
		most := a.lim.BodyBytes
		if r.URL.Path == "/v1/apply" && r.Method == http.MethodPost && cred.Root() {
			select {
			case a.applies <- struct{}{}:
				defer func() { <-a.applies }()
				most = a.lim.PlanBytes
			default:
				w.Header().Set("Connection", "close")
				fail(w, http.StatusConflict, "another plan is being applied")
				return
			}
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		route, ok := routes[r.URL.Path]
		switch {
		case !ok:
			fail(w, http.StatusNotFound, "there is no "+r.URL.Path+"; this is version 1 of the API: /v1/snapshot, /v1/status, /v1/events, /v1/reload, /v1/command, /v1/plan, /v1/apply")
		case r.Method != route.method:
			w.Header().Set("Allow", route.method)
			fail(w, http.StatusMethodNotAllowed, r.URL.Path+" takes "+route.method)
		default:
			// What a request carries is read whole, within its limit, also where it
			// means nothing.
			body, err := io.ReadAll(r.Body)
			if err != nil {
				w.Header().Set("Connection", "close")
				var big *http.MaxBytesError
				if errors.As(err, &big) {
					fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", most))
				} else {
					fail(w, http.StatusRequestTimeout, fmt.Sprintf("the body did not come whole within %s", a.lim.ReadTime))
				}
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			route.serve(w, r, cred)
		}
	})
}

// gate lets in as many big answers as memory is set aside for. false: too many.
func (a *API) gate(w http.ResponseWriter, r *http.Request, c Cred) (leave func(), ok bool) {
	g := a.gates[0]
	if c.Root() {
		g = a.gates[1]
	}
	wait := time.NewTimer(a.lim.ReadTime)
	defer wait.Stop()
	select {
	case g <- struct{}{}:
		return func() { <-g }, true
	case <-r.Context().Done():
	case <-wait.C:
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, "too many others are being answered, try again")
	}
	return nil, false
}

func (a *API) snapshot(w http.ResponseWriter, r *http.Request, c Cred) {
	leave, ok := a.gate(w, r, c)
	if !ok {
		return
	}
	defer leave()
	send(w, http.StatusOK, show.NewDocument(a.src.Snapshot(), show.SectionAll, nil).JSON())
}

// rawAnswer is what the command line gets: a lean snapshot, see mpath.SnapshotText.
type rawAnswer struct {
	Version  string          `json:"version"`
	Snapshot json.RawMessage `json:"snapshot"`
}

func (a *API) raw(w http.ResponseWriter, r *http.Request, c Cred) {
	leave, ok := a.gate(w, r, c)
	if !ok {
		return
	}
	defer leave()
	s := a.src.Snapshot().Lean()
	if !c.Root() {
		s = withoutKeys(s)
	}
	sendJSON(w, http.StatusOK, rawAnswer{a.src.Status().Version, mpath.SnapshotText(s)})
}

// basisAnswer is what `explain` decides from.
type basisAnswer struct {
	Version  string         `json:"version"`
	Snapshot mpath.Snapshot `json:"snapshot"`
	Basis    mpath.Basis    `json:"basis"`
}

// basis gives the configuration too, reservation keys with it: not to everybody.
func (a *API) basis(w http.ResponseWriter, r *http.Request, c Cred) {
	if !c.Root() {
		fail(w, http.StatusForbidden, fmt.Sprintf("the daemon's configuration needs root, you are uid %d", c.UID))
		return
	}
	leave, ok := a.gate(w, r, c)
	if !ok {
		return
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), a.lim.ReadTime)
	defer cancel()
	s, b, err := a.src.Basis(ctx)
	if err != nil {
		fail(w, http.StatusServiceUnavailable, "the daemon's loop does not answer: "+err.Error())
		return
	}
	sendJSON(w, http.StatusOK, basisAnswer{a.src.Status().Version, s, b})
}

func (a *API) status(w http.ResponseWriter, _ *http.Request, _ Cred) {
	sendJSON(w, http.StatusOK, a.src.Status())
}

func (a *API) reload(w http.ResponseWriter, r *http.Request, c Cred) {
	if !c.Root() {
		fail(w, http.StatusForbidden, fmt.Sprintf("a reload needs root, you are uid %d", c.UID))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.lim.ReloadTime)
	defer cancel()
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{})
	control.SetWriteDeadline(time.Now().Add(a.lim.ReloadTime + a.lim.WriteTime))
	res, err := a.src.Reload(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fail(w, http.StatusGatewayTimeout, fmt.Sprintf("the reload is not done after %s; it goes on", a.lim.ReloadTime))
	case err != nil:
		fail(w, http.StatusConflict, err.Error())
	default:
		sendJSON(w, http.StatusOK, res)
	}
}

// command carries out what an operator asks for. The core replies within its own
// limit; a client that goes away meanwhile ends only the waiting.
func (a *API) command(w http.ResponseWriter, r *http.Request, c Cred) {
	if !c.Root() {
		fail(w, http.StatusForbidden, fmt.Sprintf("a command needs root, you are uid %d", c.UID))
		return
	}
	var cmd mpath.Command
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&cmd); err != nil {
		fail(w, http.StatusBadRequest, "the command is not understood: "+err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.lim.ReloadTime)
	defer cancel()
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{})
	control.SetWriteDeadline(time.Now().Add(a.lim.ReloadTime + a.lim.WriteTime))
	reply, err := a.src.Command(ctx, cmd)
	if err != nil {
		fail(w, http.StatusConflict, err.Error())
		return
	}
	sendJSON(w, http.StatusOK, reply)
}

// events streams the log. Each line has its own deadline, so that a client that
// reads nothing is dropped, and one that sees nothing happen is not.
func (a *API) events(w http.ResponseWriter, r *http.Request, _ Cred) {
	events, cancel := a.src.Subscribe(a.lim.Events)
	defer cancel()
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "application/jsonl")
	write := func(v any) bool {
		b, err := json.Marshal(v)
		if err != nil {
			return false
		}
		control.SetWriteDeadline(time.Now().Add(a.lim.WriteTime))
		if _, err := w.Write(append(b, '\n')); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	control.SetWriteDeadline(time.Now().Add(a.lim.WriteTime))
	if control.Flush() != nil { // the headers: the client knows that it listens
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case e, ok := <-events:
			if !ok {
				write(errorAnswer{"too slow: events were lost"})
				return
			}
			if !write(e) {
				return
			}
		}
	}
}

type errorAnswer struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, code int, text string) { sendJSON(w, code, errorAnswer{text}) }

func sendJSON(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		code, b = http.StatusInternalServerError, []byte(`{"error":"the answer does not encode"}`)
	}
	send(w, code, append(b, '\n'))
}

func send(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(code)
	w.Write(body)
}

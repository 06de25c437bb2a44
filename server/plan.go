package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"pathkeeper/mpath"
)

// PlanRequest asks for a plan.
type PlanRequest struct {
	// Place is a file, or a directory with multipath.conf and conf.d, to be read by
	// the daemon instead of the system's files; absolute. "": the system's.
	Place string `json:"place"`
}

// PlanResult is a plan with what was found wrong in the files.
type PlanResult struct {
	Plan     mpath.Plan `json:"plan"`
	Warnings []string   `json:"warnings"`
}

func (a *API) plan(w http.ResponseWriter, r *http.Request, c Cred) {
	if !c.Root() {
		fail(w, http.StatusForbidden, fmt.Sprintf("a plan needs root, you are uid %d: the daemon reads the files that you name", c.UID))
		return
	}
	var req PlanRequest
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, "the request is not understood: "+err.Error())
		return
	}
	leave, ok := a.gate(w, r, c)
	if !ok {
		return
	}
	defer leave()
	ctx, cancel := a.long(w, r, a.lim.ReloadTime)
	defer cancel()
	res, err := a.src.Plan(ctx, req.Place)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fail(w, http.StatusGatewayTimeout, fmt.Sprintf("the plan is not made after %s", a.lim.ReloadTime))
	case err != nil:
		fail(w, http.StatusConflict, err.Error())
	default:
		sendJSON(w, http.StatusOK, res)
	}
}

func (a *API) apply(w http.ResponseWriter, r *http.Request, c Cred) {
	if !c.Root() {
		fail(w, http.StatusForbidden, fmt.Sprintf("to apply a plan needs root, you are uid %d", c.UID))
		return
	}
	var p mpath.Plan
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		fail(w, http.StatusBadRequest, "the plan is not understood: "+err.Error())
		return
	}
	ctx, cancel := a.long(w, r, a.lim.ApplyTime)
	defer cancel()
	res, err := a.src.Apply(ctx, p)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fail(w, http.StatusGatewayTimeout, fmt.Sprintf("the plan is not applied after %s; it goes on, see the log", a.lim.ApplyTime))
	case err != nil:
		fail(w, http.StatusConflict, err.Error())
	default:
		sendJSON(w, http.StatusOK, res)
	}
}

// long gives a request that long, and its answer the time to be written after that.
func (a *API) long(w http.ResponseWriter, r *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Now().Add(d + a.lim.WriteTime))
	return context.WithTimeout(r.Context(), d)
}

// Plan has the daemon say what a configuration would do. ErrRefused: it is not good.
func (c *Client) Plan(ctx context.Context, req PlanRequest) (r PlanResult, err error) {
	b, err := json.Marshal(req)
	if err != nil {
		return r, err
	}
	err = c.send(ctx, http.MethodPost, "/v1/plan", b, &r)
	return r, err
}

// Apply has the daemon do what a plan says, and waits for what becomes of it, which
// may be no.
func (c *Client) Apply(ctx context.Context, p mpath.Plan) (r mpath.Applied, err error) {
	b, err := json.Marshal(p)
	if err != nil {
		return r, err
	}
	err = c.send(ctx, http.MethodPost, "/v1/apply", b, &r)
	return r, err
}

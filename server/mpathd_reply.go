package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pathkeeper/mpath"
	"pathkeeper/show"
)

// failure is how a command of multipathd's socket ends badly.
type failure uint8

const (
	failNone    failure = iota
	failPlain           // detail says why
	failBusy            // somebody uses the map
	failDevice          // no such path or map
	failTimeout         // not done in time
	failDenied          // not root
	failWords           // not understood: detail says what
)

// failWord begins every reply of a command that came to nothing; clients go by it.
const failWord = "fail\n"

// reply is the answer to one command.
type reply struct {
	text   string // as it stands; "" with failNone: ok
	fail   failure
	detail string
	then   func() // called when the answer was sent
}

func failed(f failure) reply { return reply{fail: f} }

func refused(why string) reply { return reply{fail: failPlain, detail: why} }

func ok() reply { return reply{} }

// String is what is sent. Programs know these texts.
func (r reply) String() string {
	switch r.fail {
	case failNone:
		if r.text == "" {
			return "ok\n"
		}
		return r.text
	case failBusy:
		return failWord + "map or partition in use\n"
	case failDevice:
		return failWord + "device not found\n"
	case failTimeout:
		return failWord + "timeout\n"
	case failDenied:
		return failWord + "permission deny: need to be root\n"
	case failWords:
		return failWord + r.detail
	}
	if r.detail == "" {
		return failWord
	}
	return failWord + show.Safe(r.detail) + "\n"
}

// job is a command that is understood.
type job struct {
	reads bool // it changes nothing
	run   func(context.Context) reply
}

// parse reads a command and finds out who may have it done. What is refused already
// has its reply, and no job.
func (m *Mpathd) parse(text string, who Cred, limit time.Duration) (reply, *job) {
	cmd, p, wrong := parseCommand(text)
	switch p {
	case problemWord:
		return failed(failPlain), nil
	case problemNoWords, problemLastWord, problemArgument:
		return m.usage(p, wrong), nil
	}
	if !who.Root() && cmd[0].kw != kwList {
		return failed(failDenied), nil
	}
	h := handlerOf(cmd)
	if h == nil {
		return m.usage(problemNone, strings.TrimSpace(text)), nil
	}
	r := &request{src: m.src, cmd: cmd, root: who.Root(), limit: limit}
	return reply{}, &job{cmd[0].kw == kwList, func(ctx context.Context) reply { return h(ctx, r) }}
}

// usage says what is wrong with a command, and gives the list of all.
func (m *Mpathd) usage(p problem, wrong string) reply {
	wrong = show.Safe(wrong)
	var b strings.Builder
	switch {
	case wrong == "help" || wrong == "?": // no word of theirs either; who says it wants the list
	case p == problemNoWords:
		b.WriteString("there is no command in it\n")
	case p == problemLastWord:
		b.WriteString("`" + wrong + "` is no word of a command\n")
	case p == problemArgument:
		b.WriteString("`" + wrong + "` wants a parameter\n")
	default:
		b.WriteString("`" + wrong + "` is no command\n")
	}
	// Programs know by these two lines that their command is none here.
	fmt.Fprintf(&b, "multipath-tools v0.14.3 (multipathd of pathkeeper %s)\nCLI commands reference:\n", m.src.Status().Version)
	for _, c := range commands() {
		b.WriteString(" " + c.shape.String() + "\n")
	}
	return reply{fail: failWords, detail: b.String()}
}

// request is what a handler gets.
type request struct {
	src   Source
	cmd   []said
	root  bool // root asks
	limit time.Duration
}

func (r *request) has(kw keyword) bool {
	return slices.ContainsFunc(r.cmd, func(w said) bool { return w.kw == kw })
}

// arg gives the parameter of a keyword.
func (r *request) arg(kw keyword) string {
	for _, w := range r.cmd {
		if w.kw == kw {
			return w.arg
		}
	}
	return ""
}

// spare is what is left of the limit for the way of the answer. The core has given up
// by then: what has not begun is not done after the client was told so.
const spare = 200 * time.Millisecond

// command has the core do something and gives its reply.
func (r *request) command(ctx context.Context, c mpath.Command) (mpath.Reply, reply) {
	c.Within = mpath.Span(max(r.limit-spare, r.limit/2))
	got, err := r.src.Command(ctx, c)
	switch {
	case ctx.Err() != nil:
		return got, failed(failTimeout)
	case err != nil:
		return got, refused(err.Error())
	}
	return got, replyOf(got)
}

// replyOf gives the core's reply in multipathd's words.
func replyOf(r mpath.Reply) reply {
	switch r.Code {
	case mpath.ReplyDone, mpath.ReplyAlready, mpath.ReplyDeferred:
		return ok()
	case mpath.ReplyNotFound:
		return failed(failDevice)
	case mpath.ReplyBusy, mpath.ReplyKept:
		return failed(failBusy)
	case mpath.ReplyTimeout:
		return failed(failTimeout)
	}
	return refused(r.Text)
}

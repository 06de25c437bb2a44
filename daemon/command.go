package daemon

import (
	"context"
	"errors"
	"fmt"

	"pathkeeper/mpath"
)

var errEnded = errors.New("the daemon is stopping")

// command has the core carry out what an operator asks for, and waits for its reply,
// which comes within the core's own limit; or for the end of ctx, which ends only
// the waiting.
func (l *loop) command(ctx context.Context, c mpath.Command) (mpath.Reply, error) {
	answer := make(chan mpath.Reply, 1)
	err := l.call(ctx, func() {
		l.asked++
		c.Seq = l.asked
		l.replies[c.Seq] = answer
		l.step(c)
	})
	if err != nil {
		return mpath.Reply{}, fmt.Errorf("%s: %w", c.Kind, err)
	}
	select {
	case r := <-answer:
		return r, nil
	case <-l.ended:
		return mpath.Reply{}, fmt.Errorf("%s: %w", c.Kind, errEnded)
	case <-ctx.Done():
		return mpath.Reply{}, fmt.Errorf("%s: %w; it may still be done", c.Kind, ctx.Err())
	}
}

// replied hands a reply to who waits for it. It never blocks.
func (l *loop) replied(r mpath.Reply) {
	if w, ok := l.replies[r.Seq]; ok {
		delete(l.replies, r.Seq)
		w <- r
	}
}

// apply has the core do what a plan says, and waits until it has come to an end; or
// for the end of ctx, which ends only the waiting.
func (l *loop) apply(ctx context.Context, a mpath.Apply) (mpath.Applied, error) {
	answer := make(chan mpath.Applied, 1)
	err := l.call(ctx, func() {
		l.asked++
		a.Seq = l.asked
		l.applies[a.Seq] = answer
		l.step(a)
	})
	if err != nil {
		return mpath.Applied{}, fmt.Errorf("apply: %w", err)
	}
	select {
	case r := <-answer:
		return r, nil
	case <-l.ended:
		return mpath.Applied{}, fmt.Errorf("apply: %w", errEnded)
	case <-ctx.Done():
		return mpath.Applied{}, fmt.Errorf("apply: %w; it goes on", ctx.Err())
	}
}

// applied hands the answer to who waits for it. It never blocks.
func (l *loop) applied(r mpath.Applied) {
	if w, ok := l.applies[r.Seq]; ok {
		delete(l.applies, r.Seq)
		w <- r
	}
}

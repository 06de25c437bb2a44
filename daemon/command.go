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

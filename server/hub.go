package server

import (
	"sync"
	"sync/atomic"
)

// Hub gives every event to every subscriber and never waits for one: who does not
// keep up is dropped, its channel closed. The zero value is ready.
type Hub struct {
	mu   sync.Mutex
	subs map[*subscriber]struct{}
	// count lets Publish return without a lock while nobody listens.
	count   atomic.Int32
	dropped atomic.Uint64
}

type subscriber struct{ events chan Event }

// Publish gives an event to all. It does not block.
func (h *Hub) Publish(e Event) {
	if h.count.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		select {
		case s.events <- e:
		default:
			h.dropped.Add(1)
			h.remove(s)
		}
	}
}

// Subscribe gives the events from now on. The function ends it; it may be called
// more than once.
func (h *Hub) Subscribe(buf int) (<-chan Event, func()) {
	s := &subscriber{events: make(chan Event, max(buf, 1))}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = make(map[*subscriber]struct{})
	}
	h.subs[s] = struct{}{}
	h.count.Add(1)
	return s.events, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.remove(s)
	}
}

// Dropped counts the subscribers that were too slow.
func (h *Hub) Dropped() uint64 { return h.dropped.Load() }

// remove is called with the lock held.
func (h *Hub) remove(s *subscriber) {
	if _, ok := h.subs[s]; ok {
		delete(h.subs, s)
		h.count.Add(-1)
		close(s.events)
	}
}

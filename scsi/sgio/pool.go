package sgio

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/scsi"
)

// Pool does what Async does where there is no sg driver: it runs commands of a
// blocking scsi.Port on a bounded number of goroutines. When all of them hang,
// others wait for SubmitLimit and come back with ETIMEDOUT.
type Pool struct {
	port    scsi.Port
	workers int
	limit   time.Duration
	done    func(Completion)

	mu      sync.Mutex
	closed  bool
	running int
	queue   []*pooled
	busy    map[string]*pooled
}

type pooled struct {
	job    Job
	timer  *time.Timer
	unsaid bool // forgotten: nobody waits for the answer
}

// NewPool returns a pool of at most workers goroutines. done is called from
// several goroutines and must not block.
func NewPool(port scsi.Port, workers int, done func(Completion)) *Pool {
	return &Pool{port: port, workers: max(workers, 1), limit: SubmitLimit, done: done, busy: map[string]*pooled{}}
}

// Submit is as Async's; it uses only Tag, Device and Request of the Job.
func (p *Pool) Submit(job Job) error {
	if err := check(job.Request); err != nil {
		return fmt.Errorf("submit to %s: %w", job.Device, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return fmt.Errorf("submit to %s: %w", job.Device, ErrClosed)
	case p.busy[job.Device] != nil:
		return fmt.Errorf("submit to %s: %w", job.Device, ErrBusy)
	}
	one := &pooled{job: job}
	p.busy[job.Device] = one
	if p.running < p.workers {
		p.running++
		go p.work(one)
		return nil
	}
	one.timer = time.AfterFunc(p.limit, func() { p.expire(one) })
	p.queue = append(p.queue, one)
	return nil
}

// Forget drops a device that left: its command brings no Completion. A
// goroutine that hangs in it still counts.
func (p *Pool) Forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.busy[name]
	if one == nil {
		return
	}
	one.unsaid = true
	delete(p.busy, name)
	if at := slices.Index(p.queue, one); at >= 0 {
		one.timer.Stop()
		p.queue = slices.Delete(p.queue, at, at+1)
	}
}

// Close takes no more and does not wait.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.queue {
		one.timer.Stop()
	}
	p.closed, p.queue = true, nil
	return nil
}

func (p *Pool) work(one *pooled) {
	for one != nil {
		response := p.port.Do(one.job.Device, one.job.Request)
		p.mu.Lock()
		say := p.end(one)
		var following *pooled
		if len(p.queue) > 0 {
			following, p.queue = p.queue[0], p.queue[1:]
			following.timer.Stop()
		} else {
			p.running--
		}
		p.mu.Unlock()
		if say {
			p.done(Completion{Tag: one.job.Tag, Device: one.job.Device, Response: response})
		}
		one = following
	}
}

// expire withdraws a command that still waits for a goroutine.
func (p *Pool) expire(one *pooled) {
	p.mu.Lock()
	at := slices.Index(p.queue, one)
	say := false
	if at >= 0 {
		p.queue = slices.Delete(p.queue, at, at+1)
		say = p.end(one)
	}
	p.mu.Unlock()
	if say {
		p.done(Completion{Tag: one.job.Tag, Device: one.job.Device, Response: failed(unix.ETIMEDOUT)})
	}
}

// end frees the device for its next command and says whether anybody waits.
func (p *Pool) end(one *pooled) bool {
	if p.busy[one.job.Device] == one {
		delete(p.busy, one.job.Device)
	}
	return !one.unsaid && !p.closed
}

package sim

import "pathkeeper/mpath"

// commandWait is longer than the core lets a command wait.
const commandWait = mpath.Minute

// Command has the process carry out what an operator asks for and lets the time pass
// until it has replied. ok is false where no reply came.
func (d *Daemon) Command(c mpath.Command) (r mpath.Reply, ok bool) {
	seq := d.Ask(c)
	for until := d.w.now.After(commandWait); len(d.replies[seq]) == 0 && d.w.now < until && d.Err == nil; {
		if !d.w.step(until) {
			break
		}
	}
	if list := d.replies[seq]; len(list) > 0 {
		return list[0], true
	}
	return mpath.Reply{}, false
}

// Ask sends a command and does not wait for the reply; it gives the command's number.
func (d *Daemon) Ask(c mpath.Command) (seq uint64) {
	d.lastCommand++
	c.Seq = d.lastCommand
	d.news(d.life, c)
	return c.Seq
}

// Replies gives the replies to a command so far: there must never be more than one.
func (d *Daemon) Replies(seq uint64) []mpath.Reply { return d.replies[seq] }

func (d *Daemon) replied(r mpath.Reply) { d.replies[r.Seq] = append(d.replies[r.Seq], r) }

// Command has the session's daemon carry out an operator's command.
func (s *Session) Command(c mpath.Command) (r mpath.Reply, running bool, err error) {
	switch {
	case !s.d.running:
		return r, false, nil
	case s.d.stopped:
		return r, true, ErrSilent
	}
	r, ok := s.d.Command(c)
	if !ok {
		return r, true, ErrSilent
	}
	return r, true, nil
}

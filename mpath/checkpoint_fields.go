package mpath

// field is one field of a struct: its name, and a pointer to it.
type field struct {
	name string
	at   any
}

func (mc *Machine) fields() []field {
	return []field{
		{"now", &mc.now},
		{"promised", &mc.promised},
		{"gapAt", &mc.gapAt},
		{"seq", &mc.seq},
		{"configured", &mc.configured},
		{"loaded", &mc.loaded},
		{"scanned", &mc.scanned},
		{"pictureAt", &mc.pictureAt},
		{"listed", &mc.listed},
		{"started", &mc.started},
		{"stopping", &mc.stopping},
		{"final", &mc.final},
		{"users", &mc.users},
		{"groups", &mc.groups},
		{"state", &mc.state},
		{"readOnly", &mc.readOnly},
		{"unread", &mc.unread},
		{"wwids", &mc.wwids},
		{"failed", &mc.failed},
		{"recorded", &mc.recorded},
		{"kept", &mc.kept},
		{"loading", &mc.loading},
		{"keys", &mc.keys},
		{"key", &carriedOne{&mc.key}},
		{"other", &mc.other},
		{"nodes", &mc.nodes},
		{"present", &mc.present},
		{"gone", &mc.gone},
		{"odd", &carriedSlice[oddDevice, *oddDevice]{&mc.odd}},
		{"names", &carriedOne{&mc.names}},
		{"known", &carriedOne{&mc.known}},
		{"dl", &carriedOne{&mc.dl}},
		{"apply", &carriedOne{&mc.apply}},
		{"commands", &carriedList[command, *command]{&mc.commands}},
		{"batches", &carriedSlice[batch, *batch]{&mc.batches}},
		{"forced", &mc.forced},
		{"arrivals", &mc.arrivals},
		{"notices", &carriedOne{&mc.notices}},
		{"tuned", &carriedList[tuned, *tuned]{&mc.tuned}},
		{"untuned", &mc.untuned},
		{"odds", &mc.odds},
		{"scanAt", &mc.scanAt},
		{"scanAsk", &mc.scanAsk},
		{"listAsk", &mc.listAsk},
		{"scanAsked", &mc.scanAsked},
		{"listAsked", &mc.listAsked},
		{"listAt", &mc.listAt},
		{"relist", &mc.relist},
	}
}

func (p *path) fields() []field {
	return []field{
		{"id", &p.id},
		{"seen", &p.seen},
		{"seenAt", &p.seenAt},
		{"lookedAt", &p.lookedAt},
		{"decision", &p.decision},
		{"wwid", &p.wwid},
		{"lookAt", &p.lookAt},
		{"lookDelay", &p.lookDelay},
		{"state", &p.state},
		{"stateSince", &p.stateSince},
		{"message", &p.message},
		{"devState", &p.devState},
		{"prio", &p.prio},
		{"prioKnown", &p.prioKnown},
		{"checkedAt", &p.checkedAt},
		{"answeredFor", &p.answeredFor},
		{"triedFor", &p.triedFor},
		{"reinstated", &p.reinstated},
		{"verifiedAt", &p.verifiedAt},
		{"failedAt", &p.failedAt},
		{"stranger", &p.stranger},
		{"checkSeq", &p.checkSeq},
		{"checkAsked", &p.checkAsked},
		{"again", &p.again},
		{"stuck", &p.stuck},
		{"interval", &p.interval},
		{"nextCheck", &p.nextCheck},
		{"inTable", &p.inTable},
		{"kernelFailed", &p.kernelFailed},
		{"refused", &p.refused},
		{"roNoted", &p.roNoted},
		{"serial", &p.serial},
		{"moving", &p.moving},
		{"doubtAt", &p.doubtAt},
		{"hangs", &p.hangs},
		{"hurry", &p.hurry},
		{"hurried", &p.hurried},
		{"patience", &p.patience},
		{"held", &p.held},
		{"dropped", &p.dropped},
		{"marginal", &p.marginal},
		{"registered", &p.registered},
		{"limited", &p.limited},
	}
}

func (m *mmap) fields() []field {
	return []field{
		{"wwid", &m.wwid},
		{"touched", &m.touched},
		{"stirred", &m.stirred},
		{"known", &m.known},
		{"have", &m.have},
		{"haveAt", &m.haveAt},
		{"read", &m.read},
		{"reread", &m.reread},
		{"readAt", &m.readAt},
		{"listed", &m.listed},
		{"listedAt", &m.listedAt},
		{"settings", &m.settings},
		{"settingOK", &m.settingOK},
		{"name", &m.name},
		{"nameWhy", &m.nameWhy},
		{"nameNew", &m.nameNew},
		{"owner", &m.owner},
		{"node", &m.node},
		{"nodeDue", &m.nodeDue},
		{"drift", &m.drift},
		{"ask", &m.ask},
		{"askWhat", &m.askWhat},
		{"askAt", &m.askAt},
		{"askNoted", &m.askNoted},
		{"loading", &m.loading},
		{"askRO", &m.askRO},
		{"adopted", &m.adopted},
		{"adoptDue", &m.adoptDue},
		{"accepted", &m.accepted},
		{"asFound", &m.asFound},
		{"stillRO", &m.stillRO},
		{"modeAt", &m.modeAt},
		{"firstPath", &m.firstPath},
		{"hadPath", &m.hadPath},
		{"removed", &m.removed},
		{"holdUntil", &m.holdUntil},
		{"retryAt", &m.retryAt},
		{"pauseUntil", &m.pauseUntil},
		{"retryDelay", &m.retryDelay},
		{"noHandler", &m.noHandler},
		{"handlerFails", &m.handlerFails},
		{"lastError", &m.lastError},
		{"queue", &carriedOne{&m.queue}},
		{"kept", &m.kept},
		{"recalled", &m.recalled},
		{"removal", &m.removal},
		{"flushing", &m.flushing},
		{"queueOff", &m.queueOff},
		{"endsQueue", &m.endsQueue},
		{"queueWas", &m.queueWas},
		{"steeredAt", &m.steeredAt},
		{"registered", &m.registered},
		{"reserved", &m.reserved},
		{"followAt", &m.followAt},
		{"followed", &m.followed},
		{"edgeAt", &m.edgeAt},
		{"resize", &carriedOne{&m.resize}},
		{"failbackAt", &m.failbackAt},
		{"regroup", &m.regroup},
		{"prioAt", &m.prioAt},
		{"switchedAt", &m.switchedAt},
		{"suspNoted", &m.suspNoted},
		{"ourSuspend", &m.ourSuspend},
		{"openNoted", &m.openNoted},
		{"rebuilds", &m.rebuilds},
		{"rebuiltAt", &m.rebuiltAt},
		{"leftAlone", &m.leftAlone},
		{"part", &carriedOne{&m.part}},
		{"former", &m.former},
		{"rolled", &m.rolled},
		{"count", &m.count},
		{"countSince", &m.countSince},
		{"lost", &m.lost},
		{"lastAction", &m.lastAction},
	}
}

func (l *look) fields() []field {
	return []field{{"name", &l.name}, {"seq", &l.seq}, {"again", &l.again}, {"since", &l.since}}
}

func (o *oddDevice) fields() []field {
	return []field{{"name", &o.name}, {"why", &o.why}, {"since", &o.since}}
}

func (s *saveState) fields() []field {
	return []field{{"ask", &s.ask}, {"since", &s.since}, {"dirty", &s.dirty}, {"hung", &s.hung}}
}

func (k *knownState) fields() []field {
	return []field{
		{"ask", &k.ask},
		{"writing", &k.writing},
		{"pending", &k.pending},
		{"failed", &k.failed},
		{"find", &k.find},
		{"asked", &k.asked},
		{"unsure", &k.unsure},
	}
}

func (k *keyState) fields() []field { return []field{{"ask", &k.ask}, {"key", &k.key}} }

func (d *deadlineState) fields() []field { return []field{{"ask", &d.ask}, {"dirty", &d.dirty}} }

func (l *noticeList) fields() []field {
	return []field{{"list", &carriedSlice[notice, *notice]{&l.list}}, {"due", &l.due}}
}

func (n *notice) fields() []field {
	return []field{{"kind", &n.kind}, {"about", &n.about}, {"at", &n.at}, {"again", &n.again}}
}

func (t *tuned) fields() []field {
	return []field{
		{"dir", &t.dir},
		{"want", &t.want},
		{"why", &t.why},
		{"ask", &t.ask},
		{"again", &t.again},
		{"have", &t.have},
		{"trouble", &t.trouble},
		{"clash", &t.clash},
		{"wrote", &t.wrote},
	}
}

func (c *command) fields() []field {
	return []field{
		{"Command", &c.Command},
		{"wwid", &c.wwid},
		{"path", &c.path},
		{"since", &c.since},
		{"until", &c.until},
		{"stage", &c.stage},
		{"ask", &c.ask},
		{"answered", &c.answered},
		{"answer", &c.answer},
		{"sizes", &c.sizes},
		{"waits", &c.waits},
		{"batch", &c.batch},
	}
}

func (b *batch) fields() []field {
	return []field{{"seq", &b.seq}, {"kind", &b.kind}, {"left", &b.left}, {"done", &b.done}, {"kept", &b.kept}, {"wrong", &b.wrong}}
}

func (r *resizing) fields() []field {
	return []field{{"to", &r.to}, {"nextAt", &r.nextAt}, {"delay", &r.delay}, {"noted", &r.noted}}
}

func (p *part) fields() []field {
	return []field{
		{"since", &p.since},
		{"exact", &p.exact},
		{"plan", &p.plan},
		{"asked", &p.asked},
		{"loadedAt", &p.loadedAt},
		{"until", &p.until},
		{"kept", &p.kept},
		{"former", &carriedOne{&p.former}},
	}
}

func (f *former) fields() []field {
	return []field{{"settings", &f.settings}, {"settingOK", &f.settingOK}, {"accepted", &f.accepted}, {"table", &f.table}}
}

func (a *applyState) fields() []field {
	return []field{{"seq", &a.seq}, {"names", &a.names}, {"maps", &a.maps}}
}

func (q *queueState) fields() []field {
	return []field{{"at", &q.at}, {"expired", &q.expired}, {"asked", &q.asked}}
}

// links are what between paths, maps and questions cannot be told from them alone:
// orders.
type links struct {
	heap    []timerLink // as it stands
	checks  int
	stirred []string // maps that are still to be settled, by WWID
	dev     []string // maps that are found by their device number
	waiting []look
	asked   []look   // by seq
	open    []uint64 // of asked: those that keep others waiting, oldest first
}

// timerLink is one place of the heap: a map, or else a path.
type timerLink struct {
	Map  string
	Path PathID
	At   Instant
}

func (l *links) fields() []field {
	return []field{
		{"heap", &l.heap},
		{"checks", &l.checks},
		{"stirred", &l.stirred},
		{"dev", &l.dev},
		{"waiting", &carriedSlice[look, *look]{&l.waiting}},
		{"asked", &carriedSlice[look, *look]{&l.asked}},
		{"open", &l.open},
	}
}

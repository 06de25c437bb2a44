package policy

import (
	"slices"
	"strconv"
	"strings"

	"pathkeeper/scsi"
)

// resolver finds the settings of one device: multipaths entry, overrides,
// hardware table from its end, defaults, built-in default. Each keyword comes
// from the first place that has it.
type resolver struct {
	config  *Config
	entries []*Multipath
	devices []*compiledDevice
	alias   bool // the entry may use its alias
	trace   *tracer
	// protocol of the path: what overrides say of one comes before what they say of all.
	protocol string
}

func (c *Compiled) resolver(id scsi.Identity, n named, t *tracer) *resolver {
	r := &resolver{config: &c.config, entries: n.entries, devices: c.matchDevices(id), trace: t}
	if n.entries != nil {
		if s, ok := c.aliasSetting(n.id.Value); ok {
			// Two entries may name one LUN, by an old id and by today's: the alias is
			// the LUN's, whichever of them holds it.
			holder, held := c.aliases[s.Value]
			r.alias = held && (holder == n.id.Value ||
				n.rival == nil && slices.ContainsFunc(keys(id), func(k scsi.ID) bool { return k.Value == holder }))
		}
	}
	for _, d := range r.devices {
		t.add("match", d.String(), d.Origin)
	}
	return r
}

// place is one layer in the order of precedence.
type place uint8

const (
	placeMultipaths place = iota
	placeProtocol
	placeOverrides
	placeDevices
	placeDefaults
)

// each calls visit with every place's setting of a keyword, most significant
// first, until it returns false.
func (r *resolver) each(keyword string, visit func(Setting, place) bool) {
	ask := func(l Layer, p place) bool {
		s, ok := l.Lookup(keyword)
		return !ok || visit(s, p)
	}
	for _, m := range r.entries {
		if !ask(m.Layer, placeMultipaths) {
			return
		}
	}
	for _, p := range slices.Backward(r.config.Protocols) {
		if r.protocol != "" && p.Type == r.protocol && !ask(p.Layer, placeProtocol) {
			return
		}
	}
	if !ask(r.config.Overrides, placeOverrides) {
		return
	}
	for _, d := range r.devices {
		if !ask(d.Layer, placeDevices) {
			return
		}
	}
	ask(r.config.Defaults, placeDefaults)
}

const builtInNote = "built-in default"

// resolve finds a keyword's value. A text that parse does not take is reported
// and passed over: the next place counts.
func resolve[T any](r *resolver, keyword string, builtIn T, parse func(string) (T, bool)) Value[T] {
	value := Value[T]{V: builtIn, Origin: Origin{Note: builtInNote}}
	r.each(keyword, func(s Setting, _ place) bool {
		v, ok := parse(s.Value)
		if !ok {
			r.warn(keyword+": "+strconv.Quote(s.Value)+" is no value for it, passed over", s.Origin)
			return true
		}
		value = Value[T]{V: v, Origin: s.Origin}
		return false
	})
	return value
}

func (r *resolver) warn(text string, origin Origin) {
	r.trace.add("settings", "warning: "+text, origin)
}

func (r *resolver) text(keyword, builtIn string) Value[string] {
	return resolve(r, keyword, builtIn, func(s string) (string, bool) { return s, s != "" })
}

func (r *resolver) yesNo(keyword string, builtIn bool) Value[bool] {
	return resolve(r, keyword, builtIn, parseYesNo)
}

func (r *resolver) word(keyword, builtIn string, words ...string) Value[string] {
	return resolve(r, keyword, builtIn, func(s string) (string, bool) { return s, contains(words, s) })
}

// number resolves a number of at least least.
func (r *resolver) number(keyword string, builtIn, least int) Value[int] {
	return resolve(r, keyword, builtIn, func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil && n >= least
	})
}

func (r *resolver) findMultipaths() Value[string] {
	return r.word("find_multipaths", findStrict, findOff, findOn, findStrict, findGreedy, findSmart)
}

func (r *resolver) allowUSB() Value[bool] { return r.yesNo("allow_usb_devices", false) }

// uidAttribute is the udev property that multipath-tools takes the WWID from:
// uid_attrs by the kernel name's start, else uid_attribute. "" is a value: none.
func (r *resolver) uidAttribute(devnode string) Value[string] {
	if s, ok := r.config.Defaults.Lookup("uid_attrs"); ok {
		for _, word := range strings.Fields(s.Value) {
			prefix, attribute, found := strings.Cut(word, ":")
			if found && prefix != "" && strings.HasPrefix(devnode, prefix) {
				return Value[string]{V: attribute, Origin: s.Origin}
			}
		}
	}
	return resolve(r, "uid_attribute", "ID_SERIAL", func(s string) (string, bool) { return s, true })
}

// settings resolves everything that path and map run with.
func (r *resolver) settings(id scsi.Identity, f Facts, k Kernel) Settings {
	r.protocol = f.Protocol
	s := Settings{
		AliasPrefix:    r.text("alias_prefix", "mpath"),
		UserFriendly:   r.yesNo("user_friendly_names", false),
		Failback:       resolve(r, "failback", FailbackPolicy{Mode: FailbackManual}, parseFailback),
		MinIO:          r.number("rr_min_io_rq", 1, 1),
		RRWeight:       r.word("rr_weight", "uniform", "uniform", "priorities"),
		UID:            r.text("uid", ""),
		GID:            r.text("gid", ""),
		Mode:           resolve(r, "mode", -1, parseMode),
		FlushOnLastDel: r.word("flush_on_last_del", "unused", "never", "always", "unused"),
		SkipKpartx:     r.yesNo("skip_kpartx", false),
		DeferredRemove: r.yesNo("deferred_remove", false),
		AutoResize:     r.word("auto_resize", "never", "never", "grow_only", "grow_shrink"),
		ExpectedPaths:  r.number("expected_paths", 0, 1),
		ReservationKey: r.text("reservation_key", ""),

		CheckerTimeout:     r.number("checker_timeout", 0, 0),
		QueueWithoutDaemon: r.yesNo("queue_without_daemon", false),
		FindMultipaths:     r.findMultipaths(),
		Alias:              Value[string]{Origin: Origin{Note: builtInNote}},
	}
	if r.alias {
		s.Alias = r.text("alias", "")
	}
	if len(r.entries) > 0 {
		s.MatchedID = r.entries[0].WWID
		for _, key := range keys(id) {
			if key.Value == s.MatchedID {
				s.MatchedKind = key.Kind
			}
		}
	}
	s.PollingInterval, s.MaxPollingInterval = r.intervals()
	s.Selector = r.selector(k)
	s.Features, s.NoPathRetry = r.features()
	s.Prio, s.PrioArgs = r.prio(id, f)
	s.Checker = r.checker(id, f)
	s.Grouping = r.grouping(f, s.Prio.V)
	s.Handler = r.handler(f, k)
	r.times(&s)
	r.explain(s)
	return s
}

// intervals are polling_interval and max_polling_interval, in seconds: without a
// maximum it is four times the interval, with one only the interval is a quarter
// of it, and an interval above the maximum is lowered to it.
func (r *resolver) intervals() (poll, longest Value[int]) {
	const unset = 0
	poll = r.number("polling_interval", unset, 1)
	longest = r.number("max_polling_interval", unset, 1)
	switch {
	case poll.V == unset && longest.V == unset:
		poll.V, longest.V = 5, 20
	case longest.V == unset:
		longest.V = maxCheckSeconds
		if poll.V < maxCheckSeconds/4 {
			longest.V = 4 * poll.V
		}
		longest.Origin = Origin{Note: "4 x polling_interval"}
	case poll.V == unset:
		poll = Value[int]{V: max(longest.V/4, 1), Origin: Origin{Note: "max_polling_interval / 4"}}
	case poll.V > longest.V:
		r.warn("polling_interval "+strconv.Itoa(poll.V)+" is above max_polling_interval, lowered to it", poll.Origin)
		poll.V = longest.V
	}
	return poll, longest
}

// maxCheckSeconds bounds what is calculated from polling_interval.
const maxCheckSeconds = 1<<31 - 1

// explain writes the settings that do not stand at their built-in default.
func (r *resolver) explain(s Settings) {
	for _, t := range s.Texts() {
		if t.Origin.builtIn() {
			continue
		}
		r.trace.add("settings", t.Keyword+" = "+t.Value, t.Origin)
	}
}

func (o Origin) builtIn() bool { return o.File == "" && o.Note == builtInNote }

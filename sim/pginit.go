package sim

import (
	"slices"

	"pathkeeper/mpath"
)

// Telling the controllers which group is used: pg_init of drivers/md/dm-mpath.c,
// and what the alua handler does with it (scsi_dh_alua.c alua_activate).

// dhError is what a device handler says (include/scsi/scsi_dh.h).
type dhError uint8

const (
	dhOK      dhError = iota
	dhRetry           // SCSI_DH_RES_TEMP_UNAVAIL: at once again, by pg_init_retries
	dhOffline         // SCSI_DH_DEV_OFFLINED, SCSI_DH_IO: the path is failed
)

// Spans of pg_init.
const (
	initDelay   = 2 * mpath.Second  // DM_PG_INIT_DELAY_MSECS
	rtpgRetry   = 2 * mpath.Second  // ALUA_RTPG_RETRY_DELAY
	aluaTimeout = 60 * mpath.Second // ALUA_FAILOVER_TIMEOUT
)

// portState is what the alua handler keeps of a port group for sysfs.
type portState struct {
	access Access
	pref   bool
}

// rtpg is alua_rtpg: the handler asks for the port groups, and what it is told
// counts for every path of the LUN. It asks when a device is attached or activated,
// and after the unit attentions that speak of it: a change without a word is not
// seen.
func (d *Disk) rtpg() {
	if d.lun == nil || !d.online() || d.fault != Healthy {
		return
	}
	d.told = portState{d.access(), d.lun.group(d.TPG).pref}
	for _, o := range d.w.disks {
		if o.lun == d.lun && o.handler == "alua" {
			o.told = portState{o.access(), o.lun.group(o.TPG).pref}
		}
	}
}

// startInit is pg_init_all_paths: every active path of the current group is
// activated. false: there was none to tell.
func (mp *multipath) startInit() bool {
	if mp.inProgress > 0 {
		return true
	}
	mp.inits++
	mp.initRequired = false
	if mp.current == nil {
		return false
	}
	delay := mpath.Span(0)
	if mp.delayRetry {
		delay = initDelay
		if mp.delay >= 0 {
			delay = mpath.Span(mp.delay) * mpath.Millisecond
		}
	}
	paths := slices.DeleteFunc(slices.Clone(mp.current.paths), func(p *mpPath) bool { return !p.active })
	mp.inProgress += len(paths)
	for _, p := range paths {
		mp.activate(p, delay)
	}
	return len(paths) > 0
}

func (mp *multipath) activate(p *mpPath, delay mpath.Span) {
	w := mp.m.w
	w.after(delay+w.between(200*mpath.Millisecond/1000, 3*mpath.Millisecond), func() {
		if !p.active || p.disk.gone {
			mp.initDone(p, dhOffline)
			return
		}
		p.disk.activate(w.now, false, func(e dhError) { mp.initDone(p, e) })
	})
}

// activate is alua_activate: REPORT TARGET PORT GROUPS; where the LUN is an
// explicit one and its group not optimized, SET TARGET PORT GROUPS, once, and the
// report again. A handler that is not alua always succeeds here.
func (d *Disk) activate(since mpath.Instant, asked bool, done func(dhError)) {
	w := d.w
	again := func(s mpath.Span) { w.after(s, func() { d.activate(since, asked, done) }) }
	switch {
	case d.gone || !d.online():
		done(dhOffline)
	case d.waits():
		d.parked = append(d.parked, func() { d.activate(since, asked, done) })
		w.waiting = true
	case d.fault == NoConnect || d.fault == Disrupted || d.nexus.broken:
		done(dhRetry) // DID_NO_CONNECT: SCSI_DH_RES_TEMP_UNAVAIL
	case d.fault == Hung:
		w.after(aluaTimeout, func() { done(dhOffline) })
	case d.handler != "alua" || d.lun == nil || d.lun.TPGS == 0:
		done(dhOK)
	default:
		for len(d.ua) > 0 {
			d.attention()
		}
		d.rtpg()
		switch state := d.access(); {
		case state == Transitioning && w.now.Since(since) < aluaTimeout:
			again(rtpgRetry)
		case state == Transitioning, state == Offline:
			done(dhOffline)
		case state == Optimized || asked || d.lun.TPGS&TPGSExplicit == 0:
			done(dhOK)
		default:
			params := []byte{0, 0, 0, 0, byte(Optimized), 0, byte(d.TPG >> 8), byte(d.TPG)}
			if bad := d.lun.setGroups(d, params); bad != nil {
				done(dhOffline)
				return
			}
			d.lun.switches++
			asked = true
			again(mpath.Millisecond)
		}
	}
}

// initDone is pg_init_done.
func (mp *multipath) initDone(p *mpPath, e dhError) {
	switch e {
	case dhRetry:
		if mp.inits <= mp.retries && !mp.m.suspended && mp.m.draining == nil { // pg_init_limit_reached
			mp.initRequired = true
		} else {
			mp.fail(p)
		}
	case dhOffline:
		mp.fail(p)
	}
	switch {
	case e == dhOffline && mp.last == p:
		mp.current, mp.last = nil, nil
	case e != dhOffline && !mp.initRequired:
		p.group.bypassed = false
	}
	mp.inProgress--
	if mp.inProgress > 0 {
		return
	}
	if mp.initRequired && mp.startInit() {
		return
	}
	mp.delayRetry = false
	mp.queueIO = false
	mp.kick()
	mp.m.drained()
}

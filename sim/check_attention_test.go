package sim

import (
	"testing"

	"pathkeeper/mpath"
)

// tell has the kernel report a unit attention that some I/O of the disk met.
func (r *rig) tell(d *Disk, kind mpath.Attention) {
	r.w.uevent(d.scsiEvent("change", "SDEV_UA="+kind.String()))
}

// A target that says that its LUNs have changed has every path to it identified
// at once: the one that leads to another LUN now is found, long before its check.
func TestReportedLUNsChanged(t *testing.T) {
	r := newRig(t, 81, plain)
	_, a := r.alua("a")
	_, b := r.alua("b")
	other := r.w.AddLUN(LUN{Name: "other"})
	r.start(100 * second)
	b[0].Remap(other, false) // nobody says a word on this path
	b[1].Remap(other, false) // nor on this one, of another target
	r.tell(a[0], mpath.AttentionLUNs)
	r.run(second)
	if v := r.pathView(b[0].Name); v.Stranger != other.WWID() {
		r.fail("%s: stranger %q", b[0].Name, v.Stranger)
	}
	if v := r.pathView(b[1].Name); v.Stranger != "" {
		r.fail("%s was asked although its target said nothing", b[1].Name)
	}
	r.wantSaid("target 2:0:1: the LUNs that it shows")
	r.run(30 * second)
	r.wantNoStrays()
}

// Of changed INQUIRY data and of a reset only the path that met them is asked.
func TestPathReportsChange(t *testing.T) {
	for _, kind := range []mpath.Attention{mpath.AttentionInquiry, mpath.AttentionReset} {
		r := newRig(t, 82, plain)
		_, a := r.alua("a")
		other := r.w.AddLUN(LUN{Name: "other"})
		r.start(100 * second)
		a[0].Remap(other, false)
		a[1].Remap(other, false)
		r.tell(a[0], kind)
		r.run(second)
		if v := r.pathView(a[0].Name); v.Stranger != other.WWID() {
			r.fail("%s: %s: stranger %q", kind, a[0].Name, v.Stranger)
		}
		if v := r.pathView(a[1].Name); v.Stranger != "" {
			r.fail("%s: %s was asked too", kind, a[1].Name)
		}
	}
}

// A changed access state moves the map at once, though only one path told of it,
// whoever is asked for it: the target, or the kernel, which asks the target itself.
func TestAccessStateChanged(t *testing.T) {
	for prio, conf := range map[string]string{"alua": plain, "sysfs": plain + "overrides {\n detect_prio no\n prio sysfs\n}\n"} {
		t.Run(prio, func(t *testing.T) {
			r := newRig(t, 83, conf)
			l, a := r.alua("a")
			r.start(100 * second)
			l.SetAccess(1, NonOptimized)
			l.SetAccess(2, Optimized)
			a[0].Attention(0x2a, 0x06)
			r.w.Map(r.w.Maps()[0]).Write(l, 1, 1, func(*IO) {}) // some I/O meets it
			r.run(4 * second)
			if v := r.pathView(a[3].Name); v.Decision.Settings.Prio.V != prio || v.PriorityState != "active/optimized" || v.Priority != 50 {
				r.fail("%s: prio %s says %s, %d", v.Name, v.Decision.Settings.Prio.V, v.PriorityState, v.Priority)
			}
			r.wantGroups(r.w.Maps()[0], "[sdc sdd] | sda sdb")
		})
	}
}

// A target that changes its states in silence is followed by alua at the next
// check. prio sysfs cannot: the kernel does not know either.
func TestSilentAccessStateChange(t *testing.T) {
	for prio, conf := range map[string]string{"alua": plain, "sysfs": plain + "overrides {\n detect_prio no\n prio sysfs\n}\n"} {
		t.Run(prio, func(t *testing.T) {
			r := newRig(t, 86, conf)
			l, a := r.alua("a")
			r.start(100 * second)
			l.SetAccess(1, NonOptimized)
			l.SetAccess(2, Optimized)
			r.run(30 * second)
			want := map[string]int{"alua": 50, "sysfs": 10}[prio]
			if v := r.pathView(a[3].Name); v.Priority != want {
				r.fail("%s has priority %d (%s)", v.Name, v.Priority, v.PriorityState)
			}
		})
	}
}

// A changed capacity has the device's facts read again, and a path that becomes
// read-only is known as such after the kernel's event.
func TestCapacityAndReadOnlyAreReread(t *testing.T) {
	r := newRig(t, 84, plain)
	l, a := r.alua("a")
	r.start(100 * second)
	l.Sectors *= 2
	a[0].Sectors = l.Sectors
	r.tell(a[0], mpath.AttentionCapacity)
	r.run(second)
	if v := r.pathView(a[0].Name); v.Seen.Facts.Size != l.Sectors {
		r.fail("size %d, want %d", v.Seen.Facts.Size, l.Sectors)
	}
	r.wantSaid(a[0].Name + ": its capacity has changed")
	l.ReadOnly = true
	a[1].Rescan()
	r.run(second)
	if v := r.pathView(a[1].Name); !v.Seen.Facts.ReadOnly {
		r.fail("%s is not known to be read-only", a[1].Name)
	}
	l.ReadOnly = false
	a[1].Rescan()
	r.run(second)
	if v := r.pathView(a[1].Name); v.Seen.Facts.ReadOnly {
		r.fail("%s is still known as read-only", a[1].Name)
	}
}

// Whatever comes, and however often: a path costs one check in a second, a
// device one identification.
func TestAttentionStorm(t *testing.T) {
	r := newRig(t, 85, plain)
	var disks []*Disk
	for range 10 {
		_, d := r.alua("")
		disks = append(disks, d...)
	}
	r.start(100 * second)
	checks, looks, notes := r.d.Counts["StartCheck"], r.d.Counts["Identify"], len(r.d.Notes)
	const seconds = 10
	for i := range seconds * 1000 {
		d := disks[i%len(disks)]
		for k := mpath.AttentionInquiry; k <= mpath.AttentionReset; k++ {
			r.tell(d, k)
		}
		r.run(mpath.Millisecond)
	}
	r.run(second)
	if n := r.d.Counts["StartCheck"] - checks; n > len(disks)*(seconds+2) {
		r.fail("%d checks of %d paths in %d s", n, len(disks), seconds)
	}
	if n := r.d.Counts["Identify"] - looks; n > 2*len(disks)*(seconds+2) {
		r.fail("%d identifications of %d paths in %d s", n, len(disks), seconds)
	}
	if n := len(r.d.Notes) - notes; n > 100 {
		r.fail("%d lines in the log", n)
	}
	for _, d := range disks {
		if v := r.pathView(d.Name); v.State.String() != "up" {
			r.fail("%s is %s", d.Name, v.State)
		}
	}
}

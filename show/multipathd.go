package show

import (
	"fmt"
	"strings"

	"pathkeeper/mpath"
)

// MultipathdMaps prints what multipathd answers to `show maps`: name, kernel name
// and WWID of every map that the kernel has. Without one it prints nothing, not
// even the header.
func MultipathdMaps(s mpath.Snapshot) string {
	v := newView(s)
	g := grid{padLast: true}
	g.add("name", "sysfs", "uuid")
	for _, m := range v.maps() {
		if m.Known {
			g.add(m.Name, sysName(*m), m.WWID)
		}
	}
	return g.String()
}

// MultipathdPaths prints what multipathd answers to `show paths`:
//
//	hcil    dev dev_t pri dm_st  chk_st dev_st  next_check
//	2:0:0:1 sdb 8:16  50  active ready  running XXX....... 6/20
//
// A device that is no path is an orphan there only while its map is away; here it
// is not among the paths at all.
func MultipathdPaths(s mpath.Snapshot) string {
	v := newView(s)
	g := grid{padLast: true}
	g.add("hcil", "dev", "dev_t", "pri", "dm_st", "chk_st", "dev_st", "next_check")
	for _, p := range v.paths() {
		if p.WWID == "" {
			continue
		}
		dm := "undef"
		if p.InTable {
			dm = dmState(p)
		}
		g.add(hctl(p), p.Name, p.ID.Dev.String(), fmt.Sprint(p.Priority), dm, checkerState(p, TopologyOptions{}), deviceState(p.DevState), nextCheck(s.Now, p))
	}
	return g.String()
}

// nextCheck draws what is left of the interval until the next check: ten
// characters and the seconds.
func nextCheck(now mpath.Instant, p *mpath.PathView) string {
	total := p.Interval.Seconds()
	if total <= 0 {
		return "orphan"
	}
	left := min(max(p.NextCheck.Since(now).Seconds(), 0), total)
	bar := int(10 * left / total)
	return strings.Repeat("X", bar) + strings.Repeat(".", 10-bar) + fmt.Sprintf(" %d/%d", left, total)
}

package show

import (
	"slices"

	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
)

// MultipathdMaps prints what multipathd answers to `show maps`: name, kernel name
// and WWID of every map that the kernel has. Without one it prints nothing, not
// even the header.
func MultipathdMaps(s mpath.Snapshot) string { return FormatOfMaps(s, FormatMaps, StyleTable) }

// MultipathdPaths prints what multipathd answers to `show paths`:
//
//	hcil    dev dev_t pri dm_st  chk_st dev_st  next_check
//	2:0:0:1 sdb 8:16  50  active ready  running XXX....... 6/20
func MultipathdPaths(s mpath.Snapshot) string { return FormatOfPaths(s, FormatPaths, StyleTable) }

// HoldsBack says whether a map queues that has no path to use.
func HoldsBack(s mpath.Snapshot) bool {
	active := func(p table.PathStatus) bool { return p.State == table.PathActive }
	return slices.ContainsFunc(s.Maps, func(m mpath.MapView) bool {
		return m.Known && m.Queueing.On && !slices.ContainsFunc(m.Truth.Status.Groups, func(g table.GroupStatus) bool {
			return slices.ContainsFunc(g.Paths, active)
		})
	})
}

package show

import (
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

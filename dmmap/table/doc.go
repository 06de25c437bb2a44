// Package table holds what device-mapper says and is told in text: the multipath
// target's table and status lines, map names, dm UUIDs and device numbers. It is
// pure: text in, values out, and back.
//
// Sources: drivers/md/dm-mpath.c (multipath_ctr, multipath_status),
// drivers/md/dm-ps-*.c (the selectors' own words), drivers/md/dm-ioctl.c
// (name and UUID), libdm's name mangling.
//
// What is read back is not what was written: the kernel orders features its own
// way, forgets repeat counts and handler arguments, and adds the selector's
// arguments. Parse reads both; Diff knows the differences that mean nothing.
package table

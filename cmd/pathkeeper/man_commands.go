package main

// daemonCommands is what multipathd's clients may ask for, for multipathd(8). A test
// holds it against the words that `multipathd -k` completes.
func daemonCommands() [][2]string {
	return [][2]string{
		{"show paths, show maps, show topology", "Tables of all paths and maps; the layout of `multipath -ll`. `show maps status` and `show maps stats` have other columns."},
		{"show path P, show map M topology", "One of them."},
		{"show paths format F, show maps format F, show map M format F", "Columns of one's own, from the wildcards that `show wildcards` lists; `raw` before `format` leaves out the header and the padding."},
		{"show maps json, show map M json", "For programs."},
		{"show status, show daemon", "How many paths are in which state; the daemon's process and what it does."},
		{"show config, show config local", "The configuration in force; local: device entries only of devices that are here."},
		{"show blacklist, show devices, show wildcards", "The rules in force; every block device with what was decided about it; the wildcards of formats."},
		{"add path P, add map M", "Look at a device, or make a map, that was left alone or removed."},
		{"del path P, del map M, del maps", "Take a path out of its map; remove a map that nobody uses, or all of them. `remove` is the same word."},
		{"fail path P, reinstate path P", "Use a path no more; use it again."},
		{"switch map M group N", "Send I/O through another group. `switchgroup` is the same word."},
		{"suspend map M, resume map M", "Hold a map's I/O, and let it go."},
		{"resize map M, reload map M, reset map M", "Make it as large as its paths; load its table anew; bring what stands on its paths onto it."},
		{"reset maps stats, reset map M stats", "Count from 0 again."},
		{"disablequeueing maps, disablequeueing map M", "Do not queue without a path, whatever is configured."},
		{"restorequeueing maps, restorequeueing map M", "As configured again."},
		{"forcequeueing daemon, restorequeueing daemon", "Leave queueing as it is when the daemon stops; decide that by queue_without_daemon again."},
		{"reconfigure, reconfigure all", "Read the configuration again; with all, load every table."},
		{"setmarginal path P, unsetmarginal path P, unsetmarginal map M", "Use a path only where no other is left; use it like the others."},
		{"getprstatus map M, setprstatus map M [pathlist L], unsetprstatus map M", "Whether the map's paths are registered for persistent reservations."},
		{"getprkey map M, setprkey map M key K, unsetprkey map M", "The reservation key that is kept for a map."},
		{"getprhold map M, setprhold map M, unsetprhold map M", "Whether this host holds the reservation."},
		{"help", "All commands as the daemon knows them."},
		{"quit, exit", "End the connection."},
		{"shutdown", "Stop the daemon. Under systemd it comes back."},
	}
}

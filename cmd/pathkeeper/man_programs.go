package main

import (
	"slices"
	"strings"

	"pathkeeper/roff"
)

// programPage is the page of a program of multipath-tools that we are, too.
type programPage struct {
	name, short string
	description string
	usage       string // what -h prints
	commands    [][2]string
	exit        string
	see         []string
}

// personalityPages has a page for each of the personalities; a test holds it to that.
func personalityPages() []programPage {
	all := []programPage{
		{
			name: "multipath", short: "list, make and remove multipath maps", usage: multipathUsage,
			description: `multipath shows the multipath maps of this host and, where an option says so, makes and
removes them. It is pathkeeper(8) under the name that scripts know: same options, same
output and same exit status as the program of multipath-tools. Where the daemon runs it
is asked, and does what is to be done.

Data is on standard output, everything else on standard error.`,
			exit: "0 if it was done, 1 if not; standard error says why.",
			see:  []string{"multipathd(8)", "multipath.conf(5)", "pathkeeper(8)"},
		},
		{
			name: "multipathd", short: "the daemon of multipath maps, and its client", usage: multipathdUsage,
			description: `Without a command multipathd starts the daemon, which makes multipath maps, checks their
paths, fails over and back; on a host with systemd the unit pathkeeper.service does that,
and multipathd.service is another name of it. With a command it asks the daemon that
runs, be it Pathkeeper's or that of multipath-tools, and prints the answer.

The commands are those of multipath-tools: ` + "`multipathd help`" + ` lists them as the daemon knows
them. Words may be cut to what is still unique. Without -k they stand on the command line
as they are, with -k in one argument; -k alone asks for them with history and
completion, or reads them from a pipe, one a line.`,
			exit:     "0 if the daemon answered and did it, 1 if not.",
			commands: daemonCommands(),
			see:      []string{"multipath(8)", "multipathc(8)", "multipath.conf(5)", "pathkeeper(8)"},
		},
		{
			name: "multipathc", short: "ask the daemon of multipath maps for commands", usage: multipathcUsage,
			description: "multipathc is `multipathd -k`: it reads commands from the terminal, with history and completion, or from a pipe, and prints what the daemon answers. quit or exit ends it.",
			exit:        "0, or 1 if the daemon could not be reached.",
			see:         []string{"multipathd(8)", "pathkeeper(8)"},
		},
		{
			name: "kpartx", short: "make and remove the maps of a disk's partitions", usage: kpartxUsage,
			description: `kpartx reads the partition table, GPT or DOS, of a map, a disk or a file, and makes a
device-mapper map for each partition. On multipath maps udev's rules do that by
themselves, as NAME-part1 and so on; kpartx by hand is for everything else. A file gets a
loop device, which -d takes away again.

A map that is right is left alone. A partition map that somebody has open is never moved,
made smaller or removed; it may grow. What would share sectors with one that therefore
stays is not made. Where the table cannot be read, or not to its end, nothing is removed.

A disk that queues because it has no path is waited for no longer than 20 seconds.`,
			exit: "how many partitions could not be seen to, which is 0 if all is well, and 1 for everything else.",
			see:  []string{"multipath(8)", "multipath.conf(5)", "pathkeeper(8)"},
		},
		{
			name: "mpathconf", short: "create, change and show /etc/multipath.conf", usage: mpathconfUsage,
			description: `mpathconf is the command of that name on Red Hat's systems, for installers, roles and
guides that call it. Without a command it says what is in force, drop-ins included. With
one it changes /etc/multipath.conf, or makes it, with user_friendly_names and
find_multipaths yes, where there is none.

Only what is asked for changes: comments, order and everything else stay as they are.
The file from before is kept as FILE.old. The new one takes its place as a whole or not
at all, and only where it has no error and what was asked for is what it says; a file
that has an error is not touched. Where pathkeeper.yaml is the configuration nothing is
changed, since multipath.conf is not read beside it.

--disable takes no map away: what is there goes on as it is. With --with_multipathd y
the daemon stops, and nobody checks the paths of the maps that stay.`,
			exit: "0 if all that was asked for is done, 1 if not; standard error says why.",
			see:  []string{"multipath(8)", "multipathd(8)", "multipath.conf(5)", "pathkeeper(8)"},
		},
	}
	return slices.DeleteFunc(all, func(p programPage) bool { return !slices.Contains(personalities, p.name) })
}

func (s programPage) text() string {
	p := roff.New(s.name, 8, s.short, manSource())
	p.Section("Synopsis")
	p.Code(s.usage)
	p.Section("Description")
	p.Text(s.description)
	if len(s.commands) > 0 {
		p.Section("Commands")
		p.Text("M is a map by its name, WWID or dm-N, P a path by its kernel name or its number. Everybody may show, the rest is root's.")
		for _, c := range s.commands {
			p.Item(c[0], c[1])
		}
	}
	p.Section("Exit status")
	p.Text(strings.ToUpper(s.exit[:1]) + s.exit[1:])
	switch s.name {
	case "kpartx": // which reads no configuration and asks no daemon
	case "mpathconf":
		p.Section("Files")
		p.Item("/etc/multipath.conf", "What is changed, or made.")
		p.Item("/etc/multipath.conf.old", "What it was before the last change.")
	default:
		p.Section("Environment")
		p.Item("MULTIPATH_SOCKET_NAME", "Another socket to ask the daemon at; a leading @ means an abstract one.")
		filesOf(p)
	}
	p.SeeAlso(s.see...)
	return p.String()
}

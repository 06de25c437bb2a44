package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"pathkeeper/server"
	"pathkeeper/show"
)

const multipathUsage = `multipath (pathkeeper): list multipath maps
  multipath -l  [-v LEVEL] [MAP|PATH]   as the kernel has them, nothing is asked of a path
  multipath -ll [-v LEVEL] [MAP|PATH]   with the state of the paths
  -v 0 prints nothing, 1 names only, 2 all (default)
  multipath -t                          the configuration in force
Everything else is done by the daemon, see pathkeeper --help.
`

// multipathOptions are what the command line of multipath says.
type multipathOptions struct {
	lists int // how many -l
	level int
	help  bool
	dump  bool // -t
	other byte // an option that is not answered here
	name  string
}

// multipathOptionsWithArgument are multipath's options that take one (getopt).
const (
	multipathOptionsAlone        = "adDcCleFfMBrRiiTquUwWh"
	multipathOptionsWithArgument = "pbvMR"
)

// multipathLetters are the options of multipath, as getopt(3) is told them.
const multipathLetters = ":adDcChl::eFfM:v:p:b:BrR:itTquUwW"

// parseMultipath reads multipath's command line as getopt does: options may be
// joined, follow the device, and end at "--".
func parseMultipath(args []string) (o multipathOptions, err error) {
	o.level = 2
	var names []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			names = append(names, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			names = append(names, arg)
			continue
		}
		for j := 1; j < len(arg); j++ {
			c := arg[j]
			switch {
			case c == 'l':
				o.lists++
			case c == 'h':
				o.help = true
			case c == 't':
				o.dump = true
			case strings.IndexByte(multipathOptionsWithArgument, c) >= 0:
				value := arg[j+1:]
				if value == "" {
					if i++; i >= len(args) {
						return o, fmt.Errorf("option -%c wants a value", c)
					}
					value = args[i]
				}
				if c == 'v' {
					if o.level, err = strconv.Atoi(value); err != nil || o.level < 0 || o.level > 9 {
						return o, fmt.Errorf("option -v wants a number from 0 to 9, not %q", value)
					}
				} else if o.other == 0 {
					o.other = c
				}
				j = len(arg)
			case strings.IndexByte(multipathOptionsAlone, c) >= 0:
				if o.other == 0 {
					o.other = c
				}
			default:
				return o, fmt.Errorf("there is no option -%c", c)
			}
		}
	}
	if len(names) > 0 {
		o.name = names[0] // further ones are ignored, as there
	}
	return o, nil
}

// hostPlaces are those of multipath, which has no flags for them.
func hostPlaces(m machine) *places {
	return &places{on: m, socket: server.SocketPath}
}

// multipathMain answers `multipath -l`, `-ll` and `-t`. Exit 0 or 1, as there.
func multipathMain(args []string, std streams) int { return multipathOn(thisMachine{}, args, std) }

func multipathOn(m machine, args []string, std streams) int {
	o, err := parseMultipath(args)
	switch {
	case err != nil:
		fmt.Fprintf(std.err, "multipath: %s; `multipath -h` says what there is\n", show.Safe(err.Error()))
		return exitError
	case o.help:
		io.WriteString(std.out, multipathUsage)
		return exitDone
	case o.other != 0:
		fmt.Fprintf(std.err, "multipath: -%c is not one of Pathkeeper's options yet; the daemon makes and removes maps by itself, see `pathkeeper --help`\n", o.other)
		return exitError
	case o.dump:
		return report(std, "multipath", dumpHost(hostPlaces(m), std))
	case o.lists == 0:
		fmt.Fprintln(std.err, "multipath: the daemon makes maps by itself; `multipath -ll` lists them")
		return exitError
	}
	at := hostPlaces(m)
	checks := o.lists > 1
	quiet := func(string) {} // programs read both streams of multipath -ll
	s, err := m.snapshot(context.Background(), *at, checks, quiet)
	if err != nil {
		report(std, "multipath", err)
		return exitError
	}
	if o.name != "" {
		one, ok := show.Select(s, o.name)
		if !ok {
			return exitDone // multipath prints nothing for what has no map
		}
		s = one
	}
	switch o.level {
	case 0:
	case 1:
		io.WriteString(std.out, show.Names(s))
	default:
		io.WriteString(std.out, show.Topology(s, show.TopologyOptions{Unchecked: !checks}))
	}
	return exitDone
}

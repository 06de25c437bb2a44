package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"pathkeeper/scsi"
	"pathkeeper/scsi/sgio"
	"pathkeeper/show"
)

const scsiIDUsage = `scsi_id (pathkeeper): print the id of a SCSI disk
  scsi_id --whitelisted [--export] [--replace-whitespace] [--page-code=0x80|0x83|pre-spc3-83] [--device=]DEVICE
  scsi_id -g [-u] [-p 0x80|0x83|pre-spc3-83] -s /block/sda      (as of the 2000s)
`

// scsiIDOptions are what scsi_id's command line says, of systemd's and of the
// older udev's.
type scsiIDOptions struct {
	device      string
	page        scsi.ScsiIDPage
	export      bool
	underscores bool // -u
	whitelisted bool // -g: without it scsi_id takes no device that its config does not name
	help        bool
	version     bool
}

// longOption gives the letter of a long option and whether it takes a value.
func longOption(name string) (letter byte, value, ok bool) {
	switch name {
	case "device":
		return 'd', true, true
	case "config":
		return 'f', true, true
	case "page-code":
		return 'p', true, true
	case "sg-version":
		return 's', true, true
	case "blacklisted":
		return 'b', false, true
	case "whitelisted":
		return 'g', false, true
	case "replace-whitespace":
		return 'u', false, true
	case "export":
		return 'x', false, true
	case "verbose":
		return 'v', false, true
	case "version":
		return 'V', false, true
	case "help":
		return 'h', false, true
	}
	return 0, false, false
}

// parseScsiID reads scsi_id's command line as getopt_long does.
func parseScsiID(args []string) (o scsiIDOptions, err error) {
	take := func(c byte, value string) error {
		switch c {
		case 'd':
			o.device = value
		case 's': // the sg version of today, the sysfs path of old
			if strings.HasPrefix(value, "/") {
				o.device = "/dev/" + value[strings.LastIndexByte(value, '/')+1:]
			} else if value != "3" && value != "4" {
				return fmt.Errorf("option -s wants 3, 4 or a path in sysfs, not %q", value)
			}
		case 'p':
			var e error
			if o.page, e = scsiIDPage(value); e != nil {
				return e
			}
		case 'g':
			o.whitelisted = true
		case 'b':
			o.whitelisted = false
		case 'u':
			o.underscores = true
		case 'x':
			o.export = true
		case 'h':
			o.help = true
		case 'V':
			o.version = true
		case 'f', 'v':
		default:
			return fmt.Errorf("there is no option -%c", c)
		}
		return nil
	}
	for i := 0; i < len(args) && err == nil; i++ {
		arg := args[i]
		next := func(what string) (string, error) {
			if i++; i >= len(args) {
				return "", fmt.Errorf("option %s wants a value", what)
			}
			return args[i], nil
		}
		switch {
		case arg == "--":
			if i+1 < len(args) {
				o.device = args[i+1]
			}
			return o, nil
		case strings.HasPrefix(arg, "--"):
			name, value, joined := strings.Cut(arg[2:], "=")
			letter, wants, ok := longOption(name)
			switch {
			case !ok, joined && !wants:
				return o, fmt.Errorf("there is no option %s", arg)
			case wants && !joined:
				if value, err = next(arg); err != nil {
					return o, err
				}
			}
			err = take(letter, value)
		case len(arg) > 1 && arg[0] == '-':
			for j := 1; j < len(arg) && err == nil; j++ {
				c, value := arg[j], ""
				if slices.Contains([]byte("dfps"), c) {
					if value = arg[j+1:]; value == "" {
						if value, err = next("-" + string(c)); err != nil {
							return o, err
						}
					}
					j = len(arg)
				}
				err = take(c, value)
			}
		default:
			o.device = arg
		}
	}
	return o, err
}

// scsiIDMain is scsi_id. Exit 0 with an id, 1 without, as there.
func scsiIDMain(args []string, std streams) int {
	o, err := parseScsiID(args)
	fail := func(text string) int {
		fmt.Fprintln(std.err, "scsi_id: "+show.Safe(text))
		return exitError
	}
	switch {
	case err != nil:
		return fail(err.Error())
	case o.help:
		io.WriteString(std.out, scsiIDUsage)
		return exitDone
	case o.version:
		fmt.Fprintln(std.out, version)
		return exitDone
	case o.device == "":
		return fail("no device given")
	case !o.whitelisted:
		return fail(o.device + ": not whitelisted: give -g (--whitelisted)")
	}
	raw, err := readIDs(sgio.NewDevice("/dev"), o.device)
	if err != nil {
		return fail(err.Error())
	}
	return printScsiID(std, raw, o)
}

// printScsiID prints what scsi_id prints of a device that answers like raw.
func printScsiID(std streams, raw scsi.Raw, o scsiIDOptions) int {
	r, err := scsi.ScsiID(raw, o.page)
	if err != nil {
		fmt.Fprintln(std.err, "scsi_id: "+show.Safe(err.Error()))
		return exitError
	}
	switch {
	case o.export:
		for _, p := range r.Export() {
			fmt.Fprintf(std.out, "%s=%s\n", p.Name, p.Value)
		}
		return exitDone
	case r.Raw == "":
		return exitError
	case o.underscores:
		fmt.Fprintln(std.out, r.Serial)
	default:
		fmt.Fprintln(std.out, r.Raw)
	}
	return exitDone
}

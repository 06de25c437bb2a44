package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"pathkeeper/show"
)

const mpathconfUsage = `mpathconf (pathkeeper): create, change and show /etc/multipath.conf
Usage:
  mpathconf                       say what is configured
  mpathconf COMMANDS [OPTIONS]    change the file; it is made where it is missing
Commands:
	--enable take out the line of the blacklist that hides every disk
	--disable put it there; whatever else is asked for is ignored
	--allow DEVICE blacklist every LUN but that of a map, of what lies on it, or of a WWID;
	               may be given several times, and only with --outfile
	--user_friendly_names y|n
	--find_multipaths yes|no|strict|greedy|smart (on, y, off and n, too)
	--property_blacklist y|n say the exception that udev's SCSI and WWN properties make
	--enable_foreign y|n
	--recheck_wwid y|n
	--option NAME:VALUE set a keyword of the section defaults; without VALUE it is taken out
Options:
	--outfile FILE write there; module, daemon and /etc/multipath.conf stay as they are
	--with_module y|n with --enable: load dm_multipath (default y)
	--with_multipathd y|n start the daemon with --enable, stop it with --disable, have
	                      it read a changed file with the others (default n)
	--with_chkconfig y|n with --enable have the daemon start at boot, with --disable not
	                     (default n: that stays as it is)
`

// mpathconfOptions are what a command line of mpathconf says.
type mpathconfOptions struct {
	enable, disable bool
	allow           []string
	values          map[string]string // of the options with one value, without their dashes
	settings        [][2]string       // of --option: keyword and value, "" to take it out
}

func yesOrNo() []string { return []string{"y", "n"} }

// mpathconfValues are the options with a value, and what it may be; nil: anything.
func mpathconfValues() map[string][]string {
	return map[string][]string{
		"user_friendly_names": yesOrNo(), "recheck_wwid": yesOrNo(), "property_blacklist": yesOrNo(), "enable_foreign": yesOrNo(),
		"with_module": yesOrNo(), "with_multipathd": yesOrNo(), "with_chkconfig": yesOrNo(),
		"find_multipaths": {"yes", "no", "y", "n", "on", "off", "strict", "greedy", "smart"},
		"allow":           nil, "option": nil, "outfile": nil,
	}
}

// parseMpathconf reads mpathconf's command line: each value is the next argument.
func parseMpathconf(args []string) (o mpathconfOptions, err error) {
	o.values = map[string]string{}
	known := mpathconfValues()
	for i := 0; i < len(args); i++ {
		name, dashed := strings.CutPrefix(args[i], "--")
		words, ok := known[name]
		switch {
		case args[i] == "--enable":
			o.enable = true
			continue
		case args[i] == "--disable":
			o.disable = true
			continue
		case !dashed || !ok:
			return o, fmt.Errorf("there is no option %q", args[i])
		}
		if i++; i >= len(args) || args[i] == "" {
			return o, fmt.Errorf("option --%s wants a value", name)
		}
		value := args[i]
		if words != nil && !slices.Contains(words, value) {
			return o, fmt.Errorf("option --%s wants one of %s, not %q", name, strings.Join(words, " "), value)
		}
		switch name {
		case "allow":
			o.allow = append(o.allow, value)
		case "option":
			keyword, text, ok := strings.Cut(value, ":")
			if !ok || keyword == "" {
				return o, fmt.Errorf("--option wants NAME:VALUE, not %q", value)
			}
			o.settings = append(o.settings, [2]string{keyword, text})
		default:
			o.values[name] = value
		}
	}
	return o, o.fit()
}

// fit says what does not go together.
func (o mpathconfOptions) fit() error {
	switch {
	case o.enable && o.disable:
		return fmt.Errorf("--enable and --disable do not go together")
	case len(o.allow) > 0 && o.disable:
		return fmt.Errorf("--allow and --disable do not go together")
	case len(o.allow) > 0 && o.values["outfile"] == "":
		return fmt.Errorf("--allow wants --outfile: no command takes back what it writes over")
	}
	return nil
}

// changes says whether a file is to be changed.
func (o mpathconfOptions) changes() bool { return o.enable || o.disable || o.asksForMore() }

// asksForMore says whether there is something besides --enable and --disable.
func (o mpathconfOptions) asksForMore() bool {
	if len(o.allow) > 0 || len(o.settings) > 0 {
		return true
	}
	for _, name := range []string{"user_friendly_names", "find_multipaths", "property_blacklist", "enable_foreign", "recheck_wwid"} {
		if o.values[name] != "" {
			return true
		}
	}
	return false
}

// mpathconfMain answers as mpathconf of Red Hat's package does: exit code 0, or 1.
func mpathconfMain(args []string, std streams) int {
	return mpathconfOn(systemMpathconf(), args, std)
}

func mpathconfOn(h mpathconfHost, args []string, std streams) int {
	say := func(text string) { fmt.Fprintln(std.err, "mpathconf: "+show.Safe(text)) }
	if slices.Contains(args, "-h") || slices.Contains(args, "--help") {
		io.WriteString(std.out, mpathconfUsage)
		return exitDone
	}
	o, err := parseMpathconf(args)
	if err != nil {
		say(err.Error())
		io.WriteString(std.err, mpathconfUsage)
		return exitError
	}
	if !h.root {
		say("only root may look at the configuration and change it")
		return exitError
	}
	run := mpathconfRun{h: h, o: o, std: std, say: say}
	if !o.changes() {
		err = run.status()
	} else {
		err = run.change()
	}
	if err != nil {
		report(std, "mpathconf", err)
		return exitError
	}
	return exitDone
}

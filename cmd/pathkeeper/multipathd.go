package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"pathkeeper/daemon"
	"pathkeeper/mpath"
	"pathkeeper/show"
)

const multipathdUsage = `multipathd (pathkeeper): the daemon of multipath maps, and its client
  multipathd [-d] [-s] [-v LEVEL] [-B]   start the daemon: in the background, -d in the foreground
  multipathd COMMAND...                  have the running daemon do or show something: multipathd show maps
  multipathd -k'COMMAND'                 the same, the command as one argument
  multipathd -k                          ask for commands, or read them from a pipe; quit or exit ends it
  -v LEVEL  how much is logged: 0 errors, 1 warnings, 2 what happens, 3 and above everything
  -B        the bindings file is only read: new maps are named by their WWID
  -s        no time before the lines of the log: there never is one
  -n, -w    are taken and change nothing
  multipathd --version
`

const multipathcUsage = `multipathc (pathkeeper): asks for commands of the daemon of multipath maps
  multipathc [MILLISECONDS]    as multipathd -k; the time does not count, uxsock_timeout does
  multipathc --version
`

// multipathdOptions are what the command line of multipathd says.
type multipathdOptions struct {
	foreground bool
	level      int // -1: not said
	readNames  bool
	client     bool
	command    string // of a client, "" : it asks for them
}

// errHelp is that only the usage, or the version, is wanted.
var (
	errHelp    = errors.New("help")
	errVersion = errors.New("version")
)

func parseMultipathd(args []string) (o multipathdOptions, err error) {
	o.level = -1
	if len(args) == 1 && (args[0] == "--version" || args[0] == "--help") {
		return o, map[string]error{"--version": errVersion, "--help": errHelp}[args[0]]
	}
	given, words, err := getopt("dsv:k::Bnwh", args)
	if err != nil {
		return o, err
	}
	for _, f := range given {
		switch f.letter {
		case 'h':
			return o, errHelp
		case 'd':
			o.foreground = true
		case 'B':
			o.readNames = true
		case 'v':
			if o.level, err = verbosity(f); err != nil {
				return o, err
			}
		case 'k':
			o.client, o.command = true, f.value
		}
	}
	if len(words) > 0 {
		if o.client && o.command != "" {
			return o, fmt.Errorf("the command stands behind -k already, %q is too much", words[0])
		}
		o.client, o.command = true, commandLine(words)
		if strings.TrimSpace(o.command) == "" {
			return o, errors.New("the command is empty; `multipathd help` lists what the daemon knows")
		}
	}
	return o, nil
}

// multipathdMain starts the daemon, or is a client of the one that runs. Exit 0 or 1,
// as there.
func multipathdMain(args []string, in io.Reader, std streams) int {
	o, err := parseMultipathd(args)
	switch {
	case errors.Is(err, errVersion):
		return printVersion("multipathd", std)
	case errors.Is(err, errHelp):
		io.WriteString(std.out, multipathdUsage)
		return exitDone
	case err != nil:
		fmt.Fprintf(std.err, "multipathd: %s; `multipathd -h` says what there is\n", show.Safe(err.Error()))
		return exitError
	case !o.client:
		return runMultipathd(o, args, std)
	}
	client, err := dialMultipathd(multipathdSockets(os.Getenv), socketWait())
	if err != nil {
		return failed(std, "multipathd", err)
	}
	defer client.Close()
	if o.command == "" {
		return converse(client, in, std)
	}
	return answered(client, o.command, std)
}

// multipathcMain is `multipathd -k` under its own name. Its one argument, a time-out
// in milliseconds, does not count: uxsock_timeout does. A command is none of its
// arguments; whoever gives one shall not be left before a prompt.
func multipathcMain(args []string, in io.Reader, std streams) int {
	if len(args) == 1 {
		switch _, err := strconv.Atoi(args[0]); {
		case args[0] == "-h" || args[0] == "--help":
			io.WriteString(std.out, multipathcUsage)
			return exitDone
		case args[0] == "--version":
			return printVersion("multipathc", std)
		case err == nil:
			args = nil
		}
	}
	if len(args) > 0 {
		fmt.Fprintf(std.err, "multipathc: it takes no command, not %q: `multipathd %s` asks once, multipathc alone asks for commands\n", show.Safe(args[0]), show.Safe(strings.Join(args, " ")))
		return exitError
	}
	return multipathdMain([]string{"-k"}, in, std)
}

// answered prints the answer to one command.
func answered(client asker, command string, std streams) int {
	reply, err := client.ask(command)
	if err != nil {
		return failed(std, "multipathd", err)
	}
	text, ok := verdictOf(reply)
	if _, err := io.WriteString(std.out, withoutBold(text, std.out)); err != nil || !ok {
		return exitError
	}
	return exitDone
}

// failed is report for programs that know one exit code only.
func failed(std streams, name string, err error) int {
	report(std, name, err)
	return exitError
}

// printVersion says whose version of multipath-tools is matched, in the words that
// programs look for, and who does it.
func printVersion(name string, std streams) int {
	fmt.Fprintln(std.out, versionLine(name))
	return exitDone
}

func versionLine(name string) string {
	return fmt.Sprintf("multipath-tools v%s (%s of pathkeeper %s)", matchedVersion, name, version)
}

// matchedVersion is the release of multipath-tools whose behaviour is kept.
const matchedVersion = "0.14.3"

// runMultipathd is the daemon under the name of multipathd.
func runMultipathd(o multipathdOptions, args []string, std streams) int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(std.err, "multipathd: need to be root")
		return exitError
	}
	opt := daemon.Options{
		Version: version, MpathdSocket: os.Getenv("MULTIPATH_SOCKET_NAME"), Level: levelOf(o.level), ReadNames: o.readNames,
		DeadRootLimit: daemon.DeadRootLimit,
	}
	if !o.foreground {
		if os.Getenv(readyMark) == "" {
			return intoBackground(args, std)
		}
		opt.Ready, opt.Log = readyPipe(), systemLog()
	}
	// Whoever reads the log may end: that is no reason for the maps' manager to.
	signal.Ignore(unix.SIGPIPE, unix.SIGUSR2)
	if err := daemon.Run(context.Background(), opt); err != nil {
		if opt.Ready != nil {
			opt.Ready(err)
		}
		return failed(std, "multipathd", err)
	}
	return exitDone
}

// levelOf turns multipath-tools' verbosity into a level of the log.
func levelOf(n int) mpath.Level {
	switch n {
	case -1:
		return 0 // as the daemon has it
	case 0:
		return mpath.LevelError
	case 1:
		return mpath.LevelWarning
	case 2:
		return mpath.LevelNotice
	}
	return mpath.LevelInfo
}

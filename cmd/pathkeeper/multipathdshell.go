package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"pathkeeper/show"
)

const multipathdPrompt = "multipathd> "

// converse asks for commands and prints the answers, until quit, exit or the end of
// the input. On a pipe there are no prompts, nothing but the answers. A command that
// fails does not end it.
func converse(client *mpathdClient, in io.Reader, std streams) int {
	next, end := lineSource(in, std)
	defer end()
	for {
		line, err := next()
		command := strings.TrimSpace(line)
		switch {
		case command == "quit" || command == "exit":
			return exitDone
		case command != "":
			if client = talk(client, command, std); client == nil {
				return exitError
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return exitDone
		case err != nil:
			return failed(std, "multipathd", fmt.Errorf("reading commands: %w", err))
		}
	}
}

// talk puts one command of a conversation. A connection that broke, as at a restart of
// the daemon, is made anew for it once. nil: nobody answers any more.
func talk(client *mpathdClient, command string, std streams) *mpathdClient {
	reply, err := client.ask(command)
	if err != nil {
		fmt.Fprintf(std.err, "multipathd: %s\n", show.Safe(err.Error()))
		client.Close()
		if client, err = dialMultipathd([]string{client.at}, client.wait); err != nil {
			fmt.Fprintf(std.err, "multipathd: %s\n", show.Safe(err.Error()))
			return nil
		}
		return client
	}
	text, _ := verdictOf(reply)
	_, _ = io.WriteString(std.out, withoutBold(text, std.out))
	return client
}

// lineSource reads lines: from a terminal with history and completion, else as they
// come. The last line may come with io.EOF.
func lineSource(in io.Reader, std streams) (next func() (string, error), end func()) {
	if keys, ok := in.(*os.File); ok {
		if t, err := newTerminal(keys, std.out, multipathdWords); err == nil {
			return func() (string, error) { return t.line(multipathdPrompt) }, t.restore
		}
	}
	lines := bufio.NewReader(in)
	return func() (string, error) { return lines.ReadString('\n') }, func() {}
}

// Words of multipathd's commands: verbs, and what may stand behind them.
const (
	multipathdVerbs = "add del disablequeueing exit fail forcequeueing getprhold getprkey getprstatus help list quit reconfigure reinstate reload remove " +
		"reset resize restorequeueing resume setmarginal setprhold setprkey setprstatus show shutdown suspend switch unsetmarginal unsetprhold unsetprkey unsetprstatus"
	multipathdObjects = "all blacklist config daemon devices format group json key local map maps path pathlist paths raw stats status topology wildcards"
)

// multipathdWords completes the last word of what was typed.
func multipathdWords(typed string) []string {
	fields := strings.Fields(typed)
	last := ""
	if typed != "" && !strings.HasSuffix(typed, " ") {
		last, fields = fields[len(fields)-1], fields[:len(fields)-1]
	}
	all := strings.Fields(multipathdObjects)
	if len(fields) == 0 {
		all = strings.Fields(multipathdVerbs)
	}
	return slices.DeleteFunc(all, func(w string) bool { return !strings.HasPrefix(w, last) })
}

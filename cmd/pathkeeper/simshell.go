package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"pathkeeper/scenario"
	"pathkeeper/show"
	"pathkeeper/sim"
)

const shellIntro = `
A simulated host. Time stands still but for pass, for what waits (expect, io,
probe), and for commands that udevd must see. help says what there is, quit ends it.
`

const shellHelp = `Look:    multipath -ll | multipathd show paths | show maps|paths|topology [NAME] | explain NAME | timeouts MAP | pathkeeper ... | log [LINES]
Time:    pass 10s
Break:   path mysql1 A1 offline | port A1 cut | fault mysql1 B1 hung | daemon kill | dm fail=30%
Mend:    path mysql1 A1 running | port A1 mend | fault mysql1 B1 none | daemon start | dm well
Use:     io w start /dev/mapper/mysql1 | io w stop | probe p write /dev/mapper/mysql1 ok
End:     quit
Every verb of the scenarios is known; "help VERB" gives its usage:
`

// shell reads commands and does them on a simulated host. Nothing that is typed
// ends it but quit and the end of the input.
type shell struct {
	s    *sim.Session
	in   *bufio.Reader
	std  streams
	ask  bool // somebody types: prompts are shown
	line int
}

// simShell prepares the host and runs the shell.
func simShell(o simOptions, names []string, in io.Reader, std streams) error {
	var script simScript
	if len(names) == 0 {
		host := sim.Host()
		parsed, err := scenario.Parse(host.Name, host.Text)
		if err != nil {
			return err
		}
		script = simScript{parsed, "."}
	} else {
		scripts, err := readScripts(names, std)
		if err != nil {
			return err
		}
		if script = scripts[0]; !script.Side.On(scenario.Sim) {
			return usagef("%s: its first line says %s", script.File, script.Side)
		}
	}
	sh := &shell{s: sim.NewSession(o.scriptOptions(script.folder, std)), in: bufio.NewReader(in), std: std, ask: isTerminal(in)}
	if err := sh.s.Play(script.Script); err != nil {
		sh.complain(err)
	}
	if sh.ask {
		sh.s.Typed()
	}
	sh.print(shellIntro)
	return sh.run()
}

// isTerminal says whether somebody types.
func isTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

func (sh *shell) print(text string) { _, _ = io.WriteString(sh.std.out, text) }

func (sh *shell) complain(err error) {
	fmt.Fprintf(sh.std.err, "%s\n", safeLines(err.Error()))
}

// read gives the next line; false: the input is at its end.
func (sh *shell) read(prompt string) (string, bool) {
	if sh.ask {
		sh.print(prompt)
	}
	text, err := sh.in.ReadString('\n')
	if err != nil && text == "" {
		return "", false
	}
	sh.line++
	return strings.TrimSuffix(text, "\n"), true
}

func (sh *shell) run() error {
	for {
		text, ok := sh.read(fmt.Sprintf("%.3f s> ", sh.s.Now().Seconds()))
		if !ok {
			if sh.ask {
				sh.print("\n")
			}
			return nil
		}
		words, err := scenario.Words(text)
		switch {
		case err != nil:
			sh.complain(err)
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "quit" || words[0] == "exit":
			return nil
		default:
			if err := sh.do(text, words); err != nil {
				sh.complain(err)
			}
		}
	}
}

// shellWords are what the shell knows besides verbs.
func shellWords() []string {
	return []string{"help", "log", "explain", "timeouts", "pathkeeper", "dmsetup", "quit", "exit"}
}

func (sh *shell) do(text string, words []string) error {
	switch words[0] {
	case "help", "?":
		return sh.help(words[1:])
	case "log":
		return sh.log(words[1:])
	case "show", "list", "explain", "timeouts":
		return sh.program(append([]string{"pathkeeper"}, words...))
	case "pathkeeper", "multipath", "multipathd", "dmsetup":
		return sh.program(words)
	case "run":
		if len(words) > 1 && !strings.Contains(words[1], "=") {
			return sh.program(words[1:])
		}
	}
	at := sh.line
	c, err := scenario.ParseCommand("line", at, text, scenario.Sim, func() (string, bool) { return sh.read("  ") })
	if err != nil {
		if near := scenario.Nearest(words[0], shellWords()); near != "" && !slices.Contains(verbHeads(), words[0]) {
			return fmt.Errorf("no command %q, did you mean %s?", words[0], near)
		}
		text, _, _ := strings.Cut(short(err).Error(), "; the verbs are: ")
		if text != short(err).Error() {
			text += "; help lists what there is"
		}
		return errors.New(text)
	}
	return short(sh.s.Do(c))
}

// short takes the place off an error: who types knows it.
func short(err error) error {
	var at *scenario.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// verbHeads are the first words of the verbs.
func verbHeads() []string {
	var out []string
	for _, v := range scenario.Verbs() {
		head, _, _ := strings.Cut(v.Name, " ")
		out = append(out, head)
	}
	return out
}

// program runs a command of the host, which says itself what it could not do.
func (sh *shell) program(argv []string) error {
	_, err := sh.s.Execute(argv, sh.std.out, sh.std.err)
	return err
}

func (sh *shell) log(words []string) error {
	n := 20
	if len(words) > 0 {
		var err error
		if n, err = strconv.Atoi(words[0]); err != nil || n < 1 || len(words) > 1 {
			return fmt.Errorf("usage: log [LINES]")
		}
	}
	for _, line := range sh.s.Log(n) {
		sh.print(show.Safe(line) + "\n")
	}
	return nil
}

func (sh *shell) help(words []string) error {
	if len(words) == 0 {
		sh.print(shellHelp)
		var names []string
		for _, v := range scenario.Verbs() {
			if v.Side.On(scenario.Sim) {
				names = append(names, v.Name)
			}
		}
		for row := range slices.Chunk(names, 8) {
			sh.print("  " + strings.Join(row, ", ") + "\n")
		}
		return nil
	}
	name, found := strings.Join(words, " "), false
	var names []string
	for _, v := range scenario.Verbs() {
		names = append(names, v.Name)
		if (v.Name == name || strings.HasPrefix(v.Name, name+" ")) && v.Side.On(scenario.Sim) {
			found = true
			sh.print(fmt.Sprintf("%s %s\n  %s\n", v.Name, v.Usage, v.Help))
		}
	}
	switch near := scenario.Nearest(name, names); {
	case found:
		return nil
	case near != "":
		return fmt.Errorf("no verb %q, did you mean %s?", name, near)
	}
	return fmt.Errorf("no verb %q; help lists them", name)
}

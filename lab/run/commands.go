package run

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"pathkeeper/lab/wire"
	"pathkeeper/scenario"
)

func (s *session) run(c scenario.Command) error {
	if c.HasBody == (len(c.Args) > 0) {
		return fmt.Errorf("want a program or a body")
	}
	texts := append(slices.Clone(c.Args), c.Body)
	if err := s.substitute(texts); err != nil {
		return err
	}
	if c.HasBody {
		return s.match(c, []string{"sh", "-e"}, []byte(texts[len(texts)-1]))
	}
	return s.match(c, texts[:len(c.Args)], nil)
}

var deviceWord = regexp.MustCompile(`@[\w.-]+:[\w.-]+`)

// substitute replaces @LUN:PORT and @disk:NAME by the node that it has now (sdX
// names move when devices come and go), @wwid:LUN by the LUN's WWID and
// @store:LUN by the file that holds its blocks.
func (s *session) substitute(texts []string) error {
	var first error
	for i := range texts {
		texts[i] = deviceWord.ReplaceAllStringFunc(texts[i], func(word string) string {
			node, err := s.meaning(word[1:])
			if err != nil && first == nil {
				first = fmt.Errorf("%s: %w", word, err)
			}
			return node
		})
	}
	return first
}

func (s *session) meaning(word string) (string, error) {
	what, name, _ := strings.Cut(word, ":")
	switch what {
	case "disk":
		return s.device(name)
	case "wwid", "store":
		l, err := s.array.LUN(name)
		if err != nil {
			return "", err
		}
		if what == "wwid" {
			return l.WWID(), nil
		}
		return l.File(), nil
	}
	return s.device(word)
}

// match runs argv and holds its end against the options exit, match and not.
func (s *session) match(c scenario.Command, argv []string, stdin []byte) error {
	want := 0
	if text := c.Options["exit"]; text != "" {
		if _, err := fmt.Sscan(text, &want); err != nil {
			return fmt.Errorf("exit=%s: %w", text, err)
		}
	}
	exit, err := s.guest.Exec(wire.Exec{Argv: argv, Stdin: stdin}, c.Duration("within", 30*time.Second))
	if err != nil {
		return err
	}
	text := string(exit.Stdout) + string(exit.Stderr)
	if s.opts.Verbose && text != "" {
		s.progress("        %s", strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n        "))
	}
	if c.Options["print"] == "yes" && s.opts.Tell {
		fmt.Fprintf(s.opts.Out, "%s", text)
	}
	switch {
	case exit.TimedOut:
		return fmt.Errorf("no end in time; it printed:\n%s", text)
	case exit.Code != want:
		return fmt.Errorf("exit %d, not %d; it printed:\n%s", exit.Code, want, text)
	}
	for _, key := range []string{"match", "not"} {
		pattern, ok := c.Options[key]
		if !ok {
			continue
		}
		words := []string{"(?m)" + pattern}
		if err := s.substitute(words); err != nil {
			return err
		}
		re, err := regexp.Compile(words[0])
		if err != nil {
			return err
		}
		if re.MatchString(text) != (key == "match") {
			return fmt.Errorf("%s=%s fails; it printed:\n%s", key, pattern, text)
		}
	}
	return nil
}

func (s *session) wait(c scenario.Command) error {
	words := slices.Clone(c.Args)
	if err := s.substitute(words); err != nil {
		return err
	}
	_, err := s.guest.Wait(wire.Wait{Argv: words[1:], Match: "(?m)" + words[0], Not: c.Options["not"] == "yes"}, c.Duration("within", soon))
	return err
}

func (s *session) waitFile(c scenario.Command) error {
	w := wire.Wait{File: c.Args[0], Not: c.Options["not"] == "yes"}
	if m := c.Options["match"]; m != "" {
		w.Match = "(?m)" + m
	}
	_, err := s.guest.Wait(w, c.Duration("within", soon))
	return err
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pathkeeper/lab/wire"
)

// wait looks at a condition until it holds, for as long as it must hold. It
// returns the text that satisfied it. What is waited for has no event of its
// own (a file's content, a program's output), so it looks again and again; the
// deadline is the caller's.
func wait(w wire.Wait) ([]byte, error) {
	var re *regexp.Regexp
	if w.Match != "" {
		var err error
		if re, err = regexp.Compile(w.Match); err != nil {
			return nil, err
		}
	}
	every := time.Duration(w.EveryMS) * time.Millisecond
	if every <= 0 {
		every = 50 * time.Millisecond
	}
	deadline := time.Now().Add(time.Duration(w.TimeoutMS) * time.Millisecond)
	hold := time.Duration(w.HoldMS) * time.Millisecond
	var since time.Time // when the condition began to hold; zero: it does not
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		text, ok, err := check(w, re)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		switch {
		case !ok && hold > 0 && !since.IsZero():
			return text, fmt.Errorf("held for only %d of %d ms; last seen:\n%s", now.Sub(since).Milliseconds(), w.HoldMS, text)
		case !ok:
			since = time.Time{}
		case since.IsZero():
			since = now
		}
		if ok && now.Sub(since) >= hold {
			return text, nil
		}
		if !ok && now.After(deadline) {
			return text, fmt.Errorf("not within %d ms; last seen:\n%s: %w", w.TimeoutMS, text, unix.ETIMEDOUT)
		}
		<-tick.C
	}
}

func check(w wire.Wait, re *regexp.Regexp) ([]byte, bool, error) {
	var text []byte
	var plain bool // the condition without a pattern
	if len(w.Argv) > 0 {
		exit, err := execute(wire.Exec{Argv: w.Argv, TimeoutMS: 20_000})
		if err != nil {
			return nil, false, err
		}
		text = append(exit.Stdout, exit.Stderr...)
		plain = exit.Code == 0
	} else {
		var err error
		text, err = os.ReadFile(w.File)
		plain = err == nil
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "no such device") && !exists(w.File) {
			return nil, false, err
		}
		if exists(w.File) {
			plain = true
		}
	}
	if re == nil {
		return text, plain != w.Not, nil
	}
	return text, re.Match(text) != w.Not, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

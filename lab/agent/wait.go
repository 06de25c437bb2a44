package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
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
	for {
		asked := time.Now()
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
		// A program that is run again and again takes a third of the guest's one
		// CPU at most: what it waits for needs the rest.
		time.Sleep(max(every, 2*now.Sub(asked)))
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
		_, err := os.Stat(w.File)
		plain = err == nil
		// A device is waited for, never read.
		if re != nil && plain {
			if text, err = readStart(w.File); err != nil {
				return nil, false, err
			}
		}
	}
	if re == nil {
		return text, plain != w.Not, nil
	}
	return text, re.Match(text) != w.Not, nil
}

// readStart reads a file's first MiB; a file that goes meanwhile is empty, as
// sysfs's do.
func readStart(name string) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file: its content cannot be waited for (%v)", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return nil, nil
	}
	return text, err
}

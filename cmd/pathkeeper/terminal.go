package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"
)

// terminal reads lines from somebody who types, with the line editor.
type terminal struct {
	fd    int
	keys  *bufio.Reader
	out   io.Writer
	saved unix.Termios
	edit  lineEditor
}

// newTerminal prepares one; an error where in is none.
func newTerminal(in *os.File, out io.Writer, words func(string) []string) (*terminal, error) {
	t := &terminal{fd: int(in.Fd()), keys: bufio.NewReader(in), out: out, edit: lineEditor{words: words}}
	saved, err := unix.IoctlGetTermios(t.fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	t.saved = *saved
	return t, nil
}

// restore gives the terminal back as it was.
func (t *terminal) restore() { _ = unix.IoctlSetTermios(t.fd, unix.TCSETSW, &t.saved) }

// raw has the keys come one by one, unseen; it is left for as long as a command is
// carried out, so that ^C ends one that hangs.
func (t *terminal) raw() error {
	raw := t.saved
	raw.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG | unix.IEXTEN
	raw.Iflag &^= unix.ICRNL | unix.IXON
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(t.fd, unix.TCSETSW, &raw)
}

// line reads one line; io.EOF at the end of the input.
func (t *terminal) line(prompt string) (string, error) {
	if err := t.raw(); err != nil {
		return "", err
	}
	defer t.restore()
	// Whoever is ended in the middle of a line leaves a terminal that can be used.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGTERM, unix.SIGHUP, unix.SIGINT)
	done := make(chan struct{})
	defer close(done)
	defer signal.Stop(ended)
	go func() {
		select {
		case <-ended:
			t.restore()
			os.Exit(exitError)
		case <-done:
		}
	}()
	for {
		t.draw(prompt)
		k, err := t.key()
		if err != nil {
			return "", err
		}
		switch t.edit.key(k) {
		case typedLine:
			fmt.Fprint(t.out, "\n")
			return t.edit.take(), nil
		case typedEnd:
			fmt.Fprint(t.out, "\n")
			return "", io.EOF
		}
		if len(t.edit.choices) > 0 {
			fmt.Fprint(t.out, "\n"+strings.Join(t.edit.choices, "  ")+"\n")
		}
	}
}

// draw shows prompt and line, with the cursor in its place.
func (t *terminal) draw(prompt string) {
	s := "\r\x1b[K" + prompt + string(t.edit.text)
	if n := len(t.edit.text) - t.edit.at; n > 0 {
		s += fmt.Sprintf("\x1b[%dD", n)
	}
	fmt.Fprint(t.out, s)
}

// key reads one key: a character, or what a terminal sends for an arrow.
func (t *terminal) key() (rune, error) {
	r, _, err := t.keys.ReadRune()
	if err != nil || r != 0x1b {
		return r, err
	}
	if b, err := t.keys.ReadByte(); err != nil || b != '[' && b != 'O' {
		return 0, err
	}
	number := ""
	for {
		b, err := t.keys.ReadByte()
		if err != nil {
			return 0, err
		}
		if b >= '0' && b <= '9' || b == ';' {
			if number += string(rune(b)); len(number) > 16 {
				return 0, nil
			}
			continue
		}
		return escapeKey(number, b), nil
	}
}

// escapeKey names the key of an escape sequence, 0 none that is known.
func escapeKey(number string, last byte) rune {
	switch last {
	case 'A':
		return keyUp
	case 'B':
		return keyDown
	case 'C':
		return keyRight
	case 'D':
		return keyLeft
	case 'H':
		return keyHome
	case 'F':
		return keyEnd
	case '~':
		return map[string]rune{"1": keyHome, "7": keyHome, "4": keyEnd, "8": keyEnd, "3": keyDelete}[number]
	}
	return 0
}

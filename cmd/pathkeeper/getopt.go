package main

import (
	"fmt"
	"strings"
)

// givenOption is one option of a command line as getopt(3) hands it out.
type givenOption struct {
	letter byte
	value  string // its argument; "" where it has none
}

// getopt takes a command line apart as getopt(3) of glibc does by a string of letters:
// "v:" has an argument, joined or next, "l::" one that can only be joined; letters
// without may be written together; options may follow the words, and end at "--".
//
// The options that stood before a mistake are given with it: who answers -h or -t at
// once does so whatever comes behind.
func getopt(letters string, args []string) (given []givenOption, words []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return given, append(words, args[i+1:]...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			words = append(words, arg)
			continue
		}
		for j := 1; j < len(arg); j++ {
			at := strings.IndexByte(letters, arg[j])
			if at < 0 || arg[j] == ':' {
				if arg[1] == '-' {
					return given, words, fmt.Errorf("there is no option %s", arg)
				}
				return given, words, fmt.Errorf("there is no option -%c", arg[j])
			}
			f := givenOption{letter: arg[j]}
			kind := letters[at+1:]
			switch {
			case strings.HasPrefix(kind, "::"):
				f.value, j = arg[j+1:], len(arg)
			case strings.HasPrefix(kind, ":"):
				if f.value, j = arg[j+1:], len(arg); f.value == "" {
					if i++; i >= len(args) {
						return given, words, fmt.Errorf("option -%c wants a value", f.letter)
					}
					f.value = args[i]
				}
			}
			given = append(given, f)
		}
	}
	return given, words, nil
}

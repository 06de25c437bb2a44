package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// In a flag's text backquotes name its value, in capitals: cobra shows what stands
// between them as that, so a command quoted there reads as an argument of the flag.
func TestFlagTextsQuoteValuesOnly(t *testing.T) {
	seen := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			seen++
			_, rest, quoted := strings.Cut(f.Usage, "`")
			word, _, _ := strings.Cut(rest, "`")
			if quoted && (word != strings.ToUpper(word) || strings.Contains(word, " ") || f.Value.Type() == "bool") {
				t.Errorf("%s --%s %s: %s", c.CommandPath(), f.Name, word, f.Usage)
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(streams{io.Discard, io.Discard}))
	if seen < 50 {
		t.Errorf("only %d flags seen", seen)
	}
}

package show_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"pathkeeper/show"
)

// docs/formats.md lists every wildcard, with its header and in the order of `show
// wildcards`.
func TestFormatsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	var have strings.Builder
	for _, row := range regexp.MustCompile("(?m)^\\| `(%.)` \\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1) {
		have.WriteString(row[1] + "  " + row[2] + "\n")
	}
	maps, rest, _ := strings.Cut(show.Wildcards(), "\npath format wildcards:\n")
	paths, _, _ := strings.Cut(rest, "\npathgroup format wildcards:\n")
	_, maps, _ = strings.Cut(maps, "\n")
	wantText(t, maps+paths, have.String())
}

package configs

import (
	"slices"
	"testing"

	"pathkeeper/policy"
)

// Every word that pathkeeper.yaml takes can be asked for: as a keyword of both forms,
// or as a word of this one.
func TestNativeWordsAreAllThere(t *testing.T) {
	var have []string
	for _, k := range policy.Keywords() {
		have = append(have, k.Name)
	}
	for _, w := range NativeWords() {
		if w.Meaning == "" || len(w.Places) == 0 {
			t.Errorf("%s has no meaning or no place", w.Name)
		}
		if slices.Contains(have, w.Name) {
			t.Errorf("%s stands twice", w.Name)
		}
		have = append(have, w.Name)
	}
	want := nativeSections()
	for _, k := range slices.Concat(haKeywords(), diskKeywords()) {
		want = append(want, k.Name)
	}
	for _, words := range newNativeVocabulary() {
		for name, k := range words {
			if !slices.Contains(k.Aliases, name) {
				want = append(want, name)
			}
		}
	}
	for _, name := range append(want, "disabled") {
		if !slices.Contains(have, name) {
			t.Errorf("nobody says what %s is", name)
		}
	}
}

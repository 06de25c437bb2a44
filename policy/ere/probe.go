package ere

import "strings"

// probeBytes is the length of the texts that Probe tries: that of the longest
// WWID.
const probeBytes = 127

// Probe tries the expression on a few long texts of its own letters, on which
// repeats within repeats have the most ways to go. ErrTooHard means that on such a
// text it needs more steps than Try gives it, and counts as not matching; nil
// that none of these texts is too hard.
func (e *Expr) Probe() error {
	if !e.backref && !hard(e.root, 0) {
		return nil
	}
	letters := e.letters()
	texts := []string{letters[:1], letters, letters[len(letters)-1:]}
	for _, text := range texts {
		if _, err := e.Try(strings.Repeat(text, probeBytes/len(text))); err != nil {
			return err
		}
	}
	return nil
}

// hard says whether repeats stand within repeats.
func hard(n *node, repeats int) bool {
	if n == nil {
		return false
	}
	if n.op == opRepeat && n.max != 1 {
		repeats++
	}
	for _, sub := range n.subs {
		if hard(sub, repeats) {
			return true
		}
	}
	return repeats > 1
}

// letters are the first letters of the pattern, at least one.
func (e *Expr) letters() string {
	var out []byte
	for i := 0; i < len(e.pattern) && len(out) < 3; i++ {
		if c := e.pattern[i]; isWord(c) && strings.IndexByte(string(out), c) < 0 {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return "a"
	}
	return string(out)
}

package handmade

import (
	"fmt"
	"strconv"
	"strings"

	"pathkeeper/rules/udevrule"
)

// assigned is what a rule gives.
type assigned struct {
	name         string
	owner, group string
	mode         int      // -1 none
	lost         []string // what an entry cannot give
	why          string   // why nothing can be taken
}

func (a assigned) empty() bool {
	return a.name == "" && a.owner == "" && a.group == "" && a.mode < 0 && a.why == ""
}

const account pattern = `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$`

// assignments reads what a rule gives.
func assignments(r udevrule.Rule) assigned {
	a := assigned{mode: -1}
	for _, tok := range r.Tokens {
		if tok.Op.IsMatch() {
			continue
		}
		switch tok.Key {
		case "NAME", "SYMLINK":
			a.takeName(tok)
		case "OWNER", "GROUP":
			to := &a.owner
			if tok.Key == "GROUP" {
				to = &a.group
			}
			a.takeAccount(tok, to)
		case "MODE":
			a.takeMode(tok.Value)
		case "RUN":
			if !a.takeNode(tok) {
				a.lost = append(a.lost, tok.String())
			}
		case "OPTIONS":
			if strings.Trim(tok.Value, " ") != "last_rule" {
				a.lost = append(a.lost, tok.String())
			}
		case "PROGRAM", "RESULT", "LABEL", "GOTO":
		case "IMPORT":
			if tok.Attr != "program" || !strings.Contains(tok.Value, "scsi_id") {
				a.lost = append(a.lost, tok.String())
			}
		default:
			a.lost = append(a.lost, tok.String())
		}
	}
	return a
}

func (a *assigned) refuse(why string) {
	if a.why == "" {
		a.why = why
	}
}

func (a *assigned) takeName(tok udevrule.Token) {
	value := strings.TrimSpace(tok.Value)
	switch {
	case tok.Key == "NAME" && (value == "%k" || value == "$kernel" || value == "$name" || value == ""):
	case tok.Op == udevrule.OpRemove:
		a.lost = append(a.lost, tok.String())
	case strings.ContainsAny(value, "$%"):
		a.refuse(tok.String() + ": a name that udev fills in, an entry has one as it is")
	case len(strings.Fields(value)) > 1:
		a.refuse(tok.String() + ": several links, an entry has one")
	default:
		a.setName(value)
	}
}

func (a *assigned) setName(name string) {
	if a.name != "" && a.name != name {
		a.refuse("it gives two names, " + a.name + " and " + name + "; an entry has one")
		return
	}
	a.name = name
}

func (a *assigned) takeAccount(tok udevrule.Token, to *string) {
	if !account.MatchString(tok.Value) {
		a.refuse(tok.String() + " is no name or number of an account")
		return
	}
	*to = tok.Value
}

func (a *assigned) takeMode(text string) {
	mode, err := strconv.ParseUint(text, 8, 16)
	if err != nil || mode > 0o777 {
		a.refuse(fmt.Sprintf("MODE %q is no octal number up to 0777", text))
		return
	}
	a.mode = int(mode)
}

// takeNode reads the one RUN that is known: a shell that makes a second node of
// the disk, with owner and mode.
func (a *assigned) takeNode(tok udevrule.Token) bool {
	script, ok := strings.CutPrefix(strings.TrimSpace(tok.Value), "/bin/sh -c ")
	script = strings.TrimSpace(script)
	if !ok || len(script) < 2 || script[0] != '\'' || script[len(script)-1] != '\'' {
		return false
	}
	node := assigned{mode: -1}
	place := ""
	same := func(at string) bool {
		if place == "" {
			place = at
		}
		return place == at && strings.HasPrefix(at, "/dev/")
	}
	for _, step := range strings.Split(strings.ReplaceAll(script[1:len(script)-1], "&&", ";"), ";") {
		w := strings.Fields(step)
		if len(w) == 0 {
			continue
		}
		switch w[0] = w[0][strings.LastIndexByte(w[0], '/')+1:]; {
		case w[0] == "mknod" && len(w) == 5 && same(w[1]) && w[2] == "b" && (w[3] == "$major" || w[3] == "%M") && (w[4] == "$minor" || w[4] == "%m"):
			node.name = strings.TrimPrefix(w[1], "/dev/")
		case w[0] == "chown" && len(w) == 3 && same(w[2]):
			if !strings.Contains(w[1], ":") {
				w[1] = strings.Replace(w[1], ".", ":", 1) // as chown takes it, too
			}
			owner, group, _ := strings.Cut(w[1], ":")
			node.takeAccount(udevrule.Token{Key: "OWNER", Op: udevrule.OpAssign, Value: owner}, &node.owner)
			if group != "" {
				node.takeAccount(udevrule.Token{Key: "GROUP", Op: udevrule.OpAssign, Value: group}, &node.group)
			}
		case w[0] == "chmod" && len(w) == 3 && same(w[2]):
			node.takeMode(w[1])
		default:
			return false
		}
	}
	if node.name == "" || node.why != "" {
		return false
	}
	a.setName(node.name)
	a.owner, a.group, a.mode = later(a.owner, node.owner), later(a.group, node.group), laterMode(a.mode, node.mode)
	return true
}

package server

import (
	"strings"

	"pathkeeper/configs"
)

// keyword is a word of multipathd's commands. Two spellings may be one keyword.
type keyword uint8

// The keywords, by their first spelling.
const (
	kwNone keyword = iota
	kwList
	kwAdd
	kwRemove
	kwSwitch
	kwSuspend
	kwResume
	kwReinstate
	kwFail
	kwResize
	kwReset
	kwReload
	kwForceQueueing
	kwDisableQueueing
	kwRestoreQueueing
	kwReconfigure
	kwQuit
	kwShutdown
	kwGetPRStatus
	kwSetPRStatus
	kwUnsetPRStatus
	kwGetPRKey
	kwSetPRKey
	kwUnsetPRKey
	kwGetPRHold
	kwSetPRHold
	kwUnsetPRHold
	kwSetMarginal
	kwUnsetMarginal
	kwPaths
	kwMaps
	kwPath
	kwMap
	kwGroup
	kwDaemon
	kwStatus
	kwStats
	kwTopology
	kwConfig
	kwBlacklist
	kwDevices
	kwRaw
	kwWildcards
	kwFormat
	kwJSON
	kwKey
	kwLocal
	kwAll
	kwPathlist
)

// spelling is one way to write a keyword.
type spelling struct {
	word string
	kw   keyword
	arg  bool // a parameter follows
}

// spellings gives all of them; of one keyword the first is its name.
func spellings() []spelling {
	return []spelling{
		{"list", kwList, false},
		{"show", kwList, false},
		{"add", kwAdd, false},
		{"remove", kwRemove, false},
		{"del", kwRemove, false},
		{"switch", kwSwitch, false},
		{"switchgroup", kwSwitch, false},
		{"suspend", kwSuspend, false},
		{"resume", kwResume, false},
		{"reinstate", kwReinstate, false},
		{"fail", kwFail, false},
		{"resize", kwResize, false},
		{"reset", kwReset, false},
		{"reload", kwReload, false},
		{"forcequeueing", kwForceQueueing, false},
		{"disablequeueing", kwDisableQueueing, false},
		{"restorequeueing", kwRestoreQueueing, false},
		{"reconfigure", kwReconfigure, false},
		{"quit", kwQuit, false},
		{"exit", kwQuit, false},
		{"shutdown", kwShutdown, false},
		{"getprstatus", kwGetPRStatus, false},
		{"setprstatus", kwSetPRStatus, false},
		{"unsetprstatus", kwUnsetPRStatus, false},
		{"getprkey", kwGetPRKey, false},
		{"setprkey", kwSetPRKey, false},
		{"unsetprkey", kwUnsetPRKey, false},
		{"getprhold", kwGetPRHold, false},
		{"setprhold", kwSetPRHold, false},
		{"unsetprhold", kwUnsetPRHold, false},
		{"setmarginal", kwSetMarginal, false},
		{"unsetmarginal", kwUnsetMarginal, false},
		{"paths", kwPaths, false},
		{"maps", kwMaps, false},
		{"multipaths", kwMaps, false},
		{"path", kwPath, true},
		{"map", kwMap, true},
		{"multipath", kwMap, true},
		{"group", kwGroup, true},
		{"daemon", kwDaemon, false},
		{"status", kwStatus, false},
		{"stats", kwStats, false},
		{"topology", kwTopology, false},
		{"config", kwConfig, false},
		{"blacklist", kwBlacklist, false},
		{"devices", kwDevices, false},
		{"raw", kwRaw, false},
		{"wildcards", kwWildcards, false},
		{"format", kwFormat, true},
		{"json", kwJSON, false},
		{"key", kwKey, true},
		{"local", kwLocal, false},
		{"all", kwAll, false},
		{"pathlist", kwPathlist, true},
	}
}

// lookup finds the keyword of a word: its exact spelling, or the only one that begins
// with it. Two spellings of one keyword are two: `sw` is not understood.
func lookup(word string, all []spelling) (spelling, bool) {
	var found spelling
	n := 0
	for _, s := range all {
		if s.word == word {
			return s, true
		}
		if strings.HasPrefix(s.word, word) {
			found = s
			n++
		}
	}
	return found, n == 1
}

// said is one keyword of a command with its parameter.
type said struct {
	kw  keyword
	arg string
}

// problem is what is wrong with the words of a command.
type problem uint8

const (
	problemNone     problem = iota
	problemNoWords          // there is none
	problemWord             // one before the last is no keyword
	problemLastWord         // the last one is none
	problemArgument         // the last one wants a parameter
)

// maxWords is how many words of a request are looked at. More make no command, and a
// request of 512 bytes has at most 256.
const maxWords = 256

// parseCommand reads a command: keywords, each with its parameter where it takes one.
// wrong is the word that the problem is about.
func parseCommand(text string) (cmd []said, p problem, wrong string) {
	words := configs.Words(text, maxWords)
	if len(words) == 0 {
		return nil, problemNoWords, ""
	}
	all := spellings()
	for i := 0; i < len(words); i++ {
		s, ok := lookup(words[i], all)
		switch {
		case !ok && i+1 < len(words):
			return nil, problemWord, words[i]
		case !ok:
			return nil, problemLastWord, words[i]
		case !s.arg:
			cmd = append(cmd, said{kw: s.kw})
		case i+1 == len(words):
			return nil, problemArgument, words[i]
		default:
			i++
			cmd = append(cmd, said{s.kw, words[i]})
		}
	}
	return cmd, problemNone, ""
}

// maxKeywords is the most that a command has.
const maxKeywords = 4

// shape is a command without its parameters. Unused places are kwNone.
type shape [maxKeywords]keyword

// shapeOf gives a command's shape; false: it has more keywords than any.
func shapeOf(cmd []said) (s shape, ok bool) {
	if len(cmd) > len(s) {
		return s, false
	}
	for i, w := range cmd {
		s[i] = w.kw
	}
	return s, true
}

// String gives a shape in words, as the list of commands shows it:
// "list|show map|multipath $map format $format".
func (s shape) String() string {
	var words []string
	for _, kw := range s {
		var names []string
		arg := false
		for _, sp := range spellings() {
			if sp.kw == kw && kw != kwNone {
				names = append(names, sp.word)
				arg = sp.arg
			}
		}
		if len(names) == 0 {
			continue
		}
		words = append(words, strings.Join(names, "|"))
		if arg {
			words = append(words, "$"+names[0])
		}
	}
	return strings.Join(words, " ")
}

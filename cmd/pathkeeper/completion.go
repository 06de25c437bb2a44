package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// completionCommand writes what shells need to complete our commands, for `make
// install`: below the directory as bash, zsh and fish look for it below /usr/share.
func completionCommand(std streams) *cobra.Command {
	theirs := false
	c := &cobra.Command{
		Use: "completion DIR", Short: "Write the shells' completions below a directory", Hidden: true, Args: takes(1, 1, "DIR, for example /usr/share"),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := completions(std)
			for _, f := range files {
				if err == nil && (theirs || strings.Contains(f.name, "pathkeeper")) {
					err = writeBelow(args[0], f.name, f.text)
				}
			}
			return err
		},
	}
	c.Flags().BoolVar(&theirs, "theirs", false, "also for the names of multipath-tools")
	return c
}

type completionFile struct{ name, text string }

func completions(std streams) ([]completionFile, error) {
	root := newRoot(std)
	var bash, zsh, fish bytes.Buffer
	if err := root.GenBashCompletionV2(&bash, true); err != nil {
		return nil, fmt.Errorf("making bash's completion: %w", err)
	}
	if err := root.GenZshCompletion(&zsh); err != nil {
		return nil, fmt.Errorf("making zsh's completion: %w", err)
	}
	if err := root.GenFishCompletion(&fish, true); err != nil {
		return nil, fmt.Errorf("making fish's completion: %w", err)
	}
	const dir = "bash-completion/completions/"
	return []completionFile{
		{dir + "pathkeeper", bash.String()},
		{dir + "multipath", multipathBash()},
		{dir + "multipathd", multipathdBash("multipathd")},
		{dir + "multipathc", multipathdBash("multipathc")},
		{dir + "kpartx", kpartxBash()},
		{dir + "mpathconf", mpathconfBash()},
		{"zsh/site-functions/_pathkeeper", zsh.String()},
		{"fish/vendor_completions.d/pathkeeper.fish", fish.String()},
	}, nil
}

// optionsOf finds the options that a usage text lists: its words that begin with '-'.
func optionsOf(usage string) string {
	var out []string
	seen := map[string]bool{}
	for _, w := range strings.FieldsFunc(usage, func(r rune) bool { return strings.ContainsRune(" \n[]|,;:()'`", r) }) {
		if w = strings.TrimRight(w, "."); len(w) > 1 && w[0] == '-' && !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

// deviceNames is how the scripts find maps and disks: in sysfs, which asks no device.
const deviceNames = "$(cat /sys/block/dm-*/dm/name 2>/dev/null) $(cd /sys/block 2>/dev/null && ls -d sd* dm-* nvme* dasd* 2>/dev/null)"

func multipathBash() string {
	return `# bash completion for multipath

_pathkeeper_multipath() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
	case $before in
	-v) COMPREPLY=($(compgen -W "0 1 2 3 4" -- "$word")); return ;;
	-p) COMPREPLY=($(compgen -W "failover multibus group_by_serial group_by_prio group_by_node_name group_by_tpg" -- "$word")); return ;;
	esac
	case $word in
	-*) COMPREPLY=($(compgen -W "` + optionsOf(multipathUsage) + `" -- "$word")) ;;
	*) COMPREPLY=($(compgen -W "` + deviceNames + `" -- "$word")) ;;
	esac
}
complete -F _pathkeeper_multipath multipath
`
}

// multipathdBash is for multipathd and multipathc, which take the same commands.
func multipathdBash(program string) string {
	return strings.ReplaceAll(`# bash completion for PROGRAM

_pathkeeper_PROGRAM() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
	case $before in
	-v) COMPREPLY=($(compgen -W "0 1 2 3 4" -- "$word")); return ;;
	map | path | multipath) COMPREPLY=($(compgen -W "`+deviceNames+`" -- "$word")); return ;;
	esac
	case $COMP_CWORD:$word in
	*:-*) COMPREPLY=($(compgen -W "`+optionsOf(multipathdUsage)+`" -- "$word")) ;;
	1:*) COMPREPLY=($(compgen -W "`+multipathdVerbs+`" -- "$word")) ;;
	*) COMPREPLY=($(compgen -W "`+multipathdObjects+`" -- "$word")) ;;
	esac
}
complete -F _pathkeeper_PROGRAM PROGRAM
`, "PROGRAM", program)
}

func kpartxBash() string {
	return `# bash completion for kpartx

_pathkeeper_kpartx() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
	case $before in
	-t) COMPREPLY=($(compgen -W "gpt dos" -- "$word")); return ;;
	-p) return ;;
	esac
	case $word in
	-*) COMPREPLY=($(compgen -W "` + optionsOf(kpartxUsage) + `" -- "$word")) ;;
	/dev/*) COMPREPLY=($(compgen -f -- "$word")) ;;
	*) COMPREPLY=($(compgen -W "$(cd /dev/mapper 2>/dev/null && ls -d /dev/mapper/*)" -- "$word")) ;;
	esac
}
complete -F _pathkeeper_kpartx kpartx
`
}

func mpathconfBash() string {
	var cases strings.Builder
	known, options := mpathconfValues(), "--enable --disable"
	for _, name := range slices.Sorted(maps.Keys(known)) {
		options += " --" + name
		if words := known[name]; words != nil {
			fmt.Fprintf(&cases, "\t--%s) COMPREPLY=($(compgen -W \"%s\" -- \"$word\")); return ;;\n", name, strings.Join(words, " "))
		}
	}
	return `# bash completion for mpathconf

_pathkeeper_mpathconf() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
	case $before in
` + cases.String() + `	--outfile) COMPREPLY=($(compgen -f -- "$word")); return ;;
	--allow) COMPREPLY=($(compgen -W "$(cat /sys/block/dm-*/dm/name 2>/dev/null)" -- "$word")); return ;;
	--option) return ;;
	esac
	COMPREPLY=($(compgen -W "` + options + `" -- "$word"))
}
complete -F _pathkeeper_mpathconf mpathconf
`
}

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/policy"
)

// configCommand holds what is done with configuration files; each command below
// it has a file of its own, config_NAME.go.
func configCommand(at *places, std streams) *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Look at, check and translate the configuration",
		Args: cobra.ArbitraryArgs, RunE: subcommand,
	}
	c.AddCommand(configHelpCommand(std), configShowCommand(at, std), configDumpCommand(at, std),
		configCheckCommand(at, std), configRulesCommand(std),
		configConvertCommand(at, std), configDiffCommand(at, std), configSchemaCommand(std))
	return c
}

func configHelpCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use: "help [KEYWORD]", Short: "What a keyword means, its values, its default and where it may stand",
		Long: "What a keyword of the configuration means, its values, its default and where it\nmay stand. Without one: all keywords, a line each.",
		Args: takes(0, 1, "one keyword"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, name := range keywordNames() {
					k := keywordsNamed(name)
					fmt.Fprintf(std.out, "%-34s %s\n", name, k[len(k)-1].Meaning)
				}
				fmt.Fprintln(std.out, "\npathkeeper.yaml has also:")
				for _, w := range configs.NativeWords() {
					fmt.Fprintf(std.out, "%-34s %s\n", w.Name, w.Meaning)
				}
				return nil
			}
			found := keywordsNamed(args[0])
			if len(found) == 0 {
				words := keywordNames()
				for _, w := range configs.NativeWords() {
					if w.Name == args[0] {
						printNativeWord(std.out, w)
						return nil
					}
					words = append(words, w.Name)
				}
				text := fmt.Sprintf("there is no keyword %q", args[0])
				if near := configs.Nearest(args[0], words); near != "" {
					text += ", did you mean " + near + "?"
				}
				return fmt.Errorf("%s; `pathkeeper config help` lists all", text)
			}
			for i, k := range found {
				if i > 0 {
					fmt.Fprintln(std.out)
				}
				printKeyword(std.out, k)
			}
			return nil
		},
	}
}

func printNativeWord(w io.Writer, word configs.NativeWord) {
	fmt.Fprintf(w, "%s: %s\n", word.Name, word.Meaning)
	if word.Values == "" {
		fmt.Fprintln(w, "  a section; docs/yaml.md shows each of pathkeeper.yaml")
		return
	}
	fmt.Fprintf(w, "  values      %s\n  stands in   %s\n  only in pathkeeper.yaml", word.Values, strings.Join(word.Places, ", "))
	switch word.Name {
	case "owner":
		fmt.Fprint(w, "; multipath.conf says uid")
	case "group":
		fmt.Fprint(w, "; multipath.conf says gid")
	}
	fmt.Fprintln(w)
}

func keywordNames() []string {
	var names []string
	for _, k := range policy.Keywords() {
		names = append(names, k.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// keywordsNamed gives a keyword by any of its spellings; wwid is two keywords.
func keywordsNamed(name string) []policy.Keyword {
	var out []policy.Keyword
	for _, k := range policy.Keywords() {
		if k.Name == name || slices.Contains(k.Aliases, name) {
			out = append(out, k)
		}
	}
	return out
}

func printKeyword(w io.Writer, k policy.Keyword) {
	fmt.Fprintf(w, "%s: %s\n", k.Name, k.Meaning)
	if len(k.Aliases) > 0 {
		fmt.Fprintf(w, "  also        %s\n", strings.Join(k.Aliases, ", "))
	}
	fmt.Fprintf(w, "  values      %s\n", k.Values())
	if len(k.Old) > 0 {
		fmt.Fprintf(w, "  old values  %s\n", strings.Join(k.Old, ", "))
	}
	if k.Kind != policy.KindIgnored {
		def := k.Default
		if def == "" {
			def = "none"
		}
		fmt.Fprintf(w, "  default     %s\n", def)
	}
	fmt.Fprintf(w, "  stands in   %s\n", strings.Join(k.Places(), ", "))
	if k.Native {
		fmt.Fprintln(w, "  only in pathkeeper.yaml")
	}
}

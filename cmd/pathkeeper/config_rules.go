package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/lint"
)

func configRulesCommand(std streams) *cobra.Command {
	var asJSON, markdown bool
	c := &cobra.Command{
		Use: "rules [ID]", Short: "What config check looks for, or why one rule is there",
		Long: "What `config check` looks for, a line each; with an ID: what it means, what happens\nto whom, and what to do.",
		Args: takes(0, 1, "one rule's id"),
		RunE: func(_ *cobra.Command, args []string) error {
			if markdown && (asJSON || len(args) > 0) {
				return usagef("--markdown is the whole page: neither an ID nor --json goes with it")
			}
			rules := lint.Rules()
			if len(args) == 1 {
				one, ok := lint.Lookup(args[0])
				if !ok {
					return noSuchRule(args[0], rules)
				}
				rules = []lint.Rule{one}
			}
			switch {
			case markdown:
				_, err := io.WriteString(std.out, lint.Markdown())
				return err
			case asJSON:
				return printRulesJSON(std.out, rules)
			case len(args) == 1:
				r := rules[0]
				_, err := fmt.Fprintf(std.out, "%s (%s): %s\n\n%s\n\nFix: %s\n", r.ID, r.Severity, r.Summary, lint.Wrap(r.Why, 100), lint.Wrap(r.Fix, 95))
				return err
			}
			for _, r := range rules {
				if _, err := fmt.Fprintf(std.out, "%-28s %-8s %s\n", r.ID, r.Severity, r.Summary); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().BoolVar(&markdown, "markdown", false, "all of them, as docs/lint.md has it")
	return c
}

func noSuchRule(id string, rules []lint.Rule) error {
	var ids []string
	for _, r := range rules {
		ids = append(ids, r.ID)
	}
	text := fmt.Sprintf("there is no rule %q", id)
	if near := configs.Nearest(id, ids); near != "" {
		text += ", did you mean " + near + "?"
	}
	return fmt.Errorf("%s; `pathkeeper config rules` lists all", text)
}

type ruleDocument struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Why      string `json:"why"`
	Fix      string `json:"fix"`
	Reader   bool   `json:"reader"`
	Machine  bool   `json:"machine"`
}

func printRulesJSON(w io.Writer, rules []lint.Rule) error {
	docs := []ruleDocument{}
	for _, r := range rules {
		docs = append(docs, ruleDocument{r.ID, r.Severity.String(), r.Summary, r.Why, r.Fix, r.Parser, r.Machine})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(docs)
}

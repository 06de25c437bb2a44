package main

import (
	"github.com/spf13/cobra"

	"pathkeeper/configs"
)

func configSchemaCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "The JSON Schema of pathkeeper.yaml, for editors",
		Long: `The JSON Schema (draft 2020-12) of pathkeeper.yaml, for editors that complete and
check while one types. It is installed as share/pathkeeper/pathkeeper.schema.json; an
editor with the YAML language server takes it from the file's first line:

  # yaml-language-server: $schema=/usr/share/pathkeeper/pathkeeper.schema.json

It knows the keywords and their values; ` + "`pathkeeper config check`" + ` knows the rest.`,
		Args: takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			_, err := std.out.Write(configs.Schema())
			return err
		},
	}
}

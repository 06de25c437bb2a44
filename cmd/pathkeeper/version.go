package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the release that this tree becomes.
const version = "0.1.0"

// revision is the commit that was built, "" where the build does not know.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	rev, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if rev == "" {
		return ""
	}
	return rev[:min(12, len(rev))] + dirty
}

func versionCommand(std streams) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Args: takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			rev := revision()
			if asJSON {
				return json.NewEncoder(std.out).Encode(struct {
					Pathkeeper int    `json:"pathkeeper"`
					Version    string `json:"version"`
					Revision   string `json:"revision"`
					Go         string `json:"go"`
				}{1, version, rev, runtime.Version()})
			}
			if rev != "" {
				rev = " (" + rev + ")"
			}
			_, err := fmt.Fprintf(std.out, "pathkeeper %s%s\n", version, rev)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

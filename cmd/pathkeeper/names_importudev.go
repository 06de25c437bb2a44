package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"pathkeeper/rules/handmade"
	"pathkeeper/show"
)

func namesImportUdevCommand(n *namesPlaces, std streams) *cobra.Command {
	return &cobra.Command{
		Use: "import-udev FILE...", Short: "Turn udev rules written by hand into entries of the configuration",
		Long: `Turn udev rules that people write by hand (KERNEL, PROGRAM scsi_id, RESULT,
SYMLINK, OWNER, GROUP, MODE) into entries for pathkeeper.yaml, on standard
output: names for disks that stay single, multipaths for maps. What cannot be
said as an entry is told on standard error with its place and reason; nothing is
guessed, and no file is changed. Exit 1 if a rule gave no entry.`,
		Args: takes(1, maxRulesFiles, "one rules file or more, for example /etc/udev/rules.d/99-oracle-asmdevices.rules"),
		RunE: func(_ *cobra.Command, args []string) error {
			var files []handmade.File
			for _, name := range args {
				data, err := n.on.readFile(name)
				if err != nil {
					return err
				}
				files = append(files, handmade.File{Path: name, Data: data})
			}
			r := handmade.Translate(files, n.mapsNamed())
			if _, err := io.WriteString(std.out, r.YAML()); err != nil {
				return err
			}
			for _, note := range r.Notes {
				fmt.Fprintln(std.err, show.Safe(note.String()))
			}
			if r.Refused() {
				return fmt.Errorf("not all rules could be translated: keep those in a rules file, take the others out of it")
			}
			return nil
		},
	}
}

// maxRulesFiles bounds the files of one call.
const maxRulesFiles = 1000

// mapsNamed says which LUN a map's name stands for on this host: by the
// configuration, else by the bindings file. One that cannot be read names none.
func (n *namesPlaces) mapsNamed() handmade.LookUp {
	type known struct{ wwid, from string }
	names := map[string]known{}
	add := func(name, wwid, from string) {
		if _, taken := names[name]; !taken {
			names[name] = known{wwid, from}
		}
	}
	if cfg, _, err := n.on.config(*n.places); err == nil {
		for _, m := range cfg.Multipaths {
			if s, ok := m.Layer.Lookup("alias"); ok {
				add(s.Value, m.WWID, s.Origin.String())
			}
		}
	}
	if b, _, err := n.readBindings(); err == nil {
		for _, line := range b.Lines() {
			add(line.Alias, line.WWID, n.bindings)
		}
	}
	return func(name string) (wwid, from string, ok bool) {
		k, ok := names[name]
		return k.wwid, k.from, ok
	}
}

// maxInputBytes bounds what is read of a file, or a pipe, that a user names.
const maxInputBytes = 64 << 20

// readBounded reads a file or a pipe to its end, at most so many bytes.
func readBounded(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return data, err
}

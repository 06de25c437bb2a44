package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/mpath"
	"pathkeeper/policy"
	"pathkeeper/scsi"
	"pathkeeper/show"
	"pathkeeper/why"
)

// configShow are the flags of `pathkeeper config show`.
type configShow struct {
	origin, json bool
	device, of   string
}

func configShowCommand(at *places, std streams) *cobra.Command {
	var o configShow
	c := &cobra.Command{
		Use: "show [FILE..]", Short: "What is configured, and what a device or a map gets of it",
		Long: `What is configured: the defaults that count, then each section as it stands. With
--device: every setting that a device with these strings gets; with --map: that a
map gets, by its devices. With files: what they say, the first as the main file,
the others over it.

--origin adds where each value stands, and the values of other places that do not
count because of it.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if o.device != "" && o.of != "" {
				return usagef("--device and --map exclude each other")
			}
			return o.run(c.Context(), *at, args, c.Flags().Changed("config"), std)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.origin, "origin", false, "say where each value comes from, and what it beat")
	f.StringVar(&o.device, "device", "", "`VENDOR,PRODUCT[,REVISION]` of a device, as it says itself")
	f.StringVar(&o.of, "map", "", "`MAP` by name or WWID, or one of its paths")
	f.BoolVar(&o.json, "json", false, "as JSON")
	return c
}

func (o configShow) run(ctx context.Context, at places, files []string, chosen bool, std streams) error {
	talk := func(text string) { fmt.Fprintln(std.err, "pathkeeper: "+show.Safe(text)) }
	if o.of != "" {
		return o.showMap(ctx, at, files, chosen, std.out, talk)
	}
	cfg, err := readConfig(at, files, talk)
	if err != nil {
		return err
	}
	rules, err := compiled(cfg, talk)
	if err != nil {
		return err
	}
	if o.device != "" {
		return o.showDevice(rules, std.out)
	}
	if o.json {
		cfg := rules.Config()
		_, err = std.out.Write(show.JSON(configDocument{show.DocumentVersion, append([]string{}, cfg.Files...), show.EffectiveDoc(rules.EffectiveDefaults()), show.ConfigSections(cfg)}))
		return err
	}
	_, err = io.WriteString(std.out, show.Config(rules, o.origin))
	return err
}

// readConfig reads these files, or without any the host's own.
func readConfig(at places, files []string, talk func(string)) (policy.Config, error) {
	var cfg policy.Config
	var messages []configs.Message
	var err error
	if len(files) > 0 {
		cfg, messages, err = at.loadFiles(files)
	} else {
		cfg, messages, err = at.on.config(at)
	}
	var told *configs.Error // its message is told by who gets the error, with the line
	errors.As(err, &told)
	for _, m := range messages {
		if m.Level == configs.LevelError && (told == nil || m != told.Message) || err == nil && m.Level == configs.LevelWarning {
			talk(m.String())
		}
	}
	return cfg, err
}

// compiled makes a configuration ready, or says what forbids its use.
func compiled(cfg policy.Config, talk func(string)) (*policy.Compiled, error) {
	rules, problems := policy.Compile(cfg)
	for _, p := range problems {
		if p.Fatal {
			return nil, fmt.Errorf("%s: %s", p.Origin, p.Text)
		}
		talk(p.Origin.String() + ": " + p.Text)
	}
	return rules, nil
}

// showDevice tells what a device gets that only is imagined.
func (o configShow) showDevice(rules *policy.Compiled, out io.Writer) error {
	words := strings.SplitN(o.device, ",", 3)
	if len(words) < 2 || words[0] == "" || words[1] == "" {
		return usagef("--device %q: want VENDOR,PRODUCT, such as --device NETAPP,LUN", o.device)
	}
	id := scsi.Identity{Vendor: words[0], Model: words[1], PortGroup: -1, RelPort: -1}
	if len(words) == 3 {
		id.Rev = words[2]
	}
	target := policy.Target{Identity: id, Facts: policy.Facts{DevType: "disk"}}
	list := rules.Effective(target)
	matched := rules.Matches(id)
	if o.json {
		_, err := out.Write(show.JSON(deviceDocument{show.DocumentVersion, show.DeviceEntries(matched), show.EffectiveDoc(list)}))
		return err
	}
	fmt.Fprintf(out, "A device %s gets, before anything is detected on it:\n", show.Safe(o.device))
	_, err := io.WriteString(out, show.Effective(list, o.origin)+show.Matches(matched))
	return err
}

// showMap tells what a map gets, by what its devices say.
func (o configShow) showMap(ctx context.Context, at places, files []string, chosen bool, out io.Writer, talk func(string)) error {
	snap, basis, err := at.on.basis(ctx, at, talk)
	if err != nil {
		return err
	}
	if chosen || len(files) > 0 {
		if basis.Config, err = readConfig(at, files, talk); err != nil {
			return err
		}
	}
	rules, err := compiled(basis.Config, func(string) {}) // the daemon has said so already
	if err != nil {
		return err
	}
	target, found, ok := why.MapTarget(snap, basis, o.of)
	if !ok {
		return fmt.Errorf("%s is no map, no path, and no name or WWID that the configuration knows", o.of)
	}
	if target.Identity.Vendor+target.Identity.Model == "" {
		talk("no device of it is here: what device entries would give it is not known, and not shown")
		if rules, err = compiled(why.WithoutDevices(basis.Config), func(string) {}); err != nil {
			return err
		}
	}
	list := rules.Effective(target)
	if o.json {
		_, err = out.Write(show.JSON(mapDocument{show.DocumentVersion, found.Name, found.WWID, show.EffectiveDoc(list)}))
		return err
	}
	fmt.Fprintf(out, "%s gets:\n", show.Safe(called(found)))
	_, err = io.WriteString(out, show.Effective(list, o.origin))
	return err
}

// called gives a map's name with its WWID.
func called(m mpath.MapView) string {
	switch {
	case m.Name == "", m.Name == m.WWID:
		return m.WWID
	default:
		return m.Name + " (" + m.WWID + ")"
	}
}

// configDocument is the JSON form of the whole.
type configDocument struct {
	Pathkeeper int                  `json:"pathkeeper"`
	Files      []string             `json:"files"`
	Defaults   []show.KeywordValue  `json:"defaults"` // what counts where no entry for a device or LUN says otherwise
	Sections   []show.ConfigSection `json:"sections"` // as they stand
}

// deviceDocument is what an imagined device gets.
type deviceDocument struct {
	Pathkeeper int                 `json:"pathkeeper"`
	Matches    []show.DeviceEntry  `json:"matches"` // most significant first
	Settings   []show.KeywordValue `json:"settings"`
}

// mapDocument is what a map gets.
type mapDocument struct {
	Pathkeeper int                 `json:"pathkeeper"`
	Map        string              `json:"map"` // "" where it has none yet
	WWID       string              `json:"wwid"`
	Settings   []show.KeywordValue `json:"settings"`
}

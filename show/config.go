package show

import (
	"fmt"
	"strings"

	"pathkeeper/policy"
)

// ConfigSection is one section or entry of the configuration as it stands.
type ConfigSection struct {
	Name     string          `json:"name"` // as multipath.conf calls it: defaults, blacklist, device, multipath...
	Of       string          `json:"of"`   // which device, LUN or protocol; "" there is but one
	Origin   string          `json:"origin"`
	Settings []ConfigSetting `json:"settings"`
}

// ConfigSetting is one line of a section.
type ConfigSetting struct {
	Keyword string `json:"keyword"`
	Value   string `json:"value"`
	Origin  string `json:"origin"`
}

// ConfigSections gives what the files say, section by section. The rows of the
// built-in hardware table, which no file has touched, are left out.
func ConfigSections(cfg policy.Config) []ConfigSection {
	out := []ConfigSection{}
	add := func(name, of string, o policy.Origin, list []ConfigSetting) {
		if len(list) > 0 || of != "" {
			out = append(out, ConfigSection{Name: name, Of: of, Origin: o.String(), Settings: list})
		}
	}
	add("defaults", "", policy.Origin{}, settingsDoc(cfg.Defaults))
	add("blacklist", "", policy.Origin{}, rulesDoc(cfg.Blacklist))
	add("blacklist_exceptions", "", policy.Origin{}, rulesDoc(cfg.Exceptions))
	for _, d := range cfg.Devices {
		if d.BuiltIn && !d.Disabled {
			continue
		}
		list := settingsDoc(d.Layer)
		if d.ProductBlacklist != "" {
			list = append(list, ConfigSetting{"product_blacklist", d.ProductBlacklist, d.Origin.String()})
		}
		if d.Disabled {
			list = append(list, ConfigSetting{"disabled", "yes", d.Origin.String()})
		}
		add("device", deviceName(d), d.Origin, list)
	}
	add("overrides", "", policy.Origin{}, settingsDoc(cfg.Overrides))
	for _, p := range cfg.Protocols {
		add("protocol", p.Type, policy.Origin{}, settingsDoc(p.Layer))
	}
	for _, m := range cfg.Multipaths {
		add("multipath", m.WWID, m.Origin, settingsDoc(m.Layer))
	}
	for _, d := range cfg.Disks {
		add("name", d.WWID, d.Origin, diskDoc(d))
	}
	if h := cfg.HA; h.DeadlineSeconds > 0 || h.Queueing != "" {
		add("ha", "", h.Origin, []ConfigSetting{
			{"deadline", fmt.Sprint(h.DeadlineSeconds), h.Origin.String()}, {"queueing", h.Queueing, h.Origin.String()},
		})
	}
	return out
}

func settingsDoc(l policy.Layer) []ConfigSetting {
	out := []ConfigSetting{}
	for _, s := range l {
		out = append(out, ConfigSetting{s.Keyword, s.Value, s.Origin.String()})
	}
	return out
}

func rulesDoc(rules []policy.Rule) []ConfigSetting {
	out := []ConfigSetting{}
	for _, r := range rules {
		value := r.Pattern
		if r.Class == policy.ClassDevice {
			value = fmt.Sprintf("vendor %q product %q", r.Pattern, r.Product)
		}
		out = append(out, ConfigSetting{r.Class.String(), value, r.Origin.String()})
	}
	return out
}

func diskDoc(d policy.Disk) []ConfigSetting {
	list := []ConfigSetting{{"name", d.Name, d.Origin.String()}}
	for _, v := range [][2]string{{"owner", d.Owner}, {"group", d.Group}} {
		if v[1] != "" {
			list = append(list, ConfigSetting{v[0], v[1], d.Origin.String()})
		}
	}
	if d.Mode >= 0 {
		list = append(list, ConfigSetting{"mode", fmt.Sprintf("%04o", d.Mode), d.Origin.String()})
	}
	return list
}

func deviceName(d policy.Device) string {
	s := d.Vendor + "," + d.Product
	if d.Revision != "" {
		s += "," + d.Revision
	}
	return s
}

// Config prints what counts where nothing more special speaks, then the sections
// as they stand.
func Config(rules *policy.Compiled, origins bool) string {
	var b strings.Builder
	b.WriteString("What counts where no entry for a device or a LUN says otherwise:\n")
	b.WriteString(Effective(rules.EffectiveDefaults(), origins))
	cfg := rules.Config()
	for _, s := range ConfigSections(cfg) {
		head := s.Name
		if s.Of != "" {
			head += " " + s.Of
		}
		if origins && s.Of != "" && s.Origin != "" {
			head += "  (" + s.Origin + ")"
		}
		b.WriteString("\n" + Safe(head) + "\n" + configLines(s.Settings, origins))
	}
	return b.String()
}

func configLines(list []ConfigSetting, origins bool) string {
	g := grid{}
	for _, s := range list {
		if origins {
			g.add("  "+s.Keyword, valueText(s.Value), s.Origin)
		} else {
			g.add("  "+s.Keyword, valueText(s.Value))
		}
	}
	return g.text()
}

// DeviceEntry is one entry of the hardware table that matches a device.
type DeviceEntry struct {
	Entry    string          `json:"entry"` // "NETAPP,LUN"
	Origin   string          `json:"origin"`
	Settings []ConfigSetting `json:"settings"`
}

// DeviceEntries is the JSON form of entries.
func DeviceEntries(list []policy.Device) []DeviceEntry {
	out := []DeviceEntry{}
	for _, d := range list {
		out = append(out, DeviceEntry{deviceName(d), d.Origin.String(), settingsDoc(d.Layer)})
	}
	return out
}

// Matches prints the entries that match a device.
func Matches(list []policy.Device) string {
	if len(list) == 0 {
		return "No device entry matches it.\n"
	}
	g := grid{}
	for _, d := range list {
		g.add("  "+deviceName(d), d.Origin.String())
	}
	return "Device entries that match it; of a keyword that several have the first counts:\n" + g.text()
}

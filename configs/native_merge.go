package configs

import (
	"slices"
	"strconv"

	"pathkeeper/policy"
)

// nativeFile takes over what only a file of the native form says.
func (m *merger) nativeFile(f fileConfig) {
	if f.profile.Value != "" {
		m.profile = f.profile
	}
	m.ha = append(m.ha, f.ha...)
	for _, d := range f.disks {
		i, known := m.diskAt[d.WWID]
		if !known {
			m.diskAt[d.WWID] = len(m.disks)
			m.disks = append(m.disks, d)
			continue
		}
		x := m.disks[i] // of an earlier file: what the later one does not say stays
		if d.Name == "" {
			d.Name = x.Name
		}
		if d.Owner == "" {
			d.Owner = x.Owner
		}
		if d.Group == "" {
			d.Group = x.Group
		}
		if d.Mode < 0 {
			d.Mode = x.Mode
		}
		m.disks[i] = d
	}
}

// switchOff takes over `disabled`. What is switched off leaves no blacklist rule
// behind either.
func (m *merger) switchOff(d *policy.Device, e *entry) {
	if e.disabled.Value != "" {
		d.Disabled = e.disabled.Value == "yes"
	}
	if d.Disabled {
		d.ProductBlacklist = ""
	}
}

// nativeConfig lays the profiles under what the files say, and adds the rest of
// the native form.
func (m *merger) nativeConfig(c *policy.Config) {
	c.Disks = m.disks
	for i, e := range c.Multipaths {
		at := m.profiles[e.WWID]
		if p, ok := policy.FindProfile(at.Value); ok {
			c.Multipaths[i].Layer = under(e.Layer, p.Layer(policy.SectionMultipath, at.Origin))
		}
	}
	if p, ok := policy.FindProfile(m.profile.Value); ok {
		layProfile(c, p, m.profile.Origin)
	}
	for _, s := range m.ha {
		c.HA.Origin = s.Origin
		switch s.Keyword {
		case "deadline":
			c.HA.DeadlineSeconds, _ = strconv.Atoi(s.Value)
		case "queueing":
			c.HA.Queueing = s.Value
		}
	}
}

// layProfile lays a profile under defaults. Of its firm settings the built-in
// entries get what then stands in defaults; entries of the files keep what they say.
func layProfile(c *policy.Config, p policy.Profile, at policy.Origin) {
	defaults := p.Layer(policy.SectionDefaults, at)
	merged := under(c.Defaults, defaults)
	c.HA = p.HA
	c.HA.Origin = at
	c.HA.Origin.Note = p.Note()
	for i, d := range c.Devices {
		if d.Disabled {
			continue
		}
		for _, firm := range p.Settings {
			have, ok := c.Devices[i].Layer.Lookup(firm.Keyword)
			want, _ := merged.Lookup(firm.Keyword)
			if !firm.Firm || !ok || have.Origin.File != "" || have.Value == want.Value {
				continue
			}
			l := slices.Clone(c.Devices[i].Layer)
			l[slices.Index(l, have)] = want
			c.Devices[i].Layer = l
		}
	}
	c.Defaults = merged
}

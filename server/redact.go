package server

import (
	"slices"

	"pathkeeper/mpath"
	"pathkeeper/policy"
)

// withoutKeys takes the reservation keys out of a snapshot: who knows them can take a
// LUN from a node that holds it.
func withoutKeys(s mpath.Snapshot) mpath.Snapshot {
	s.Maps, s.Paths = slices.Clone(s.Maps), slices.Clone(s.Paths)
	for i := range s.Maps {
		m := &s.Maps[i]
		m.Reservation.Key = mpath.PRKey{}
		hideKey(&m.Settings)
	}
	for i := range s.Paths {
		hideKey(&s.Paths[i].Decision.Settings)
	}
	return s
}

// configWithoutKeys takes them out of a configuration.
func configWithoutKeys(c policy.Config) policy.Config {
	c.Defaults = layerWithoutKeys(c.Defaults)
	c.Multipaths = slices.Clone(c.Multipaths)
	for i := range c.Multipaths {
		c.Multipaths[i].Layer = layerWithoutKeys(c.Multipaths[i].Layer)
	}
	return c
}

func layerWithoutKeys(l policy.Layer) policy.Layer {
	l = slices.Clone(l)
	for i := range l {
		if l[i].Keyword == "reservation_key" && l[i].Value != "file" {
			l[i].Value = "hidden"
		}
	}
	return l
}

func hideKey(s *policy.Settings) {
	if s.ReservationKey.V != "" && s.ReservationKey.V != "file" {
		s.ReservationKey.V = "hidden"
	}
}

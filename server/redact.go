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

func hideKey(s *policy.Settings) {
	if s.ReservationKey.V != "" && s.ReservationKey.V != "file" {
		s.ReservationKey.V = "hidden"
	}
}

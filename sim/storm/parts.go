package storm

import (
	"fmt"

	"pathkeeper/mpath"
	"pathkeeper/sim"
)

// partitions does to a map what udev's rule and the users of partitions do: partition
// maps come and go on it, and somebody has one open for a while. The map's removal and
// renaming must get along with them.
func (s *Storm) partitions(g Gust) {
	p := s.lun(g.X)
	m := s.w.MapOf(p.lun)
	if m == nil || !m.Live() {
		return
	}
	n := 1 + g.Y%3
	uuid := fmt.Sprintf("part%d-%s", n, m.UUID())
	part := s.mapWith(uuid)
	switch {
	case part == nil:
		part, err := s.w.AddLinear(fmt.Sprintf("%s-part%d", m.Name(), n), uuid, m.Kernel(), 8*uint64(n), 8)
		if err != nil {
			return // the name is taken still, after a rename that failed
		}
		s.tell("partition map %s comes", part.Name())
	case g.Z%3 == 0:
		s.tell("partition map %s goes: %v", part.Name(), part.Remove())
	default:
		s.tell("partition map %s is open for %d s", part.Name(), g.Z%90)
		part.Open()
		s.w.After(mpath.Span(g.Z%90)*second, part.Close)
	}
}

// mapWith finds a map by its UUID.
func (s *Storm) mapWith(uuid string) *sim.Map {
	for _, m := range s.w.Devices() {
		if m.UUID() == uuid {
			return m
		}
	}
	return nil
}

package mpath

import (
	"cmp"
	"slices"

	"pathkeeper/dmmap/table"
	"pathkeeper/partition"
)

// partitionMaps are the partition maps of a map as last listed, by UUID.
func (mc *Machine) partitionMaps(m *mmap) []MapRef {
	of, err := table.MapUUID(m.wwid)
	if err != nil {
		return nil
	}
	var out []MapRef
	for _, r := range mc.other {
		if u, _ := table.ParseUUID(r.UUID); partition.NumberOf(u, of) != 0 {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b MapRef) int { return cmp.Compare(a.UUID, b.UUID) })
	return out
}

// partitions gives the UUIDs of a map's partition maps.
func (mc *Machine) partitions(m *mmap) []string {
	var out []string
	for _, r := range mc.partitionMaps(m) {
		out = append(out, r.UUID)
	}
	return out
}

// openedBy says how often a map is open apart from its partition maps.
func (mc *Machine) openedBy(m *mmap) int { return max(0, m.have.Open-len(mc.partitionMaps(m))) }

// renamedPartitions are the names that a map's partition maps get with its own. One
// that is not called after the map keeps its name.
func (mc *Machine) renamedPartitions(m *mmap) []PartName {
	delimiter, _ := mc.rules.Config().Defaults.Lookup("partition_delimiter")
	from, err := table.KernelName(m.have.Name)
	if err != nil {
		return nil
	}
	to, err := table.KernelName(m.name)
	if err != nil {
		return nil
	}
	var out []PartName
	for _, r := range mc.partitionMaps(m) {
		was, err := table.KernelName(r.Name)
		if err != nil {
			continue
		}
		if name, ok := partition.Renamed(was, from, to, delimiter.Value); ok && name != was {
			out = append(out, PartName{UUID: r.UUID, Name: r.Name, To: name.Kernel()})
		}
	}
	return out
}

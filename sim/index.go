package sim

// devt is a device number.
type devt struct{ major, minor uint32 }

// index finds disks and maps by what they are asked for, so that a world of
// thousands of paths stays quick. The order of things is never taken from it.
type index struct {
	names   map[string]*Disk
	numbers map[devt]*Disk // disks of the kernel and deleted ones still held
	taken   map[int]bool   // indices of names, likewise
	free    int            // no index below is free

	mapNames  map[string]*Map
	mapUUIDs  map[string]*Map
	mapMinors map[uint32]*Map
	freeMinor uint32 // no minor number below is free
}

func newIndex() index {
	return index{
		names: map[string]*Disk{}, numbers: map[devt]*Disk{}, taken: map[int]bool{},
		mapNames: map[string]*Map{}, mapUUIDs: map[string]*Map{}, mapMinors: map[uint32]*Map{},
	}
}

func (x *index) freeIndex() int {
	for x.taken[x.free] {
		x.free++
	}
	return x.free
}

func (x *index) addDisk(d *Disk) {
	x.names[d.Name], x.numbers[devt{d.Major, d.Minor}], x.taken[d.index] = d, d, true
}

// removeDisk takes the name; the number stays until forget.
func (x *index) removeDisk(d *Disk) { delete(x.names, d.Name) }

// forget frees the number of a deleted disk that nobody holds.
func (x *index) forget(d *Disk) {
	delete(x.numbers, devt{d.Major, d.Minor})
	delete(x.taken, d.index)
	x.free = min(x.free, d.index)
}

func (x *index) nextMinor() uint32 {
	for x.mapMinors[x.freeMinor] != nil {
		x.freeMinor++
	}
	return x.freeMinor
}

func (x *index) addMap(m *Map) {
	x.mapMinors[m.minor] = m
	x.nameMap(m, m.name)
	x.markMap(m, m.uuid)
}

func (x *index) nameMap(m *Map, name string) {
	delete(x.mapNames, m.name)
	m.name = name
	x.mapNames[name] = m
}

func (x *index) markMap(m *Map, uuid string) {
	if m.uuid = uuid; uuid != "" {
		x.mapUUIDs[uuid] = m
	}
}

func (x *index) removeMap(m *Map) {
	delete(x.mapMinors, m.minor)
	delete(x.mapNames, m.name)
	if m.uuid != "" {
		delete(x.mapUUIDs, m.uuid)
	}
	x.freeMinor = min(x.freeMinor, m.minor)
}

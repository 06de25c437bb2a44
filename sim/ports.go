package sim

import "pathkeeper/engine"

// Ports are the world's ports, for whoever speaks to its kernel without a Daemon.
func (w *World) Ports() engine.Ports {
	return engine.Ports{SCSI: SCSI{w}, DM: DM{w}, Sysfs: Tree{w}, Write: Tree{w}, Files: w.Files, Block: Block{w}, Nodes: Block{w}}
}

// ListenMaps has f called for each event that wakes device-mapper's poll.
func (w *World) ListenMaps(f func()) { w.dmNews = append(w.dmNews, f) }

// MapAt finds a device-mapper device by its minor number, nil if there is none.
func (w *World) MapAt(minor uint32) *Map { return w.index.mapMinors[minor] }

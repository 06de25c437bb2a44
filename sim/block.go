package sim

import (
	"slices"

	"pathkeeper/blockio"
	"pathkeeper/mpath"
)

// Block is the world's blockio.Port and blockio.NodePort.
type Block struct{ w *World }

const eBADF = 9

// ReadAt implements blockio.Port.
func (b Block) ReadAt(device string, off uint64, n uint32) ([]byte, uint32) {
	d := b.w.Disk(device)
	b.w.cost(100*mpath.Millisecond/1000, commandCost)
	switch {
	case d == nil:
		return nil, eNOENT // devtmpfs takes the node away with the device
	case off%512 != 0 || n%512 != 0 || n == 0 || n > blockio.MaxRead:
		return nil, eINVAL
	case !d.online():
		return nil, eNXIO // sd_open asks scsi_block_when_processing_errors
	case d.fault == Hung:
		b.w.cost(timeoutS*mpath.Second, 0)
		return nil, eIO
	case d.fault == NoConnect || d.fault == Disrupted || d.lun == nil || d.notReady() != nil:
		return nil, eIO
	}
	if len(d.ua) > 0 { // the kernel's disk driver sends the command again
		d.attention()
	}
	var out []byte
	for i := off / 512; i < (off+uint64(n))/512 && i < d.lun.Sectors; i++ {
		out = append(out, d.lun.block(i)...)
	}
	return out, 0
}

// Info implements blockio.Port.
func (b Block) Info(device string) (blockio.Info, uint32) {
	d, m := b.w.Disk(device), b.w.mapByNode(device)
	switch {
	case m != nil && m.registered:
		return blockio.Info{
			Major: dmMajor, Minor: m.minor, Bytes: m.live.sectors() * 512, SectorSize: 512, ReadOnly: m.live.isReadOnly(), Diskseq: m.diskseq,
		}, 0
	case d == nil:
		return blockio.Info{}, eNOENT
	case !d.online():
		return blockio.Info{}, eNXIO
	}
	return blockio.Info{
		Major: d.Major, Minor: d.Minor, Bytes: d.Sectors * 512, SectorSize: 512,
		ReadOnly: d.ReadOnly, Diskseq: d.Diskseq,
	}, 0
}

// ProbeExclusive implements blockio.Port.
func (b Block) ProbeExclusive(device string) uint32 {
	b.w.cost(20*mpath.Millisecond/1000, mpath.Millisecond)
	d, m := b.w.Disk(device), b.w.mapByNode(device)
	switch {
	case m != nil && m.registered:
		if b.w.mountedMap(m) || len(m.users) > 0 {
			return eBUSY
		}
		return 0
	case d == nil:
		return eNOENT
	case !d.online():
		return eNXIO
	case b.w.inUse(d) || len(b.w.holders(d)) > 0:
		return eBUSY
	}
	return 0
}

// Hold implements blockio.Port.
func (b Block) Hold(device string) (uint64, blockio.Info, uint32) {
	b.w.cost(20*mpath.Millisecond/1000, mpath.Millisecond)
	info, errno := b.Info(device)
	if errno != 0 {
		return 0, info, errno
	}
	b.w.holdID++
	h := hold{b.w.holdID, b.w.Disk(device), b.w.mapByNode(device)}
	if h.mapped != nil {
		h.mapped.Open()
	}
	b.w.holds = append(b.w.holds, h)
	return b.w.holdID, info, 0
}

// Release implements blockio.Port.
func (b Block) Release(id uint64) uint32 {
	i := slices.IndexFunc(b.w.holds, func(h hold) bool { return h.id == id })
	if i < 0 {
		return eBADF
	}
	h := b.w.holds[i]
	b.w.holds = slices.Delete(b.w.holds, i, i+1)
	if h.mapped != nil {
		h.mapped.Close()
	}
	b.w.sweep()
	return 0
}

// Node implements blockio.NodePort for the nodes of maps.
func (b Block) Node(p string) (blockio.Node, uint32) {
	for _, m := range b.w.maps {
		if m.kernelName() == p || "mapper/"+m.name == p {
			return m.Node, 0
		}
	}
	return blockio.Node{}, 2
}

// SetNode implements blockio.NodePort.
func (b Block) SetNode(p string, want blockio.Node) (bool, uint32) {
	for _, m := range b.w.maps {
		if m.kernelName() != p && "mapper/"+m.name != p {
			continue
		}
		if want.Major != m.Node.Major || want.Minor != m.Node.Minor {
			return false, eNODEV
		}
		changed := m.Node != want
		m.Node = want
		return changed, 0
	}
	return false, 2
}

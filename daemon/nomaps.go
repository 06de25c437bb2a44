package daemon

import (
	"pathkeeper/dmmap"
	"pathkeeper/dmmap/dmioctl"
)

// openMaps opens device-mapper. Without one in the kernel an observer that can do
// with less gets a port that has no maps, and no control.
func (d *Daemon) openMaps() (dmmap.Port, *dmioctl.Control, error) {
	open := dmioctl.Open
	if d.openDM != nil {
		open = d.openDM
	}
	control, err := open()
	switch {
	case err == nil:
		d.close = append(d.close, func() { _ = control.Close() })
		return control, control, nil
	case d.missing != nil && dmioctl.Missing(err):
		d.missing(err)
		return noMaps{}, nil, nil
	}
	return nil, nil, err
}

// noMaps is the port to a kernel that has no device-mapper: it has no map either.
type noMaps struct{}

var _ dmmap.Port = noMaps{}

const enxio = 6 // the kernel's word for a map that is not there

// Ioctl answers the list with its mark for "no data", which are zeros, and all else
// with ENXIO.
func (noMaps) Ioctl(cmd uint32, buf []byte) ([]byte, uint32) {
	if cmd != dmmap.CmdList {
		return buf, enxio
	}
	clear(buf[dmmap.HeaderBytes:])
	return buf, 0
}

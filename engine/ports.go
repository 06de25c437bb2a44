package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"pathkeeper/blockio"
	"pathkeeper/dmmap"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/scsi"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
)

// Ports are the one seam to the world below: the real kernel or sim.
type Ports struct {
	SCSI  scsi.Port
	DM    dmmap.Port
	Sysfs sysfs.Tree
	Write sysfs.Writer // nil: an observer
	Files statefile.Port
	Block blockio.Port
	Nodes blockio.NodePort // nil: an observer
}

// Perform carries one request to its port and brings the answer. It may block
// as long as the kernel does.
func (p Ports) Perform(a Ask) Answer {
	switch a.Kind {
	case KindSCSI:
		return Answer{SCSI: p.SCSI.Do(a.Device, a.SCSI)}
	case KindDM:
		out, errno := p.DM.Ioctl(a.DM.Cmd, a.DM.Buf)
		return Answer{Bytes: out, Errno: errno}
	case KindScan:
		return p.scan()
	case KindDisk:
		d, err := sysfs.ReadDisk(p.Sysfs, a.Device)
		if err != nil {
			return withError(Answer{}, err)
		}
		return Answer{Disk: d, Port: sysfs.ReadPort(p.Sysfs, d)}
	case KindAttr:
		b, err := p.Sysfs.ReadAttr(a.Path, 4096)
		return withError(Answer{Bytes: b}, err)
	case KindSetAttr:
		return withError(Answer{}, p.Write.WriteAttr(a.Path, a.Text))
	case KindFile:
		b, err := p.Files.Read(a.Path)
		return withError(Answer{Bytes: b}, err)
	case KindWriteFile:
		return withError(Answer{}, p.Files.WriteAtomic(a.Path, a.Bytes, a.Mode))
	case KindReplaceFile:
		return withError(Answer{}, p.Files.Replace(a.Path, a.Was, a.Bytes, a.Mode))
	case KindRemove:
		return withError(Answer{}, p.Files.Remove(a.Path))
	case KindList:
		names, err := p.Files.List(a.Path)
		return withError(Answer{Names: names}, err)
	case KindHold:
		return p.hold(a)
	case KindRelease:
		for _, id := range a.Held {
			p.Block.Release(id)
		}
		return Answer{}
	case KindOwner:
		return p.owner(a)
	case KindReadDisk:
		b, errno := p.Block.ReadAt(a.Device, a.Offset, a.Length)
		return Answer{N: uint32(len(b)), Errno: errno}
	}
	return Answer{Errno: eINVAL, Detail: fmt.Sprintf("request kind %d", a.Kind)}
}

// withError puts a port's error into an answer: its number where it tells one.
func withError(a Answer, err error) Answer {
	if err == nil {
		return a
	}
	a.Detail = err.Error()
	var n interface{ Is(error) bool }
	switch {
	case errors.Is(err, sysfs.ErrGone):
		a.Errno = eNODEV
	case errors.Is(err, sysfs.ErrRefused):
		a.Errno = eINVAL
	case errors.Is(err, sysfs.ErrBusy):
		a.Errno = eBUSY
	case errors.Is(err, sysfs.ErrAbsent), errors.Is(err, fs.ErrNotExist):
		a.Errno = eNOENT
	case errors.Is(err, fs.ErrPermission):
		a.Errno = eACCES
	case errors.Is(err, fs.ErrExist):
		a.Errno = eEXIST
	case errors.Is(err, statefile.ErrChanged):
		a.Errno = eAGAIN
	case errors.Is(err, statefile.ErrReadOnly):
		a.Errno = eROFS
	case errors.As(err, &n) && strings.Contains(err.Error(), "read-only file system"):
		a.Errno = eROFS
	default:
		a.Errno = eIO
	}
	return a
}

// Candidate says whether a block device can be a path at all: device-mapper,
// memory and loop devices are not even looked at.
func Candidate(name string) bool {
	for _, no := range []string{"dm-", "loop", "ram", "zram", "md", "fd", "sr", "nbd", "rbd", "drbd"} {
		rest, ok := strings.CutPrefix(name, no)
		if ok && (rest == "" || rest[0] >= '0' && rest[0] <= '9') {
			return false
		}
	}
	return true
}

func (p Ports) scan() Answer {
	names, err := sysfs.ListBlock(p.Sysfs)
	if err != nil {
		return withError(Answer{}, err)
	}
	var a Answer
	for _, n := range names {
		if !Candidate(n) {
			continue
		}
		dev, err := p.Sysfs.ReadAttr("block/"+n+"/dev", 64)
		if err != nil {
			continue // it left in mid-scan
		}
		d, err := table.ParseDevNum(strings.TrimSpace(string(dev)))
		if err != nil {
			continue
		}
		var seq uint64
		if b, err := p.Sysfs.ReadAttr("block/"+n+"/diskseq", 64); err == nil {
			_, _ = fmt.Sscan(string(b), &seq)
		}
		a.Disks = append(a.Disks, mpath.Disk{Name: n, Dev: d, Diskseq: seq})
	}
	return a
}

// hold opens every device of a table and compares it with the one that was
// identified: all of them, or none.
func (p Ports) hold(a Ask) Answer {
	var ids []uint64
	undo := func() {
		for _, id := range ids {
			p.Block.Release(id)
		}
	}
	for _, r := range a.Paths {
		if a.Exclusive {
			if errno := p.Block.ProbeExclusive(r.Name); errno != 0 {
				undo()
				why := fmt.Sprintf("%s: errno %d", r.Name, errno)
				if errno == eBUSY {
					why = r.Name + " is opened exclusively by another program, or part of it is mounted or held"
				}
				return Answer{Errno: errno, Detail: why}
			}
		}
		id, info, errno := p.Block.Hold(r.Name)
		if errno != 0 {
			undo()
			return Answer{Errno: errno, Detail: fmt.Sprintf("%s: errno %d", r.Name, errno)}
		}
		ids = append(ids, id)
		got := mpath.PathID{Dev: table.DevNum{Major: info.Major, Minor: info.Minor}, Diskseq: info.Diskseq}
		if got != r.ID {
			undo()
			return Answer{Errno: eSTALE, Detail: fmt.Sprintf("%s is %s now, not %s: another device has its name", r.Name, got, r.ID)}
		}
	}
	return Answer{Held: ids}
}

func (p Ports) owner(a Ask) Answer {
	name := fmt.Sprintf("dm-%d", a.Dev.Minor)
	n, errno := p.Nodes.Node(name)
	if errno != 0 {
		return Answer{Errno: errno}
	}
	n.Major, n.Minor = a.Dev.Major, a.Dev.Minor
	if a.Owner.UID >= 0 {
		n.UID = uint32(a.Owner.UID)
	}
	if a.Owner.GID >= 0 {
		n.GID = uint32(a.Owner.GID)
	}
	if a.Owner.Mode >= 0 {
		n.Mode = uint32(a.Owner.Mode)
	}
	_, errno = p.Nodes.SetNode(name, n)
	return Answer{Errno: errno}
}

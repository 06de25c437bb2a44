package daemon

import (
	"strings"
	"sync"

	"pathkeeper/blockio"
	"pathkeeper/dmmap"
	"pathkeeper/engine"
	"pathkeeper/scsi"
	"pathkeeper/scsi/sgio"
	"pathkeeper/statefile"
	"pathkeeper/sysfs"
)

// oneAtATime lets the daemon's workers ask a simulated kernel, which knows one
// thread alone: each call by itself, in any order.
type oneAtATime struct {
	mu    sync.Mutex
	ports engine.Ports
}

func (o *oneAtATime) locked() engine.Ports {
	return engine.Ports{SCSI: o, DM: o, Sysfs: o, Write: o, Files: turnFiles{o}, Block: o, Nodes: o}
}

var (
	_ scsi.Port        = (*oneAtATime)(nil)
	_ dmmap.Port       = (*oneAtATime)(nil)
	_ sysfs.Tree       = (*oneAtATime)(nil)
	_ sysfs.Writer     = (*oneAtATime)(nil)
	_ blockio.Port     = (*oneAtATime)(nil)
	_ blockio.NodePort = (*oneAtATime)(nil)
	_ statefile.Port   = turnFiles{}
)

func (o *oneAtATime) Do(device string, r scsi.Request) scsi.Response {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.SCSI.Do(device, r)
}

func (o *oneAtATime) Ioctl(cmd uint32, buf []byte) ([]byte, uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.DM.Ioctl(cmd, buf)
}

func (o *oneAtATime) ReadAttr(path string, max int) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Sysfs.ReadAttr(path, max)
}

func (o *oneAtATime) ReadDir(path string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Sysfs.ReadDir(path)
}

func (o *oneAtATime) ReadLink(path string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Sysfs.ReadLink(path)
}

func (o *oneAtATime) WriteAttr(path, value string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Write.WriteAttr(path, value)
}

func (o *oneAtATime) ReadAt(device string, off uint64, n uint32) ([]byte, uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Block.ReadAt(device, off, n)
}

func (o *oneAtATime) Info(device string) (blockio.Info, uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Block.Info(device)
}

func (o *oneAtATime) ProbeExclusive(device string) uint32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Block.ProbeExclusive(device)
}

func (o *oneAtATime) Hold(device string) (uint64, blockio.Info, uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Block.Hold(device)
}

func (o *oneAtATime) Release(id uint64) uint32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Block.Release(id)
}

func (o *oneAtATime) Node(path string) (blockio.Node, uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Nodes.Node(path)
}

func (o *oneAtATime) SetNode(path string, want blockio.Node) (bool, uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Nodes.SetNode(path, want)
}

// turnFiles are its files.
type turnFiles struct{ *oneAtATime }

func (o turnFiles) Read(path string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Files.Read(path)
}

func (o turnFiles) WriteAtomic(path string, data []byte, mode uint32) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Files.WriteAtomic(path, data, mode)
}

func (o turnFiles) Replace(path string, was, data []byte, mode uint32) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Files.Replace(path, was, data, mode)
}

func (o turnFiles) Remove(path string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Files.Remove(path)
}

func (o turnFiles) List(dir string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports.Files.List(dir)
}

// inTurn is the workers' way to devices.
type inTurn struct {
	*oneAtATime
	landed func(sgio.Completion)
}

func (s inTurn) Submit(j sgio.Job) error {
	name, _, _ := strings.Cut(j.Device, "@")
	go func() { s.landed(sgio.Completion{Tag: j.Tag, Device: j.Device, Response: s.Do(name, j.Request)}) }()
	return nil
}

func (inTurn) Forget(string) {}

func (inTurn) Close() error { return nil }

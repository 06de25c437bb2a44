// Package contract holds the simulated kernel to the real one, port by port.
//
// A sequence is a list of port calls, written once. It runs on a Rig: over sim in
// every `go test`, over the real ports inside the lab's guest. Both write the
// same transcript, one line for each call with what was asked and what came back;
// device numbers are told as the names of disks. testdata holds the transcripts
// of the real kernel (Debian 12, Linux 6.1; `make contract-golden` records them
// again). sim must write the same; a difference is a bug of sim, unless
// Exceptions names it and says why.
package contract

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pathkeeper/blockio"
	"pathkeeper/dmmap"
	"pathkeeper/scsi"
	"pathkeeper/sysfs"
)

// Ports are what is held to the contract.
type Ports struct {
	DM    dmmap.Port
	SCSI  scsi.Port
	Sysfs sysfs.Tree
	Write sysfs.Writer
	Block blockio.Port
}

// Rig is one side: a kernel with disks, and what moves the world around it. Disks
// have symbols that stay while their kernel names change: A1, A2 (controller A),
// B1 and B2 (controller B) are the paths of the LUN "one", X1 of "two" of the same
// size, S1 of the smaller "tiny".
type Rig interface {
	Ports() Ports
	// Disk is the kernel name that a symbol has now; false: the kernel shows none.
	Disk(symbol string) (name string, ok bool)
	// NAA is the LUN's NAA designator, hex digits.
	NAA(lun string) string
	// Cut pulls or plugs the cable behind a disk.
	Cut(symbol string, out bool) error
	// Access moves a controller of a LUN into an asymmetric access state (SPC-4
	// table 201).
	Access(lun, controller string, state uint8) error
	// Resize changes the LUN at the array; the host is not told.
	Resize(lun string, sectors uint64) error
	// Rescan has the host look for the disk at its address, and waits for it.
	Rescan(symbol string) error
	// Claim has another program open a disk exclusively, or close it.
	Claim(symbol string, on bool) error
	// ReadOnly sets or clears the write protection of a disk.
	ReadOnly(symbol string, on bool) error
	// Events takes the uevents since the last call; it waits until there are at
	// least so many.
	Events(least int) ([]Event, error)
	// Quiet waits until a number that the kernel counts up behind our back stays.
	Quiet(read func() uint32)
	// Arm is called with each DM_DEV_ARM_POLL.
	Arm()
	// Woken says whether device-mapper's poll has woken since it was armed.
	Woken() bool
	// Open opens a map's node for reading and writing.
	Open(minor uint32) (id int, errno uint32)
	Close(id int)
	// Write sends one block to an open map and does not wait.
	Write(id int, block uint64) (io int)
	// Ended says how a write ended: "ok" or the errno. With wait it waits for the
	// end; without, it gives the write time to end if it can.
	Ended(io int, wait bool) (result string, ended bool)
}

// Event is a uevent of the kernel.
type Event struct {
	Action    string
	Subsystem string
	Name      string // kernel name of the device
	// Props are KEY=VALUE in the kernel's order, without those that are in all.
	Props []string
}

// seqnum is DM_SEQNUM, 0 for none.
func (e Event) seqnum() int {
	for _, p := range e.Props {
		if text, ok := strings.CutPrefix(p, "DM_SEQNUM="); ok {
			n, _ := strconv.Atoi(text)
			return n
		}
	}
	return 0
}

// Sequence is one subject of the contract.
type Sequence struct {
	Name string // of its transcript's file
	run  func(*Case)
}

// Sequences gives all, in the order in which they run on one rig.
func Sequences() []Sequence {
	return []Sequence{
		{"dm-life", dmLife},
		{"dm-names", dmNames},
		{"dm-buffers", dmBuffers},
		{"dm-remove", dmRemove},
		{"dm-load", dmLoad},
		{"dm-devices", dmDevices},
		{"dm-handlers", dmHandlers},
		{"dm-messages", dmMessages},
		{"dm-events", dmEvents},
		{"dm-reload", dmReload},
		{"dm-io", dmIO},
		{"dm-io-paths", dmIOPaths},
		{"scsi-commands", scsiCommands},
		{"scsi-access", scsiAccess},
		{"sysfs-read", sysfsRead},
		{"sysfs-write", sysfsWrite},
		{"sysfs-gone", sysfsGone},
		{"block", blockCalls},
		{"resize", resizeSequence},
	}
}

// Case is one run of a sequence.
type Case struct {
	rig   Rig
	p     Ports
	lines []string
	devs  map[string]string // "8:16" -> symbol, as last looked up
	open  map[string]int    // open maps: name -> id
	ios   map[string]int    // writes under way
	last  map[string]string // symbol -> kernel name, as last seen
	major uint32            // of maps
	err   error
}

// Run runs a sequence and returns its transcript. The error is about the rig.
func (s Sequence) Run(r Rig) ([]string, error) {
	c := &Case{rig: r, p: r.Ports(), devs: map[string]string{}, last: map[string]string{}, open: map[string]int{}, ios: map[string]int{}}
	for _, symbol := range symbols() {
		if _, ok := c.number(symbol); !ok {
			return nil, fmt.Errorf("%s: the rig has no disk %s", s.Name, symbol)
		}
	}
	if _, err := r.Events(0); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	s.run(c)
	if left := c.list(); left != "-" && c.err == nil {
		c.err = fmt.Errorf("maps are left: %s", left)
	}
	if c.err != nil {
		c.err = fmt.Errorf("%s: after %d lines: %w", s.Name, len(c.lines), c.err)
	}
	return c.lines, c.err
}

func symbols() []string { return []string{"A1", "A2", "B1", "B2", "X1", "S1"} }

// check keeps the first error of the rig.
func (c *Case) check(what string, err error) {
	if err != nil {
		c.err = errors.Join(c.err, fmt.Errorf("%s: %w", what, err))
	}
}

// note is prose between the calls: what the next ones are about.
func (c *Case) note(text string) { c.lines = append(c.lines, "# "+text) }

// line is one call with its answer.
func (c *Case) line(asked, answer string) {
	c.lines = append(c.lines, c.told(asked)+": "+c.told(answer))
}

// number is a disk's device number, "8:16"; false if the kernel shows no such
// disk, and then it is the last that it had.
func (c *Case) number(symbol string) (string, bool) {
	name, ok := c.rig.Disk(symbol)
	if ok {
		b, err := c.p.Sysfs.ReadAttr("block/"+name+"/dev", 64)
		if err == nil {
			dev := strings.TrimSpace(string(b))
			c.devs[dev] = symbol
			return dev, true
		}
	}
	for _, dev := range sortedKeys(c.devs) {
		if c.devs[dev] == symbol {
			return dev, false
		}
	}
	return "0:0", false
}

// meant puts device numbers in the place of symbols.
func (c *Case) meant(text string) string {
	words := strings.Split(text, " ")
	for i, w := range words {
		for _, s := range symbols() {
			if w == s {
				words[i], _ = c.number(s)
			}
		}
	}
	return strings.Join(words, " ")
}

// told puts symbols in the place of device numbers.
func (c *Case) told(text string) string {
	return regexp.MustCompile(`\b\d+:\d+\b`).ReplaceAllStringFunc(text, func(dev string) string {
		if s := c.devs[dev]; s != "" {
			return s
		}
		return dev
	})
}

// name is the kernel name that a disk has, or had last: whoever does not know
// yet that it left goes on using it.
func (c *Case) name(symbol string) string {
	if name, ok := c.rig.Disk(symbol); ok {
		c.last[symbol] = name
	}
	return c.last[symbol]
}

// symbol is the disk of a kernel name, or the name itself.
func (c *Case) symbol(name string) string {
	for _, s := range symbols() {
		if c.name(s) == name {
			return s
		}
	}
	return name
}

func errnoName(n uint32) string {
	if n == 0 {
		return "ok"
	}
	return dmmap.ErrnoName(n)
}

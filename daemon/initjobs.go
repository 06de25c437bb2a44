package daemon

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// initSocket is where systemd answers root without a bus between (bus_init_private in
// its source). systemctl talks to it too; a program would have to be read from the root
// file system, which may be what hangs.
const initSocket = "/run/systemd/private"

// initLimit bounds one question to systemd.
const initLimit = 4 * time.Second

// initJob is one of systemd's queue: what is to become of a unit.
type initJob struct {
	Unit string
	Kind string // "start", "stop", "restart", ...
}

// initJobs asks systemd for its queue of jobs.
func initJobs(socket string, limit time.Duration) ([]initJob, error) {
	conn, err := net.DialTimeout("unix", socket, limit)
	if err != nil {
		return nil, fmt.Errorf("asking systemd for its jobs: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	jobs, err := listJobs(conn)
	if err != nil {
		return nil, fmt.Errorf("asking systemd at %s for its jobs: %w", socket, err)
	}
	return jobs, nil
}

// D-Bus specification, "Message Protocol".
const (
	busCall, busReturn, busError = 1, 2, 3

	fieldPath, fieldInterface, fieldMember, fieldReplySerial, fieldDestination = 1, 2, 3, 5, 6

	// busMost bounds what is taken of one message; the specification allows 128 MiB.
	busMost = 4 << 20
)

var errBus = errors.New("this is not D-Bus")

// listJobs calls org.freedesktop.systemd1.Manager.ListJobs.
func listJobs(conn io.ReadWriter) ([]initJob, error) {
	// "Authentication Protocol": who we are the kernel tells. BEGIN goes with it, and the
	// call only behind the answer: what systemd reads together with BEGIN it looks at
	// only when more comes.
	hello := "\x00AUTH EXTERNAL " + fmt.Sprintf("%x", strconv.Itoa(os.Geteuid())) + "\r\nBEGIN\r\n"
	if _, err := io.WriteString(conn, hello); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 || string(line[:3]) != "OK " {
		return nil, fmt.Errorf("it does not let us in: %q", line)
	}
	if _, err := conn.Write(callListJobs()); err != nil {
		return nil, err
	}
	// systemd also tells of every job that comes and goes; the answer is among that.
	for range 10_000 {
		m, err := readMessage(in)
		if err != nil {
			return nil, err
		}
		switch {
		case m.kind == busReturn && m.replies == callSerial:
			return parseJobs(m.body, m.order)
		case m.kind == busError && m.replies == callSerial:
			return nil, errors.New("it does not tell")
		}
	}
	return nil, errors.New("it tells everything but that")
}

const callSerial = 1

// callListJobs is the call as one message, little-endian.
func callListJobs() []byte {
	le := binary.LittleEndian
	var fields []byte
	field := func(code byte, kind, value string) {
		fields = append(fields, make([]byte, -len(fields)&7)...)
		fields = append(fields, code, 1, kind[0], 0)
		fields = le.AppendUint32(fields, uint32(len(value)))
		fields = append(append(fields, value...), 0)
	}
	field(fieldPath, "o", "/org/freedesktop/systemd1")
	field(fieldInterface, "s", "org.freedesktop.systemd1.Manager")
	field(fieldMember, "s", "ListJobs")
	field(fieldDestination, "s", "org.freedesktop.systemd1")
	m := []byte{'l', busCall, 0, 1}
	m = le.AppendUint32(m, 0) // no body
	m = le.AppendUint32(m, callSerial)
	m = le.AppendUint32(m, uint32(len(fields)))
	m = append(m, fields...)
	return append(m, make([]byte, -len(m)&7)...)
}

// busMessage is what is needed of one.
type busMessage struct {
	kind    byte
	replies uint32
	order   binary.ByteOrder
	body    []byte
}

func readMessage(in io.Reader) (m busMessage, err error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(in, head); err != nil {
		return m, err
	}
	switch head[0] {
	case 'l':
		m.order = binary.LittleEndian
	case 'B':
		m.order = binary.BigEndian
	default:
		return m, errBus
	}
	m.kind = head[1]
	body, fields := m.order.Uint32(head[4:]), m.order.Uint32(head[12:])
	if body > busMost || fields > busMost {
		return m, fmt.Errorf("a message of %d bytes: %w", uint64(body)+uint64(fields), errBus)
	}
	rest := make([]byte, (fields+7)&^7+body)
	if _, err := io.ReadFull(in, rest); err != nil {
		return m, err
	}
	m.body = rest[(fields+7)&^7:]
	m.replies = replySerial(rest[:fields], m.order)
	return m, nil
}

// replySerial finds the one header field that is looked for: (code, variant), where
// the variant's type is one letter for all fields that there are.
func replySerial(fields []byte, order binary.ByteOrder) uint32 {
	r := busReader{data: fields, order: order}
	for r.bad == nil && r.at < len(r.data) {
		r.align(8)
		code, kind := r.byte(), r.signature()
		switch kind {
		case "u":
			if v := r.uint32(); code == fieldReplySerial && r.bad == nil {
				return v
			}
		case "s", "o":
			_ = r.string()
		case "g":
			_ = r.signature()
		default:
			return 0
		}
	}
	return 0
}

// parseJobs reads a(usssoo): number, unit, kind, state and two paths of each job.
func parseJobs(body []byte, order binary.ByteOrder) ([]initJob, error) {
	r := busReader{data: body, order: order}
	size := int(r.uint32())
	r.align(8)
	end := r.at + size
	if r.bad == nil && end > len(body) {
		r.bad = errBus
	}
	var jobs []initJob
	for r.bad == nil && r.at < end {
		r.align(8)
		_ = r.uint32()
		jobs = append(jobs, initJob{Unit: r.string(), Kind: r.string()})
		_, _, _ = r.string(), r.string(), r.string()
	}
	if r.bad != nil {
		return nil, fmt.Errorf("its answer: %w", r.bad)
	}
	return jobs, nil
}

// busReader reads D-Bus's marshalling. The first thing that is not there ends it.
type busReader struct {
	data  []byte
	at    int
	order binary.ByteOrder
	bad   error
}

func (r *busReader) take(n int) []byte {
	if r.bad != nil || n < 0 || n > len(r.data)-r.at {
		r.bad = errBus
		return nil
	}
	r.at += n
	return r.data[r.at-n : r.at]
}

func (r *busReader) align(n int) { _ = r.take(-r.at & (n - 1)) }

func (r *busReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *busReader) uint32() uint32 {
	r.align(4)
	if b := r.take(4); b != nil {
		return r.order.Uint32(b)
	}
	return 0
}

func (r *busReader) string() string {
	n := r.uint32()
	if n > busMost {
		r.bad = errBus
		return ""
	}
	s := string(r.take(int(n)))
	_ = r.take(1)
	return s
}

func (r *busReader) signature() string {
	s := string(r.take(int(r.byte())))
	_ = r.take(1)
	return s
}

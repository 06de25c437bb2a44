package server

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// The frames of multipathd's protocol: a length in the machine's own size_t, the
// closing NUL counted, and the text.

const (
	mpathdRequestBytes = 512
	mpathdReplyBytes   = 32 << 20
	// mpathdTime is the default of uxsock_timeout; mpathdTimeMost bounds what may be
	// configured: a client's threads and memory are ours for that long.
	mpathdTime     = 4 * time.Second
	mpathdTimeMost = 5 * time.Minute
)

// lengthBytes is sizeof(size_t).
const lengthBytes = strconv.IntSize / 8

// timedReader is a connection as far as requests are read from it.
type timedReader interface {
	io.Reader
	SetReadDeadline(time.Time) error
}

// begun calls start when the first byte has come.
type begun struct {
	timedReader
	start func()
}

func (b begun) started() { b.start() }

// readFrame reads a request. It waits for ever for one to begin; begun, it must be
// there within limit. A length that cannot be is an error, and the end.
func readFrame(c timedReader, limit time.Duration) (string, error) {
	var head [lengthBytes]byte
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return "", err
	}
	if _, err := io.ReadFull(c, head[:1]); err != nil {
		return "", err
	}
	if b, ok := c.(begun); ok {
		b.started()
	}
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := io.ReadFull(c, head[1:]); err != nil {
		return "", err
	}
	n := uint64(0)
	if lengthBytes == 8 {
		n = binary.NativeEndian.Uint64(head[:])
	} else {
		n = uint64(binary.NativeEndian.Uint32(head[:]))
	}
	if n == 0 || n > mpathdRequestBytes {
		return "", fmt.Errorf("request of %d bytes, want 1 to %d", n, mpathdRequestBytes)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(c, text); err != nil {
		return "", err
	}
	cmd, _, _ := strings.Cut(string(text), "\x00")
	return cmd, nil
}

func writeFrame(c net.Conn, text string) error {
	buf := make([]byte, 0, lengthBytes+len(text)+1)
	if lengthBytes == 8 {
		buf = binary.NativeEndian.AppendUint64(buf, uint64(len(text)+1))
	} else {
		buf = binary.NativeEndian.AppendUint32(buf, uint32(len(text)+1))
	}
	_, err := c.Write(append(append(buf, text...), 0))
	return err
}

// timeOf reads a value of uxsock_timeout, milliseconds.
func timeOf(value string) time.Duration {
	ms, err := strconv.Atoi(value)
	if err != nil || ms <= 0 {
		return mpathdTime
	}
	return min(max(time.Duration(ms)*time.Millisecond, mpathdTime), mpathdTimeMost)
}

const (
	firstPassed = 3 // SD_LISTEN_FDS_START
	mostPassed  = 2
)

// passedCount says how many of the descriptors are ours (sd_listen_fds(3)).
func passedCount(pid, fds string, self int) int {
	if p, err := strconv.Atoi(pid); err != nil || p != self {
		return 0
	}
	n, err := strconv.Atoi(fds)
	if err != nil || n < 0 {
		return 0
	}
	return min(n, mostPassed)
}

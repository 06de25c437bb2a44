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
	// RequestBytes and ReplyBytes are what a request and an answer may measure, with
	// the closing NUL.
	RequestBytes = 512
	ReplyBytes   = 32 << 20
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
	n := frameLength(head)
	if n == 0 || n > RequestBytes {
		return "", fmt.Errorf("request of %d bytes, want 1 to %d", n, RequestBytes)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(c, text); err != nil {
		return "", err
	}
	cmd, _, _ := strings.Cut(string(text), "\x00")
	return cmd, nil
}

// ReadReply reads an answer, for a client. A length that cannot be is an error; memory
// is taken as the bytes come, not as the length promises.
func ReadReply(r io.Reader) (string, error) {
	var head [lengthBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	n := frameLength(head)
	if n == 0 || n > ReplyBytes {
		return "", fmt.Errorf("its answer has %d bytes, want 1 to %d: is it multipathd's protocol?", n, ReplyBytes)
	}
	var b strings.Builder
	if m, err := io.CopyN(&b, r, int64(n)); err != nil {
		return "", fmt.Errorf("%d of %d bytes: %w", m, n, io.ErrUnexpectedEOF)
	}
	text, _, _ := strings.Cut(b.String(), "\x00")
	return text, nil
}

func frameLength(head [lengthBytes]byte) uint64 {
	if lengthBytes == 8 {
		return binary.NativeEndian.Uint64(head[:])
	}
	return uint64(binary.NativeEndian.Uint32(head[:]))
}

// AppendFrame appends a request or an answer.
func AppendFrame(b []byte, text string) []byte {
	if lengthBytes == 8 {
		b = binary.NativeEndian.AppendUint64(b, uint64(len(text)+1))
	} else {
		b = binary.NativeEndian.AppendUint32(b, uint32(len(text)+1))
	}
	return append(append(b, text...), 0)
}

func writeFrame(c net.Conn, text string) error {
	_, err := c.Write(AppendFrame(make([]byte, 0, lengthBytes+len(text)+1), text))
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

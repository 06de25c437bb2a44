// Package initramfs reads the images that a kernel unpacks at boot, as
// initramfs-tools and dracut make them: "newc" archives one after the other, some of
// them compressed (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
package initramfs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// Limits of what an image may hold: a damaged one must not fill the memory.
const (
	maxName  = 4096
	maxLink  = 4096
	maxFiles = 1 << 20
)

// Kind says how a part of an image is compressed: "" not at all.
type Kind string

// The compressions that the kernel knows, by their first bytes (lib/decompress.c).
const (
	Gzip  Kind = "gzip"
	Bzip2 Kind = "bzip2"
	LZMA  Kind = "lzma"
	XZ    Kind = "xz"
	LZO   Kind = "lzo"
	LZ4   Kind = "lz4"
	Zstd  Kind = "zstd"
)

// kindOf tells the compression from the first bytes; ok is false for none known.
func kindOf(head []byte) (k Kind, ok bool) {
	for _, m := range []struct {
		magic string
		kind  Kind
	}{
		{"\x1f\x8b", Gzip},
		{"\x1f\x9e", Gzip},
		{"BZh", Bzip2},
		{"\x5d\x00", LZMA},
		{"\xfd7zXZ\x00", XZ},
		{"\x89LZO\x00", LZO},
		{"\x02\x21\x4c\x18", LZ4},
		{"\x04\x22\x4d\x18", LZ4},
		{"\x28\xb5\x2f\xfd", Zstd},
		{"070701", ""},
		{"070702", ""},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.kind, true
		}
	}
	return "", false
}

// Unpack gives the plain bytes behind compressed ones; closing it gives everything
// back that it holds.
type Unpack func(kind Kind, r io.Reader) (io.ReadCloser, error)

// File is a member of an image.
type File struct {
	Name string // without leading slash, cleaned
	Mode uint32 // as in stat(2)
	Size int64
	Link string // where a symbolic link leads
}

// Regular says whether it is a plain file.
func (f File) Regular() bool { return f.Mode&0o170000 == 0o100000 }

// ErrFormat is wrapped by every error about an image's own bytes.
var ErrFormat = errors.New("not an initramfs image, or a damaged one")

// Walk calls visit for each member of an image in its order; a later one of a name
// replaces an earlier one when the kernel unpacks it. The content may be read until
// visit returns. At most one compressed part ends an image, as the tools make them.
func Walk(r io.Reader, unpack Unpack, visit func(File, io.Reader) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	w := walker{visit: visit}
	for {
		if err := skipZeros(in); err == io.EOF {
			if w.archives == 0 {
				return fmt.Errorf("%w: it is empty", ErrFormat)
			}
			return nil
		} else if err != nil {
			return err
		}
		head, _ := in.Peek(6)
		kind, ok := kindOf(head)
		switch {
		case !ok:
			return fmt.Errorf("%w: a part begins with %x, which is no archive and no compression known", ErrFormat, head)
		case kind == "":
			if err := w.archive(in); err != nil {
				return err
			}
		default:
			return w.compressed(kind, in, unpack)
		}
	}
}

type walker struct {
	visit    func(File, io.Reader) error
	archives int
	files    int
}

func (w *walker) compressed(kind Kind, in io.Reader, unpack Unpack) error {
	plain, err := unpack(kind, in)
	if err != nil {
		return fmt.Errorf("unpacking its %s part: %w", kind, err)
	}
	out := bufio.NewReaderSize(plain, 1<<16)
	for err == nil {
		if err = skipZeros(out); err == nil {
			err = w.archive(out)
		}
	}
	closed := plain.Close()
	if err != io.EOF && errors.Is(closed, io.ErrUnexpectedEOF) {
		closed = nil // err has it
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: its %s part is cut off", ErrFormat, kind)
	}
	if err == io.EOF {
		if w.archives == 0 {
			return errors.Join(fmt.Errorf("%w: its %s part is empty", ErrFormat, kind), closed)
		}
		return closed
	}
	return errors.Join(err, closed)
}

func skipZeros(in *bufio.Reader) error {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return in.UnreadByte()
		}
	}
}

// archive reads one archive up to its trailer.
func (w *walker) archive(in *bufio.Reader) error {
	w.archives++
	var off int64 // members begin at multiples of four from here
	for {
		f, trailer, err := member(in, &off)
		if err != nil {
			return fmt.Errorf("member %d: %w", w.files+1, err)
		}
		if trailer {
			return nil
		}
		if w.files++; w.files > maxFiles {
			return fmt.Errorf("%w: more than %d members", ErrFormat, maxFiles)
		}
		body := &io.LimitedReader{R: in, N: f.Size}
		if f.Mode&0o170000 == 0o120000 {
			if f.Size > maxLink {
				return fmt.Errorf("%w: %s is a link of %d bytes", ErrFormat, f.Name, f.Size)
			}
			text, err := io.ReadAll(body)
			if err != nil || int64(len(text)) != f.Size {
				return cutOff(f.Name, err)
			}
			f.Link = string(text)
		}
		if err := w.visit(f, body); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, body); err != nil || body.N > 0 {
			return cutOff(f.Name, err)
		}
		off += f.Size
		if err := pad(in, &off); err != nil {
			return cutOff(f.Name, err)
		}
	}
}

func cutOff(name string, err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut off in %s", ErrFormat, name)
	}
	return fmt.Errorf("reading %s: %w", name, err)
}

func pad(in *bufio.Reader, off *int64) error {
	n := int(-*off & 3)
	*off += int64(n)
	_, err := in.Discard(n)
	return err
}

// headerBytes is the length of struct cpio_newc_header: magic and 13 numbers of
// eight hexadecimal digits.
const headerBytes = 6 + 13*8

func member(in *bufio.Reader, off *int64) (f File, trailer bool, err error) {
	var head [headerBytes]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return File{}, false, cutOff("a header", err)
	}
	if m := string(head[:6]); m != "070701" && m != "070702" {
		return File{}, false, fmt.Errorf("%w: a member begins with %q", ErrFormat, m)
	}
	var field [13]int64
	for i := range field {
		text := string(head[6+8*i : 14+8*i])
		n, err := strconv.ParseUint(text, 16, 32)
		if err != nil {
			return File{}, false, fmt.Errorf("%w: a header says %q", ErrFormat, text)
		}
		field[i] = int64(n)
	}
	nameSize := field[11]
	if nameSize < 1 || nameSize > maxName {
		return File{}, false, fmt.Errorf("%w: a name of %d bytes", ErrFormat, nameSize)
	}
	name := make([]byte, nameSize)
	if _, err := io.ReadFull(in, name); err != nil {
		return File{}, false, cutOff("a name", err)
	}
	*off += headerBytes + nameSize
	text, _, _ := strings.Cut(string(name), "\x00")
	if err := pad(in, off); err != nil {
		return File{}, false, cutOff(text, err)
	}
	if text == "TRAILER!!!" {
		return File{}, true, nil
	}
	return File{Name: strings.TrimPrefix(path.Clean("/"+text), "/"), Mode: uint32(field[1]), Size: field[6]}, false, nil
}

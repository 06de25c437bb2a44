package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"pathkeeper/lab/wire"
)

// doSteps does the steps in order; the error names the first that failed.
func doSteps(steps []wire.Step) error {
	for i, s := range steps {
		err := doStep(s)
		if s.Maybe && errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("step %d of %d, %s: %w", i+1, len(steps), s, err)
		}
	}
	return nil
}

func doStep(s wire.Step) error {
	switch {
	case s.Mkdir != "":
		return os.MkdirAll(s.Mkdir, 0o755)
	case s.Write != "":
		return writeOnce(s)
	case s.Link != "":
		return os.Symlink(s.Target, s.Link)
	case s.Remove != "":
		return os.Remove(s.Remove)
	case s.Size != "":
		f, err := os.OpenFile(s.Size, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Truncate(s.Bytes)
	}
	return fmt.Errorf("an empty step")
}

// writeOnce uses one write(2), since attributes of sysfs and configfs take each
// write as a whole command. A regular file is made or truncated; an attribute
// is never created by mistake: its directory refuses.
func writeOnce(s wire.Step) error {
	mode := os.FileMode(s.Mode)
	if mode == 0 {
		mode = 0o644
	}
	flags := unix.O_WRONLY | unix.O_CLOEXEC
	info, err := os.Stat(s.Write)
	switch {
	case err == nil && info.Mode().IsRegular() && s.Append:
		flags |= unix.O_APPEND
	case err == nil && info.Mode().IsRegular():
		flags |= unix.O_TRUNC
	case errors.Is(err, fs.ErrNotExist) && s.Maybe:
		return err
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(s.Write), 0o755); err != nil {
			return err
		}
		flags |= unix.O_CREAT | unix.O_EXCL
	case err != nil:
		return err
	}
	fd, err := unix.Open(s.Write, flags, uint32(mode))
	if err != nil {
		return &fs.PathError{Op: "open", Path: s.Write, Err: err}
	}
	defer unix.Close(fd)
	if s.Mode != 0 {
		if err := unix.Fchmod(fd, s.Mode); err != nil {
			return err
		}
	}
	for rest := s.Data; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "write", Path: s.Write, Err: err}
		}
		rest = rest[n:]
	}
	return nil
}

func readFile(r wire.Read) ([]byte, error) {
	f, err := os.Open(r.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if r.Offset > 0 {
		if _, err := f.Seek(r.Offset, io.SeekStart); err != nil {
			return nil, err
		}
	}
	const limit = wire.MaxFrame / 2 // base64 adds a third
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(data) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", r.Path, limit)
	}
	return data, err
}

// look lists what patterns match. What vanishes meanwhile, or cannot be read, is
// left out or empty: sysfs is not atomic.
func look(patterns []string) ([]wire.Entry, error) {
	var out []wire.Entry
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			var st unix.Stat_t
			if err := unix.Stat(name, &st); err != nil {
				continue
			}
			e := wire.Entry{Path: name, Mode: st.Mode, UID: st.Uid, GID: st.Gid, Rdev: st.Rdev}
			if full, err := filepath.EvalSymlinks(name); err == nil && full != name {
				e.Link = full
			}
			if st.Mode&unix.S_IFMT == unix.S_IFREG {
				e.Text = head(name)
			}
			out = append(out, e)
		}
	}
	return out, nil
}

func head(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	buf := make([]byte, 4096)
	n, err := io.ReadFull(f, buf)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return ""
	}
	return string(buf[:n])
}

// stamps prints how many blocks of a file begin with a stamp and a newline, as
// probes write them. It runs as a process of its own: "agent stamps FILE TEXT".
func stamps(name, text string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	want := []byte(text + "\n")
	block := make([]byte, probeBlock)
	count := 0
	for {
		_, err := io.ReadFull(f, block)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			fmt.Println(count)
			return nil
		}
		if err != nil {
			return err
		}
		if bytes.HasPrefix(block, want) {
			count++
		}
	}
}

// pack makes a tar archive of what exists among the paths; what vanishes while
// it is read is left out.
func pack(paths []string) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, root := range paths {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || filepath.Ext(name) == ".img" {
				return nil // a LUN's image is too large, and of little help
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return nil
			}
			if err := w.WriteHeader(&tar.Header{Name: name[1:], Mode: 0o644, Size: int64(len(data))}); err != nil {
				return err
			}
			_, err = w.Write(data)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

package initramfs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

type entry struct {
	name, body string
	mode       uint32
}

// newc writes an archive as the kernel's format page describes it.
func newc(entries ...entry) []byte {
	var b bytes.Buffer
	put := func(name string, mode uint32, body string) {
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name)+1, 0)
		b.WriteString(name + "\x00")
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
		b.WriteString(body)
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	for _, e := range entries {
		put(e.name, e.mode, e.body)
	}
	put("TRAILER!!!", 0, "")
	return b.Bytes()
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func gunzip(kind Kind, r io.Reader) (io.ReadCloser, error) {
	if kind != Gzip {
		return nil, fmt.Errorf("no %s here", kind)
	}
	return gzip.NewReader(r)
}

const (
	plainFile = 0o100644
	linkFile  = 0o120777
	dirFile   = 0o040755
)

func list(t *testing.T, image []byte) (out []string, err error) {
	t.Helper()
	err = Walk(bytes.NewReader(image), gunzip, func(f File, r io.Reader) error {
		b, err := io.ReadAll(r)
		out = append(out, fmt.Sprintf("%s %o %d %q %q", f.Name, f.Mode, f.Size, f.Link, b))
		return err
	})
	return out, err
}

func TestWalk(t *testing.T) {
	early := newc(entry{"kernel/x86/microcode", "abc", plainFile})
	main := newc(entry{".", "", dirFile}, entry{"./etc/multipath.conf", "defaults {\n}\n", plainFile}, entry{"sbin", "usr/sbin", linkFile})
	want := []string{
		`kernel/x86/microcode 100644 3 "" "abc"`, ` 40755 0 "" ""`,
		`etc/multipath.conf 100644 13 "" "defaults {\n}\n"`, `sbin 120777 8 "usr/sbin" ""`,
	}
	pad := make([]byte, 512)
	for name, image := range map[string][]byte{
		"plain":                      slices.Concat(early, main),
		"zeros between":              slices.Concat(early, pad, main, pad),
		"compressed after microcode": slices.Concat(early, pad, zipped(main)),
		"two in one compressed part": zipped(slices.Concat(early, pad, main)),
	} {
		got, err := list(t, image)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v\n got %q\nwant %q", name, err, got, want)
		}
	}
}

func TestWalkRefuses(t *testing.T) {
	main := newc(entry{"etc/multipath.conf", "defaults {\n}\n", plainFile})
	for name, image := range map[string][]byte{
		"nothing": nil, "zeros": make([]byte, 64), "text": []byte("no image at all"), "a cut header": main[:50], "a cut name": main[:115], "a cut body": main[:140],
		"no trailer": main[:144], "a bad number": []byte(strings.Replace(string(main), "070701000", "07070100Z", 1)), "an empty compressed part": zipped(nil),
		"a cut compressed part": zipped(main)[:60], "a part cut at its sum": zipped(main)[:len(zipped(main))-6],
	} {
		if got, err := list(t, image); err == nil {
			t.Errorf("%s: taken, with %q", name, got)
		} else if !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	huge := []byte(strings.Replace(string(main), fmt.Sprintf("%08X", len("etc/multipath.conf")+1), "7FFFFFFF", 1))
	if _, err := list(t, huge); !errors.Is(err, ErrFormat) {
		t.Errorf("a name of 2 GiB: %v", err)
	}
	if _, err := list(t, []byte("\x28\xb5\x2f\xfd....")); err == nil || !strings.Contains(err.Error(), "zstd") {
		t.Errorf("what cannot be unpacked: %v", err)
	}
}

func FuzzWalk(f *testing.F) {
	f.Add(newc(entry{"a", "b", plainFile}, entry{"l", "a", linkFile}))
	f.Add(zipped(newc(entry{"a", "b", plainFile})))
	f.Fuzz(func(t *testing.T, image []byte) {
		n := 0
		_ = Walk(bytes.NewReader(image), func(k Kind, r io.Reader) (io.ReadCloser, error) {
			if k != Gzip {
				return nil, errors.New("no")
			}
			z, err := gzip.NewReader(r)
			if err != nil {
				return nil, err
			}
			return io.NopCloser(io.LimitReader(z, 1<<20)), nil
		}, func(f File, r io.Reader) error {
			if n++; strings.HasPrefix(f.Name, "/") || strings.HasPrefix(f.Name, "../") {
				t.Fatalf("name %q", f.Name)
			}
			_, err := io.Copy(io.Discard, r)
			return err
		})
	})
}

func TestCompare(t *testing.T) {
	roles := Roles{
		Program: "usr/sbin/pathkeeper", Configs: []string{"etc/multipath.conf", "etc/multipath/conf.d/"},
		Bindings: "b", WWIDs: "w", Rules: []string{"60-x.rules"}, Others: []string{"usr/sbin/multipathd"},
	}
	names := func(b []byte) map[string]string {
		out := map[string]string{}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) == 2 {
				out[f[1]] = f[0]
			}
		}
		return out
	}
	host := Content{
		"usr/sbin/pathkeeper": []byte("1"), "etc/multipath.conf": []byte("c"), "b": []byte("mpatha W1\nmpathb W2\n"), "w": []byte("# x\n/W1/\n/W2/\n"),
		"usr/lib/udev/rules.d/60-x.rules": []byte("r"),
	}
	with := func(change map[string]string) Content {
		out := Content{}
		for k, v := range host {
			out[k] = v
		}
		for k, v := range change {
			if out[k] = []byte(v); v == "" {
				delete(out, k)
			}
		}
		return out
	}
	for _, c := range []struct {
		name   string
		change map[string]string
		want   string // level and file; "" none
	}{
		{"the same", nil, ""},
		{"rules elsewhere", map[string]string{"usr/lib/udev/rules.d/60-x.rules": "", "lib/udev/rules.d/60-x.rules": "r"}, ""},
		{"another program", map[string]string{"usr/sbin/pathkeeper": "2"}, "stale /usr/sbin/pathkeeper"},
		{"no program", map[string]string{"usr/sbin/pathkeeper": ""}, "wrong /usr/sbin/pathkeeper"},
		{"another configuration", map[string]string{"etc/multipath.conf": "d"}, "wrong /etc/multipath.conf"},
		{"no configuration", map[string]string{"etc/multipath.conf": ""}, "wrong /etc/multipath.conf"},
		{"a drop-in too many", map[string]string{"etc/multipath/conf.d/a.conf": "x"}, "wrong /etc/multipath/conf.d/a.conf"},
		{"another name", map[string]string{"b": "mpathc W1\nmpathb W2\n"}, "wrong /b"},
		{"a name for another LUN", map[string]string{"b": "mpatha W9\nmpathb W2\n"}, "stale /b, wrong /b"},
		{"a name more on the host", map[string]string{"b": "mpatha W1\n"}, "stale /b"},
		{"a LUN more on the host", map[string]string{"w": "/W1/\n#W2/\n"}, "stale /w"},
		{"no rules", map[string]string{"usr/lib/udev/rules.d/60-x.rules": ""}, "wrong /usr/lib/udev/rules.d/60-x.rules"},
		{"other rules", map[string]string{"usr/lib/udev/rules.d/60-x.rules": "s"}, "stale /usr/lib/udev/rules.d/60-x.rules"},
		{"another manager", map[string]string{"usr/sbin/multipathd": "m"}, "wrong /usr/sbin/multipathd"},
		{"our program by another's name", map[string]string{"usr/sbin/multipathd": "1"}, ""},
	} {
		var got []string
		for _, f := range Compare(with(c.change), host, roles, names) {
			got = append(got, string(f.Level)+" "+f.File)
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %q, want %q", c.name, s, c.want)
		}
	}
}

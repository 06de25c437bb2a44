package image

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMirrors(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  Mirrors
	}{
		{"deb822 with a stray empty line", map[string]string{"sources.list.d/debian.sources": `Types: deb

URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/k.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main contrib
`}, Mirrors{Main: "http://mirror.example/debian", Security: "http://mirror.example/debian-security", Keyring: "/usr/share/keyrings/k.gpg"}},
		{"one-line, another release, options and comments", map[string]string{"sources.list": `# deb http://no.example/debian trixie main
deb [arch=amd64 signed-by=/k.gpg] https://a.example/debian trixie main contrib # yes
deb-src https://a.example/debian trixie main
deb https://a.example/security trixie-security main
`}, Mirrors{Main: "https://a.example/debian", Security: "https://a.example/security", Keyring: "/k.gpg"}},
		{"disabled, foreign and local sources", map[string]string{
			"sources.list.d/x.sources": "Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n",
			"sources.list.d/y.list":    "deb http://node.example/ nodistro main\ndeb cdrom:[Debian]/ bookworm main\n",
		}, Mirrors{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := mirrorsIn(dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadOrder(t *testing.T) {
	const dep = `kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko
kernel/fs/jbd2/jbd2.ko:
kernel/lib/crc16.ko:
kernel/crypto/crc32c_generic.ko:
kernel/drivers/char/hw_random/virtio-rng.ko: kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio.ko:
`
	got, err := loadOrder(dep, "kernel/fs/overlayfs/overlay.ko\n", []string{"virtio_rng", "ext4", "overlay"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range got {
		names = append(names, moduleName(f))
	}
	if s := strings.Join(names, " "); s != "virtio virtio_rng jbd2 crc16 ext4 crc32c_generic" {
		t.Error(s)
	}
	if _, err := loadOrder(dep, "", []string{"overlay"}); err == nil {
		t.Error("a missing module was not missed")
	}
}

func TestPackages(t *testing.T) {
	list := Packages(Plain)
	for _, want := range []string{"systemd", "multipath-tools", "fio", "dmsetup"} {
		if !contains(list, want) {
			t.Errorf("%s is not in the list", want)
		}
	}
	clients := Packages(Clients)
	if !slices.Equal(clients[:len(list)], list) || !contains(clients, "python3-os-brick") || contains(list, "python3-os-brick") {
		t.Errorf("the clients' list is not the other one and more: %q", clients)
	}
	if key(Clients) == key(Plain) {
		t.Error("both images have one name")
	}
	for _, p := range clients {
		if strings.ContainsAny(p, " #\t") {
			t.Errorf("package %q", p)
		}
	}
}

// rpmbuild is for the long scenarios alone: make test installs nothing for them.
func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if short := Missing(false); contains(short, "rpm") {
		t.Errorf("%q", short)
	}
	if long := Missing(true); !contains(long, "rpm") {
		t.Errorf("%q", long)
	}
}

func TestNoSuchVariant(t *testing.T) {
	t.Setenv("PATHKEEPER_LAB_CACHE", t.TempDir())
	if _, err := Ensure(io.Discard, "big"); err == nil || !strings.Contains(err.Error(), `no image "big"`) {
		t.Error(err)
	}
}

package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// suite is the Debian release of every guest, whatever the host runs.
const suite = "bookworm"

// Mirrors are the archives that the guest is built from.
type Mirrors struct {
	Main     string // the archive of the release itself
	Security string // empty: the host names none
	Keyring  string // a keyring file that debootstrap and apt check signatures with
}

var (
	releaseSuite  = regexp.MustCompile(`^(buster|bullseye|bookworm|trixie|forky|sid|stable|oldstable|testing|unstable)$`)
	securitySuite = regexp.MustCompile(`^(bullseye|bookworm|trixie|forky|stable|oldstable|testing)-security$`)
)

// FindMirrors reads the machine's own apt sources. The host may be another
// Debian release: only the archive's address is taken, not its suite.
// PATHKEEPER_LAB_MIRROR and PATHKEEPER_LAB_SECURITY_MIRROR override.
func FindMirrors() (Mirrors, error) {
	m, err := mirrorsIn("/etc/apt")
	if err != nil {
		return Mirrors{}, err
	}
	if v := os.Getenv("PATHKEEPER_LAB_MIRROR"); v != "" {
		m.Main = v
	}
	if v := os.Getenv("PATHKEEPER_LAB_SECURITY_MIRROR"); v != "" {
		m.Security = v
	}
	if m.Main == "" {
		return Mirrors{}, fmt.Errorf("no Debian archive in /etc/apt/sources.list or /etc/apt/sources.list.d; " +
			"set PATHKEEPER_LAB_MIRROR to the address of one")
	}
	if m.Keyring == "" {
		m.Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
	}
	if _, err := os.Stat(m.Keyring); err != nil {
		return Mirrors{}, fmt.Errorf("the keyring for Debian's archive: %w; install debian-archive-keyring", err)
	}
	return m, nil
}

// mirrorsIn reads sources.list, sources.list.d/*.list and *.sources below dir.
// The first entry of a kind wins, files in apt's order.
func mirrorsIn(dir string) (Mirrors, error) {
	files := []string{filepath.Join(dir, "sources.list")}
	for _, pattern := range []string{"*.list", "*.sources"} {
		found, err := filepath.Glob(filepath.Join(dir, "sources.list.d", pattern))
		if err != nil {
			return Mirrors{}, err
		}
		sort.Strings(found)
		files = append(files, found...)
	}
	var m Mirrors
	for _, name := range files {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return Mirrors{}, err
		}
		var entries []aptEntry
		if strings.HasSuffix(name, ".sources") {
			entries = parseDeb822(string(text))
		} else {
			entries = parseOneLine(string(text))
		}
		for _, e := range entries {
			m.take(e)
		}
	}
	return m, nil
}

func (m *Mirrors) take(e aptEntry) {
	for _, uri := range e.uris {
		if !strings.HasPrefix(uri, "http://") && !strings.HasPrefix(uri, "https://") {
			continue // mirror+file:, cdrom: and their like are no archive that debootstrap can use
		}
		for _, s := range e.suites {
			switch {
			case m.Main == "" && releaseSuite.MatchString(s):
				m.Main = strings.TrimSuffix(uri, "/")
				if strings.HasPrefix(e.signedBy, "/") {
					m.Keyring = e.signedBy
				}
			case m.Security == "" && securitySuite.MatchString(s):
				m.Security = strings.TrimSuffix(uri, "/")
			}
		}
	}
}

// aptEntry is one enabled source of binary packages with the component main.
type aptEntry struct {
	uris, suites []string
	signedBy     string
}

// parseOneLine reads the "deb [options] uri suite component..." form.
func parseOneLine(text string) []aptEntry {
	var out []aptEntry
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb ")
		if !ok {
			continue
		}
		var e aptEntry
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			options, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				continue
			}
			for _, o := range strings.Fields(options) {
				if v, ok := strings.CutPrefix(o, "signed-by="); ok {
					e.signedBy = v
				}
			}
			rest = after
		}
		fields := strings.Fields(rest)
		if len(fields) < 3 || !contains(fields[2:], "main") {
			continue
		}
		e.uris, e.suites = fields[:1], fields[1:2]
		out = append(out, e)
	}
	return out
}

// parseDeb822 reads the paragraphs of a .sources file.
func parseDeb822(text string) []aptEntry {
	var out []aptEntry
	fields := map[string]string{}
	last := ""
	flush := func() {
		if contains(strings.Fields(fields["types"]), "deb") && fields["enabled"] != "no" &&
			contains(strings.Fields(fields["components"]), "main") {
			out = append(out, aptEntry{
				uris:     strings.Fields(fields["uris"]),
				suites:   strings.Fields(fields["suites"]),
				signedBy: strings.TrimSpace(fields["signed-by"]),
			})
		}
		fields, last = map[string]string{}, ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			// Some tools leave an empty line inside a paragraph, where one that
			// has no URIs yet cannot end.
			if fields["uris"] != "" {
				flush()
			}
		case line[0] == ' ' || line[0] == '\t':
			if last != "" {
				fields[last] += " " + strings.TrimSpace(line)
			}
		default:
			name, value, ok := strings.Cut(line, ":")
			if ok {
				last = strings.ToLower(strings.TrimSpace(name))
				fields[last] = strings.TrimSpace(value)
			}
		}
	}
	flush()
	return out
}

// aptSettings returns the host's settings that decide whether its archives can
// be reached and are accepted (proxy, certificates, date checks), as apt.conf
// lines for the guest's build.
func aptSettings() (string, error) {
	out, err := exec.Command("apt-config", "dump").Output()
	if err != nil {
		return "", fmt.Errorf("apt-config dump: %w", err)
	}
	wanted := regexp.MustCompile(`(?i)^Acquire::(http|https|Check-Valid-Until|Check-Date|Retries|ForceIPv4|ForceIPv6|Max-FutureTime)\b.* ".+";$`)
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		if wanted.MatchString(strings.TrimSpace(line)) {
			b.WriteString(line)
		}
	}
	return b.String(), nil
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}

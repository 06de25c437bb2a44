package policy

import (
	"strings"
	"testing"
)

// readBlacklist reads the two blacklist sections of a multipath.conf; the whole
// language is configs', which policy must not import.
func readBlacklist(t *testing.T, text string) (cfg Config) {
	t.Helper()
	var section string
	var device *Rule
	for n, line := range strings.Split(text, "\n") {
		words := splitLine(line)
		if len(words) == 0 {
			continue
		}
		at := Origin{File: "conf", Line: n + 1, Column: 1}
		rules := &cfg.Blacklist
		if section == "blacklist_exceptions" {
			rules = &cfg.Exceptions
		}
		switch word := words[0]; {
		case word == "blacklist" || word == "blacklist_exceptions":
			section = word
		case word == "device":
			device = &Rule{Class: ClassDevice, Origin: at}
		case word == "vendor":
			device.Pattern = words[1]
		case word == "product":
			device.Product = words[1]
		case word == "}" && device != nil:
			*rules = append(*rules, *device)
			device = nil
		case word == "}":
			section = ""
		case len(words) < 2: // a value that is a comment
		default:
			class := map[string]RuleClass{"devnode": ClassDevnode, "wwid": ClassWWID, "property": ClassProperty, "protocol": ClassProtocol}[word]
			if class == ClassUnknown {
				t.Fatalf("line %d: %q", n+1, line)
			}
			*rules = append(*rules, Rule{Class: class, Pattern: words[1], Origin: at})
		}
	}
	return cfg
}

func splitLine(line string) (words []string) {
	for line = strings.TrimLeft(line, " \t"); line != "" && line[0] != '#' && line[0] != '!'; line = strings.TrimLeft(line, " \t") {
		if line[0] == '"' {
			word, rest, _ := strings.Cut(line[1:], `"`)
			words, line = append(words, word), rest
			continue
		}
		end := strings.IndexAny(line, " \t\"#!{}")
		if end == 0 {
			end = 1
		} else if end < 0 {
			end = len(line)
		}
		words, line = append(words, line[:end]), line[end:]
	}
	return words
}

func TestBlacklistMeasured(t *testing.T) {
	type row struct {
		Name, Conf, Load string
		Path             struct {
			Devnode, Vendor, Product, WWID, Protocol string
			UID                                      string `json:"uid_attribute"`
			Properties                               []string
		}
		Result map[string]string
	}
	for _, c := range readCases[row](t, "unit-blacklist.json") {
		t.Run(c.Name, func(t *testing.T) {
			cfg := readBlacklist(t, c.Conf)
			cfg.Devices = BuiltinDevices()
			compiled, problems := Compile(cfg)
			fatal := false
			for _, p := range problems {
				fatal = fatal || p.Fatal
			}
			if fatal != (c.Load == "fails") {
				t.Fatalf("problems %v, load %q", problems, c.Load)
			}
			s := subject{
				devnode: c.Path.Devnode, vendor: c.Path.Vendor, product: c.Path.Product, protocol: c.Path.Protocol,
				wwids: []string{c.Path.WWID}, properties: c.Path.Properties, uidAttribute: c.Path.UID,
			}
			got := map[string]string{}
			for _, class := range filterOrder() {
				got[class.String()] = compiled.blacklist.filter(class, s).String()
			}
			all, _ := compiled.blacklist.filterAll(s, false)
			got["all"] = all.String()
			for key, want := range c.Result {
				if got[key] != want {
					t.Errorf("%s: %s, want %s", key, got[key], want)
				}
			}
		})
	}
}

// An inverted rule means "no id of the LUN matches"; any id is enough for a plain
// one.
func TestBlacklistSeesEveryID(t *testing.T) {
	ids := []string{"1ATA_X", "SATA_X"}
	cases := []struct {
		pattern string
		want    string
	}{
		{"^SATA_X$", "wwid"}, {"^1ATA", "wwid"}, {"!^SATA_X$", "nothing"}, {"!^1ATA", "nothing"}, {"!^3600", "wwid"}, {"^3600", "nothing"},
	}
	for _, c := range cases {
		compiled, _ := Compile(Config{Blacklist: []Rule{{Class: ClassWWID, Pattern: c.pattern}}})
		if got := compiled.blacklist.filter(ClassWWID, subject{wwids: ids}).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.pattern, got, c.want)
		}
	}
}

func TestCompileTellsBadExpressions(t *testing.T) {
	_, problems := Compile(Config{
		Blacklist: []Rule{{Class: ClassDevnode, Pattern: "sd[", Origin: Origin{File: "f", Line: 3, Column: 9}}},
		Devices:   []Device{{Vendor: "(", Product: "x", Origin: Origin{File: "f", Line: 9, Column: 1}}},
	})
	if len(problems) != 2 || !problems[0].Fatal || problems[0].Origin.Line != 3 || problems[1].Fatal || problems[1].Origin.Line != 9 {
		t.Errorf("problems %v", problems)
	}
}

package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"pathkeeper/scenario"
	"pathkeeper/sim"
)

// docNamesHost is the host on which the commands of docs/names.md are run.
const docNamesHost = `# The host of docs/names.md.
both
boot: bare
lun data1 64M A1 B1
lun data2 64M A1 B1
config <<END
defaults {
	find_multipaths greedy
	user_friendly_names yes
}
multipaths {
	multipath {
		wwid @wwid:data1
		alias ocr1
		uid grid
		gid asmadmin
		mode 0660
	}
}
END
file /etc/multipath/bindings <<END
mpatha 36001405d98cf53e0c8b77c14a96358d5
END
file /root/node2.names <<END
pathkeeper-names 1
map 360014055b41362bc82b7f3d56edc5a30 ocr1 oracle asmadmin 0660 67108864 config yes
map 3600feed mpatha - - - - bindings no
END
file /root/node3.names <<END
pathkeeper-names 1
map 3600cafe mpathq - - - - bindings no
map 3600f00d data1 oracle dba - - config no
END
file /etc/udev/rules.d/99-oracle-asmdevices.rules <<END
KERNEL=="sd?", SUBSYSTEM=="block", PROGRAM=="/usr/lib/udev/scsi_id -g -u -d /dev/$name", RESULT=="360014055b41362bc82b7f3d56edc5a30", SYMLINK+="oracleasm/ocr1", OWNER="oracle", GROUP="dba", MODE="0660"
KERNEL=="sdb", OWNER="oracle", GROUP="dba", MODE="0660"
END
daemon start
expect maps ocr1 mpatha within=20s
`

// Every command of docs/names.md does what stands there: its exit code, and each
// line that is shown, in their order.
func TestNamesPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/names.md")
	if err != nil {
		t.Fatal(err)
	}
	s := sim.NewSession(simOptions{seed: 1}.scriptOptions(".", streams{&bytes.Buffer{}, &bytes.Buffer{}}))
	play := func(text string) {
		t.Helper()
		script, err := scenario.Parse("docs/names.md", text)
		if err == nil {
			err = s.Play(script)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	play(docNamesHost)
	commands, output := 0, ""
	for i, line := range strings.Split(string(page), "\n") {
		text, shown := strings.CutPrefix(line, "    ")
		command, isCommand := strings.CutPrefix(text, "$ pathkeeper ")
		switch {
		case !shown:
			output = ""
		case isCommand:
			commands++
			command, remark, _ := strings.Cut(command, " # ")
			if strings.Contains(remark, "daemon stopped") {
				play("# x\nonly: sim\ndaemon stop\n")
			}
			want := exitDone
			if strings.Contains(remark, "exit 1") {
				want = exitError
			}
			var out bytes.Buffer
			std := streams{&out, &out}
			root := newRootOn(simMachine{s}, std)
			root.SetArgs(strings.Fields(command))
			if code := report(std, "pathkeeper", root.ExecuteContext(context.Background())); code != want {
				t.Errorf("line %d: %s: exit %d, not %d: %s", i+1, command, code, want, out.String())
			}
			output = out.String()
		case output != "":
			_, rest, ok := strings.Cut(output, text+"\n")
			if !ok {
				t.Errorf("line %d: %q is not in what is left of the output:\n%s", i+1, text, output)
			}
			output = rest + " "
		}
	}
	if commands < 8 {
		t.Errorf("%d commands", commands)
	}
}

package scenario

import (
	"fmt"
	"strings"
)

// BodyRule says whether a verb takes a heredoc.
type BodyRule int

const (
	NoBody BodyRule = iota
	MayBody
	MustBody
)

// Verb is one row of the table.
type Verb struct {
	Name  string // one word, or two as in "expect map"
	Usage string // the words after the name
	Help  string
	Min   int // positional words; Max < 0: no limit
	Max   int
	// Choices are the closed sets of positional words: Choices[i] for word i,
	// nil where any word goes. Words beyond it are free.
	Choices [][]string
	Options []string
	Body    BodyRule
	Side    Side
	// SimOptions are those of Options that the simulated side alone knows.
	SimOptions []string
	// Raw takes the words as they are: no key=value after the first
	// positional word is an option (programs have such words of their own).
	Raw bool
	// Program is the place of a program's name among the words, from 1; 0: the
	// verb runs none. Both sides know the Programs, the lab any other too.
	Program int
}

// Programs are those that both sides run: ours, and the one tool of the kernel's
// side that scripts make maps with. A script that runs another is the lab's.
func Programs() []string { return []string{"pathkeeper", "dmsetup"} }

var (
	aluaStates  = []string{"optimized", "nonoptimized", "standby", "unavailable", "offline", "transitioning"}
	pathActions = []string{"offline", "running", "delete", "rescan", "unlink", "link", "remap"}
	daemonVerbs = []string{"start", "stop", "restart", "kill", "pause", "resume", "reload"}
	ioctls      = []string{"create", "load", "resume", "suspend", "message", "remove", "rename"}
)

// Verbs returns the whole table, in the order in which documentation lists it.
func Verbs() []Verb {
	within := "within"
	return []Verb{
		// Telling.
		{Name: "say", Usage: "TEXT...", Max: -1, Min: 1, Raw: true, Help: "a sentence for the reader of `make run`"},
		{Name: "mark", Usage: "[NAME]", Max: 1, Help: "remember this moment of the kernel's trace and of the daemon's log for later counts"},
		{Name: "pass", Usage: "DURATION", Min: 1, Max: 1, Help: "let time pass where time itself is the subject (a deadline that goes by); never to wait for something"},

		// Storage.
		{
			Name: "lun", Usage: "NAME SIZE PORT... [serial=S] [vendor=V] [product=P] [via=loop|iscsi|fc]", Min: 3, Max: -1,
			Options: []string{"serial", "vendor", "product", "via"},
			Help:    "a LUN of an array behind target ports; a port's letters name its controller (ALUA group): A1 A2 B1 B2 is two controllers of two ports; with via=fc each port is a fabric of its own",
		},
		{
			Name: "target", Usage: "NAME SIZE PORT...", Min: 3, Max: -1, Side: Lab,
			Help: "an iSCSI LUN that the host is not told of: who logs in is the scenario's business; once there is a session, LUN:PORT is its disk",
		},
		{Name: "unlun", Usage: "NAME", Min: 1, Max: 1, Help: "remove a LUN from all its ports and from the array"},
		{Name: "alua", Usage: "LUN CONTROLLER STATE", Min: 3, Max: 3, Choices: [][]string{nil, nil, aluaStates}, Help: "set the access state of a controller for a LUN"},
		{
			Name: "path", Usage: "LUN PORT offline|running|delete|rescan|unlink|link|remap [to=LUN]", Min: 3, Max: 3,
			Choices: [][]string{nil, nil, pathActions}, Options: []string{"to"},
			Help: "one path: the SCSI device's state; delete it from the host, or rescan; unmap it at the target, or map it again; map another LUN in its place",
		},
		{Name: "port", Usage: "PORT cut|mend", Min: 2, Max: 2, Choices: [][]string{nil, {"cut", "mend"}}, Help: "pull or plug a target port's cable: every LUN behind it"},
		{
			Name: "disk", Usage: "NAME SIZE [model=M] [serial=S]", Min: 2, Max: 2, Options: []string{"model", "serial"},
			Help: "a disk on an AHCI controller; it is there from the boot on, so the verb stands before all others",
		},
		{Name: "unplug", Usage: "DISK", Min: 1, Max: 1, Help: "delete a disk's SCSI device"},
		{Name: "plug", Usage: "DISK", Min: 1, Max: 1, Help: "bring an unplugged disk back by a scan of its host"},
		{Name: "scsi_debug", Usage: "PARAMETER=VALUE...", Max: -1, Raw: true, Side: Lab, Help: "load scsi_debug with these parameters; gone at the teardown"},

		{
			Name: "hold", Usage: "NAME DEVICE [exclusive=yes]", Min: 2, Max: 2, Options: []string{"exclusive"},
			Help: "a program opens a device and keeps it open, exclusively (O_EXCL) if so said, until release",
		},
		{Name: "release", Usage: "NAME", Min: 1, Max: 1, Help: "the program ends that hold started"},
		{
			Name: "mount", Usage: "DEVICE DIRECTORY [partition=yes]", Min: 2, Max: 2, Options: []string{"partition"},
			Help: "make a file system on a disk, or on a first partition of it, and mount it",
		},
		{Name: "trigger", Usage: "[DEVICE]", Max: 1, Help: "have udev look again at a device, or at every block device, to its end: udevadm trigger --settle"},
		{Name: "umount", Usage: "DIRECTORY", Min: 1, Max: 1, Help: "unmount what mount mounted; it must still be whole"},
		{
			Name: "fault", Usage: "LUN PORT none|no-connect|hung|write-errors", Min: 3, Max: 3, Side: Sim,
			Choices: [][]string{nil, nil, {"none", "no-connect", "hung", "write-errors"}},
			Help:    "what is wrong with one path: nothing, commands that come back at once, that never come back, or writes that fail while checks succeed",
		},
		{Name: "attention", Usage: "LUN PORT ASC/ASCQ", Min: 3, Max: 3, Side: Sim, Help: "put a unit attention before the path's next command, two hex numbers such as 3f/0e"},
		{
			Name: "uevents", Usage: "[lose=N] [double=N] [overrun]", Max: 1, Choices: [][]string{{"overrun"}}, Options: []string{"lose", "double"}, Side: Sim,
			Help: "of 1000 uevents so many are lost, and so many come twice; overrun: the daemon is told that its socket's buffer ran over",
		},
		{
			Name: "dm", Usage: "well | fail=N% | every=N errno=NAME", Max: 1, Choices: [][]string{{"well"}}, Options: []string{"fail", "every", "errno"}, Side: Sim,
			Help: "device-mapper's ioctls fail: by chance, or one of each N with ENOMEM, EBUSY, EINVAL, EIO or ENXIO; well ends it",
		},
		{
			Name: "files", Usage: "hang DIRECTORY | go | read-only DIRECTORY | writable", Min: 1, Max: 2, Choices: [][]string{{"hang", "go", "read-only", "writable"}}, Side: Sim,
			Help: "writes below a directory never come back, until go; or are refused, until writable",
		},

		{
			Name: "udevd", Usage: "stop|start", Min: 1, Max: 1, Choices: [][]string{{"stop", "start"}}, Side: Lab,
			Help: "end udevd, or start it: it never hears of what comes meanwhile (under emulation a thousand disks' events would take it many minutes)",
		},

		// The product.
		{Name: "config", Usage: "[from=FILE] <<END", Options: []string{"from"}, Body: MayBody, Help: "write /etc/multipath.conf; FILE is a path in the repository; @wwid:LUN in the body stands for its WWID"},
		{Name: "file", Usage: "PATH [from=FILE] [mode=0644] <<END", Min: 1, Max: 1, Options: []string{"from", "mode"}, Body: MayBody, Help: "write a file of the host"},
		{
			Name: "daemon", Usage: "start|stop|restart|kill|pause|resume|reload [refuses=REGEXP] [exit=N] [within=D] [at=IOCTL]", Min: 1, Max: 1, Choices: [][]string{daemonVerbs},
			Options: []string{"refuses", "exit", within, "at"}, SimOptions: []string{"at"},
			Help: "pathkeeper's daemon: kill is SIGKILL, pause and resume are SIGSTOP and SIGCONT; with refuses the verb must fail with these words; " +
				"kill and pause at=" + strings.Join(ioctls, "|") + " comes right behind the next such ioctl (sim)",
		},
		{
			Name: "show", Usage: "WORD... [match=REGEXP] [not=REGEXP] [print=yes] [within=D] <<END", Min: 1, Max: -1, Options: []string{"match", "not", "print", within}, Body: MayBody,
			Help: "`pathkeeper show WORD...`: must match the pattern, or print exactly the body",
		},
		{
			Name: "multipath", Usage: "[WORD...] [match=REGEXP] [not=REGEXP] [exit=N] [print=yes]", Max: -1, Options: []string{"match", "not", "exit", "print", within},
			Help: "pathkeeper called by the name of multipath: multipath -ll",
		},
		{
			Name: "multipathd", Usage: "start|stop", Min: 1, Max: 1, Choices: [][]string{{"start", "stop"}}, Options: []string{within}, Side: Lab,
			Help: "Debian's multipath-tools with its udev rules put back: the oracle",
		},

		// I/O.
		{
			Name: "io", Usage: "NAME start DEVICE [size=16M] | NAME stop|progress|stalled [errors=none|some] [for=D] [within=D]", Min: 2, Max: 3,
			Choices: [][]string{nil, {"start", "stop", "progress", "stalled"}}, Options: []string{"size", "rate", "errors", "for", within},
			Help: "verified I/O that runs until it is stopped; stop fails on an I/O error or a wrong byte unless errors=some",
		},
		{
			Name: "probe", Usage: "NAME read|write|ends [DEVICE] ok|pending|ERRNO [stamp=TEXT] [offset=N] [within=D]", Min: 3, Max: 4,
			Choices: [][]string{nil, {"read", "write", "ends"}}, Options: []string{"stamp", "offset", within},
			Help: "one O_DIRECT block: must end so within the time, or be pending still after it",
		},
		{Name: "expect stamp", Usage: "LUN TEXT COUNT", Min: 3, Max: 3, Help: "how many blocks of the LUN's store begin with this stamp: N, >=N, <=N"},

		{Name: "expect strays", Usage: "COUNT", Min: 1, Max: 1, Side: Sim, Help: "how many writes reached another LUN than they were meant for; what no script expects fails it"},
		{Name: "expect untouched", Usage: "LUN", Min: 1, Max: 1, Help: "not one byte was ever written to the LUN's store"},

		// The kernel's word.
		{
			Name: "expect map", Usage: "NAME [wwid=W] [groups=\"A1 A2 | B1\"] [current=\"A1 A2\"] [failed=\"A1\"] [paths=N] [queue=on|off] [state=active|suspended] [within=D] [for=D]", Min: 1, Max: 1,
			Options: []string{"wwid", "groups", "current", "failed", "paths", "queue", "state", "handler", "selector", within, "for"},
			Help:    "the multipath map as the kernel's table and status say; failed=\"\" is no failed path",
		},
		{Name: "expect maps", Usage: "[NAME...]", Max: -1, Options: []string{within}, Help: "exactly these multipath maps exist"},
		{Name: "expect no-map", Usage: "NAME", Min: 1, Max: 1, Options: []string{within, "for"}, Help: "no such map"},
		{Name: "expect daemon", Usage: "running|paused|ended [within=D]", Min: 1, Max: 1, Choices: [][]string{{"running", "paused", "ended"}}, Options: []string{within}, Side: Sim, Help: "whether its process is there"},
		{Name: "expect udev", Usage: "DEVICE KEY=EXPRESSION [within=D]", Min: 2, Max: 2, Options: []string{within}, Help: "udev's database has the property, with a value that all of the expression matches; KEY= is none"},
		{Name: "expect owner", Usage: "PATH UID GID MODE", Min: 4, Max: 4, Options: []string{within}, Help: "owner and mode of what a node or link leads to"},
		{Name: "expect loads", Usage: "MAP|any COUNT [since=MARK] [within=D]", Min: 2, Max: 2, Options: []string{"since", within}, Help: "table loads that the kernel saw since the mark: N, >=N, <=N"},
		{Name: "expect suspends", Usage: "MAP|any COUNT [since=MARK] [within=D]", Min: 2, Max: 2, Options: []string{"since", within}, Help: "suspend ioctls since the mark"},
		{Name: "expect resumes", Usage: "MAP|any COUNT [since=MARK] [within=D]", Min: 2, Max: 2, Options: []string{"since", within}, Help: "resume ioctls since the mark"},
		{Name: "expect messages", Usage: "MAP|any COUNT [since=MARK] [match=REGEXP] [within=D]", Min: 2, Max: 2, Options: []string{"since", "match", within}, Help: "messages to the target since the mark"},
		{Name: "expect removes", Usage: "MAP|any COUNT [since=MARK] [within=D]", Min: 2, Max: 2, Options: []string{"since", within}, Help: "removals since the mark"},

		// What is said.
		{Name: "expect log", Usage: "REGEXP [since=MARK] [within=D]", Min: 1, Max: 1, Options: []string{"since", within}, Help: "the daemon's log has a line that matches"},
		{Name: "expect no-log", Usage: "REGEXP [since=MARK]", Min: 1, Max: 1, Options: []string{"since"}, Help: "it has none"},
		{
			Name: "run", Usage: "[exit=N] [match=REGEXP] [not=REGEXP] [within=D] [print=yes] PROGRAM ARG... | <<END", Max: -1, Options: []string{"exit", "match", "not", within, "print"}, Body: MayBody, Raw: true, Program: 1,
			Help: "run a program, or the body by sh -e, to its end; sim runs pathkeeper and dmsetup; @LUN:PORT and @disk:NAME stand for the node that a path or disk has now",
		},
		{Name: "wait", Usage: "[within=D] [not=yes] REGEXP PROGRAM ARG...", Min: 2, Max: -1, Options: []string{within, "not"}, Raw: true, Program: 2, Help: "until the program's output matches"},
		{Name: "wait-file", Usage: "PATH [match=REGEXP] [not=yes] [within=D]", Min: 1, Max: 1, Options: []string{"match", "not", within}, Help: "until the file exists, or its content matches"},
		{
			Name: "powercut", Usage: "[within=D] PROGRAM ARG... | <<END", Max: -1, Options: []string{within}, Body: MayBody, Raw: true, Program: 1, Side: Lab,
			Help: "run a program, or the body by sh -e, that ends the machine at once, as `echo b > /proc/sysrq-trigger` does, and boot it again from what was on its disk; LUNs, marks and all that runs are gone",
		},
		{
			Name: "shutdown", Usage: "[match=REGEXP] [within=D] PROGRAM ARG... | <<END", Max: -1, Options: []string{"match", within}, Body: MayBody, Raw: true, Program: 1, Side: Lab,
			Help: "run a program, or the body by sh -e, that orders the host's end, as `systemctl poweroff` does: the machine must be off in time, in order, with a match on its console; the next verb boots it again from its disk",
		},
		{Name: "guest", Usage: "freeze|thaw", Min: 1, Max: 1, Choices: [][]string{{"freeze", "thaw"}}, Side: Lab, Help: "stop and continue the whole guest's CPUs"},
		{
			Name: "rootboot", Usage: "IMAGE [append=TEXT] [match=REGEXP] [console=REGEXP] [within=D] <<END", Min: 1, Max: 1, Options: []string{"append", "match", "console", within}, Body: MustBody, Side: Lab,
			Help: "boot a second machine from an initramfs that this guest has made, its root file system (WWID 35000c500a1b2c3d4) behind two controllers; the body runs in it, what it prints must match, its kernel's console too, and the machine must switch itself off",
		},
		{Name: "teardown", Usage: "", Help: "take everything down now and assert that nothing is left; done at the end anyway"},
	}
}

// table finds verbs by name.
type table map[string]*Verb

func newTable() table {
	t := table{}
	verbs := Verbs()
	for i := range verbs {
		t[verbs[i].Name] = &verbs[i]
	}
	return t
}

// lookup finds the verb at the head of words: two words before one. n is how
// many words its name took.
func (t table) lookup(words []string) (v *Verb, n int, err error) {
	if len(words) >= 2 {
		if v := t[words[0]+" "+words[1]]; v != nil {
			return v, 2, nil
		}
	}
	if v := t[words[0]]; v != nil {
		return v, 1, nil
	}
	var near []string
	for _, v := range Verbs() {
		if first, _, two := strings.Cut(v.Name, " "); two && first == words[0] {
			near = append(near, v.Name)
		}
	}
	if near != nil {
		if len(words) > 1 {
			if one := Nearest(words[0]+" "+words[1], near); one != "" {
				return nil, 0, fmt.Errorf("no verb %q, did you mean %s?", words[0]+" "+words[1], one)
			}
		}
		return nil, 0, fmt.Errorf("%s what? there is %s", words[0], strings.Join(near, ", "))
	}
	if near := Nearest(words[0], verbNames()); near != "" {
		return nil, 0, fmt.Errorf("no verb %q, did you mean %s?", words[0], near)
	}
	if len(words) > 1 {
		if two := words[0] + " " + words[1]; Nearest(two, verbNames()) != "" {
			return nil, 0, fmt.Errorf("no verb %q, did you mean %s?", two, Nearest(two, verbNames()))
		}
	}
	return nil, 0, fmt.Errorf("no verb %q; the verbs are: %s", words[0], strings.Join(verbNames(), ", "))
}

func verbNames() []string {
	var all []string
	for _, v := range Verbs() {
		all = append(all, v.Name)
	}
	return all
}

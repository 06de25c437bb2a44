package policy

import "strconv"

// Values of find_multipaths.
const (
	findOff    = "off"
	findOn     = "on"
	findStrict = "strict"
	findGreedy = "greedy"
	findSmart  = "smart"
)

// pathInfo says whether the device can be a path at all.
type pathInfo uint8

const (
	pathOK      pathInfo = iota
	pathSkipped          // hidden, USB, blacklisted...
	pathFailed           // could not be looked at
)

// claimFacts is what the claim depends on. Every field is a fact of one moment;
// the function has no memory.
type claimFacts struct {
	mode        string // find_multipaths
	member      bool   // in a multipath map now
	identified  bool   // has a WWID
	noDaemon    string // why nobody will build the map; "": somebody will
	noUdev      bool   // udev does not know the device
	notDisk     string // DEVTYPE, where it is not "disk"
	info        pathInfo
	infoReason  string
	failed      bool   // a map of the LUN could not be made
	inUse       string // by whom; "" free
	positive    string // why the configuration names the LUN; "" it does not
	inWWIDs     bool
	mapExists   bool
	released    bool // udev said before that it is no path
	otherPaths  int
	memberAfter bool // found to be a member after the first answer
}

// claimAnswer is the first answer and why.
type claimAnswer struct {
	claim  Claim
	reason string
	// byMode: nothing spoke for or against the device, the mode alone decided.
	byMode bool
}

// claimFirst asks in multipath-tools' order, with two differences: a LUN that the
// configuration names is claimed, and a device in use is claimed in no mode
// (multipath-tools asks for that only in greedy and smart; claiming a mounted
// disk makes systemd unmount it).
func claimFirst(f claimFacts) claimAnswer {
	say := func(c Claim, reason string) claimAnswer { return claimAnswer{claim: c, reason: reason} }
	switch {
	case f.member && f.identified:
		return say(ClaimFinal, "is a path of a running map")
	case f.member:
		return say(ClaimUnknown, "is a path of a running map, but has no WWID now")
	case f.noDaemon != "":
		return say(ClaimNo, "nobody would build its map: "+f.noDaemon)
	case f.noUdev:
		return say(ClaimUnknown, "udev does not know the device")
	case f.notDisk != "":
		return say(ClaimNo, "is no whole disk: "+f.notDisk)
	case f.info == pathSkipped:
		return say(ClaimNo, f.infoReason)
	case f.info == pathFailed:
		return say(ClaimUnknown, f.infoReason)
	case !f.identified:
		return say(ClaimNo, "has no WWID: "+f.infoReason)
	case f.failed:
		return say(ClaimNo, "its map could not be made (failed_wwids)")
	case f.inUse != "":
		return say(ClaimNo, "in use: "+f.inUse)
	case f.positive != "":
		return say(ClaimFinal, f.positive)
	case f.mode == findGreedy:
		return say(ClaimYes, "find_multipaths greedy claims every free disk")
	case f.inWWIDs:
		return say(ClaimFinal, "listed in the wwids file")
	case f.mapExists:
		return say(ClaimYes, "its LUN has a map")
	case f.mode == findSmart:
		return claimAnswer{claim: ClaimMaybe, reason: "find_multipaths smart waits for a second path", byMode: true}
	default:
		return claimAnswer{
			claim: ClaimNo, byMode: true,
			reason: "find_multipaths " + f.mode + ": named neither in the configuration nor in the wwids file, and its LUN has no map",
		}
	}
}

// claimAfter turns the first answer into the last: what happened meanwhile, and
// what udev told the system before.
func claimAfter(first Claim, f claimFacts) (last Claim, reason string) {
	if f.released && (first == ClaimYes || first == ClaimMaybe) {
		return ClaimNo, "udev released it to the system before"
	}
	if first != ClaimMaybe {
		return first, ""
	}
	switch {
	case f.inUse != "" && f.memberAfter:
		return ClaimYes, "is a path of a running map by now"
	case f.inUse != "":
		return ClaimNo, "in use: " + f.inUse
	case f.otherPaths > 0:
		return ClaimYes, "its LUN has " + strconv.Itoa(f.otherPaths+1) + " paths"
	default:
		return ClaimMaybe, ""
	}
}

// verdictOf says what the daemon does with the device. Where the mode alone spoke
// it goes beyond what udev is told: off takes every free disk, on and smart every
// LUN with two paths.
func verdictOf(a claimAnswer, f claimFacts) (Verdict, string) {
	switch {
	case a.claim == ClaimYes || a.claim == ClaimFinal:
		return VerdictAdmit, a.reason
	case a.claim == ClaimUnknown:
		return VerdictUnknown, a.reason
	case a.byMode && f.mode == findOff:
		return VerdictAdmit, "find_multipaths off takes every free disk"
	case a.byMode && (f.mode == findOn || f.mode == findSmart) && f.otherPaths > 0:
		return VerdictAdmit, "find_multipaths " + f.mode + ": its LUN has " + strconv.Itoa(f.otherPaths+1) + " paths"
	case a.claim == ClaimMaybe:
		return VerdictMaybe, a.reason
	default:
		return VerdictReject, a.reason
	}
}

package policy

import "slices"

// Profile is a named set of settings for one use of the storage. It lies under
// whatever the same place of a file says itself, and over what is built in.
type Profile struct {
	Name     string
	Purpose  string
	Settings []ProfileSetting
	HA       HA // what is demanded where the file's `ha:` does not say it
}

// ProfileSetting is one setting of a profile, with its reason.
type ProfileSetting struct {
	Keyword string
	Value   string // canonical text
	// Firm says that the value also takes the place of what a built-in entry of the
	// hardware table says. Without it an array's entry, which is more significant
	// than defaults, would quietly bring back what the profile is there to prevent:
	// 28 of them queue for ever.
	Firm bool
	Why  string
}

// Profiles gives all profiles in the order of their names.
func Profiles() []Profile {
	noFriendly := ProfileSetting{
		"user_friendly_names", "no", true,
		"mpatha, mpathb, ... are given by each host in the order of discovery: the same name can be another LUN on the next node. WWIDs and aliases are the same everywhere",
	}
	return []Profile{
		{
			Name: "ha-pair", Purpose: "two hosts, one LUN at a time: keepalived, heartbeat, pacemaker, sbd",
			Settings: []ProfileSetting{
				{
					"no_path_retry", "4", true,
					"20 seconds at a polling interval of 5: long enough for a controller's failover, short enough that the host gives its LUN up before the peer's time-outs. Queueing for ever blocks umount and turns a takeover into a reboot",
				},
				noFriendly,
				{
					"flush_on_last_del", "always", true,
					"when the last path is taken away nothing will answer the queued I/O: it must fail, so that the service can be stopped",
				},
			},
			HA: HA{DeadlineSeconds: 60, Queueing: "bounded"},
		},
		{
			Name: "k8s-csi", Purpose: "volumes that a CSI driver attaches and detaches",
			Settings: []ProfileSetting{
				{
					"find_multipaths", "on", false,
					"a new volume becomes a map at its second path, although nobody has listed its WWID; a local disk, which has one path, stays alone. greedy would take local disks too, strict only listed WWIDs",
				},
				noFriendly,
				{
					"no_path_retry", "12", true,
					"a minute at a polling interval of 5: file systems live through a switch's restart, and after it kubelet gets an error that it can act on instead of processes that nobody can kill",
				},
				{
					"flush_on_last_del", "always", true,
					"volumes are detached all the time: a map that has lost its last path must not hold I/O back, or unmounting hangs and the map stays for ever",
				},
				{
					"skip_kpartx", "yes", false,
					"what is partitioned inside a volume belongs to the guest that uses it; partition maps of the host would hold the volume open",
				},
			},
			HA: HA{Queueing: "bounded"},
		},
		{
			Name: "oracle-rac", Purpose: "disks of Oracle Clusterware and ASM: OCR, voting, data",
			Settings: []ProfileSetting{
				{
					"no_path_retry", "6", true,
					"30 seconds at a polling interval of 5: a controller's failover passes unseen, and an outage reaches ASM and the voting file logic well before Clusterware's disk time-out of 200 seconds evicts the node. Voting files in three failure groups may have `no_path_retry: fail` in their entries",
				},
				noFriendly,
			},
			HA: HA{DeadlineSeconds: 200, Queueing: "bounded"},
		},
		{
			Name: "root-disk", Purpose: "the host's root file system, or its swap, on a map",
			Settings: []ProfileSetting{
				{
					"no_path_retry", "queue", true,
					"a root file system that gets one error is read-only until a reboot, and no command can be loaded to repair anything: waiting is the only thing that helps",
				},
				noFriendly,
				{
					"flush_on_last_del", "never", true,
					"for the same reason a path's removal does not end the waiting",
				},
				{
					"dev_loss_tmo", "infinity", true,
					"the SCSI devices stay, so that the paths come back by themselves, without udev, whose programs are on the disk that is gone",
				},
			},
			HA: HA{Queueing: "allowed"},
		},
	}
}

// FindProfile finds a profile by its name.
func FindProfile(name string) (Profile, bool) {
	all := Profiles()
	i := slices.IndexFunc(all, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return all[i], true
}

// Layer gives the settings that may stand in a section, as of one place of a file.
func (p Profile) Layer(section Section, at Origin) Layer {
	may := map[string]bool{}
	for _, k := range Keywords() {
		may[k.Name] = may[k.Name] || k.Sections&section != 0
	}
	at.Note = p.Note()
	var out Layer
	for _, s := range p.Settings {
		if may[s.Keyword] {
			out = append(out, Setting{Keyword: s.Keyword, Value: s.Value, Origin: at})
		}
	}
	return out
}

// Note is the note of the origin of a profile's settings.
func (p Profile) Note() string { return "profile " + p.Name }

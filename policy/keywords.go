package policy

import (
	"math"
	"slices"
)

// Section is a set of the places of multipath.conf where a keyword may stand.
type Section uint8

// Places.
const (
	SectionDefaults        Section = 1 << iota
	SectionDevice                  // devices { device { } }
	SectionOverrides               // overrides { }
	SectionMultipath               // multipaths { multipath { } }
	SectionProtocol                // overrides { protocol { } }
	SectionBlacklist               // blacklist { } and blacklist_exceptions { }
	SectionBlacklistDevice         // blacklist { device { } }, and of blacklist_exceptions
)

// Kind is how a keyword's value is written.
type Kind uint8

// Kinds of values. Canonical forms are those of a configuration dump.
const (
	KindUnknown    Kind = iota
	KindYesNo           // yes no, also 1 0
	KindInt             // Min..Max; beyond: capped with a warning
	KindUint            // Min..Max; not a number, negative or beyond: refused
	KindNoInt           // no (also 0) or 1..Max
	KindOffInt          // off, 0 or 1..Max
	KindDevLoss         // seconds or infinity; 0 is unset
	KindRetry           // fail (also 0), queue or 1..Max
	KindFailback        // immediate, manual, followover or 1..Max; 0 is unset
	KindMaxFDs          // max or 0..Max; 0: as it is
	KindWord            // one of Words, or of Synonyms
	KindName            // the name of a checker or prioritizer: Words are those known
	KindText            // anything
	KindNoSlash         // anything without a slash: it becomes part of a device's name
	KindCounted         // a count and as many words: "2 pg_init_retries 50"
	KindSelector        // a name, a count and as many words: "service-time 0"
	KindRegex           // POSIX ERE, of device: one that does not compile never matches
	KindRule            // POSIX ERE of a blacklist: one that does not compile is an error
	KindMode            // octal, at most 0777
	KindOwner           // number or name
	KindKey             // reservation key: hex digits, at most 16, 0x before them, :aptpl behind; or file
	KindAttributes      // type:ATTRIBUTE pairs
	KindIgnored         // accepted for old files and without effect
)

// Keyword is one keyword of multipath.conf.
type Keyword struct {
	Name     string
	Aliases  []string // other spellings with the same meaning today
	Sections Section
	Kind     Kind
	Min, Max int64             // of the number kinds
	Words    []string          // of KindWord and KindName; KindSelector: those known
	Synonyms map[string]string // other spelling of a value: canonical one
	Old      []string          // synonyms that are deprecated
	// ZeroUnset says that 0 is no value of its own: it leaves the setting unset.
	ZeroUnset bool
	// Native says that only the YAML form has it: multipath.conf does not know it.
	Native  bool
	Many    bool   // may stand several times in one place
	Default string // canonical built-in default; "" none
	Meaning string // one clause
}

// Keywords gives all keywords in the order of a dump's defaults section, those
// of the other sections behind.
func Keywords() []Keyword {
	return slices.Concat(generalKeywords(), pathKeywords(), daemonKeywords(), entryKeywords(), nativeKeywords(), ignoredKeywords())
}

const (
	everywhere = SectionDefaults | SectionDevice | SectionOverrides | SectionMultipath
	ofPaths    = SectionDefaults | SectionDevice | SectionOverrides
	timeouts   = ofPaths | SectionProtocol
	maxInt     = math.MaxInt32
)

func generalKeywords() []Keyword {
	return []Keyword{
		{Name: "verbosity", Sections: SectionDefaults, Kind: KindInt, Max: 4, Default: "2", Meaning: "log level"},
		{Name: "polling_interval", Sections: SectionDefaults, Kind: KindUint, Min: 1, Max: math.MaxUint32 - 1, Default: "5", Meaning: "seconds between checks of a path, at first"},
		{Name: "max_polling_interval", Sections: SectionDefaults, Kind: KindUint, Min: 1, Max: math.MaxUint32 - 1, Meaning: "seconds between checks of a path, at most; four times polling_interval if not given"},
		{Name: "reassign_maps", Sections: SectionDefaults, Kind: KindYesNo, Default: "no", Meaning: "rewrite other dm devices that stand on a raw path"},
		{
			Name: "path_selector", Sections: everywhere, Kind: KindSelector, Default: "service-time 0", Meaning: "how the kernel picks a path within a group",
			Words: []string{"round-robin", "queue-length", "service-time", "historical-service-time", "io-affinity"},
		},
		{
			Name: "path_grouping_policy", Sections: everywhere, Kind: KindWord, Default: "failover", Meaning: "which paths form a group",
			Words: []string{"failover", "multibus", "group_by_serial", "group_by_prio", "group_by_node_name", "group_by_tpg"},
		},
		{Name: "uid_attrs", Sections: SectionDefaults, Kind: KindAttributes, Meaning: "udev property with the WWID by kernel name prefix"},
		{Name: "uid_attribute", Sections: ofPaths, Kind: KindText, Default: "ID_SERIAL", Meaning: "udev property with the WWID; empty: ask the device"},
		{
			Name: "prio", Sections: everywhere, Kind: KindName, Default: "const", Meaning: "how a path's priority is found",
			Words: []string{"const", "alua", "sysfs", "ana", "emc", "rdac", "hp_sw", "hds", "ontap", "random", "weightedpath", "path_latency", "datacore", "iet"},
		},
		{Name: "prio_args", Sections: everywhere, Kind: KindText, Meaning: "arguments of prio"},
		{Name: "features", Sections: everywhere, Kind: KindCounted, Default: "0", Meaning: "features of the multipath target"},
		{
			Name: "path_checker", Aliases: []string{"checker"}, Sections: ofPaths, Kind: KindName, Default: "tur", Meaning: "how a path is checked",
			Words: []string{"tur", "directio", "rdac", "emc_clariion", "hp_sw", "cciss_tur", "readsector0", "none"},
		},
		{Name: "alias_prefix", Sections: ofPaths, Kind: KindNoSlash, Default: "mpath", Meaning: "start of friendly names"},
		{Name: "failback", Sections: everywhere, Kind: KindFailback, Max: maxInt, Default: "manual", Meaning: "when to go back to the best group"},
		{Name: "rr_min_io", Sections: everywhere, Kind: KindInt, Max: maxInt, ZeroUnset: true, Default: "1000", Meaning: "requests per path before the next, kernels before 2.6.31 only"},
		{Name: "rr_min_io_rq", Sections: everywhere, Kind: KindInt, Max: maxInt, ZeroUnset: true, Default: "1", Meaning: "requests per path before the next"},
		{Name: "max_fds", Sections: SectionDefaults, Kind: KindMaxFDs, Max: maxInt, Default: "max", Meaning: "file descriptors of the daemon"},
		{Name: "rr_weight", Sections: everywhere, Kind: KindWord, Words: []string{"uniform", "priorities"}, Default: "uniform", Meaning: "weigh rr_min_io by the path's priority"},
		{Name: "no_path_retry", Sections: everywhere, Kind: KindRetry, Max: maxInt, Meaning: "checks to queue when no path is left"},
		{Name: "queue_without_daemon", Sections: SectionDefaults, Kind: KindYesNo, Default: "no", Meaning: "go on queueing when the daemon stops"},
		{Name: "checker_timeout", Sections: SectionDefaults, Kind: KindInt, Max: maxInt, ZeroUnset: true, Meaning: "seconds for a check's command"},
		{Name: "allow_usb_devices", Sections: SectionDefaults, Kind: KindYesNo, Default: "no", Meaning: "USB disks may be paths"},
		{
			Name: "flush_on_last_del", Sections: everywhere, Kind: KindWord, Default: "unused", Meaning: "stop queueing when the last path is deleted",
			Words: []string{"never", "always", "unused"}, Synonyms: map[string]string{"yes": "always", "no": "unused"}, Old: []string{"yes", "no"},
		},
		{Name: "user_friendly_names", Sections: everywhere, Kind: KindYesNo, Default: "no", Meaning: "name maps mpatha, mpathb, ..."},
		{Name: "mode", Sections: SectionDefaults | SectionMultipath, Kind: KindMode, Meaning: "mode of the device node"},
		{Name: "uid", Sections: SectionDefaults | SectionMultipath, Kind: KindOwner, Meaning: "owner of the device node"},
		{Name: "gid", Sections: SectionDefaults | SectionMultipath, Kind: KindOwner, Meaning: "group of the device node"},
	}
}

func pathKeywords() []Keyword {
	yes := func(name string, sections Section, def, meaning string) Keyword {
		return Keyword{Name: name, Sections: sections, Kind: KindYesNo, Default: def, Meaning: meaning}
	}
	no := func(name, meaning string) Keyword {
		return Keyword{Name: name, Sections: everywhere, Kind: KindNoInt, Max: maxInt, Default: "no", Meaning: meaning}
	}
	return []Keyword{
		{Name: "fast_io_fail_tmo", Sections: timeouts, Kind: KindOffInt, Max: maxInt, Default: "5", Meaning: "seconds until the transport fails I/O on a lost port"},
		{Name: "dev_loss_tmo", Sections: timeouts, Kind: KindDevLoss, Max: math.MaxUint32, Meaning: "seconds until the transport removes a lost port"},
		{Name: "eh_deadline", Sections: timeouts, Kind: KindOffInt, Max: maxInt, Meaning: "seconds for the SCSI error handler"},
		{Name: "max_retries", Sections: SectionDefaults, Kind: KindOffInt, Max: 5, Meaning: "the SCSI disk driver's retries"},
		{Name: "log_checker_err", Sections: SectionDefaults, Kind: KindWord, Words: []string{"once", "always"}, Default: "always", Meaning: "repeat messages of a path that stays down"},
		{Name: "reservation_key", Sections: SectionDefaults | SectionMultipath, Kind: KindKey, Meaning: "persistent reservation key"},
		yes("all_tg_pt", ofPaths, "no", "register the key on all target ports at once"),
		yes("retain_attached_hw_handler", ofPaths, "yes", "keep the handler that the kernel attached"),
		yes("detect_prio", ofPaths, "yes", "choose ana, sysfs or alua where the device can do it"),
		yes("detect_checker", ofPaths, "yes", "choose rdac or tur by the device"),
		yes("detect_pgpolicy", ofPaths, "yes", "choose group_by_prio where the device has target port groups"),
		yes("detect_pgpolicy_use_tpg", ofPaths, "no", "choose group_by_tpg instead"),
		yes("force_sync", SectionDefaults, "no", "checkers wait for their answer"),
		yes("strict_timing", SectionDefaults, "no", "check each second exactly"),
		yes("deferred_remove", everywhere, "no", "remove a map in use when its last opener leaves"),
		{Name: "partition_delimiter", Sections: SectionDefaults, Kind: KindNoSlash, Meaning: "text between a map's name and a partition's number"},
		no("delay_watch_checks", "checks a path is watched after it came back"),
		no("delay_wait_checks", "checks a watched path has to wait"),
		no("san_path_err_threshold", "path errors until a path is kept out"),
		no("san_path_err_forget_rate", "checks after which one error is forgotten"),
		no("san_path_err_recovery_time", "seconds a path is kept out"),
		no("marginal_path_err_sample_time", "seconds of test I/O on a doubtful path"),
		no("marginal_path_err_rate_threshold", "errors per thousand that make a path marginal"),
		no("marginal_path_err_recheck_gap_time", "seconds between test rounds"),
		no("marginal_path_double_failed_time", "seconds within which two failures start a test"),
		yes("skip_kpartx", everywhere, "no", "no maps for partitions"),
		yes("purge_disconnected", everywhere, "no", "delete a SCSI device whose LUN is gone"),
		{Name: "max_sectors_kb", Sections: everywhere, Kind: KindInt, Max: maxInt, ZeroUnset: true, Meaning: "largest request written to a path's queue"},
		no("ghost_delay", "seconds a map with only ghost paths waits"),
		yes("recheck_wwid", ofPaths, "no", "read the WWID again when a path comes back"),
	}
}

func daemonKeywords() []Keyword {
	onOff := map[string]string{"no": "off", "0": "off", "yes": "on", "1": "on"}
	return []Keyword{
		{Name: "marginal_pathgroups", Sections: SectionDefaults, Kind: KindWord, Words: []string{"off", "on", "fpin"}, Synonyms: onOff, Default: "off", Meaning: "marginal paths form groups of their own"},
		{Name: "find_multipaths", Sections: SectionDefaults, Kind: KindWord, Words: []string{"off", "on", "strict", "greedy", "smart"}, Synonyms: onOff, Default: "strict", Meaning: "which disks become paths"},
		{Name: "find_multipaths_timeout", Sections: SectionDefaults, Kind: KindInt, ZeroUnset: true, Min: math.MinInt32, Max: maxInt, Default: "-10", Meaning: "seconds smart waits for a second path; negative: only for known hardware"},
		{Name: "uxsock_timeout", Sections: SectionDefaults, Kind: KindInt, Min: 4000, Max: maxInt, Default: "4000", Meaning: "milliseconds for a command's answer"},
		{Name: "retrigger_tries", Sections: SectionDefaults, Kind: KindInt, Max: maxInt, Default: "3", Meaning: "uevents asked for when a path has no WWID"},
		{Name: "retrigger_delay", Sections: SectionDefaults, Kind: KindInt, Max: maxInt, Default: "10", Meaning: "seconds between them"},
		{Name: "missing_uev_wait_timeout", Sections: SectionDefaults, Kind: KindInt, Max: maxInt, Default: "30", Meaning: "seconds to wait for a new map's uevent"},
		{Name: "remove_retries", Sections: SectionDefaults, Kind: KindInt, Max: maxInt, Default: "0", Meaning: "tries to remove a map in use"},
		{Name: "auto_resize", Sections: SectionDefaults, Kind: KindWord, Words: []string{"never", "grow_only", "grow_shrink"}, Default: "never", Meaning: "resize a map with its paths"},
		{Name: "enable_foreign", Sections: SectionDefaults, Kind: KindRegex, Default: "NONE", Meaning: "foreign multipath devices to show"},
	}
}

func entryKeywords() []Keyword {
	match := SectionDevice | SectionBlacklistDevice
	return []Keyword{
		{Name: "vendor", Sections: match, Kind: KindRegex, Meaning: "SCSI vendor"},
		{Name: "product", Sections: match, Kind: KindRegex, Meaning: "SCSI product"},
		{Name: "revision", Sections: SectionDevice, Kind: KindRegex, Meaning: "SCSI revision"},
		{Name: "product_blacklist", Sections: SectionDevice, Kind: KindRule, Meaning: "product of the same vendor that is no path"},
		{Name: "hardware_handler", Sections: SectionDevice, Kind: KindCounted, Default: "0", Meaning: "the kernel's device handler"},
		{Name: "vpd_vendor", Sections: SectionDevice, Kind: KindWord, Words: []string{"hp3par"}, Meaning: "vendor's VPD page to read"},
		{Name: "wwid", Sections: SectionMultipath, Kind: KindText, Meaning: "the LUN this entry is for"},
		{Name: "alias", Sections: SectionMultipath, Kind: KindNoSlash, Meaning: "name of the map"},
		{Name: "type", Sections: SectionProtocol, Kind: KindWord, Words: Protocols(), Meaning: "the protocol this entry is for"},
		{Name: "devnode", Sections: SectionBlacklist, Kind: KindRule, Many: true, Meaning: "kernel name"},
		{Name: "wwid", Sections: SectionBlacklist, Kind: KindRule, Many: true, Meaning: "WWID"},
		{Name: "property", Sections: SectionBlacklist, Kind: KindRule, Many: true, Meaning: "name of a udev property"},
		{Name: "protocol", Sections: SectionBlacklist, Kind: KindRule, Many: true, Meaning: "protocol of the path"},
	}
}

func nativeKeywords() []Keyword {
	return []Keyword{
		{Name: "expected_paths", Sections: everywhere, Kind: KindUint, Min: 1, Max: 1024, Native: true, Meaning: "paths a map has when all is well"},
	}
}

func ignoredKeywords() []Keyword {
	gone := func(name string, sections Section, meaning string) Keyword {
		return Keyword{Name: name, Sections: sections, Kind: KindIgnored, Meaning: meaning}
	}
	return []Keyword{
		gone("getuid_callout", ofPaths, "the WWID comes from udev or from the device"),
		gone("pg_timeout", SectionDefaults|SectionDevice|SectionMultipath, "the kernel has no such time-out"),
		gone("multipath_dir", SectionDefaults, "checkers and prioritizers are built in"),
		gone("config_dir", SectionDefaults, "drop-ins are in /etc/multipath/conf.d"),
		gone("bindings_file", SectionDefaults, "names are in /etc/multipath/bindings"),
		gone("wwids_file", SectionDefaults, "WWIDs are in /etc/multipath/wwids"),
		gone("prkeys_file", SectionDefaults, "reservation keys are in /etc/multipath/prkeys"),
		gone("disable_changed_wwids", SectionDefaults, "a path whose WWID changed is always kept out"),
	}
}

// Protocols gives multipath-tools' names of protocols, in its order.
func Protocols() []string {
	return []string{
		"undef", "ccw", "cciss", "scsi:fcp", "scsi:spi", "scsi:ssa", "scsi:sbp", "scsi:srp", "scsi:iscsi", "scsi:sas", "scsi:adt", "scsi:ata", "scsi:usb", "scsi:unspec",
		"nvme:pcie", "nvme:rdma", "nvme:fc", "nvme:tcp", "nvme:loop", "nvme:apple-nvme", "nvme:unspec",
	}
}

package configs

import "slices"

// The orders of keywords in a dump. They are not the same in all sections.

func dumpedDefaults() []string {
	return []string{
		"verbosity", "polling_interval", "max_polling_interval", "reassign_maps", "path_selector", "path_grouping_policy", "uid_attrs", "uid_attribute",
		"prio", "prio_args", "features", "path_checker", "alias_prefix", "failback", "rr_min_io", "rr_min_io_rq", "max_fds", "rr_weight",
		"no_path_retry", "queue_without_daemon", "checker_timeout", "allow_usb_devices", "flush_on_last_del", "user_friendly_names", "mode", "uid", "gid",
		"fast_io_fail_tmo", "dev_loss_tmo", "eh_deadline", "max_retries", "log_checker_err", "reservation_key", "all_tg_pt",
		"retain_attached_hw_handler", "detect_prio", "detect_checker", "detect_pgpolicy", "detect_pgpolicy_use_tpg", "force_sync", "strict_timing",
		"deferred_remove", "partition_delimiter", "delay_watch_checks", "delay_wait_checks", "san_path_err_threshold", "san_path_err_forget_rate",
		"san_path_err_recovery_time", "marginal_path_err_sample_time", "marginal_path_err_rate_threshold", "marginal_path_err_recheck_gap_time",
		"marginal_path_double_failed_time", "find_multipaths", "uxsock_timeout", "retrigger_tries", "retrigger_delay", "missing_uev_wait_timeout",
		"skip_kpartx", "purge_disconnected", "remove_retries", "max_sectors_kb", "ghost_delay", "auto_resize", "find_multipaths_timeout",
		"enable_foreign", "marginal_pathgroups", "recheck_wwid",
	}
}

func dumpedDevice() []string {
	return slices.Concat(
		[]string{
			"vendor", "product", "revision", "product_blacklist", "path_grouping_policy", "uid_attribute", "path_selector", "path_checker",
			"alias_prefix", "features", "hardware_handler", "prio", "prio_args", "failback", "rr_weight", "no_path_retry", "rr_min_io", "rr_min_io_rq",
		},
		dumpedTimeouts(), dumpedFlaky(),
		[]string{"max_sectors_kb", "ghost_delay", "all_tg_pt", "vpd_vendor", "recheck_wwid"},
	)
}

func dumpedOverrides() []string {
	return slices.Concat(
		[]string{
			"path_grouping_policy", "uid_attribute", "path_selector", "path_checker", "alias_prefix", "features", "prio", "prio_args", "failback",
			"rr_weight", "no_path_retry", "rr_min_io", "rr_min_io_rq",
		},
		dumpedTimeouts(), dumpedFlaky(),
		[]string{"max_sectors_kb", "ghost_delay", "all_tg_pt", "recheck_wwid"},
	)
}

// dumpedTimeouts is common to device and overrides.
func dumpedTimeouts() []string {
	return []string{
		"flush_on_last_del", "fast_io_fail_tmo", "dev_loss_tmo", "eh_deadline", "user_friendly_names", "retain_attached_hw_handler",
		"detect_prio", "detect_checker", "detect_pgpolicy", "detect_pgpolicy_use_tpg",
	}
}

// dumpedFlaky is common to device, overrides and multipath.
func dumpedFlaky() []string {
	return []string{
		"deferred_remove", "delay_watch_checks", "delay_wait_checks", "san_path_err_threshold", "san_path_err_forget_rate", "san_path_err_recovery_time",
		"marginal_path_err_sample_time", "marginal_path_err_rate_threshold", "marginal_path_err_recheck_gap_time", "marginal_path_double_failed_time",
		"skip_kpartx", "purge_disconnected",
	}
}

func dumpedProtocol() []string {
	return []string{"type", "fast_io_fail_tmo", "dev_loss_tmo", "eh_deadline"}
}

func dumpedMultipath() []string {
	return slices.Concat(
		[]string{
			"wwid", "alias", "path_grouping_policy", "path_selector", "prio", "prio_args", "failback", "rr_weight", "no_path_retry", "rr_min_io",
			"rr_min_io_rq", "flush_on_last_del", "features", "mode", "uid", "gid", "reservation_key", "user_friendly_names",
		},
		dumpedFlaky(),
		[]string{"max_sectors_kb", "ghost_delay"},
	)
}

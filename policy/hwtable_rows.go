package policy

// hwRow is one entry of the built-in hardware table as multipath-tools 0.14.3
// has it: match strings, and settings as "keyword value; keyword value".
type hwRow struct {
	vendor, product, blacklist string
	settings                   string
}

// hwRows gives the table in its order. The rule: entries are matched from the end,
// and each keyword is taken from the first entry met that has it. So what is
// generic (^NVME) stands above, what is special below it, and a new row goes below
// every row whose expressions also fit its devices. A test holds that no row hides
// a value of another.
func hwRows() []hwRow {
	return []hwRow{
		// Generic NVMe.
		{"^NVME", ".*", "", "path_grouping_policy group_by_prio; path_checker none; failback immediate; uid_attribute ID_WWN"},
		// Apple.
		{"APPLE", "Xserve RAID", "", "path_grouping_policy multibus"},
		// HPE.
		{"3PARdata", "VV", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 18; fast_io_fail_tmo 10; dev_loss_tmo infinity; vpd_vendor hp3par"},
		{"NVME", "HPE Alletra", "", "no_path_retry queue"},
		{"DEC", "HSG80", "", "path_grouping_policy group_by_prio; path_checker hp_sw; prio hp_sw; no_path_retry queue"},
		{"HP", "A6189A", "", "path_grouping_policy multibus; no_path_retry 12"},
		{"(COMPAQ|HP)", "(MSA|HSV)1[01]0", "", "path_grouping_policy group_by_prio; path_checker hp_sw; prio hp_sw; no_path_retry 12"},
		{"(COMPAQ|HP)", "MSA VOLUME", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 12"},
		{"(COMPAQ|HP)", "(HSV1[01]1|HSV2[01]0|HSV3[046]0|HSV4[05]0)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 12"},
		{"HP", "(MSA2[02]12fc|MSA2012i)", "", "path_grouping_policy multibus; no_path_retry 18"},
		{"HP", "(MSA2012sa|MSA23(12|24)(fc|i|sa)|MSA2000s VOLUME)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 18"},
		{"(HP|HPE)", "MSA [12]0[4567]0 (SAN|SAS|FC|iSCSI)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 18"},
		{"HP", "(HSVX700|HSVX740)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 12"},
		{"HP", "LOGICAL VOLUME", "", "path_grouping_policy multibus; no_path_retry 12"},
		{"HP", "(P2000 G3 FC|P2000G3 FC/iSCSI|P2000 G3 SAS|P2000 G3 iSCSI)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 18"},
		{"LEFTHAND", "(P4000|iSCSIDisk|FCDISK)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 18"},
		{"Nimble", "Server", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue"},
		{"SGI", "TP9100", "", "path_grouping_policy multibus"},
		{"SGI", "TP9[3457]00", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"SGI", "IS", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"SGI", "^DD[46]A-", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		// DataDirect Networks.
		{"DDN", "SAN DataDirector", "", "path_grouping_policy multibus"},
		{"DDN", "^EF3010", "", "path_grouping_policy multibus; no_path_retry 30"},
		{"DDN", "^(EF3015|S2A|SFA)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		{"NEXENTA", "COMSTAR", "", "path_grouping_policy group_by_serial; no_path_retry 30"},
		{"TEGILE", "(ZEBI-(FC|ISCSI)|INTELLIFLASH)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 10"},
		// Dell EMC.
		{"EMC", "SYMMETRIX", "", "path_grouping_policy multibus; no_path_retry 6"},
		{"NVME", "EMC PowerMax", "", "no_path_retry queue"},
		{"^DGC", "^(RAID|DISK|VRAID)", "LUNZ", "path_grouping_policy group_by_prio; path_checker emc_clariion; prio emc; failback immediate; no_path_retry 60; detect_checker no"},
		{"EMC", "Invista", "LUNZ", "path_grouping_policy multibus; no_path_retry 5"},
		{"XtremIO", "XtremApp", "", "path_grouping_policy multibus"},
		{"COMPELNT", "Compellent Vol", "", "path_grouping_policy group_by_prio; failback immediate; no_path_retry queue"},
		{"DELL", "^MD3", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"DellEMC", "PowerStore", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 3; fast_io_fail_tmo 15"},
		{"NVME", "dellemc-powerstore", "", "no_path_retry 3"},
		{"DellEMC", "^ME", "", "path_grouping_policy group_by_prio; prio alua; failback immediate"},
		{"EQLOGIC", "100E-00", "", "path_grouping_policy multibus; no_path_retry 30"},
		// Fujitsu.
		{"FSC", "CentricStor", "", "path_grouping_policy group_by_serial"},
		{"FUJITSU", "ETERNUS_DX(H|L|M|400|8000)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 10"},
		{"(EUROLOGC|EuroLogc)", "FC2502", "", "path_grouping_policy multibus"},
		{"FUJITSU", "E[234]000", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 10"},
		{"FUJITSU", "E[68]000", "", "path_grouping_policy multibus; no_path_retry 10"},
		{"FUJITSU", "ETERNUS_AHB", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		// Hitachi Vantara.
		{"(HITACHI|HP|HPE)", "^OPEN-", "", "path_grouping_policy group_by_prio; failback immediate; no_path_retry 10"},
		{"HITACHI", "^DF", "", "path_grouping_policy group_by_prio; prio hds; failback immediate; no_path_retry queue"},
		{"HITACHI", "^DF600F", "", "path_grouping_policy multibus"},
		{"HITACHI", "Hi-SDS", "", "path_grouping_policy group_by_prio; path_checker directio; prio alua; failback immediate; no_path_retry 6; detect_checker no"},
		{"NVME", "HITACHI SVOS-RF-System", "", "no_path_retry queue"},
		// IBM.
		{"IBM", "ProFibre 4000R", "", "path_grouping_policy multibus"},
		{"IBM", "^1722-600", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^1724", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^1726", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^1742", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^1746", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^1813", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^1814", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^1815", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^1818", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^3526", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^(3542|3552)", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"IBM", "^2105", "", "path_grouping_policy multibus; no_path_retry queue"},
		{"IBM", "^1750500", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue"},
		{"IBM", "^2107900", "", "path_grouping_policy group_by_prio; failback immediate; no_path_retry queue"},
		{"IBM", "^2145", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue"},
		{"NVME", "IBM[ ]+2145", "", "no_path_retry queue"},
		{"IBM", "S/390 DASD ECKD", "S/390 DASD ECKD", "path_grouping_policy multibus; path_checker directio; no_path_retry queue; uid_attribute ID_UID"},
		{"IBM", "S/390 DASD FBA", "S/390 DASD FBA", "path_grouping_policy multibus; path_checker directio; no_path_retry queue; uid_attribute ID_UID"},
		{"IBM", "^IPR", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue"},
		{"IBM", "1820N00", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue"},
		{"(XIV|IBM)", "(NEXTRA|2810XIV)", "", "path_grouping_policy group_by_prio; failback 15; no_path_retry queue"},
		{"(TMS|IBM)", "(RamSan|FlashSystem)", "", "path_grouping_policy multibus"},
		{"NVME", "FlashSystem", "", "no_path_retry fail"},
		{"IBM", "^(DCS9900|2851)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		// IBM Power Virtual SCSI Devices.
		{"AIX", "VDASD", "", "path_grouping_policy multibus; no_path_retry 60"},
		{"IBM", "3303[ ]+NVDISK", "", "no_path_retry 60"},
		{"AIX", "NVDISK", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 60"},
		// Lenovo.
		{"LENOVO", "DE_Series", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		// NetApp.
		{"NETAPP", "LUN", "", "path_grouping_policy group_by_prio; prio ontap; failback immediate; no_path_retry queue; features 2 pg_init_retries 50; dev_loss_tmo infinity; flush_on_last_del always; user_friendly_names no"},
		{"(NETAPP|LSI|ENGENIO)", "INF-01-00", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"SolidFir", "SSD SAN", "", "path_grouping_policy multibus; no_path_retry 24"},
		{"NVME", "^NetApp ONTAP Controller", "", "no_path_retry queue"},
		// NEC.
		{"NEC", "DISK ARRAY", "", "path_grouping_policy group_by_prio; prio alua; failback immediate"},
		// Pillar Data / Oracle FS.
		{"^Pillar", "^Axiom", "", "path_grouping_policy group_by_prio; prio alua; failback immediate"},
		{"^Oracle", "^Oracle FS", "", "path_grouping_policy group_by_prio; prio alua; failback immediate"},
		{"STK", "BladeCtlr", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"STK", "OPENstorage", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"STK", "FLEXLINE 380", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"SUN", "StorEdge 3", "", "path_grouping_policy multibus"},
		{"SUN", "STK6580_6780", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"SUN", "CSM[12]00_R", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"SUN", "LCSM100_[IEFS]", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"SUN", "SUN_6180", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"SUN", "ArrayStorage", "Universal Xport", "path_grouping_policy group_by_prio; path_checker rdac; prio rdac; failback immediate; no_path_retry 30; features 2 pg_init_retries 50"},
		{"SUN", "(Sun Storage|ZFS Storage|COMSTAR)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		// Pivot3.
		{"PIVOT3", "RAIGE VOLUME", "", "path_grouping_policy multibus; no_path_retry queue"},
		{"(NexGen|Pivot3)", "(TierStore|vSTAC)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue"},
		// Intel.
		{"(Intel|INTEL)", "Multi-Flex", "VTrak V-LUN", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue"},
		// Linux.
		{"(LIO-ORG|SUSE)", ".*", "", "path_grouping_policy group_by_prio; path_checker directio; prio alua; failback immediate; no_path_retry 12; detect_checker no"},
		{"^SCST_", ".*", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 12"},
		// DataCore.
		{"DataCore", "SANmelody", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue"},
		{"DataCore", "Virtual Disk", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue"},
		// Pure Storage.
		// The upstream source also declares max_sectors_kb 4096 for the next one, but its
		// program does not take the value over. It is left out: see docs/differences.md.
		{"PURE", "FlashArray", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; fast_io_fail_tmo 10; detect_prio no"},
		{"NVME", "Pure Storage FlashArray", "", "no_path_retry 10"},
		// Huawei.
		{"^(HUAWEI|HUASY|HS)", "^(Dorado[25]|HVS8|S[23568]|V1[568]|VIS6000)", "", "path_grouping_policy group_by_prio; failback immediate; no_path_retry 15"},
		{"^(HUAWEI|AnyStor|Marstor|NETPOSA|SanM|SUGON|UDsafe)", "XSG1", "", "path_grouping_policy group_by_prio; failback immediate; no_path_retry 15"},
		{"NVME", "Huawei-XSG1", "", "no_path_retry 12"},
		// Kove.
		{"KOVE", "XPD", "", "path_grouping_policy multibus"},
		// Infinidat.
		{"NFINIDAT", "InfiniBox", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry queue; fast_io_fail_tmo 15; dev_loss_tmo infinity; flush_on_last_del always; detect_prio no"},
		{"NVME", "InfiniBox", "", "no_path_retry queue"},
		// Kaminario.
		{"KMNRIO", "K2", "", "path_grouping_policy multibus"},
		// StorCentric.
		{"NEXSAN", "NXS-B0", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 15"},
		{"NEXSAN", "SATAB", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 15"},
		{"Nexsan", "(NestOS|NST5000)", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		{"VIOLIN", "SAN ARRAY$", "", "path_grouping_policy group_by_serial; no_path_retry 30"},
		{"VIOLIN", "SAN ARRAY ALUA", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		{"VIOLIN", "CONCERTO ARRAY", "", "path_grouping_policy multibus; no_path_retry 30"},
		{"(XIOTECH|XIOtech)", "ISE", "", "path_grouping_policy multibus; no_path_retry 12"},
		{"(XIOTECH|XIOtech)", "IGLU DISK", "", "path_grouping_policy multibus; no_path_retry 30"},
		{"(XIOTECH|XIOtech)", "Magnitude", "", "path_grouping_policy multibus; no_path_retry 30"},
		{"Vexata", "VX", "", "path_grouping_policy multibus; no_path_retry 30"},
		// Promise Technology.
		{"Promise", "VTrak", "VTrak V-LUN", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		{"Promise", "Vess", "Vess V-LUN", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		// Infortrend Technology.
		{"^IFT", ".*", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		// Seagate Technology (Dot Hill Systems).
		{"DotHill", "SANnet", "", "path_grouping_policy multibus; no_path_retry 30"},
		{"DotHill", "R/Evo", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		{"DotHill", "^DH", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		{"SEAGATE", "STJX", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		{"SEAGATE", "^[456]", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		// AccelStor.
		{"AStor", "NeoSapphire", "", "path_grouping_policy group_by_prio; failback immediate; no_path_retry 30"},
		// INSPUR.
		{"INSPUR", "MCS", "", "path_grouping_policy group_by_prio; prio alua; failback immediate"},
		// MacroSAN Technologies.
		{"MacroSAN", "LU", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		// Quantum.
		{"Quantum", "(StorNext QX|QXS)", "cvfsctl", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 18"},
		{"QUANTUM", "^(F|P|H)[24]", "", "path_grouping_policy group_by_prio; prio alua; failback immediate; no_path_retry 30"},
		{"QUANTUM", "^F1", "", "path_grouping_policy group_by_serial; no_path_retry 30"},
		// Acronis.
		{"VSTORAGE", "VSTOR-DISK", "", "path_grouping_policy group_by_node_name; prio alua; failback immediate; no_path_retry queue; features 2 pg_init_retries 50; flush_on_last_del always; detect_prio no"},
		// QSAN.
		{"^Qsan", ".*", "", "path_grouping_policy group_by_prio; prio_args exclusive_pref_bit; failback immediate; no_path_retry 30"},
		// VAST Data.
		{"NVME", "VASTData", "", "no_path_retry queue"},
	}
}

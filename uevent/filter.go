package uevent

import "golang.org/x/sys/unix"

// subsystemHash is the hash that udevd puts into its header for filters:
// MurmurHash2 of the name with seed 0 (systemd: string_hash32).
func subsystemHash(s string) uint32 {
	const m = 0x5bd1e995
	h := uint32(len(s))
	for ; len(s) >= 4; s = s[4:] {
		k := uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
		k *= m
		k ^= k >> 24
		k *= m
		h *= m
		h ^= k
	}
	for i := len(s) - 1; i >= 0; i-- {
		h ^= uint32(s[i]) << (8 * i)
	}
	if len(s) > 0 {
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}

// subsystemFilter is a socket filter that passes udevd's events of the given
// subsystems and everything that is not in udevd's format (which Check and Parse
// judge). Without it every event of every sound card wakes the daemon.
func subsystemFilter(subsystems []string) []unix.SockFilter {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jeq  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
		pass = 0xffffffff
	)
	n := uint8(len(subsystems))
	prog := []unix.SockFilter{
		{Code: load, K: 8}, // magic
		{Code: jeq, Jt: 0, Jf: n + 2, K: udevMagic},
		{Code: load, K: 24}, // filter_subsystem_hash
	}
	for i, s := range subsystems {
		prog = append(prog, unix.SockFilter{Code: jeq, Jt: n - uint8(i), Jf: 0, K: subsystemHash(s)})
	}
	return append(prog, unix.SockFilter{Code: ret, K: 0}, unix.SockFilter{Code: ret, K: pass})
}

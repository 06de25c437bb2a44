package scsi

import (
	"encoding/binary"
	"fmt"
)

// Capacity is the answer to READ CAPACITY.
type Capacity struct {
	Blocks      uint64 // number of logical blocks; 0 with TooBig
	BlockLen    uint32 // logical block length, bytes
	TooBig      bool   // READ CAPACITY(10) only: ask READ CAPACITY(16)
	PhysicalExp uint8  // physical block = 2^n logical blocks; (16) only
	Provisioned bool   // LBPME, thin provisioning; (16) only
	ProtectType uint8  // 0 none, else the protection type 1-3; (16) only
}

// DecodeReadCapacity10 decodes 8 bytes (SBC-3 5.12.2).
func DecodeReadCapacity10(data []byte) (Capacity, error) {
	if len(data) < 8 {
		return Capacity{}, fmt.Errorf("READ CAPACITY(10): %d bytes came, 8 are the least: %w", len(data), ErrShort)
	}
	last, blockLen := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	if err := checkBlockLen("READ CAPACITY(10)", blockLen); err != nil {
		return Capacity{}, err
	}
	if last == 0xffffffff {
		return Capacity{BlockLen: blockLen, TooBig: true}, nil
	}
	return Capacity{Blocks: uint64(last) + 1, BlockLen: blockLen}, nil
}

// DecodeReadCapacity16 decodes at least 12 of 32 bytes (SBC-3 5.13.2); what is
// missing behind them counts as zero.
func DecodeReadCapacity16(data []byte) (Capacity, error) {
	if len(data) < 12 {
		return Capacity{}, fmt.Errorf("READ CAPACITY(16): %d bytes came, 12 are the least: %w", len(data), ErrShort)
	}
	last, blockLen := binary.BigEndian.Uint64(data), binary.BigEndian.Uint32(data[8:])
	if err := checkBlockLen("READ CAPACITY(16)", blockLen); err != nil {
		return Capacity{}, err
	}
	if last > 1<<55 { // more bytes than 64 bits hold
		return Capacity{}, fmt.Errorf("READ CAPACITY(16): last block %#x: %w", last, ErrInvalid)
	}
	var tail [4]byte
	copy(tail[:], data[12:])
	c := Capacity{
		Blocks:      last + 1,
		BlockLen:    blockLen,
		PhysicalExp: tail[1] & 0xf,
		Provisioned: tail[2]&0x80 != 0,
	}
	if tail[0]&1 != 0 {
		c.ProtectType = tail[0]>>1&7 + 1
	}
	return c, nil
}

// checkBlockLen takes what the kernel's sd driver takes.
func checkBlockLen(command string, n uint32) error {
	if n < 512 || n > 4096 || n&(n-1) != 0 {
		return fmt.Errorf("%s: block length %d, want 512, 1024, 2048 or 4096: %w", command, n, ErrInvalid)
	}
	return nil
}

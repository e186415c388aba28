//go:build (linux || darwin) && !slab_heap

package slab

import (
	"os"

	"golang.org/x/sys/unix"
)

// On a 64-bit system the default is a TiB: 128 such reservations fit in the
// 47 bits of address space that a process has, and a table that needs more
// than a TiB of rows on one machine says so in MaxRows. A 32-bit system, whose
// pointers make maxReserve small, starts at 256 MiB.
const (
	maxReserve  = 1<<62>>(32*(1-wide)) - 1
	wide        = ^uint(0) >> 63
	wantReserve = 1 << 28 << (12 * wide)
	baseAlign   = hugeBytes
	pageStep    = 1 << 16 // no system here has larger base pages
)

var smallPage = uint64(os.Getpagesize())

// defaultReserve is the address space to ask for first. Where RLIMIT_AS bounds
// the process, a slab leaves room for others and for the Go heap.
func defaultReserve() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &limit); err != nil {
		return wantReserve
	}
	return min(wantReserve, limit.Cur/8)
}

func reserve(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
}

func commit(part []byte) error {
	return unix.Mprotect(part, unix.PROT_READ|unix.PROT_WRITE)
}

func release(raw []byte) error { return unix.Munmap(raw) }

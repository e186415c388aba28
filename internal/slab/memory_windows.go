//go:build windows && !slab_heap

package slab

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// VirtualAlloc reserves at multiples of 64 KiB, which is all the alignment that
// rows need here: Windows has no huge pages without a privilege.
const (
	maxReserve  = 1<<62>>(32*(1-wide)) - 1
	wide        = ^uint(0) >> 63
	wantReserve = 1 << 28 << (12 * wide)
	baseAlign   = lineBytes
	pageStep    = 1 << 16
)

var (
	smallPage = uint64(os.Getpagesize())
	bigPage   = smallPage
)

func defaultReserve() uint64 { return wantReserve }

func reserve(size int) ([]byte, error) {
	addr, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_RESERVE, windows.PAGE_NOACCESS)
	if err != nil {
		return nil, err
	}
	// The address is the system's and not the collector's: no rule about
	// conversions between uintptr and Pointer is at stake, only vet's opinion.
	base := *(*unsafe.Pointer)(unsafe.Pointer(&addr))
	return unsafe.Slice((*byte)(base), size), nil
}

func commit(part []byte) error {
	addr := uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	_, err := windows.VirtualAlloc(addr, uintptr(len(part)), windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err
}

func release(raw []byte) error {
	return windows.VirtualFree(uintptr(unsafe.Pointer(unsafe.SliceData(raw))), 0, windows.MEM_RELEASE)
}

// Package slab keeps rows of float32 at a fixed stride outside the Go heap, at
// an address that never moves.
//
// A slab reserves address space for all the rows it may ever hold, which costs
// nothing, and commits memory behind it as rows are handed out:
//
//	base, aligned to 2 MiB
//	│
//	▼ 4 KiB pages  │ 2 MiB pages advised ...                    │ no access
//	┌──────┬───────┼──────┬──────┬──────┬ ─ ─ ┬──────┬──────────┼─ ─ ─ ─ ─ ─
//	│ row 0│ row 1 │ ...  │ free ├─┐    │     │ last │ committed│ reserved
//	└──────┴───────┼──────┴──▲───┴─┼────┴ ─ ─ ┴──────┴──────────┼─ ─ ─ ─ ─ ─
//	               2 MiB     └─────┘ free list, through the rows themselves
//	◄──────────────── Data() ────────────────────────►
//
// Because the base stays where it is, a slice from [Slab.Data] remains good
// while other goroutines hand out more rows: a table grows without stopping its
// readers and without copying a row. What the collector sees of a slab is one
// struct, whatever its size; what GOMEMLIMIT sees of it is nothing, so tables
// report [Slab.Bytes] and keep caps of their own.
//
// Cold rows are bound by address translation as much as by memory: one core
// reads 13 million rows of 256 bytes a second from 4 KiB pages and over 20
// million from huge pages. Go's heap gets none where the system's setting is
// "madvise", hence our own mapping. The first 2 MiB stay on small pages, so
// that a table of ten rows does not take 2 MiB.
//
// The systems differ in how they reserve and commit:
//
//	Linux    mmap without access, mprotect to commit, madvise for huge pages
//	Darwin   mmap without access, mprotect to commit
//	Windows  VirtualAlloc to reserve and to commit
//	others   one make of the whole capacity on the Go heap (also under the
//	         build tag slab_heap), which the system backs with memory as it is
//	         touched; it never moves either, but its default capacity is small
//
// Reserving without access, and not merely without a charge, lets a slab live
// under strict overcommit (vm.overcommit_memory=2) and under RLIMIT_DATA: only
// what is committed counts there, and running out is an error, not a kill.
package slab

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Errors of this package, to be matched with errors.Is.
var (
	// ErrFull reports that a slab has no row left to hand out.
	ErrFull = errors.New("slab: full")
	// ErrClosed reports the use of a slab after Close.
	ErrClosed = errors.New("slab: closed")
	// ErrOptions reports options that no slab can have.
	ErrOptions = errors.New("slab: bad options")
	// ErrRow reports a row number that was never handed out.
	ErrRow = errors.New("slab: no such row")
)

const (
	// None is no row's number; it ends the free list.
	None = ^uint32(0)
	// MaxRows is the most rows that any slab holds, so that None stays free, and
	// the two numbers below it, which tables give a meaning of their own.
	MaxRows = 1<<32 - 3

	floatBytes = 4
	lineBytes  = 64
	hugeBytes  = 2 << 20
)

// Options says what rows a slab has.
type Options struct {
	// Stride is the distance between rows in float32s, at least 1. With a
	// multiple of 16 every row starts on a cache line of 64 bytes.
	Stride int

	// MaxRows bounds the rows in use at once and with them the address space
	// that is reserved. What is asked for here is granted or New fails.
	//
	// Default: as many as fit in 1 TiB (on the Go heap 256 MiB, in wasm
	// 64 MiB; at most an eighth of RLIMIT_AS), at most 2^32-3; halved until
	// the system grants it.
	MaxRows int
}

// Slab is an array of rows of float32 that grows in place. Its methods are safe
// for concurrent use, but for Close, which must come after all others. Who may
// touch which row when is for the caller's locks to say.
type Slab struct {
	stride int
	max    uint32 // rows that the reservation has room for
	byUser bool   // max was given in Options.MaxRows

	raw  []byte    // the mapping, as the system gave it
	data []float32 // all of the reservation from the aligned base on; nil once closed

	// rows counts the rows ever handed out: rows [0, rows) are committed and
	// belong to Data. It is written under mu and read without.
	rows atomic.Uint32

	mu        sync.Mutex
	committed int    // bytes from the base on that may be touched
	free      uint32 // head of the free list; the next is in the row's first four bytes
	freed     uint32 // length of the free list
}

// New reserves a slab. It holds no memory until rows are handed out. The error
// wraps ErrOptions if the stride or MaxRows make no sense, and the system's own
// if it grants no address space.
func New(o Options) (*Slab, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Slab{stride: o.Stride, byUser: o.MaxRows > 0, free: None}
	rowBytes := uint64(o.Stride) * floatBytes
	rows := uint64(o.MaxRows)
	if !s.byUser {
		rows = min(MaxRows, max(1, defaultReserve()/rowBytes))
	}
	err := s.reserve(rows, rowBytes)
	for err != nil && !s.byUser && rows > 1 {
		rows /= 2
		err = s.reserve(rows, rowBytes)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Wrap returns a slab whose rows are data, memory of the caller's, all of them
// handed out: a whole number of rows, at most MaxRows. It has no room for more,
// and Close leaves the memory to its owner.
func Wrap(data []float32, stride int) (*Slab, error) {
	if err := (Options{Stride: stride}).check(); err != nil {
		return nil, err
	}
	rows := len(data) / stride
	if rows*stride != len(data) || uint64(rows) > MaxRows {
		return nil, fmt.Errorf("%w: %d numbers are not a whole number of rows of %d, at most %d rows", ErrOptions, len(data), stride, uint64(MaxRows))
	}
	s := &Slab{stride: stride, max: uint32(rows), byUser: true, data: data, free: None}
	s.rows.Store(uint32(rows))
	return s, nil
}

func (o Options) check() error {
	switch {
	case o.Stride < 1 || uint64(o.Stride) > 1<<28:
		return fmt.Errorf("%w: Stride must be 1 to 2^28 float32s; received %d", ErrOptions, o.Stride)
	case o.MaxRows < 0 || uint64(o.MaxRows) > MaxRows:
		return fmt.Errorf("%w: MaxRows must be 0 (the default) to %d; received %d", ErrOptions, uint64(MaxRows), o.MaxRows)
	}
	return nil
}

// reserve takes address space for rows, from a base at a multiple of baseAlign.
func (s *Slab) reserve(rows, rowBytes uint64) error {
	size := roundUp(rows*rowBytes, pageStep) + baseAlign
	if size > maxReserve {
		return fmt.Errorf("%w: %d rows of %d bytes pass this system's address space; lower MaxRows", ErrOptions, rows, rowBytes)
	}
	raw, err := reserve(int(size))
	if err != nil {
		return fmt.Errorf("slab: reserve address space for %d rows of %d bytes; lower MaxRows or raise the address space limit (ulimit -v): %w", rows, rowBytes, err)
	}
	base := unsafe.Pointer(unsafe.SliceData(raw))
	base = unsafe.Add(base, roundUp(uint64(uintptr(base)), baseAlign)-uint64(uintptr(base)))
	s.raw, s.max = raw, uint32(rows)
	s.data = unsafe.Slice((*float32)(base), int(rows)*s.stride)
	advise(s.bytes(0, int(size-baseAlign)))
	return nil
}

// bytes returns bytes [from, to) of the reservation, counted from the base.
func (s *Slab) bytes(from, to int) []byte {
	base := unsafe.Pointer(unsafe.SliceData(s.data))
	return unsafe.Slice((*byte)(unsafe.Add(base, from)), to-from)
}

// Data returns all rows handed out so far, freed ones included: row r is
// Data()[r*Stride : (r+1)*Stride]. The slice keeps its meaning while the slab
// grows, on every system: no row ever moves. It must not be touched after
// Close; a closed slab's Data is nil.
func (s *Slab) Data() []float32 {
	n := int(s.rows.Load()) * s.stride
	if n > len(s.data) { // closed
		return nil
	}
	return s.data[:n:n]
}

// Stride returns the distance between rows in float32s.
func (s *Slab) Stride() int { return s.stride }

// Max returns how many rows the slab may hold at once.
func (s *Slab) Max() int { return int(s.max) }

// Len returns how many rows are in use: handed out and not freed.
func (s *Slab) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.rows.Load() - s.freed)
}

// Bytes returns the memory that the rows handed out so far take, freed ones
// included, in whole pages of the size that was asked of the system.
func (s *Slab) Bytes() int64 {
	touched := uint64(s.rows.Load()) * uint64(s.stride) * floatBytes
	if touched <= hugeBytes {
		return int64(roundUp(touched, smallPage))
	}
	return int64(roundUp(touched, bigPage))
}

// HugePages returns how many bytes of the slab the system backs with huge pages
// at this moment. It reads the kernel's account of the whole process on Linux,
// which may take milliseconds; elsewhere it is 0.
func (s *Slab) HugePages() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		return 0
	}
	base := uintptr(unsafe.Pointer(unsafe.SliceData(s.data)))
	return hugePages(base, base+uintptr(s.committed))
}

// Close gives the memory back to the system. Slices from Data must not be
// touched afterwards: the caller waits for its readers first and keeps a flag
// of its own that turns later calls away. Closing twice is harmless; all other
// calls on a closed slab return ErrClosed or nothing.
func (s *Slab) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		return nil
	}
	raw := s.raw
	s.rows.Store(0)
	s.raw, s.data, s.committed, s.free, s.freed = nil, nil, 0, None, 0
	if raw == nil { // wrapped
		return nil
	}
	if err := release(raw); err != nil {
		return fmt.Errorf("slab: give %d bytes of address space back: %w", len(raw), err)
	}
	return nil
}

func roundUp(n, step uint64) uint64 { return (n + step - 1) / step * step }

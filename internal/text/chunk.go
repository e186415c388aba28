package text

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/rowan-embeddings/rowan/internal/slab"
)

// Text lies in chunks of 64 KiB, each of one stripe. New records go to the end of
// the stripe's open chunk; a record that was replaced or erased stays until more
// than half of a chunk that is not open is dead. Then the rest moves to the open
// chunk and the chunk is free: no call moves more than 32 KiB of text a chunk it
// closes, and dead text is never more than half.
//
//	0      4      8                                              65,536
//	┌──────┬──────┬────────────┬────────────┬────────────┬────────┐
//	│ used │ dead │ record     │ record     │ record     │ unused │
//	└──────┴──────┴────────────┴────────────┴────────────┴────────┘
//	              ┌──────────┬──────────┬──────────────┐
//	              │ number 4 │ length 2 │ bytes        │  a record
//	              └──────────┴──────────┴──────────────┘
//
// A record lives while places[number] leads to it. The place of a record is the
// number of its chunk times 64 KiB plus its offset there, which is never 0.
const (
	chunkShift   = 16
	chunkBytes   = 1 << chunkShift
	chunkHeader  = 8
	recordHeader = 6

	// MaxString is the longest string that a store takes, in bytes.
	MaxString = chunkBytes - chunkHeader - recordHeader
)

// chunk is the bytes of a chunk.
type chunk []byte

func (c chunk) used() uint32     { return binary.NativeEndian.Uint32(c) }
func (c chunk) dead() uint32     { return binary.NativeEndian.Uint32(c[4:]) }
func (c chunk) setUsed(n uint32) { binary.NativeEndian.PutUint32(c, n) }
func (c chunk) addDead(n uint32) { binary.NativeEndian.PutUint32(c[4:], c.dead()+n) }

// wasted says whether the chunk should be emptied.
func (c chunk) wasted() bool { return 2*c.dead() > c.used()-chunkHeader }

// read returns the number of the record at an offset, and the record's size.
func (c chunk) read(offset uint32) (number, size uint32) {
	return binary.NativeEndian.Uint32(c[offset:]), recordHeader + uint32(binary.NativeEndian.Uint16(c[offset+4:]))
}

func (s *Store) chunk(number uint32) chunk {
	base := unsafe.Pointer(unsafe.SliceData(s.chunks.Data()))
	return unsafe.Slice((*byte)(unsafe.Add(base, uintptr(number)<<chunkShift)), chunkBytes)
}

// record returns the text of the record at a place, or "" at 0.
func (s *Store) record(at uint64) string {
	if at == 0 {
		return ""
	}
	base := unsafe.Pointer(unsafe.SliceData(s.chunks.Data()))
	header := unsafe.Slice((*byte)(unsafe.Add(base, uintptr(at))), recordHeader)
	return unsafe.String((*byte)(unsafe.Add(base, uintptr(at)+recordHeader)), int(binary.NativeEndian.Uint16(header[4:])))
}

// makeRoom opens a chunk unless a text of a length fits into the open one. A turn
// may bring up to 32 KiB into the new one: where a long text does not fit beside
// that, another turn finds nothing dead to move.
func (s *Store) makeRoom(p *part, length int) error {
	size := uint32(recordHeader + length)
	for p.open == slab.None || s.chunk(p.open).used()+size > chunkBytes {
		if err := s.turn(p); err != nil {
			return err
		}
	}
	return nil
}

// append writes a record into the open chunk of a stripe, which has room for it.
func (s *Store) append(p *part, number uint32, text string) {
	c := s.chunk(p.open)
	at := c.used()
	binary.NativeEndian.PutUint32(c[at:], number)
	binary.NativeEndian.PutUint16(c[at+4:], uint16(len(text)))
	copy(c[at+recordHeader:], text)
	c.setUsed(at + recordHeader + uint32(len(text)))
	s.setPlace(number, uint64(p.open)<<chunkShift+uint64(at))
}

// turn opens a new chunk and empties the one before if more than half is dead:
// it escaped that while it was open.
func (s *Store) turn(p *part) error {
	number, err := s.chunks.Alloc()
	if err != nil {
		return fmt.Errorf("text: no room for more: %w", err)
	}
	s.chunk(number).setUsed(chunkHeader)
	closed := p.open
	p.open = number
	if closed != slab.None && s.chunk(closed).wasted() {
		s.empty(p, closed)
	}
	return nil
}

// kill marks the record at a place, to which nothing leads any more, as dead.
func (s *Store) kill(p *part, at uint64) {
	number := uint32(at >> chunkShift)
	c := s.chunk(number)
	_, size := c.read(uint32(at % chunkBytes))
	c.addDead(size)
	if number != p.open && c.wasted() {
		s.empty(p, number)
	}
}

// empty moves the live records of a chunk to the open one and frees it. If the
// system has no room for them they stay, and so does the chunk.
func (s *Store) empty(p *part, number uint32) {
	c := s.chunk(number)
	for offset := uint32(chunkHeader); offset < c.used(); {
		owner, size := c.read(offset)
		at := uint64(number)<<chunkShift + uint64(offset)
		offset += size
		if s.place(owner) != at {
			continue
		}
		if s.makeRoom(p, int(size)-recordHeader) != nil {
			return
		}
		s.append(p, owner, s.record(at))
		c.addDead(size)
	}
	_ = s.chunks.Free(number) // cannot fail: the number came from there
}

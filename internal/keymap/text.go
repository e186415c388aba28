package keymap

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/rowan-embeddings/rowan/internal/slab"
)

// The text of string keys lies in chunks of 64 KiB, each of one stripe. New
// records go to the end of the stripe's open chunk; a record whose key was
// deleted stays until more than half of a chunk that is not open is dead. Then
// the rest moves to the open chunk and the chunk is free: no call moves more than
// 32 KiB of text a chunk it closes, and dead text is never more than half.
//
//	0      4      8                                              65,536
//	┌──────┬──────┬────────────┬────────────┬────────────┬────────┐
//	│ used │ dead │ record     │ record     │ record     │ unused │
//	└──────┴──────┴────────────┴────────────┴────────────┴────────┘
//	              ┌───────┬──────────┬──────────────┐
//	              │ row 4 │ length 2 │ bytes        │  a record
//	              └───────┴──────────┴──────────────┘
//
// A record lives while places[row] leads to it. The place of a record is the
// number of its chunk times 64 KiB plus its offset there, which is never 0.
const (
	chunkShift   = 16
	chunkBytes   = 1 << chunkShift
	chunkHeader  = 8
	recordHeader = 6
	placeBytes   = 8

	// MaxString is the longest string that can be a key, in bytes.
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

// read returns the row of the record at an offset, and the record's size.
func (c chunk) read(offset uint32) (row, size uint32) {
	return binary.NativeEndian.Uint32(c[offset:]), recordHeader + uint32(binary.NativeEndian.Uint16(c[offset+4:]))
}

func (s *Strings) chunk(number uint32) chunk {
	base := unsafe.Pointer(unsafe.SliceData(s.text.Data()))
	return unsafe.Slice((*byte)(unsafe.Add(base, uintptr(number)<<chunkShift)), chunkBytes)
}

// length returns the length of the key whose record lies at a place.
func (s *Strings) length(at uint64) int {
	base := unsafe.Pointer(unsafe.SliceData(s.text.Data()))
	header := unsafe.Slice((*byte)(unsafe.Add(base, uintptr(at))), recordHeader)
	return int(binary.NativeEndian.Uint16(header[4:]))
}

// record returns the key whose record lies at a place. It is the text itself and
// good until the stripe changes.
func (s *Strings) record(at uint64) string {
	base := unsafe.Pointer(unsafe.SliceData(s.text.Data()))
	return unsafe.String((*byte)(unsafe.Add(base, uintptr(at)+recordHeader)), s.length(at))
}

// write stores the key of a row.
func (s *Strings) write(p *part, row uint32, key string) error {
	if len(key) > MaxString {
		return fmt.Errorf("%w: at most %d bytes; received %d, beginning %.40q", ErrLong, MaxString, len(key), key)
	}
	if err := s.places.Grow(int(row) + 1); err != nil {
		return fmt.Errorf("keymap: no room for the place of row %d: %w", row, err)
	}
	return s.append(p, row, key)
}

// append writes a record into the open chunk of a stripe, or into a new one if it
// does not fit. A turn may bring up to 32 KiB into the new one: where a long
// record does not fit beside that, another turn finds nothing dead to move.
func (s *Strings) append(p *part, row uint32, key string) error {
	size := uint32(recordHeader + len(key))
	for p.open == slab.None || s.chunk(p.open).used()+size > chunkBytes {
		if err := s.turn(p); err != nil {
			return err
		}
	}
	c := s.chunk(p.open)
	at := c.used()
	binary.NativeEndian.PutUint32(c[at:], row)
	binary.NativeEndian.PutUint16(c[at+4:], uint16(len(key)))
	copy(c[at+recordHeader:], key)
	c.setUsed(at + size)
	s.setPlace(row, uint64(p.open)<<chunkShift+uint64(at))
	return nil
}

// turn opens a new chunk and empties the one before if more than half is dead:
// it escaped that while it was open.
func (s *Strings) turn(p *part) error {
	number, err := s.text.Alloc()
	if err != nil {
		return fmt.Errorf("keymap: no room for the text of keys: %w", err)
	}
	s.chunk(number).setUsed(chunkHeader)
	closed := p.open
	p.open = number
	if closed != slab.None && s.chunk(closed).wasted() {
		s.empty(p, closed)
	}
	return nil
}

// erase marks the record of a row as dead.
func (s *Strings) erase(p *part, row uint32) {
	at := s.place(row)
	number := uint32(at >> chunkShift)
	c := s.chunk(number)
	_, size := c.read(uint32(at % chunkBytes))
	c.addDead(size)
	s.setPlace(row, 0)
	if number != p.open && c.wasted() {
		s.empty(p, number)
	}
}

// empty moves the live records of a chunk to the open one and frees it. If the
// system has no room for them they stay, and so does the chunk.
func (s *Strings) empty(p *part, number uint32) {
	c := s.chunk(number)
	for offset := uint32(chunkHeader); offset < c.used(); {
		row, size := c.read(offset)
		at := uint64(number)<<chunkShift + uint64(offset)
		offset += size
		if s.place(row) != at {
			continue
		}
		if s.append(p, row, s.record(at)) != nil {
			return
		}
		c.addDead(size)
	}
	_ = s.text.Free(number) // cannot fail: the number came from there
}

package format

import (
	"encoding/binary"
	"math"
)

// texts is strings as a block has them: all lengths, and then all bytes without
// gaps.
//
//	size u32 | length u32 … | bytes
type texts struct {
	lens  []uint32
	bytes []byte
}

// maxTexts is the most bytes of the strings of a block with their lengths, of
// which at least MaxBlockRows are counted. They fit 31 bits, so that every
// machine can address them.
const maxTexts = math.MaxInt32

// fit reports whether a block may have n strings of so many bytes together.
func fit(n int, bytes int64) bool { return bytes <= maxTexts-4*int64(max(n, MaxBlockRows)) }

// lay takes strings apart. The error is ErrInvalid, and names them as what.
func (x *texts) lay(strings []string, what string) error {
	x.lens, x.bytes = x.lens[:0], x.bytes[:0]
	total := int64(0)
	for _, s := range strings {
		total += int64(len(s))
	}
	if !fit(len(strings), total) {
		return invalid("%d %s of %d bytes together in a block: with 4 bytes a length they must be at most %d; write fewer rows a block",
			len(strings), what, total, maxTexts)
	}
	for _, s := range strings {
		x.lens = append(x.lens, uint32(len(s)))
		x.bytes = append(x.bytes, s...)
	}
	return nil
}

// size returns the bytes of the strings with their lengths.
func (x *texts) size() uint32 { return uint32(4*len(x.lens) + len(x.bytes)) }

// write writes what lay has laid; the size is the caller's.
func (x *texts) write(s *sink) {
	writeNumbers(s, x.lens)
	s.write(x.bytes)
}

// readSize reads the size of what follows, which is named in errors.
func readSize(s *source, what string) (uint32, error) {
	err := s.read(s.small[:4], what)
	return binary.LittleEndian.Uint32(s.small[:4]), err
}

// read reads into buf n strings, which the last field read says to have size
// bytes. Errors name them as what.
func (x *texts) read(s *source, buf []string, n int, size uint32, what string) (_ []string, err error) {
	at := s.off - 4
	if least := 4 * int64(n); int64(size) < least || size > maxTexts {
		return buf, corrupt(at, "%d %s with their lengths in %d bytes, at least %d and at most %d", n, what, size, least, maxTexts)
	}
	if x.lens, err = readNumbers(s, x.lens, n, "lengths"); err != nil {
		return buf, err
	}
	total := int64(0)
	for _, l := range x.lens {
		total += int64(l)
	}
	if !fit(n, total) || int64(size) != total+4*int64(n) {
		return buf, corrupt(at, "%d %s of %d bytes together, with their lengths in %d bytes", n, what, total, size)
	}
	if x.bytes, err = readNumbers(s, x.bytes, int(total), what); err != nil {
		return buf, err
	}
	// One string for all of them: an allocation a block, not a string.
	all := string(x.bytes)
	buf = buf[:0]
	for _, l := range x.lens {
		buf = append(buf, all[:l])
		all = all[l:]
	}
	return buf, nil
}

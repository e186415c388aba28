package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unsafe"
)

// sink writes sections and their CRCs. After the first error it writes nothing.
type sink struct {
	w        io.Writer
	off      int64
	crc      uint32 // of the section so far
	chain    uint32 // of the CRCs of the sections so far
	err      error
	portable bool
	small    [20]byte // for short fields: an array of the caller's would escape
	scratch  []byte
}

func (s *sink) write(b []byte) {
	if s.err != nil || len(b) == 0 {
		return
	}
	n, err := s.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	s.off += int64(n)
	s.crc = crc32.Update(s.crc, castagnoli, b)
	if err != nil {
		s.err = fmt.Errorf("format: write at byte %d: %w", s.off, err)
	}
}

// writeNumbers writes v in bulk.
func writeNumbers[T number](s *sink, v []T) { s.write(toFile(v, &s.scratch, s.portable)) }

// write32 writes two short fields.
func (s *sink) write32(a, b uint32) {
	le := binary.LittleEndian
	s.write(le.AppendUint32(le.AppendUint32(s.small[:0], a), b))
}

// writeSize writes one short field.
func (s *sink) writeSize(n uint32) { s.write(binary.LittleEndian.AppendUint32(s.small[:0], n)) }

// end closes a section with its CRC.
func (s *sink) end() {
	crc := binary.LittleEndian.AppendUint32(s.small[:0], s.crc)
	s.write(crc)
	s.chain = crc32.Update(s.chain, castagnoli, crc)
	s.crc = 0
}

// preamble begins a file.
func (s *sink) preamble(magic string, version uint32, header []byte) {
	s.write([]byte(magic))
	s.write32(version, uint32(len(header)))
	s.write(header)
	s.end()
}

// footer ends a file whose blocks held count things.
func (s *sink) footer(count uint64) {
	s.write32(0, s.chain)
	s.write(binary.LittleEndian.AppendUint64(s.small[:0], count))
	s.end()
}

// source reads sections and checks their CRCs.
type source struct {
	r        io.Reader
	off      int64  // bytes of the file read
	crc      uint32 // of the section so far
	chain    uint32 // of the CRCs of the sections so far
	portable bool
	small    [preambleSize]byte
}

// read fills b with what, which is named in errors.
func (s *source) read(b []byte, what string) error {
	n, err := io.ReadFull(s.r, b)
	s.off += int64(n)
	s.crc = crc32.Update(s.crc, castagnoli, b[:n])
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends at byte %d, %d bytes into the %d of its %s", ErrTruncated, s.off, n, len(b), what)
	}
	if err != nil {
		return fmt.Errorf("format: read at byte %d: %w", s.off, err)
	}
	return nil
}

// growth is the bytes that a count may cost before any of them has been read.
const growth = 1 << 20

// readNumbers reads n numbers into buf, which grows as they arrive.
func readNumbers[T number](s *source, buf []T, n int, what string) ([]T, error) {
	first := growth / int(unsafe.Sizeof(*new(T)))
	buf = buf[:0]
	for len(buf) < n {
		from, to := len(buf), min(n, max(cap(buf), 2*len(buf), first))
		if to > cap(buf) {
			buf = append(make([]T, 0, to), buf...)
		}
		buf = buf[:to]
		if err := s.read(view(buf[from:]), what); err != nil {
			return buf[:from], err
		}
	}
	fromFile(buf, s.portable)
	return buf, nil
}

// end reads the CRC of a section and compares.
func (s *source) end(what string) error {
	want := s.crc
	if err := s.read(s.small[:4], "CRC"); err != nil {
		return fmt.Errorf("%w of the %s", err, what) // not joined beforehand: that would cost an allocation a block
	}
	got := binary.LittleEndian.Uint32(s.small[:4])
	if got != want {
		return corrupt(s.off-4, "%s has CRC32C %08x, and its bytes give %08x", what, got, want)
	}
	s.chain = crc32.Update(s.chain, castagnoli, s.small[:4])
	s.crc = 0
	return nil
}

// preamble reads the begin of a file up to the CRC of its header, and returns
// the file's version, from 1 to newest, and the header's body.
func (s *source) preamble(magic, kind string, newest uint32) (version uint32, body []byte, err error) {
	p := s.small[:]
	if err := s.read(p, "preamble"); err != nil {
		return 0, nil, err
	}
	if string(p[:8]) != magic {
		return 0, nil, corrupt(0, "it begins with %q, a %s file with %q", p[:8], kind, magic)
	}
	if version = binary.LittleEndian.Uint32(p[8:]); version < 1 || version > newest {
		return 0, nil, fmt.Errorf("%w: byte 8: the %s file is of version %d, this Rowan reads 1 to %d", ErrVersion, kind, version, newest)
	}
	n := binary.LittleEndian.Uint32(p[12:])
	if n > maxHeader {
		return 0, nil, corrupt(12, "header of %d bytes, at most %d", n, maxHeader)
	}
	body = make([]byte, n)
	if err := s.read(body, "header"); err != nil {
		return 0, nil, err
	}
	return version, body, s.end("header")
}

// footer reads a footer after its first four bytes, and the end of the file.
func (s *source) footer(count uint64, what string) error {
	at, want := s.off, s.chain
	p := s.small[:12]
	if err := s.read(p, "footer"); err != nil {
		return err
	}
	chain, n := binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint64(p[4:])
	if err := s.end("footer"); err != nil {
		return err
	}
	if chain != want || n != count {
		return corrupt(at, "the footer counts %d %s with CRC %08x, the file has %d with %08x: sections are missing, doubled or in another order",
			n, what, chain, count, want)
	}
	switch n, err := io.ReadFull(s.r, s.small[:1]); {
	case n > 0:
		return corrupt(s.off, "there are bytes behind the footer")
	case err != io.EOF:
		return fmt.Errorf("format: read at byte %d: %w", s.off, err)
	}
	return nil
}

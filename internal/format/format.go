// Package format is the bytes of Rowan's files: it encodes to an [io.Writer] and
// decodes from an [io.Reader], and knows no files, locks or tables.
// docs/format.md says the same for readers in other languages.
//
// A file is a header, blocks, and a footer; all numbers are little endian. A
// table file:
//
//	header  "rowantab" | version u32 | length u32 | key type, width, slots, … | crc
//	block   rows u32 (1 … 4096) | key bytes u32 | keys | last steps | scores | rows | crc
//	block   …
//	footer  0 u32 | crc of all crcs above | rows u64                          | crc
//
// and an array file, for the dense weights of a model:
//
//	header  "rowanarr" | version u32 | length u32 = 0                         | crc
//	array   length u32 | name, shape | numbers                                | crc
//	footer  0 u32 | crc of all crcs above | arrays u64                        | crc
//
// Each crc is the CRC32C of its section, so that sections can be checked one by
// one; the footer's crc of crcs finds sections that are missing, doubled or in
// another order. A file that ends early has no footer.
//
// The form is canonical: equal contents in equal blocks give equal bytes, and
// what decodes encodes to the bytes that it came from. Numbers keep all their
// bits, those of a NaN too.
//
// Decoders trust no length: a buffer grows as its bytes arrive, so that a false
// count costs at most a megabyte before the file is found to end.
package format

import (
	"errors"
	"fmt"
	"hash/crc32"
)

// Version is the version of array and vocabulary files, and of table files that
// have no scores.
const Version = 1

// TableVersion is the newest version of table files: those whose weights are
// float64, integers, bool or strings. Others are written as the lowest version
// that can hold them, which older readers know, and all are read.
const TableVersion = 4

const (
	// scoresVersion is the version of table files that have scores, and weights
	// of float32.
	scoresVersion = 2
	// halvesVersion is the version of table files whose weights have 16 bits.
	halvesVersion = 3
)

// Errors that a malformed file is reported with; match with errors.Is. The
// message says what was wrong and at which byte of the file.
var (
	// ErrCorrupt: the bytes are not what was written, or not a file of this kind.
	ErrCorrupt = errors.New("format: corrupt file")
	// ErrTruncated: the file ends before its footer does.
	ErrTruncated = errors.New("format: truncated file")
	// ErrVersion: the file was written by a version of Rowan that this one cannot read.
	ErrVersion = errors.New("format: unknown version")
	// ErrInvalid: the writer was given something that a file cannot hold.
	ErrInvalid = errors.New("format: cannot be written")
)

const (
	tableMagic = "rowantab"
	arrayMagic = "rowanarr"
	// preambleSize is the bytes of magic, version and header length.
	preambleSize = 16
	// maxHeader is more than the largest header: 64 slots with names of 1,024 bytes.
	maxHeader = 1 << 17
	maxName   = 1024
)

// castagnoli is CRC32C, which x86 and ARM compute at more than 10 GB/s.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func corrupt(offset int64, format string, args ...any) error {
	return fmt.Errorf("%w: byte %d: %s", ErrCorrupt, offset, fmt.Sprintf(format, args...))
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

package format

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/rowan-embeddings/rowan/tensor"
)

// MaxBlockRows is the most rows of a block: with the usual 64 to 256 numbers a
// row, a block is 1 to 4 MB, enough for the disk and little in memory.
const MaxBlockRows = 4096

// Block is some rows of a table, with their keys. Lengths are those of [Block.Len].
type Block struct {
	// Keys are the keys of a table of int64, int32 (sign-extended) or uint64.
	Keys []uint64
	// Strings are the keys of a table of strings; any bytes will do.
	Strings []string
	// Last is the step of each row's last update, where the header has HasLast.
	Last []int64
	// Scores are what the header's Policy gave each row, where it has one.
	Scores []int64
	// Rows holds Header.Stride numbers a row, weights and then slots, where the
	// header's Type is Float32, Float16 or BFloat16. Weights are numbers that it
	// holds.
	Rows []float32
	// Cells holds as many numbers in their bytes, little endian, where the Type
	// is Float64, Int8, Int32, Int64 or Bool: see [AppendCells] and [ReadCells].
	Cells []byte
	// Texts holds Header.Width strings a row where the Type is Text.
	Texts []string
}

// Len returns the number of rows.
func (b *Block) Len() int { return len(b.Keys) + len(b.Strings) }

// TableWriter writes a table file, a block after the other. It makes a few
// large writes a block and is not safe for concurrent use.
type TableWriter struct {
	h      Header
	out    sink
	rows   int64
	closed bool
	keys   texts
	texts  texts
	halves halves
}

// NewTableWriter begins a file on w. A header that a file cannot hold is ErrInvalid.
func NewTableWriter(w io.Writer, h Header) (*TableWriter, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	t := &TableWriter{h: h, out: sink{w: w}}
	t.out.preamble(tableMagic, h.version(), h.append(nil))
	return t, t.out.err
}

// WriteBlock writes the rows of b, 1 to MaxBlockRows of them, and keeps nothing
// of it. A block that does not fit the header is ErrInvalid, with nothing
// written; after an error of the underlying writer every call returns it.
func (t *TableWriter) WriteBlock(b *Block) error {
	if t.closed {
		return invalid("a block after Close")
	}
	if err := t.h.checkBlock(b); err != nil {
		return err
	}
	if err := t.lay(b); err != nil {
		return err
	}
	if err := t.writeKeys(b.Keys, b.Strings); err != nil {
		return err
	}
	writeNumbers(&t.out, b.Last)
	writeNumbers(&t.out, b.Scores)
	t.writeRows(b)
	t.out.end()
	t.rows += int64(b.Len())
	return t.out.err
}

// lay prepares rows that a file has in another form than a block. What does not
// fit is ErrInvalid.
func (t *TableWriter) lay(b *Block) error {
	switch {
	case t.h.Type == Text:
		return t.texts.lay(b.Texts, "texts")
	case t.h.Type.half() != 0:
		return t.halves.split(&t.h, b.Rows)
	}
	return nil
}

// writeKeys begins a block with its keys, of the one kind or the other. After
// ErrInvalid nothing is written.
func (t *TableWriter) writeKeys(numbers []uint64, strings []string) error {
	if t.h.KeyType != tensor.String {
		t.out.write32(uint32(len(numbers)), uint32(8*len(numbers)))
		writeNumbers(&t.out, numbers)
		return nil
	}
	if err := t.keys.lay(strings, "keys"); err != nil {
		return err
	}
	t.out.write32(uint32(len(strings)), t.keys.size())
	t.keys.write(&t.out)
	return nil
}

// writeRows writes the rows of a block that lay has prepared.
func (t *TableWriter) writeRows(b *Block) {
	switch {
	case t.h.Type == Text:
		t.out.writeSize(t.texts.size())
		t.texts.write(&t.out)
	case t.h.Type.cell() > 0:
		t.out.write(b.Cells)
	case t.h.Type.half() != 0:
		writeNumbers(&t.out, t.halves.weights)
		writeNumbers(&t.out, t.halves.slots)
	default:
		writeNumbers(&t.out, b.Rows)
	}
}

// Close ends the file with its footer; it does not close the underlying writer.
// Rows that are not as many as the header promised are ErrInvalid, and leave a
// file without a footer.
func (t *TableWriter) Close() error {
	if t.closed || t.out.err != nil {
		return t.out.err
	}
	t.closed = true
	if t.h.Rows != Unknown && t.h.Rows != t.rows {
		t.out.err = invalid("the header of table %q promised %d rows, %d were written", t.h.Name, t.h.Rows, t.rows)
		return t.out.err
	}
	t.out.footer(uint64(t.rows))
	return t.out.err
}

func (h *Header) checkBlock(b *Block) error {
	n, last, scores := b.Len(), 0, 0
	if n < 1 || n > MaxBlockRows {
		return invalid("a block of %d rows: it must have 1 to %d", n, MaxBlockRows)
	}
	if strings := h.KeyType == tensor.String; strings && len(b.Keys) > 0 || !strings && len(b.Strings) > 0 {
		return invalid("%d numeric and %d string keys in a table of %v", len(b.Keys), len(b.Strings), h.KeyType)
	}
	if h.HasLast {
		last = n
	}
	if len(b.Last) != last {
		return invalid("%d last steps for %d rows, expected %d", len(b.Last), n, last)
	}
	if h.Policy != "" {
		scores = n
	}
	if len(b.Scores) != scores {
		return invalid("%d scores for %d rows, expected %d", len(b.Scores), n, scores)
	}
	if err := h.checkRows(b); err != nil {
		return err
	}
	return h.checkKeys(b.Keys)
}

// checkRows compares the lengths of what a block may have rows in.
func (h *Header) checkRows(b *Block) error {
	numbers := int64(b.Len()) * int64(h.Stride())
	var rows, cells, texts int64
	switch size := h.Type.cell(); {
	case size > 0:
		cells = numbers * int64(size)
	case h.Type == Text:
		texts = numbers
	default:
		rows = numbers
	}
	for _, part := range [...]struct {
		what string
		got  int
		want int64
	}{{"numbers", len(b.Rows), rows}, {"bytes of cells", len(b.Cells), cells}, {"texts", len(b.Texts), texts}} {
		if int64(part.got) != part.want {
			return invalid("%d %s for %d rows of %d %v, expected %d", part.got, part.what, b.Len(), h.Stride(), h.Type, part.want)
		}
	}
	return h.checkCells(b.Cells)
}

func (h *Header) checkKeys(keys []uint64) error {
	if h.KeyType != tensor.Int32 {
		return nil
	}
	for _, k := range keys {
		if k != uint64(int64(int32(k))) {
			return invalid("key %d in a table of int32", int64(k))
		}
	}
	return nil
}

// TableReader reads a table file, a block after the other. Not safe for
// concurrent use.
type TableReader struct {
	h     Header
	in    source
	rows  int64
	err   error
	block Block

	keys   texts
	texts  texts
	halves halves
}

// NewTableReader reads the header of a table file from r, which it reads in
// small pieces too: wrap a file in a [bufio.Reader].
func NewTableReader(r io.Reader) (*TableReader, error) {
	t := &TableReader{in: source{r: r}}
	version, body, err := t.in.preamble(tableMagic, "table", TableVersion)
	if err != nil {
		return nil, err
	}
	t.h, err = parseHeader(version, body, preambleSize)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Header returns what the file says it holds. Its Rows is a claim until Next
// has returned io.EOF: do not reserve memory for it unseen.
func (t *TableReader) Header() Header { return t.h }

// Next returns the next block, which is valid until the next call; only its
// strings are the caller's to keep. After the last block it returns io.EOF, and
// only if the footer agrees with what was read. After an error every call
// returns it.
func (t *TableReader) Next() (*Block, error) {
	if t.err == nil {
		t.err = t.next()
	}
	if t.err != nil {
		return nil, t.err
	}
	return &t.block, nil
}

func (t *TableReader) next() error {
	start := t.in.off
	if err := t.in.read(t.in.small[:4], "next block or footer"); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(t.in.small[:4])
	if n == 0 {
		return t.end()
	}
	if n > MaxBlockRows {
		return corrupt(start, "a block of %d rows, at most %d", n, MaxBlockRows)
	}
	if int64(n)*int64(t.h.Stride()) > math.MaxInt/int64(t.h.Type.inMemory()) {
		return corrupt(start, "a block of %d rows of %d %v is more than this machine can address", n, t.h.Stride(), t.h.Type)
	}
	if t.h.Rows != Unknown && t.rows+int64(n) > t.h.Rows {
		return corrupt(start, "more rows than the %d of the header", t.h.Rows)
	}
	if err := t.readBlock(int(n)); err != nil {
		return err
	}
	if err := t.h.checkKeys(t.block.Keys); err != nil {
		return corrupt(start, "%v", err)
	}
	if err := t.h.checkCells(t.block.Cells); err != nil {
		return corrupt(start, "%v", err)
	}
	t.rows += int64(n)
	return nil
}

func (t *TableReader) readBlock(n int) (err error) {
	if err := t.readKeys(n); err != nil {
		return err
	}
	if t.h.HasLast {
		if t.block.Last, err = readNumbers(&t.in, t.block.Last, n, "last steps"); err != nil {
			return err
		}
	}
	if t.h.Policy != "" {
		if t.block.Scores, err = readNumbers(&t.in, t.block.Scores, n, "scores"); err != nil {
			return err
		}
	}
	if err := t.readRows(n); err != nil {
		return err
	}
	return t.in.end("block")
}

func (t *TableReader) readRows(n int) (err error) {
	switch size := t.h.Type.cell(); {
	case t.h.Type == Text:
		err = t.readTexts(n * t.h.Width)
	case size > 0:
		t.block.Cells, err = readNumbers(&t.in, t.block.Cells, n*t.h.Stride()*size, "rows")
	case t.h.Type.half() != 0:
		err = t.readHalves(n)
	default:
		t.block.Rows, err = readNumbers(&t.in, t.block.Rows, n*t.h.Stride(), "rows")
	}
	return err
}

// readTexts reads rows of n strings in all.
func (t *TableReader) readTexts(n int) error {
	size, err := readSize(&t.in, "size of the texts")
	if err != nil {
		return err
	}
	t.block.Texts, err = t.texts.read(&t.in, t.block.Texts, n, size, "texts")
	return err
}

func (t *TableReader) readKeys(n int) error {
	size, err := readSize(&t.in, "size of the keys")
	if err != nil {
		return err
	}
	if t.h.KeyType == tensor.String {
		t.block.Strings, err = t.keys.read(&t.in, t.block.Strings, n, size, "keys")
		return err
	}
	if size != uint32(8*n) {
		return corrupt(t.in.off-4, "%d keys of 8 bytes in %d bytes", n, size)
	}
	t.block.Keys, err = readNumbers(&t.in, t.block.Keys, n, "keys")
	return err
}

func (t *TableReader) end() error {
	if t.h.Rows != Unknown && t.h.Rows != t.rows {
		return corrupt(t.in.off-4, "the header promised %d rows, the file ends after %d", t.h.Rows, t.rows)
	}
	if err := t.in.footer(uint64(t.rows), "rows"); err != nil {
		return err
	}
	return io.EOF
}

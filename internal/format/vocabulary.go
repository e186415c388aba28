package format

import (
	"encoding/binary"
	"io"

	"github.com/rowan-embeddings/rowan/tensor"
)

// vocabularyMagic begins a vocabulary file:
//
//	header  "rowanvoc" | version u32 | length u32 = 12 | key type u32, unknown u64 | crc
//	block   tokens u32 (1 … 4096) | token bytes u32 | tokens | uses u64 …          | crc
//	footer  0 u32 | crc of all crcs above | tokens u64                             | crc
const vocabularyMagic = "rowanvoc"

// Vocabulary is tokens in the order of their numbers, and how often each was
// used. Tokens differ.
type Vocabulary struct {
	// KeyType is Int64 or String.
	KeyType tensor.KeyType
	// Unknown counts the uses of what had no number.
	Unknown uint64
	// Keys are the tokens of an Int64 vocabulary, the bits of int64.
	Keys []uint64
	// Strings are the tokens of a String vocabulary; any bytes will do.
	Strings []string
	// Uses has a count for each token.
	Uses []uint64
}

func (v *Vocabulary) len() int { return len(v.Keys) + len(v.Strings) }

// WriteVocabulary writes a vocabulary file. What a file cannot hold is ErrInvalid.
func WriteVocabulary(w io.Writer, v *Vocabulary) error {
	if err := v.check(); err != nil {
		return err
	}
	t := TableWriter{h: Header{KeyType: v.KeyType}, out: sink{w: w}}
	head := binary.LittleEndian.AppendUint32(nil, uint32(v.KeyType))
	t.out.preamble(vocabularyMagic, Version, binary.LittleEndian.AppendUint64(head, v.Unknown))
	for from := 0; from < v.len(); from += MaxBlockRows {
		if err := t.writeTokens(v, from, min(from+MaxBlockRows, v.len())); err != nil {
			return err
		}
	}
	t.out.footer(uint64(v.len()))
	return t.out.err
}

func (t *TableWriter) writeTokens(v *Vocabulary, from, to int) error {
	keys, strings := v.Keys, v.Strings
	if v.KeyType == tensor.String {
		strings = strings[from:to]
	} else {
		keys = keys[from:to]
	}
	if err := t.writeKeys(keys, strings); err != nil {
		return err
	}
	writeNumbers(&t.out, v.Uses[from:to])
	t.out.end()
	return t.out.err
}

func (v *Vocabulary) check() error {
	text := v.KeyType == tensor.String
	switch {
	case !text && v.KeyType != tensor.Int64:
		return invalid("a vocabulary of %v: it must be int64 or string", v.KeyType)
	case text && len(v.Keys) > 0 || !text && len(v.Strings) > 0:
		return invalid("%d numbers and %d strings in a vocabulary of %v", len(v.Keys), len(v.Strings), v.KeyType)
	case len(v.Uses) != v.len():
		return invalid("%d counts of uses for %d tokens", len(v.Uses), v.len())
	}
	if i, j := repeated(v.Keys); i >= 0 {
		return invalid("tokens %d and %d are both %d", i, j, int64(v.Keys[i]))
	}
	if i, j := repeated(v.Strings); i >= 0 {
		return invalid("tokens %d and %d are both %q", i, j, v.Strings[i])
	}
	return nil
}

// repeated returns where a token is for the first and the second time, or -1.
func repeated[K comparable](tokens []K) (first, second int) {
	at := make(map[K]int, len(tokens))
	for i, token := range tokens {
		if before, ok := at[token]; ok {
			return before, i
		}
		at[token] = i
	}
	return -1, -1
}

// ReadVocabulary reads a vocabulary file to its end. It reads in small pieces
// too: wrap a file in a bufio.Reader.
func ReadVocabulary(r io.Reader) (*Vocabulary, error) {
	t := TableReader{in: source{r: r}}
	_, body, err := t.in.preamble(vocabularyMagic, "vocabulary", Version)
	if err != nil {
		return nil, err
	}
	p := parser{b: body, at: preambleSize}
	kind := p.u32("key type")
	v := &Vocabulary{KeyType: tensor.KeyType(kind), Unknown: p.u64("uses of unknown tokens")}
	p.end()
	if kind != uint32(tensor.Int64) && kind != uint32(tensor.String) {
		p.fail("key type %d: a vocabulary has 0, int64, or 3, string", kind)
	}
	if p.err != nil {
		return nil, p.err
	}
	t.h.KeyType = v.KeyType
	for {
		more, err := t.readTokens(v)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	if err := t.in.footer(uint64(v.len()), "tokens"); err != nil {
		return nil, err
	}
	if err := v.check(); err != nil {
		return nil, corrupt(t.in.off, "%v", err)
	}
	return v, nil
}

// readTokens appends a block to v, or says that the footer begins.
func (t *TableReader) readTokens(v *Vocabulary) (more bool, err error) {
	start := t.in.off
	if err := t.in.read(t.in.small[:4], "next block or footer"); err != nil {
		return false, err
	}
	n := binary.LittleEndian.Uint32(t.in.small[:4])
	if n == 0 {
		return false, nil
	}
	if full := v.len()%MaxBlockRows == 0; n > MaxBlockRows || !full {
		return false, corrupt(start, "a block of %d tokens: all but the last have %d", n, MaxBlockRows)
	}
	if err := t.readKeys(int(n)); err != nil {
		return false, err
	}
	uses, err := readNumbers(&t.in, []uint64(nil), int(n), "uses")
	if err != nil {
		return false, err
	}
	v.Keys, v.Strings = append(v.Keys, t.block.Keys...), append(v.Strings, t.block.Strings...)
	v.Uses = append(v.Uses, uses...)
	return true, t.in.end("block")
}

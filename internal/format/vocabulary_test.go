package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/tensor"
)

func vocabularies() []*Vocabulary {
	long := &Vocabulary{KeyType: tensor.String, Unknown: 1 << 40}
	for i := range 2*MaxBlockRows + 3 {
		long.Strings, long.Uses = append(long.Strings, strconv.Itoa(i)), append(long.Uses, uint64(i)<<33)
	}
	return []*Vocabulary{
		{KeyType: tensor.Int64, Unknown: 2},
		{KeyType: tensor.Int64, Unknown: 7, Keys: []uint64{42, ^uint64(0), 0}, Uses: []uint64{3, 1, 0}},
		{KeyType: tensor.String, Strings: []string{"War", "", "\xff"}, Uses: []uint64{1, 2, 3}},
		long,
	}
}

func encodeVocabulary(t testing.TB, v *Vocabulary) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, WriteVocabulary(&b, v))
	return b.Bytes()
}

func TestVocabulariesAreReadBack(t *testing.T) {
	for _, want := range vocabularies() {
		got, err := ReadVocabulary(bytes.NewReader(encodeVocabulary(t, want)))
		must(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %d tokens of %v, want %d of %v", got.len(), got.KeyType, want.len(), want.KeyType)
		}
	}
}

func TestVocabularyDamageIsFound(t *testing.T) {
	for _, v := range vocabularies()[:3] {
		file := encodeVocabulary(t, v)
		for i := range 8 * len(file) {
			bad := slices.Clone(file)
			bad[i/8] ^= 1 << (i % 8)
			if _, err := ReadVocabulary(bytes.NewReader(bad)); !isNamed(err) {
				t.Errorf("bit %d of byte %d: %v", i%8, i/8, err)
			}
		}
		for n := range file {
			if _, err := ReadVocabulary(bytes.NewReader(file[:n])); !errors.Is(err, ErrTruncated) {
				t.Errorf("cut at %d: %v", n, err)
			}
		}
		if _, err := ReadVocabulary(bytes.NewReader(append(file, 0))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("with a byte more: %v", err)
		}
	}
}

func TestVocabulariesThatCannotBe(t *testing.T) {
	for want, v := range map[string]*Vocabulary{
		"a vocabulary of uint64":    {KeyType: tensor.Uint64},
		"1 numbers and 0 strings":   {KeyType: tensor.String, Keys: []uint64{1}},
		"0 numbers and 1 strings":   {Strings: []string{"a"}},
		"0 counts of uses":          {Keys: []uint64{1}},
		"tokens 0 and 2 are both 1": {Keys: []uint64{1, 2, 1}, Uses: make([]uint64, 3)},
		`1 and 2 are both "b"`:      {KeyType: tensor.String, Strings: []string{"a", "b", "b"}, Uses: make([]uint64, 3)},
	} {
		var b bytes.Buffer
		if err := WriteVocabulary(&b, v); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("%v and %d bytes, want ErrInvalid with %q and none", err, b.Len(), want)
		}
	}
	if err := WriteVocabulary(&limited{30}, vocabularies()[1]); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

// TestFalseVocabularies have good CRCs and bad contents.
func TestFalseVocabularies(t *testing.T) {
	head := func(kind uint32) []byte { return append(u32s(kind), make([]byte, 8)...) }
	block := func(keys ...uint64) []byte {
		b := u32s(uint32(len(keys)), uint32(8*len(keys)))
		for _, k := range append(keys, make([]uint64, len(keys))...) {
			b = binary.LittleEndian.AppendUint64(b, k)
		}
		return sealed(b)
	}
	good := preamble(vocabularyMagic, Version, head(0))
	twice := encodeVocabulary(t, &Vocabulary{Keys: []uint64{1, 2}, Uses: []uint64{0, 0}})
	twice = append(twice[:len(good):len(good)], block(1, 1)...)
	chain := append(slices.Clone(good[len(good)-4:]), twice[len(twice)-4:]...)
	twice = append(twice, sealed(append(u32s(0, crc32.Checksum(chain, castagnoli)), 2, 0, 0, 0, 0, 0, 0, 0))...)
	for want, file := range map[string][]byte{
		"key type 1":             preamble(vocabularyMagic, Version, head(1)),
		"key type 256":           preamble(vocabularyMagic, Version, head(256)),
		"uses of unknown":        preamble(vocabularyMagic, Version, u32s(0)),
		"4 bytes more":           preamble(vocabularyMagic, Version, append(head(0), 0, 0, 0, 0)),
		"a block of 5000 tokens": slices.Concat(good, u32s(5000)),
		"a block of 1 tokens":    slices.Concat(good, block(1), u32s(1)),
		"1 keys of 8 bytes":      slices.Concat(good, u32s(1, 9)),
		"tokens 0 and 1":         twice,
	} {
		if _, err := ReadVocabulary(bytes.NewReader(file)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrCorrupt with %q", err, want)
		}
	}
}

// FuzzVocabulary holds that what decodes encodes to the same bytes.
func FuzzVocabulary(f *testing.F) {
	for _, v := range vocabularies()[:3] {
		f.Add(encodeVocabulary(f, v))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		v, err := ReadVocabulary(bytes.NewReader(file))
		if err != nil {
			if !isNamed(err) {
				t.Errorf("an error without a name: %v", err)
			}
			return
		}
		if !bytes.Equal(encodeVocabulary(t, v), file) {
			t.Error("other bytes came out than went in")
		}
	})
}

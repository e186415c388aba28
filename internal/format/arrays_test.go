package format

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/tensor"
)

func array(t testing.TB, name string, data []float32, shape ...int) Array {
	t.Helper()
	v, err := tensor.NewValues(data, shape...)
	must(t, err)
	return Array{Name: name, Values: v}
}

func arraySample(t testing.TB) []Array {
	return []Array{
		array(t, "dense/kernel", []float32{1, 2, 3, 4, 5, float32(math.NaN())}, 2, 3),
		array(t, "dense/bias", []float32{1, 2, 3}, 3),
		array(t, "", []float32{7}),
		array(t, "empty", nil, 0, 5),
	}
}

func encodeArrays(t testing.TB, arrays []Array) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, WriteArrays(&b, arrays))
	return b.Bytes()
}

func TestArraysAreReadBack(t *testing.T) {
	for _, want := range [][]Array{nil, arraySample(t)} {
		got, err := ReadArrays(bytes.NewReader(encodeArrays(t, want)))
		must(t, err)
		if !slices.EqualFunc(got, want, func(a, b Array) bool {
			return a.Name == b.Name && slices.Equal(a.Values.Shape(), b.Values.Shape()) &&
				bytes.Equal(view(a.Values.Data()), view(b.Values.Data()))
		}) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestArrayDamageIsFound(t *testing.T) {
	file := encodeArrays(t, arraySample(t))
	for i := range 8 * len(file) {
		bad := slices.Clone(file)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := ReadArrays(bytes.NewReader(bad)); !isNamed(err) {
			t.Errorf("bit %d of byte %d: %v", i%8, i/8, err)
		}
	}
	for n := range file {
		if _, err := ReadArrays(bytes.NewReader(file[:n])); !errors.Is(err, ErrTruncated) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	if _, err := ReadArrays(bytes.NewReader(append(file, 0))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with a byte more: %v", err)
	}
}

func TestArraysThatCannotBe(t *testing.T) {
	for want, arrays := range map[string][]Array{
		`two arrays are named "a"`: {array(t, "a", nil, 0), array(t, "a", nil, 0)},
		"it must be UTF-8":         {array(t, "\xff", nil, 0)},
		`array "a" has no values`:  {{Name: "a"}},
		"33 dimensions":            {array(t, "a", []float32{1}, slices.Repeat([]int{1}, 33)...)},
		"larger than memory":       {array(t, "a", nil, 0, math.MaxInt)},
	} {
		var b bytes.Buffer
		err := WriteArrays(&b, arrays)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("%v and %d bytes, want ErrInvalid with %q and none", err, b.Len(), want)
		}
	}
	if err := WriteArrays(&limited{30}, arraySample(t)); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

// TestFalseArrays have good CRCs, or end where the error must come first.
func TestFalseArrays(t *testing.T) {
	begin := preamble(arrayMagic, Version, nil)
	part := func(name string, rest ...uint32) []byte {
		head := append(appendName(nil, name), u32s(rest...)...)
		return append(u32s(uint32(len(head))), head...)
	}
	one := sealed(append(part("a", 1, 1, 0), u32s(0)...))
	for want, file := range map[string][]byte{
		"33 dimensions":                   slices.Concat(begin, part("a", 33)),
		"larger than memory":              slices.Concat(begin, part("a", 3, 1<<31, 0, 1<<31, 0, 4, 0)),
		"dimension needs 8 bytes":         slices.Concat(begin, part("a", 2, 1, 0)),
		"4 bytes more":                    slices.Concat(begin, part("a", 1, 1, 0, 9)),
		"name and shape of an array in 9": slices.Concat(begin, u32s(9_999_999)),
		"two arrays are named":            slices.Concat(begin, one, one),
		"of a array: it must be UTF-8":    slices.Concat(begin, sealed(append(part("\xff", 1, 1, 0), u32s(0)...))),
	} {
		if _, err := ReadArrays(bytes.NewReader(file)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrCorrupt with %q", err, want)
		}
	}
}

func FuzzArrays(f *testing.F) {
	f.Add(encodeArrays(f, nil))
	f.Add(encodeArrays(f, arraySample(f)))
	f.Fuzz(func(t *testing.T, file []byte) {
		arrays, err := ReadArrays(bytes.NewReader(file))
		if err != nil {
			if !isNamed(err) {
				t.Errorf("an error without a name: %v", err)
			}
			return
		}
		if again := encodeArrays(t, arrays); !bytes.Equal(again, file) {
			t.Errorf("% x encodes to\n% x", file, again)
		}
	})
}

package format

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/rowan-embeddings/rowan/tensor"
)

// maxRank is the most dimensions of an array.
const maxRank = 32

// Array is a named array, such as the kernel of a dense layer.
type Array struct {
	// Name is at most 1,024 bytes of UTF-8 and differs from every other in the file.
	Name string
	// Values has at most 32 dimensions.
	Values *tensor.Values
}

// WriteArrays writes an array file that holds arrays in the given order. What a
// file cannot hold is ErrInvalid.
func WriteArrays(w io.Writer, arrays []Array) error {
	seen := make(map[string]bool, len(arrays))
	for _, a := range arrays {
		if err := a.check(seen); err != nil {
			return err
		}
	}
	out := sink{w: w}
	out.preamble(arrayMagic, Version, nil)
	for _, a := range arrays {
		head := a.appendHead(make([]byte, 4))
		binary.LittleEndian.PutUint32(head, uint32(len(head)-4))
		out.write(head)
		writeNumbers(&out, a.Values.Data())
		out.end()
	}
	out.footer(uint64(len(arrays)))
	return out.err
}

func (a *Array) check(seen map[string]bool) error {
	if err := checkName("array", a.Name); err != nil {
		return err
	}
	if seen[a.Name] {
		return invalid("two arrays are named %q", a.Name)
	}
	seen[a.Name] = true
	if a.Values == nil {
		return invalid("array %q has no values", a.Name)
	}
	if n := len(a.Values.Shape()); n > maxRank {
		return invalid("array %q has %d dimensions, at most %d", a.Name, n, maxRank)
	}
	if !addressable(a.Values.Shape()) {
		return invalid("array %q has shape %v, larger than memory has addresses", a.Name, a.Values.Shape())
	}
	return nil
}

// addressable says that the dimensions, from the left up to any of them, hold
// no more float32 than an int can count bytes of.
func addressable(shape []int) bool {
	count := 1
	for _, d := range shape {
		if d < 0 || d > math.MaxInt/4 || d > 0 && count > math.MaxInt/4/d {
			return false
		}
		count *= d
	}
	return true
}

// appendHead appends name | rank u32 | dimensions u64 ….
func (a *Array) appendHead(b []byte) []byte {
	shape := a.Values.Shape()
	b = appendName(b, a.Name)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(shape)))
	for _, d := range shape {
		b = binary.LittleEndian.AppendUint64(b, uint64(d))
	}
	return b
}

// ReadArrays reads an array file to its end.
func ReadArrays(r io.Reader) ([]Array, error) {
	in := source{r: r}
	_, body, err := in.preamble(arrayMagic, "array", Version)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		return nil, corrupt(12, "header of %d bytes, an array file has none", len(body))
	}
	arrays, seen := []Array(nil), map[string]bool{}
	for {
		at := in.off
		a, err := readArray(&in)
		if err != nil {
			return nil, err
		}
		if a == nil {
			return arrays, in.footer(uint64(len(arrays)), "arrays")
		}
		if err := a.check(seen); err != nil {
			return nil, corrupt(at, "%v", err)
		}
		arrays = append(arrays, *a)
	}
}

// readArray returns the next array, or nil where the footer begins.
func readArray(in *source) (*Array, error) {
	at := in.off
	if err := in.read(in.small[:4], "next array or footer"); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(in.small[:4])
	if n == 0 {
		return nil, nil
	}
	if n > 4+maxName+4+8*maxRank {
		return nil, corrupt(at, "name and shape of an array in %d bytes", n)
	}
	head := make([]byte, n)
	if err := in.read(head, "name and shape"); err != nil {
		return nil, err
	}
	name, shape, count, err := parseHead(head, at+4)
	if err != nil {
		return nil, err
	}
	data, err := readNumbers(in, []float32(nil), count, "array")
	if err != nil {
		return nil, err
	}
	if err := in.end("array"); err != nil {
		return nil, err
	}
	v, err := tensor.NewValues(data, shape...)
	if err != nil {
		return nil, corrupt(at, "array %q: %v", name, err)
	}
	return &Array{Name: name, Values: v}, nil
}

// parseHead returns name, shape and the number of elements.
func parseHead(head []byte, at int64) (string, []int, int, error) {
	p := parser{b: head, at: at}
	name := p.name("array name")
	rank := p.u32("rank")
	if rank > maxRank {
		p.fail("%d dimensions, at most %d", rank, maxRank)
	}
	shape := []int(nil)
	for i := uint32(0); i < rank && p.err == nil; i++ {
		shape = append(shape, int(min(p.u64("dimension"), math.MaxInt)))
	}
	if !addressable(shape) {
		p.fail("array %q has shape %v, larger than memory has addresses", name, shape)
	}
	p.end()
	if p.err != nil {
		return "", nil, 0, p.err
	}
	count := 1
	for _, d := range shape {
		count *= d
	}
	return name, shape, count, nil
}

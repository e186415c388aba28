package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/tensor"
)

// sealed appends the CRC of a section, as an attacker would.
func sealed(section []byte) []byte {
	return binary.LittleEndian.AppendUint32(section, crc32.Checksum(section, castagnoli))
}

// preamble returns a file's header section with a body of any bytes.
func preamble(magic string, version uint32, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(magic), version)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	return sealed(append(b, body...))
}

func u32s(v ...uint32) []byte {
	b := []byte(nil)
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

// TestFalseHeaders have good CRCs and bad contents.
func TestFalseHeaders(t *testing.T) {
	h := Header{Name: "t", Width: 3, Rows: 1, Slots: []Slot{{"m", 1}}}
	good := h.append(nil)
	with := func(at int, b ...byte) []byte { c := slices.Clone(good); copy(c[at:], b); return c }
	for want, body := range map[string][]byte{
		"key type needs 1 bytes":            {},
		"slot name needs 1 bytes":           good[:len(good)-1],
		"1 bytes more":                      append(slices.Clone(good), 0),
		"key type KeyType(9)":               with(0, 9),
		"dtype 1":                           with(1, 1),
		"dtype 3":                           with(1, 3),
		"flags 0x2":                         with(2, 2),
		"padding 1":                         with(3, 1),
		`width 0 of "weights"`:              with(4, 0, 0, 0, 0),
		"of \"weights\"":                    with(4, 255, 255, 255, 255),
		"row count":                         with(8, 0, 0, 0, 0, 0, 0, 0, 128),
		"step -":                            with(24, 0, 0, 0, 0, 0, 0, 0, 128),
		"slot width needs 4 bytes":          with(32, 2),
		"table name of 4294967295 bytes":    with(36, 255, 255, 255, 255),
		"it must be UTF-8 of at most 1024 ": with(40, 255),
	} {
		_, err := NewTableReader(bytes.NewReader(preamble(tableMagic, Version, body)))
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrCorrupt with %q", err, want)
		}
	}
	if _, err := NewTableReader(bytes.NewReader(preamble(tableMagic, Version, good))); err != nil {
		t.Errorf("the header that the others come from: %v", err)
	}
}

// TestFalseScores have headers that say otherwise than their version. A file
// has one form: with scores it is version 2, without them version 1.
func TestFalseScores(t *testing.T) {
	plain := (&Header{Name: "t", Width: 1}).append(nil)
	scored := (&Header{Name: "t", Width: 1, Policy: "p", Clock: 3}).append(nil)
	halved := (&Header{Name: "t", Width: 1, Type: BFloat16}).append(nil)
	halvedAndScored := (&Header{Name: "t", Width: 1, Type: Float16, Policy: "p"}).append(nil)
	nameless := slices.Clone(scored)
	copy(nameless[len(nameless)-13:], append(appendName(nil, ""), make([]byte, 9)...))
	for want, file := range map[string][]byte{
		"flags 0x2, padding 0: of":           preamble(tableMagic, Version, scored),
		"flags 0x0, padding 0: of":           preamble(tableMagic, scoresVersion, plain),
		"a policy without a name":            preamble(tableMagic, scoresVersion, nameless),
		"clock needs 8 bytes":                preamble(tableMagic, scoresVersion, scored[:len(scored)-1]),
		"policy name of 4294967295 bytes":    preamble(tableMagic, scoresVersion, append(slices.Clone(scored[:len(scored)-13]), 255, 255, 255, 255)),
		"1 bytes more":                       preamble(tableMagic, scoresVersion, append(slices.Clone(scored), 0)),
		"of a policy: it must be UTF-8":      preamble(tableMagic, scoresVersion, append(append(slices.Clone(scored[:len(scored)-9]), 255), scored[len(scored)-8:]...)),
		"version 5, this Rowan reads 1 to 4": preamble(tableMagic, TableVersion+1, scored),
		"version 0, this Rowan reads 1 to 4": preamble(tableMagic, 0, plain),
		"ends at byte":                       preamble(tableMagic, scoresVersion, scored),
		"This is version 1":                  preamble(tableMagic, Version, halved),
		"This is version 2":                  preamble(tableMagic, scoresVersion, halvedAndScored),
		"This is version 3":                  preamble(tableMagic, halvesVersion, plain),
		"ends at byte 61":                    preamble(tableMagic, halvesVersion, halved),
	} {
		_, err := decode(bytes.NewReader(file), false)
		if !isNamed(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestFalseTypes have types that their version has not, and types without state
// that say to have some.
func TestFalseTypes(t *testing.T) {
	head := func(h Header) []byte { h.Width = 1; return h.append(nil) }
	with := func(dtype byte) []byte { b := head(Header{}); b[1] = dtype; return b }
	for _, test := range []struct {
		want    string
		version uint32
		body    []byte
	}{
		{"dtype 3, flags 0x0, padding 0: of", Version, with(3)},
		{"dtype 3, flags 0x2, padding 0: of", scoresVersion, head(Header{Type: Float64, Policy: "p"})},
		{"dtype 8, flags 0x0, padding 0: of", halvesVersion, with(8)},
		{"dtype 0, flags 0x0, padding 0: of", TableVersion, with(0)},
		{"dtype 0, flags 0x2, padding 0: of", TableVersion, head(Header{Policy: "p"})},
		{"dtype 2, flags 0x0, padding 0: of", TableVersion, with(2)},
		{"dtype 9, flags 0x0, padding 0: of", TableVersion, with(9)},
		{"dtype 255, flags 0x0, padding 0: of", TableVersion, with(255)},
		{"slots beside weights of int8", TableVersion, head(Header{Type: Int8, Slots: []Slot{{"m", 1}}})},
		{"slots beside weights of string", TableVersion, head(Header{Type: Text, Slots: []Slot{{"m", 1}}})},
		{"last steps beside weights of int64", TableVersion, head(Header{Type: Int64, HasLast: true})},
		{"last steps beside weights of string", TableVersion, head(Header{Type: Text, HasLast: true})},
	} {
		_, err := NewTableReader(bytes.NewReader(preamble(tableMagic, test.version, test.body)))
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("version %d: got %v, want ErrCorrupt with %q", test.version, err, test.want)
		}
	}
	for typ := Float64; typ <= Text; typ++ {
		if _, err := NewTableReader(bytes.NewReader(preamble(tableMagic, TableVersion, with(byte(typ))))); err != nil {
			t.Errorf("%v: %v", typ, err)
		}
	}
}

// TestLowestVersion reads the versions of files that could be of a newer one.
func TestLowestVersion(t *testing.T) {
	for typ := Float32; typ <= Text; typ++ {
		for policy, scores := range map[string]uint32{"": 0, "p": 1} {
			want := Version + scores
			switch {
			case typ > BFloat16:
				want = 4
			case typ > Float32:
				want = 3
			}
			file, err := table{h: Header{Width: 1, Type: typ, Policy: policy}}.encode(false)
			must(t, err)
			if got := binary.LittleEndian.Uint32(file[8:]); got != want {
				t.Errorf("%v, policy %q: version %d, want %d", typ, policy, got, want)
			}
		}
	}
}

func TestOtherFilesAndVersions(t *testing.T) {
	array := preamble(arrayMagic, Version, nil)
	if _, err := NewTableReader(bytes.NewReader(array)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), `"rowanarr"`) {
		t.Errorf("an array file as a table: %v", err)
	}
	newer := slices.Clone(array)
	newer[8] = 2
	if _, err := ReadArrays(bytes.NewReader(newer)); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "version 2, this Rowan reads 1 to 1") {
		t.Errorf("a newer version: %v", err)
	}
	long := slices.Clone(array)
	long[15] = 1
	if _, err := ReadArrays(bytes.NewReader(long)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a header of 16 MB: %v", err)
	}
	if _, err := ReadArrays(bytes.NewReader(preamble(arrayMagic, Version, []byte{1}))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an array file with a header: %v", err)
	}
}

// TestFalseCounts claim gigabytes that are not there.
func TestFalseCounts(t *testing.T) {
	wide := preamble(tableMagic, Version, (&Header{Width: MaxStride, Rows: math.MaxInt64}).append(nil))
	text := preamble(tableMagic, Version, (&Header{Width: 1, Rows: Unknown, KeyType: tensor.String}).append(nil))
	name := appendName(nil, "a")
	huge := append(append(u32s(uint32(len(name)+4+16)), name...), u32s(2, 1<<20, 0, 1<<20, 0)...)
	long := make([]byte, 4*4096)
	for i := range 4096 {
		binary.LittleEndian.PutUint32(long[4*i:], 1<<18)
	}
	cells := preamble(tableMagic, TableVersion, (&Header{Width: MaxStride, Rows: Unknown, Type: Int64}).append(nil))
	texts := preamble(tableMagic, TableVersion, (&Header{Width: 1 << 16, Rows: Unknown, Type: Text}).append(nil))
	keys := slices.Concat(u32s(4096, 8*4096), make([]byte, 8*4096))
	for name, file := range map[string][]byte{
		"cells":    slices.Concat(cells, keys, make([]byte, 100)),
		"lengths":  slices.Concat(texts, keys, u32s(math.MaxInt32), make([]byte, 100)),
		"rows":     slices.Concat(wide, u32s(4096, 8*4096), make([]byte, 8*4096+100)),
		"text":     slices.Concat(text, u32s(4096, 4*4096+1<<30), long),
		"elements": slices.Concat(preamble(arrayMagic, Version, nil), huge),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, table := decode(bytes.NewReader(file), false)
		_, array := ReadArrays(bytes.NewReader(file))
		runtime.ReadMemStats(&after)
		if !errors.Is(table, ErrTruncated) && !errors.Is(array, ErrTruncated) {
			t.Errorf("%s: %v, %v", name, table, array)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 3<<20 {
			t.Errorf("%s: a file of %d bytes cost %d", name, len(file), spent)
		}
	}
}

// TestFalseBlocks have counts that contradict each other.
func TestFalseBlocks(t *testing.T) {
	numeric := preamble(tableMagic, Version, (&Header{Width: 1, Rows: 1}).append(nil))
	narrow := preamble(tableMagic, Version, (&Header{Width: 1, Rows: Unknown, KeyType: tensor.Int32}).append(nil))
	text := preamble(tableMagic, Version, (&Header{Width: 1, Rows: Unknown, KeyType: tensor.String}).append(nil))
	texts := preamble(tableMagic, TableVersion, (&Header{Width: 3, Rows: Unknown, Type: Text}).append(nil))
	wide := preamble(tableMagic, TableVersion, (&Header{Width: MaxStride, Rows: Unknown, Type: Text}).append(nil))
	bools := preamble(tableMagic, TableVersion, (&Header{Width: 3, Rows: Unknown, Type: Bool}).append(nil))
	one := u32s(1, 8, 42, 0) // the key of a block of one row
	for want, file := range map[string][]byte{
		"a block of 4097 rows":                                       slices.Concat(numeric, u32s(4097, 8)),
		"more rows than the 1":                                       slices.Concat(numeric, u32s(2, 16)),
		"1 keys of 8 bytes in 9":                                     slices.Concat(numeric, u32s(1, 9)),
		"promised 1 rows":                                            slices.Concat(numeric, u32s(0)),
		"key 4294967296 in a":                                        slices.Concat(narrow, sealed(u32s(1, 8, 0, 1, 0))),
		"1 keys with their lengths in 3 bytes, at least 4":           slices.Concat(text, u32s(1, 3)),
		"in 2147483648 bytes, at least 4 and at most 2147483647":     slices.Concat(text, u32s(1, 1<<31)),
		"3 texts with their lengths in 11 bytes, at least 12":        slices.Concat(texts, one, u32s(11)),
		"4294967296 texts with their lengths in 2147483647 bytes, a": slices.Concat(wide, u32s(4096, 8*4096), make([]byte, 8*4096), u32s(math.MaxInt32)),
		"3 texts of 3 bytes together, with their lengths in 14":      slices.Concat(texts, one, u32s(14, 1, 1, 1)),
		"3 texts of 12884901885 bytes together":                      slices.Concat(texts, one, u32s(15, math.MaxUint32, math.MaxUint32, math.MaxUint32)),
		"3 texts of 2147467264 bytes together":                       slices.Concat(texts, one, u32s(12+math.MaxInt32-16384+1, 0, 0, math.MaxInt32-16384+1)),
		"bool 2 of a block is 255":                                   slices.Concat(bools, sealed(slices.Concat(one, []byte{0, 1, 255}))),
		"keys of 3 bytes together":                                   slices.Concat(text, u32s(2, 12, 1, 2)),
		"8589934590 bytes together":                                  slices.Concat(text, u32s(2, 14, math.MaxUint32, math.MaxUint32)),
	} {
		if _, err := decode(bytes.NewReader(file), false); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrCorrupt with %q", err, want)
		}
	}
}

// TestSteadyState counts allocations: none a block for numbers, one for its keys
// if they are strings, and one for its texts.
func TestSteadyState(t *testing.T) {
	for _, test := range []struct {
		b    Block
		kind tensor.KeyType
		typ  Type
		want float64
	}{
		{Block{Keys: make([]uint64, 100), Rows: make([]float32, 800)}, tensor.Int64, Float32, 0},
		{Block{Strings: slices.Repeat([]string{"ab"}, 100), Rows: make([]float32, 800)}, tensor.String, BFloat16, 1},
		{Block{Keys: make([]uint64, 100), Cells: make([]byte, 8*800)}, tensor.Int64, Float64, 0},
		{Block{Keys: make([]uint64, 100), Cells: make([]byte, 800)}, tensor.Int64, Bool, 0},
		{Block{Strings: slices.Repeat([]string{"ab"}, 100), Texts: slices.Repeat([]string{"c"}, 800)}, tensor.String, Text, 2},
	} {
		h := Header{Width: 8, Rows: Unknown, HasLast: test.typ.trained(), Policy: "p", KeyType: test.kind, Type: test.typ}
		test.b.Scores = make([]int64, 100)
		if h.HasLast {
			test.b.Last = make([]int64, 100)
		}
		var file bytes.Buffer
		file.Grow(2 << 20)
		w, err := NewTableWriter(&file, h)
		must(t, err)
		if n := testing.AllocsPerRun(100, func() { must(t, w.WriteBlock(&test.b)) }); n > 0 {
			t.Errorf("%v, %v: %v allocations a block written", test.kind, test.typ, n)
		}
		must(t, w.Close())
		r, err := NewTableReader(&file)
		must(t, err)
		read := func() {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(90, read); n > test.want {
			t.Errorf("%v, %v: %v allocations a block read", test.kind, test.typ, n)
		}
	}
}

// canonical fails unless a file that decodes encodes to itself.
func canonical(t *testing.T, file []byte) {
	got, err := decode(bytes.NewReader(file), false)
	if err != nil {
		if !isNamed(err) {
			t.Errorf("an error without a name: %v", err)
		}
		return
	}
	again, err := got.encode(false)
	if err != nil || !bytes.Equal(again, file) {
		t.Errorf("%v\n% x encodes to\n% x", err, file, again)
	}
}

// reseal mends the CRCs of a file as far as it can follow it, so that the fuzzer
// gets past them.
func reseal(file []byte) []byte {
	b := slices.Clone(file)
	chain := uint32(0)
	seal := func(from, to int) bool {
		if to+4 > len(b) || to < from {
			return false
		}
		binary.LittleEndian.PutUint32(b[to:], crc32.Checksum(b[from:to], castagnoli))
		chain = crc32.Update(chain, castagnoli, b[to:to+4])
		return true
	}
	if len(b) < preambleSize {
		return b
	}
	n := int(binary.LittleEndian.Uint32(b[12:]))
	at := preambleSize + n
	if n > maxHeader || !seal(0, at) {
		return b
	}
	h, err := parseHeader(binary.LittleEndian.Uint32(b[8:]), b[preambleSize:at], 0)
	if err != nil {
		return b
	}
	for at += 4; at+8 <= len(b); {
		rows, keys := int(binary.LittleEndian.Uint32(b[at:])), int(binary.LittleEndian.Uint32(b[at+4:]))
		if rows == 0 {
			binary.LittleEndian.PutUint32(b[at+4:], chain)
			seal(at, at+16)
			break
		}
		size := 8 + keys
		if h.HasLast {
			size += 8 * rows
		}
		if h.Policy != "" {
			size += 8 * rows
		}
		size += rowBytes(&h, rows, b[min(at+size, len(b)):])
		if rows > MaxBlockRows || !seal(at, at+size) {
			break
		}
		at += size + 4
	}
	return b
}

// rowBytes returns the bytes of the rows at the beginning of b.
func rowBytes(h *Header, rows int, b []byte) int {
	switch {
	case h.Type == Text && len(b) < 4:
		return len(b)
	case h.Type == Text:
		return 4 + int(binary.LittleEndian.Uint32(b))
	case h.Type.cell() > 0:
		return rows * h.Stride() * h.Type.cell()
	}
	size := rows * h.Stride() * 4
	if h.Type != Float32 {
		size -= 2 * rows * h.Width
	}
	return size
}

func FuzzTable(f *testing.F) {
	for _, sample := range samples() {
		file, err := sample.encode(false)
		must(f, err)
		if !bytes.Equal(reseal(file), file) {
			f.Fatal("reseal changes a sound file")
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		canonical(t, file)
		canonical(t, reseal(file))
	})
}

func BenchmarkTableWrite(b *testing.B) { benchmarkWrite(b, false) }

func BenchmarkTableWritePortable(b *testing.B) { benchmarkWrite(b, true) }

func benchmarkWrite(b *testing.B, portable bool) {
	block := Block{Keys: make([]uint64, MaxBlockRows), Rows: make([]float32, 64*MaxBlockRows)}
	w, err := NewTableWriter(io.Discard, Header{Width: 64, Rows: Unknown})
	must(b, err)
	w.out.portable = portable
	b.SetBytes(4 * 64 * MaxBlockRows)
	for b.Loop() {
		must(b, w.WriteBlock(&block))
	}
}

func BenchmarkTableRead(b *testing.B) {
	block := Block{Keys: make([]uint64, MaxBlockRows), Rows: make([]float32, 64*MaxBlockRows)}
	file, err := table{Header{Width: 64, Rows: Unknown}, slices.Repeat([]Block{block}, 16)}.encode(false)
	must(b, err)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r, err := NewTableReader(bytes.NewReader(file))
		for err == nil {
			_, err = r.Next()
		}
		if err != io.EOF {
			b.Fatal(err)
		}
	}
}

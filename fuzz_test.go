package rowan_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// FuzzTable decodes bytes into operations on a table and does the same to a map
// of rows. All numbers are small multiples of 1/64, so that float32 is exact
// and every comparison is for equality.
func FuzzTable(f *testing.F) {
	for kind := range byte(32) {
		r := rand.New(rand.NewPCG(1, uint64(kind)))
		for range 4 {
			data := []byte{kind}
			for range 1000 {
				// Few keys, so that operations meet.
				data = append(data, byte(r.IntN(256)>>r.IntN(5)))
			}
			f.Add(data)
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &bits8{data: data[:min(len(data), 4096)]}
		kind := in.byte()
		o := rowan.TableOptions{
			Name: "fuzz", Width: 1 + int(kind&1)*2, Optimizer: sgd(0.5), Initializer: eighths{},
			OutOfRange: rowan.OutOfRange(kind >> 3 % 3), Missing: rowan.Missing(kind >> 3 & 1),
		}
		padded := kind&4 != 0
		switch {
		case kind&2 != 0:
			o.Rows = 9
			fuzzTable(t, in, o, padded, func(b byte) int64 { return int64(b%12) - 1 })
		case kind&16 != 0:
			o.KeyType = tensor.String
			fuzzTable(t, in, o, padded, func(b byte) string { return fmt.Sprintf("%0*d", b%5, b)[:b%5] })
		default:
			fuzzTable(t, in, o, padded, func(b byte) int64 { return int64(int8(b)) << (b % 57) })
		}
	})
}

// bits8 hands out bytes, zeros when they are used up.
type bits8 struct{ data []byte }

func (b *bits8) byte() byte {
	if len(b.data) == 0 {
		return 0
	}
	x := b.data[0]
	b.data = b.data[1:]
	return x
}

func (b *bits8) numbers(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(int8(b.byte())) / 16
	}
	return x
}

// model is a table and the map that it must agree with.
type model[K tensor.Key] struct {
	t      *testing.T
	in     *bits8
	o      rowan.TableOptions
	key    func(byte) K
	padded bool
	pad    K
	table  *rowan.Table
	rows   map[K][]float32
	rate   float32
	steps  int64
}

func fuzzTable[K tensor.Key](t *testing.T, in *bits8, o rowan.TableOptions, padded bool, key func(byte) K) {
	m := &model[K]{t: t, in: in, o: o, key: key, padded: padded, pad: key(1), rate: 0.5}
	if padded {
		switch pad := any(m.pad).(type) {
		case int64:
			m.o.Padding = rowan.PaddingID(pad)
		case string:
			m.o.Padding = rowan.PaddingString(pad)
		}
	}
	m.table = m.open()
	defer func() { m.table.Close() }()
	m.clear()
	ops := []func(){m.lookup, m.train, m.upsert, m.accumulate, m.remove, m.wipe, m.reload, m.export, m.optimizer, m.late, m.train, m.upsert}
	for len(in.data) > 0 {
		ops[int(in.byte())%len(ops)]()
	}
	m.export()
	if m.table.Step() != m.steps {
		t.Fatalf("step %d, want %d", m.table.Step(), m.steps)
	}
}

func (m *model[K]) open() *rowan.Table {
	table, err := rowan.NewTable(m.o)
	m.must(err)
	return table
}

func (m *model[K]) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// first is what the table's initializer gives a key.
func (m *model[K]) first(k K) []float32 {
	stream := uint64(0)
	switch k := any(k).(type) {
	case int64:
		stream = initializer.Stream(0, m.o.Name, uint64(k))
	case string:
		stream = initializer.StreamString(0, m.o.Name, k)
	}
	row := make([]float32, m.o.Width)
	eighths{}.Row(row, stream, initializer.Fan{})
	return row
}

// eighths is an initializer of few values, another for each key.
type eighths struct{}

func (eighths) Name() string { return "eighths" }

func (eighths) Row(dst []float32, stream uint64, _ initializer.Fan) {
	for i := range dst {
		dst[i] = float32(stream>>i%64) / 8
	}
}

// clear is the oracle's half of Clear.
func (m *model[K]) clear() {
	m.rows = map[K][]float32{}
	for i := range m.o.Rows {
		m.rows[any(int64(i)).(K)] = m.first(any(int64(i)).(K))
	}
}

// keys draws ids; those of a static table all lie in range if they must.
func (m *model[K]) keys(inRange bool) []K {
	keys := make([]K, m.in.byte()%16)
	for i := range keys {
		keys[i] = m.key(m.in.byte())
		if id, ok := any(keys[i]).(int64); ok && inRange && m.o.Rows > 0 {
			keys[i] = any(min(max(id, 0), int64(m.o.Rows-1))).(K)
		}
	}
	return keys
}

// row returns the row that an id means, and whether it means one: of a static
// table the last, where it is out of range and policy says so.
func (m *model[K]) row(k K) (K, bool) {
	if m.padded && k == m.pad {
		return k, false
	}
	if id, ok := any(k).(int64); ok && m.o.Rows > 0 && uint64(id) >= uint64(m.o.Rows) {
		return any(int64(m.o.Rows - 1)).(K), m.o.OutOfRange == rowan.OutOfRangeLast
	}
	return k, true
}

// reads is what an id reads as.
func (m *model[K]) reads(k K, training bool) []float32 {
	r, ok := m.row(k)
	switch row, held := m.rows[r]; {
	case !ok:
		return make([]float32, m.o.Width)
	case held:
		return row
	case !training && m.o.Missing == rowan.MissingZeros:
		return make([]float32, m.o.Width)
	}
	return m.first(k)
}

// outOfRange reports whether a lookup of keys must fail.
func (m *model[K]) outOfRange(keys []K) bool {
	return m.o.Rows > 0 && m.o.OutOfRange == rowan.OutOfRangeError && slices.ContainsFunc(keys, func(k K) bool {
		id := uint64(any(k).(int64))
		return id >= uint64(m.o.Rows) && !(m.padded && k == m.pad)
	})
}

func (m *model[K]) lookup() { m.look(m.keys(false), m.in.byte()&1 == 0) }

// look looks keys up, singly or as one weighted bag, and compares.
func (m *model[K]) look(keys []K, training bool) (l *rowan.Lookup, factors []float32) {
	pooled := m.in.byte()&1 == 0 && len(keys) > 0
	o := rowan.LookupOptions{Training: training}
	factors = slices.Repeat([]float32{1}, len(keys))
	ids := dense(m.t, keys)
	if pooled {
		o.Combiner = rowan.Sum
		for i := range factors {
			factors[i] = float32(m.in.byte()%4) - 1
		}
		var err error
		ids, err = dense(m.t, keys, 1, len(keys)).WithWeights(factors)
		m.must(err)
	}
	l, err := m.table.Lookup(ctx, ids, o)
	if m.outOfRange(keys) {
		if !errors.Is(err, rowan.ErrOutOfRange) {
			m.t.Fatalf("%v: %v, want ErrOutOfRange", keys, err)
		}
		return nil, nil
	}
	m.must(err)
	var want []float32
	if pooled {
		want = make([]float32, m.o.Width)
	}
	for i, k := range keys {
		row := m.reads(k, training)
		if !pooled {
			want = append(want, row...)
			continue
		}
		for d, x := range row {
			want[d] += factors[i] * x
		}
	}
	if !slices.Equal(l.Values().Data(), want) {
		m.t.Fatalf("%v read as %v, want %v", keys, l.Values().Data(), want)
	}
	for i, exists := range l.Exists() {
		r, ok := m.row(keys[i])
		if _, held := m.rows[r]; exists != (ok && held) {
			m.t.Fatalf("key %v exists: %v", keys[i], exists)
		}
	}
	return l, factors
}

func (m *model[K]) train() { m.trainAfter(func() {}) }

// late trains on lookups that something came after.
func (m *model[K]) late() {
	between := []func(){m.remove, m.wipe, m.optimizer, m.upsert, m.train, m.reload}[m.in.byte()%6]
	m.trainAfter(between)
}

// trainAfter looks one or two batches up, does something else, and applies.
func (m *model[K]) trainAfter(between func()) {
	g := m.table.NewGradients()
	type part struct {
		keys    []K
		factors []float32
		grad    []float32
	}
	var parts []part
	for range 1 + m.in.byte()%2 {
		keys := m.keys(false)
		l, factors := m.look(keys, true)
		if l == nil {
			continue
		}
		grad := m.in.numbers(l.Values().Len())
		m.must(g.Add(l, values(m.t, grad, l.Values().Shape()...)))
		parts = append(parts, part{keys, factors, grad})
	}
	between()
	m.must(m.table.Apply(ctx, g, rowan.Step{}))
	m.steps++
	for _, p := range parts {
		for i, k := range p.keys {
			r, ok := m.row(k)
			if !ok {
				continue
			}
			row, held := m.rows[r]
			if !held {
				row = m.first(r)
			}
			row = slices.Clone(row)
			for d := range row {
				row[d] -= m.rate * p.factors[i] * p.grad[(i*m.o.Width+d)%len(p.grad)]
			}
			m.rows[r] = row
		}
	}
}

func (m *model[K]) upsert() {
	keys := m.keys(true)
	data := m.in.numbers(len(keys) * m.o.Width)
	m.must(m.table.Upsert(ctx, dense(m.t, keys), values(m.t, data, len(keys), m.o.Width)))
	for i, k := range keys {
		m.rows[k] = data[i*m.o.Width : (i+1)*m.o.Width]
	}
}

func (m *model[K]) accumulate() {
	keys := m.keys(true)
	data, exists := m.in.numbers(len(keys)*m.o.Width), make([]bool, len(keys))
	for i := range exists {
		exists[i] = m.in.byte()&1 == 0
	}
	m.must(m.table.Accumulate(ctx, dense(m.t, keys), values(m.t, data, len(keys), m.o.Width), exists))
	for i, k := range keys {
		row, held := m.rows[k]
		if held != exists[i] {
			continue
		}
		next := slices.Clone(data[i*m.o.Width : (i+1)*m.o.Width])
		for d, x := range row {
			next[d] += x
		}
		m.rows[k] = next
	}
}

func (m *model[K]) remove() {
	keys := m.keys(false)
	err := m.table.Remove(ctx, dense(m.t, keys))
	if m.o.Rows > 0 {
		if !errors.Is(err, rowan.ErrStatic) {
			m.t.Fatal(err)
		}
		return
	}
	m.must(err)
	for _, k := range keys {
		delete(m.rows, k)
	}
}

func (m *model[K]) wipe() {
	m.must(m.table.Clear(ctx))
	m.clear()
}

// reload saves the table, makes something else of it, and loads it again. A
// table made from the file is the same to the byte.
func (m *model[K]) reload() {
	file := saved(m.t, m.table)
	twin := m.open()
	defer twin.Close()
	m.must(twin.Load(ctx, bytes.NewReader(file)))
	if !bytes.Equal(file, saved(m.t, twin)) {
		m.t.Fatal("a loaded table saves other bytes")
	}
	m.must(m.table.Clear(ctx))
	m.must(m.table.Load(ctx, bytes.NewReader(file)))
}

func (m *model[K]) optimizer() {
	m.rate = []float32{0.5, 0.25, 1}[m.in.byte()%3]
	m.must(m.table.SetOptimizer(sgd(m.rate)))
}

// export compares all rows.
func (m *model[K]) export() {
	var keys []K
	for part, err := range m.table.Export(ctx) {
		m.must(err)
		for i, k := range part.Keys.(*tensor.Dense[K]).Values() {
			keys = append(keys, k)
			if !slices.Equal(part.Values.Row(i), m.rows[k]) {
				m.t.Fatalf("row %v is %v, want %v", k, part.Values.Row(i), m.rows[k])
			}
		}
	}
	if want := slices.SortedFunc(maps.Keys(m.rows), cmp.Compare[K]); !slices.Equal(keys, want) || m.table.Len() != len(want) {
		m.t.Fatalf("%d keys %v, want %v", m.table.Len(), keys, want)
	}
}

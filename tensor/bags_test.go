package tensor

import (
	"math"
	"slices"
	"testing"
)

// sameBags are the bags [7 3] [] [7] in each layout that can hold them.
func sameBags(t testing.TB) []IDs {
	return []IDs{
		RaggedOf([]int64{7, 3}, nil, []int64{7}),
		must[*Sparse[int64]](t)(NewSparse([]int64{0, 1, 0, 2, 2, 0}, []int64{7, 3, 7}, 3, 3)),
	}
}

func TestBagsOf(t *testing.T) {
	var b Bags
	for _, ids := range sameBags(t) {
		if err := b.Of(ids); err != nil || !slices.Equal(b.Splits, []int64{0, 2, 2, 3}) || !slices.Equal(b.Outer, []int{3}) {
			t.Errorf("%T: %+v, %v", ids, b, err)
		}
	}
	dense := must[*Dense[int64]](t)(NewDense(make([]int64, 12), 2, 3, 2))
	if err := b.Of(dense); err != nil || !slices.Equal(b.Splits, []int64{0, 2, 4, 6, 8, 10, 12}) || !slices.Equal(b.Outer, []int{2, 3}) {
		t.Errorf("dense: %+v, %v", b, err)
	}
	sparse := must[*Sparse[int64]](t)(NewSparse([]int64{0, 1, 0, 1, 0, 4}, []int64{1, 2}, 2, 2, 5))
	if err := b.Of(sparse); err != nil || !slices.Equal(b.Splits, []int64{0, 0, 1, 2, 2}) || !slices.Equal(b.Outer, []int{2, 2}) {
		t.Errorf("sparse of rank 3: %+v, %v", b, err)
	}
	empty := must[*Dense[int64]](t)(NewDense[int64](nil, 2, 0))
	if err := b.Of(empty); err != nil || !slices.Equal(b.Splits, []int64{0, 0, 0}) {
		t.Errorf("bags of length 0: %+v, %v", b, err)
	}
}

func TestBagsRefused(t *testing.T) {
	var b Bags
	flat := must[*Dense[int64]](t)(NewDense(make([]int64, 3)))
	refused(t, b.Of(flat), ErrShape, "at least two dimensions (a batch of bags), got shape [3]")
	line := must[*Sparse[int64]](t)(NewSparse([]int64{1}, []int64{1}, 3))
	refused(t, b.Of(line), ErrShape, "got shape [3]")
	for _, outer := range []int{min(math.MaxInt, 1<<31+1), math.MaxInt} {
		wide := must[*Sparse[int64]](t)(NewSparse([]int64{1, 0}, []int64{1}, outer, 2))
		refused(t, b.Of(wide), ErrShape, "bags are more than the 2147483648")
		_, err := wide.Ragged()
		refused(t, err, ErrShape, "bags are more than")
	}
	long := must[*Dense[int64]](t)(NewDense[int64](nil, math.MaxInt, 0))
	refused(t, b.Of(long), ErrShape, "bags are more than")
	_, err := long.Ragged()
	refused(t, err, ErrShape, "bags are more than")
	over := must[*Sparse[int64]](t)(NewSparse[int64](nil, nil, math.MaxInt, math.MaxInt, 2))
	refused(t, b.Of(over), ErrShape, "more numbers than memory")
}

func TestBagsReuseTheirBuffers(t *testing.T) {
	var b Bags
	for _, ids := range append(sameBags(t), must[*Dense[int64]](t)(NewDense(make([]int64, 6), 3, 2))) {
		if n := testing.AllocsPerRun(10, func() {
			if err := b.Of(ids); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%T: %v allocations", ids, n)
		}
	}
}

func TestConversions(t *testing.T) {
	weights := []float32{1, 2, 3}
	r := must[*Ragged[int64]](t)(RaggedOf([]int64{7, 3}, nil, []int64{7}).WithWeights(weights))

	s := r.Sparse()
	if !slices.Equal(s.Indices(), []int64{0, 0, 0, 1, 2, 0}) || !slices.Equal(s.Shape(), []int{3, 2}) {
		t.Errorf("Sparse: %v of shape %v", s.Indices(), s.Shape())
	}
	if _, err := NewSparse(s.Indices(), s.Values(), s.Shape()...); err != nil {
		t.Errorf("Sparse is not what NewSparse would take: %v", err)
	}
	back := must[*Ragged[int64]](t)(s.Ragged())
	if !slices.Equal(back.Splits(), r.Splits()) || !slices.Equal(back.Shape(), r.Shape()) {
		t.Errorf("there and back: %v", back)
	}
	for _, ids := range []interface {
		Values() []int64
		Weights() []float32
	}{s, back} {
		if &ids.Values()[0] != &r.Values()[0] || &ids.Weights()[0] != &weights[0] {
			t.Errorf("%T: ids or weights were copied or lost", ids)
		}
	}

	d := must[*Dense[int64]](t)(r.Dense(-1))
	if !slices.Equal(d.Values(), []int64{7, 3, -1, -1, 7, -1}) || !slices.Equal(d.Shape(), []int{3, 2}) ||
		!slices.Equal(d.Weights(), []float32{1, 2, 0, 0, 3, 0}) {
		t.Errorf("Dense: %v, weights %v, shape %v", d.Values(), d.Weights(), d.Shape())
	}
	full := must[*Ragged[int64]](t)(d.Ragged())
	if !slices.Equal(full.Splits(), []int64{0, 2, 4, 6}) || &full.Values()[0] != &d.Values()[0] || &full.Weights()[0] != &d.Weights()[0] {
		t.Errorf("Dense to Ragged: %v", full)
	}
	plain := must[*Dense[string]](t)(RaggedOf([]string{"a"}, nil).Dense(""))
	if plain.Weights() != nil || !slices.Equal(plain.Values(), []string{"a", ""}) {
		t.Errorf("without weights: %v, %v", plain.Values(), plain.Weights())
	}
}

// TestByRow: all of a first index is one bag; rows without ids are bags too.
func TestByRow(t *testing.T) {
	s := must[*Sparse[int64]](t)(NewSparse([]int64{1, 0, 2, 1, 1, 0, 3, 0, 0}, []int64{7, 8, 9}, 5, 2, 3))
	s = must[*Sparse[int64]](t)(s.WithWeights([]float32{1, 2, 3}))
	r := must[*Ragged[int64]](t)(s.ByRow())
	if !slices.Equal(r.Splits(), []int64{0, 0, 2, 2, 3, 3}) || &r.Values()[0] != &s.Values()[0] || &r.Weights()[0] != &s.Weights()[0] {
		t.Errorf("%v", r)
	}
	if none := must[*Ragged[int64]](t)(must[*Sparse[int64]](t)(NewSparse[int64](nil, nil, 0, 4)).ByRow()); !slices.Equal(none.Splits(), []int64{0}) {
		t.Errorf("no rows: %v", none)
	}
	line := must[*Sparse[int64]](t)(NewSparse([]int64{1}, []int64{1}, 3))
	_, err := line.ByRow()
	refused(t, err, ErrShape, "two dimensions or more, got shape [3]")
	wide := must[*Sparse[int64]](t)(NewSparse([]int64{1, 0}, []int64{1}, min(math.MaxInt, 1<<31+1), 2))
	_, err = wide.ByRow()
	refused(t, err, ErrShape, "bags are more than")
	_, err = new(Sparse[int64]).ByRow()
	refused(t, err, ErrShape, "")
}

func TestConversionsRefused(t *testing.T) {
	cube := must[*Dense[int64]](t)(NewDense(make([]int64, 8), 2, 2, 2))
	_, err := cube.Ragged()
	refused(t, err, ErrShape, "from two dimensions, got shape [2 2 2]")
	line := must[*Sparse[int64]](t)(NewSparse([]int64{1}, []int64{1}, 3))
	_, err = line.Ragged()
	refused(t, err, ErrShape, "from two dimensions, got shape [3]")
	splits := make([]int64, 1<<12+1)
	for i := range splits[1:] {
		splits[i+1] = 1 << 20
	}
	lopsided := must[*Ragged[int32]](t)(NewRagged(make([]int32, 1<<20), splits))
	_, err = lopsided.Dense(0)
	refused(t, err, ErrShape, "4096 bags as wide as the longest, 1048576")
}

// FuzzBags builds the same bags in every layout and compares Of with a count of
// the ids before each bag. A byte of data is the length of a bag (its low bits)
// and where in its row the sparse form puts the first id.
func FuzzBags(f *testing.F) {
	f.Add([]byte{2, 0, 1}, uint8(3))
	f.Add([]byte{}, uint8(1))
	f.Add([]byte{3, 3, 3, 3}, uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, inner uint8) {
		const width = 16
		cols := int(inner%4) + 1
		data = data[:len(data)/cols*cols] // bags in a (rows, cols) arrangement for the sparse form
		var ids, indices, want []int64
		var lengths []int
		for bag, b := range data {
			want = append(want, int64(len(ids)))
			lengths = append(lengths, int(b%8))
			for i := range int64(b % 8) {
				ids = append(ids, int64(bag)<<8|i)
				indices = append(indices, int64(bag/cols), int64(bag%cols), i+int64(b>>3%8))
			}
		}
		want = append(want, int64(len(ids)))
		agree := func(ids IDs, want []int64, outer ...int) {
			t.Helper()
			b := Bags{Splits: []int64{9, 9}, Outer: []int{9}}
			if err := b.Of(ids); err != nil || !slices.Equal(b.Splits, want) || !slices.Equal(b.Outer, outer) {
				t.Errorf("%T: %+v, %v; want %v of %v", ids, b, err, want, outer)
			}
		}
		r := must[*Ragged[int64]](t)(RaggedFromLengths(ids, lengths))
		agree(r, want, len(data))
		agree(must[*Ragged[int64]](t)(NewRagged(ids, want)), want, len(data))
		agree(must[*Sparse[int64]](t)(NewSparse(indices, ids, len(data)/cols, cols, width)), want, len(data)/cols, cols)
		agree(r.Sparse(), want, len(data))
		agree(must[*Ragged[int64]](t)(r.Sparse().Ragged()), want, len(data))

		d := must[*Dense[int64]](t)(r.Dense(-1))
		every := make([]int64, len(data)+1)
		for i := range every {
			every[i] = int64(i * d.Shape()[1])
		}
		agree(d, every, len(data))
		for bag := range r.Bags() {
			row := d.Values()[every[bag]:every[bag+1]]
			if n := copy(row, r.Bag(bag)); slices.ContainsFunc(row[n:], func(id int64) bool { return id != -1 }) {
				t.Errorf("bag %d is filled up as %v", bag, row)
			}
		}
	})
}

// FuzzRejected gives any numbers to the constructors: what they accept is sound.
func FuzzRejected(f *testing.F) {
	f.Add([]byte{0, 2, 2, 3}, uint8(3))
	f.Add([]byte{0, 0, 0, 1, 1, 0}, uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		numbers := make([]int64, len(data))
		for i, b := range data {
			numbers[i] = int64(int8(b))
		}
		ids := make([]int64, n%16)
		r, err := NewRagged(ids, numbers)
		sound := slices.IsSorted(numbers) && len(numbers) > 0 && numbers[0] == 0 && numbers[len(numbers)-1] == int64(len(ids))
		if sound != (err == nil) {
			t.Errorf("splits %v for %d ids: %v", numbers, len(ids), err)
		}
		if err == nil {
			total := 0
			for bag := range r.Bags() {
				total += len(r.Bag(bag))
			}
			if total != len(ids) {
				t.Errorf("splits %v hold %d ids of %d", numbers, total, len(ids))
			}
		}
		pairs := make([]int64, len(numbers)/2)
		sound = true
		for i := range pairs {
			a, b := numbers[2*i], numbers[2*i+1]
			pairs[i] = a*1000 + b
			sound = sound && a >= 0 && a < 4 && b >= 0 && b < 4 && (i == 0 || pairs[i-1] < pairs[i])
		}
		if _, err := NewSparse(numbers[:2*len(pairs)], make([]int64, len(pairs)), 4, 4); sound != (err == nil) {
			t.Errorf("indices %v: %v", numbers, err)
		}
	})
}

package tensor

import (
	"reflect"
	"testing"
)

// TestClone: a copy is equal, and does not change with what it was made from.
func TestClone(t *testing.T) {
	for _, ids := range []func() IDs{
		func() IDs { return must[*Dense[int64]](t)(NewDense([]int64{7, 3, 7}, 3, 1)) },
		func() IDs { return RaggedOf([]string{"a", "b"}, nil, []string{"a"}) },
		func() IDs {
			return must[*Sparse[int32]](t)(NewSparse([]int64{0, 1, 0, 2, 2, 0}, []int32{7, 3, 7}, 3, 3))
		},
		func() IDs {
			return must[*Ragged[uint64]](t)(RaggedOf([]uint64{7, 3, 7}).WithWeights([]float32{1, 2, 3}))
		},
	} {
		from, want := ids(), ids()
		got := Clone(from)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the copy of %v is %v", want, got)
		}
		spoil(from)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the copy of %v became %v", want, got)
		}
	}
}

// spoil overwrites the memory of ids.
func spoil(ids IDs) {
	for i := range ids.Shape() {
		ids.Shape()[i] = 99
	}
	clear(ids.Weights())
	switch x := ids.(type) {
	case *Dense[int64]:
		clear(x.values)
	case *Ragged[string]:
		clear(x.values)
		clear(x.splits)
	case *Ragged[uint64]:
		clear(x.values)
		clear(x.splits)
	case *Sparse[int32]:
		clear(x.values)
		clear(x.indices)
	}
}

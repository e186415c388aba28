package tensor_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/rowan-embeddings/rowan/tensor"
)

func TestWithIDs(t *testing.T) {
	weights := []float32{1, 2, 3}
	dense, err := tensor.NewDense([]string{"a", "b", "c"}, 1, 3)
	if err == nil {
		dense, err = dense.WithWeights(weights)
	}
	if err != nil {
		t.Fatal(err)
	}
	sparse, err := tensor.NewSparse([]int64{0, 1, 1, 0, 1, 2}, []int32{7, 8, 9}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []tensor.IDs{dense, tensor.RaggedOf([]uint64{4, 5}, nil, []uint64{6}), sparse} {
		other, err := tensor.WithIDs(batch, []int64{-1, 0, 1})
		if err != nil {
			t.Fatal(err)
		}
		if other.KeyType() != tensor.Int64 || !reflect.DeepEqual(other.Shape(), batch.Shape()) || !reflect.DeepEqual(other.Weights(), batch.Weights()) {
			t.Errorf("%T of %v with weights %v became %T of %v with %v", batch, batch.Shape(), batch.Weights(), other, other.Shape(), other.Weights())
		}
		var before, after tensor.Bags
		if err := errors.Join(before.Of(batch), after.Of(other)); err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%T: bags %v, want %v (%v)", batch, after, before, err)
		}
		if v := other.(interface{ Values() []int64 }).Values(); !reflect.DeepEqual(v, []int64{-1, 0, 1}) {
			t.Errorf("%T: ids %v", batch, v)
		}
		if _, err := tensor.WithIDs(batch, []int64{1}); !errors.Is(err, tensor.ErrShape) {
			t.Errorf("%T with one id of three: %v", batch, err)
		}
	}
	none, err := tensor.WithIDs(new(tensor.Ragged[string]), []int64{})
	if err != nil || none.Shape()[0] != 0 {
		t.Errorf("no bags: %v, %v", none, err)
	}
	for _, batch := range []tensor.IDs{nil, new(tensor.Dense[int64]), new(tensor.Sparse[string])} {
		if _, err := tensor.WithIDs(batch, []int64{}); !errors.Is(err, tensor.ErrShape) {
			t.Errorf("%T: %v", batch, err)
		}
	}
}

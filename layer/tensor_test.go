package layer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/layer/op"
	"github.com/rowan-embeddings/rowan/tensor"
)

func TestTensorString(t *testing.T) {
	s := layer.NewScope(1)
	x := input(t, s, 10)
	words := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: s, Name: "words", Shape: layer.Shape{-1}, IDs: true, KeyType: tensor.String}))
	for _, c := range []struct {
		t    *layer.Tensor
		want string
	}{
		{x, "<Tensor shape=(None, 10), dtype=float32, name=input>"},
		{words, "<Tensor shape=(None, None), dtype=string, name=words>"},
		{op.ReduceMean(x), "<Tensor shape=(), dtype=float32, name=reduce_mean>"},
		{must[*layer.Tensor](t)(newDense(t, 3, layer.DenseOptions{Options: layer.Options{Name: "half", Policy: must[layer.Policy](t)(layer.PolicyByName("mixed_float16"))}}).Apply(x)), "<Tensor shape=(None, 3), dtype=float16, name=half>"},
	} {
		if got := fmt.Sprint(c.t); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	for _, none := range []*layer.Tensor{nil, new(layer.Tensor), op.Add(x, nil)} {
		if got := none.String(); !strings.Contains(got, layer.ErrArgument.Error()) {
			t.Errorf("%s, want one that says why it is none", got)
		}
	}
}

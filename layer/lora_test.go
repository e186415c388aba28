package layer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// adapted is a layer of four rows of width 3 with a LoRA of rank 2 and scale
// 1.5, whose factors are not zero, and its rows as they should read.
func adapted(t *testing.T, o layer.EmbeddingOptions) (*layer.Embedding, []float32) {
	t.Helper()
	ctx := context.Background()
	l := newEmbedding(t, 4, 3, o)
	run(t, l, ids(t, []int{1, 1}, 0))
	if err := l.EnableLoRA(layer.LoRAOptions{Rank: 2, Alpha: 3, BInitializer: initializer.NewRandomNormal()}); err != nil {
		t.Fatal(err)
	}
	w := must[[][]float32](t)(l.GetWeights(ctx))
	want := slices.Clone(w[0])
	for i := range 4 {
		for j := range 3 {
			for r := range 2 {
				want[3*i+j] += 1.5 * w[1][2*i+r] * w[2][3*r+j]
			}
		}
	}
	return l, want
}

func closeEnough(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-6 })
}

// TestLoRAReads: what an eager run gives, pooled or not, is E + s·A·B of the
// rows that are looked up; so is the merged export.
func TestLoRAReads(t *testing.T) {
	ctx := context.Background()
	l, want := adapted(t, layer.EmbeddingOptions{})
	if got := run(t, l, ids(t, []int{2, 2}, 3, 0, 0, 2)).Values[0].Floats.Data(); !closeEnough(got, slices.Concat(want[9:], want[:3], want[:3], want[6:9])) {
		t.Errorf("rows 3, 0, 0, 2 read as %v of %v", got, want)
	}
	var all []float32
	var keys []int64
	for rows, err := range l.Adapted(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		all, keys = append(all, rows.Values.Data()...), append(keys, rows.Keys.(*tensor.Dense[int64]).Values()...)
	}
	if !closeEnough(all, want) || !slices.Equal(keys, []int64{0, 1, 2, 3}) {
		t.Errorf("exported %v of %v, want %v", all, keys, want)
	}
	mean, want := adapted(t, layer.EmbeddingOptions{Combiner: rowan.Mean})
	got := run(t, mean, layer.Value{IDs: tensor.RaggedOf([]int64{1, 3}, nil)}).Values[0].Floats.Data()
	for j := range 3 {
		if w := (want[3+j] + want[9+j]) / 2; math.Abs(float64(got[j]-w)) > 1e-6 || got[3+j] != 0 {
			t.Errorf("the means are %v, want %v at %d and zeros of an empty bag", got, w, j)
		}
	}
}

// TestLoRAMerges: merging leaves what is read as it was, and moves it into the
// table; the adaptation starts anew.
func TestLoRAMerges(t *testing.T) {
	ctx := context.Background()
	l, want := adapted(t, layer.EmbeddingOptions{})
	if err := l.MergeLoRA(ctx); err != nil {
		t.Fatal(err)
	}
	if got := run(t, l, ids(t, []int{4}, 0, 1, 2, 3)).Values[0].Floats.Data(); !closeEnough(got, want) {
		t.Errorf("after the merge %v, want %v", got, want)
	}
	w := must[[][]float32](t)(l.GetWeights(ctx))
	if !closeEnough(w[0], want) || slices.Max(w[2]) != 0 || slices.Min(w[2]) != 0 {
		t.Errorf("the table is %v, want %v; the second factor %v, want zeros", w[0], want, w[2])
	}
	if err := newEmbedding(t, 2, 2, layer.EmbeddingOptions{}).MergeLoRA(ctx); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("merging nothing: %v", err)
	}
}

// TestLoRAOfPaddedIDs: padding and ids out of range read as without LoRA.
func TestLoRAOfPaddedIDs(t *testing.T) {
	l, want := adapted(t, layer.EmbeddingOptions{Padding: new(int64(1)), OutOfRange: rowan.OutOfRangeZeros})
	got := run(t, l, ids(t, []int{3}, 1, 77, 2)).Values[0].Floats.Data()
	if !closeEnough(got, slices.Concat(make([]float32, 6), want[6:9])) {
		t.Errorf("a padding id, one out of range and id 2 read as %v", got)
	}
}

// TestLoRAWeights: E frozen, A and B trained, in that order; with B zero at
// first nothing changes; names, shapes and Keras' defaults.
func TestLoRAWeights(t *testing.T) {
	l := newEmbedding(t, 5, 3, layer.EmbeddingOptions{Options: layer.Options{Name: "e"}})
	before := slices.Clone(run(t, l, ids(t, []int{5}, 0, 1, 2, 3, 4)).Values[0].Floats.Data())
	if err := l.EnableLoRA(layer.LoRAOptions{Rank: 2}); err != nil {
		t.Fatal(err)
	}
	if after := run(t, l, ids(t, []int{5}, 0, 1, 2, 3, 4)).Values[0].Floats.Data(); !slices.Equal(before, after) {
		t.Errorf("enabling LoRA turns %v into %v", before, after)
	}
	vars := l.Variables()
	for i, want := range []struct {
		name      string
		shape     layer.Shape
		trainable bool
	}{{"e/embeddings", layer.Shape{5, 3}, false}, {"e/lora_embeddings_a", layer.Shape{5, 2}, true}, {"e/lora_embeddings_b", layer.Shape{2, 3}, true}} {
		if v := vars[i]; v.Name() != want.name || !v.Shape().Equal(want.shape) || v.Trainable() != want.trainable {
			t.Errorf("weight %d is %s %v, trainable %v, want %+v", i, v.Name(), v.Shape(), v.Trainable(), want)
		}
	}
	a := must[[][]float32](t)(l.GetWeights(context.Background()))[1]
	if limit := float32(math.Sqrt(6.0 / 5)); slices.Max(a) > limit || slices.Min(a) < -limit || slices.Max(a) < limit/3 {
		t.Errorf("the first factor starts as %v, want HeUniform of 5 inputs, within ±%v", a, limit)
	}
	c := l.Config()
	if c["lora_rank"] != 2 || c["lora_alpha"] != 2.0 {
		t.Errorf("config %v, %v, want rank 2 and alpha 2", c["lora_rank"], c["lora_alpha"])
	}
	c["lora_alpha"] = 7
	back := must[layer.Layer](t)(layer.FromConfig("Embedding", c)).(*layer.Embedding)
	run(t, back, ids(t, []int{1}, 0))
	if c := back.Config(); len(back.Variables()) != 3 || c["lora_alpha"] != 7.0 {
		t.Errorf("made from its config it has %d weights and alpha %v", len(back.Variables()), c["lora_alpha"])
	}
	if c := newEmbedding(t, 2, 2, layer.EmbeddingOptions{}).Config(); c["lora_rank"] != nil {
		t.Errorf("without LoRA the config has %v", c["lora_rank"])
	}
}

func TestLoRARefusals(t *testing.T) {
	built := func(o layer.EmbeddingOptions) *layer.Embedding {
		l := newEmbedding(t, 3, 2, o)
		run(t, l, ids(t, []int{1, 1}, 0))
		return l
	}
	twice, _ := adapted(t, layer.EmbeddingOptions{})
	first := func(_ any, err error) error { return err }
	two := layer.LoRAOptions{Rank: 2}
	for _, c := range []struct {
		err  error
		is   error
		says string
	}{
		{built(layer.EmbeddingOptions{Constraint: constraint.NonNeg{}}).EnableLoRA(two), layer.ErrArgument, "LoRA is incompatible with embedding constraints"},
		{newEmbedding(t, 3, 2, layer.EmbeddingOptions{}).EnableLoRA(two), layer.ErrNotBuilt, "cannot enable LoRA on a layer that is not built"},
		{twice.EnableLoRA(two), layer.ErrArgument, "already enabled"},
		{built(layer.EmbeddingOptions{}).EnableLoRA(layer.LoRAOptions{}), layer.ErrArgument, "Received: rank=0"},
		{built(layer.EmbeddingOptions{}).EnableLoRA(layer.LoRAOptions{Rank: 1, Alpha: float32(math.Inf(1))}), layer.ErrArgument, "Received: alpha=+Inf"},
		{built(layer.EmbeddingOptions{}).EnableLoRA(layer.LoRAOptions{Rank: 2, AInitializer: initializer.Values{1}}), rowan.ErrOptions, "1 numbers for width 2"},
		{built(layer.EmbeddingOptions{}).EnableLoRA(layer.LoRAOptions{Rank: 2, BInitializer: initializer.Values{1}}), layer.ErrArgument, "1 numbers for width 2"},
		{built(layer.EmbeddingOptions{Combiner: rowan.Max}).EnableLoRA(two), layer.ErrArgument, "Received: combiner=max"},
		{first(layer.NewEmbedding(3, 2, layer.EmbeddingOptions{LoRARank: 1, Combiner: rowan.Prod})), layer.ErrArgument, "Received: combiner=prod"},
		{first(layer.NewEmbedding(3, 2, layer.EmbeddingOptions{LoRARank: -1})), layer.ErrArgument, "Received: rank=-1"},
		{first(layer.NewEmbedding(3, 2, layer.EmbeddingOptions{LoRARank: 1, Constraint: constraint.NonNeg{}})), layer.ErrArgument, "incompatible with embedding constraints"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", c.err, c.says)
		}
	}
	var rows layer.Rows
	if err := twice.Lookup(context.Background(), &rows, ids(t, []int{2}, 0, 1).IDs, false); err != nil {
		t.Fatal(err)
	}
	if err := rows.Reshape(3, 2); !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), "merge it first") {
		t.Errorf("another shape of adapted rows: %v", err)
	}
	l := newEmbedding(t, 3, 2, layer.EmbeddingOptions{})
	for _, err := range l.Adapted(context.Background()) {
		if !errors.Is(err, layer.ErrNotBuilt) {
			t.Errorf("exporting a layer that is not built: %v", err)
		}
	}
	l = built(layer.EmbeddingOptions{})
	if l.EnableLoRA(layer.LoRAOptions{Rank: 2, AInitializer: initializer.Values{1}}) == nil || len(l.Variables()) != 1 || !l.Variables()[0].Trainable() {
		t.Errorf("a refused LoRA leaves %d weights", len(l.Variables()))
	}
}

package layer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// LoRAOptions are the arguments of [Embedding.EnableLoRA]: Keras' enable_lora.
type LoRAOptions struct {
	// Rank is the width of the adaptation, which must be positive.
	Rank int
	// Alpha scales it, by Alpha/Rank. Default 0: Rank, a scale of 1, as in Keras.
	Alpha float32
	// AInitializer and BInitializer give the two factors their first values.
	// Defaults: HeUniform and Zeros, as in Keras, so that nothing changes at first.
	AInitializer, BInitializer initializer.Initializer
}

// lora is a low-rank adaptation (Hu et al., 2021): a row of the layer reads as
//
//	embeddings[id] + Alpha/Rank · lora_embeddings_a[id] · lora_embeddings_b
//	(width)                       (Rank)                  (Rank, width)
//
// embeddings are frozen; the first factor is a table, the second a dense weight.
// What is looked up are two rows an id, whatever the size of the table, where
// Keras multiplies the whole factors in each step. They enter the graph side by
// side, and the product is part of the graph, which differentiates it:
//
//	Feed    e e e e a a     one row, width 4 and rank 2
//	adapt   e e e e + scale · (a a)·B
type lora struct {
	layer *Embedding
	a     *rowan.Table
	b     *Variable
	rank  int
	scale float32
}

// EnableLoRA freezes the layer's rows and puts a trained adaptation of low rank
// beside them, once: Keras' enable_lora. The layer must be built, and must have
// neither a constraint nor a combiner that is not linear. The regularizer is put
// on both factors too, as in Keras. A model that the layer is part of must be
// compiled again. Nobody may use the layer meanwhile.
func (l *Embedding) EnableLoRA(o LoRAOptions) error {
	switch {
	case l.o.Constraint != nil:
		return fmt.Errorf("%w: LoRA is incompatible with embedding constraints: leave out the constraint of layer %q", ErrArgument, l.Name())
	case l.table == nil:
		return fmt.Errorf("%w: cannot enable LoRA on a layer that is not built: apply or run layer %q first, or set LoRARank", ErrNotBuilt, l.Name())
	case l.lora != nil:
		return fmt.Errorf("%w: LoRA is already enabled on layer %q: it can be enabled once", ErrArgument, l.Name())
	}
	if err := o.check(l.o.Combiner); err != nil {
		return fmt.Errorf("layer %q: %w", l.Name(), err)
	}
	before := len(l.vars)
	if err := l.adaptWith(o); err != nil {
		l.vars = l.vars[:before]
		return fmt.Errorf("layer %q: LoRA: %w", l.Name(), err)
	}
	return nil
}

func (o *LoRAOptions) check(c rowan.Combiner) error {
	switch {
	case o.Rank <= 0:
		return fmt.Errorf("%w: LoRA: the rank must be a positive integer. Received: rank=%d", ErrArgument, o.Rank)
	case o.Alpha-o.Alpha != 0:
		return fmt.Errorf("%w: LoRA: alpha must be a finite number. Received: alpha=%v", ErrArgument, o.Alpha)
	}
	switch c {
	case rowan.None, rowan.Sum, rowan.Mean, rowan.SqrtN:
		return nil
	}
	return fmt.Errorf("%w: LoRA multiplies pooled rows, which is right for sum, mean and sqrtn. Received: combiner=%v", ErrArgument, c)
}

// adaptWith makes the factors.
func (l *Embedding) adaptWith(o LoRAOptions) error {
	if o.Alpha == 0 {
		o.Alpha = float32(o.Rank)
	}
	if o.AInitializer == nil {
		o.AInitializer = initializer.HeUniform{}
	}
	if o.BInitializer == nil {
		o.BInitializer = initializer.Zeros{}
	}
	own, whole, err := regularizer.OfTable(l.o.Regularizer, l.inputDim, o.Rank)
	if err != nil {
		return fmt.Errorf("%w: the regularizer of LoRA's factors: %w", ErrArgument, err)
	}
	b, err := l.AddWeight("lora_embeddings_b", Shape{o.Rank, l.outputDim}, WeightOptions{Initializer: o.BInitializer, Regularizer: l.o.Regularizer})
	if err != nil {
		return err
	}
	l.vars = l.vars[:len(l.vars)-1] // it comes after the other
	a, err := rowan.NewTable(rowan.TableOptions{
		Name: l.Name() + "/lora_embeddings_a", Width: o.Rank, Rows: l.inputDim, Initializer: o.AInitializer, Seed: l.scope.seed,
		Optimizer: l.o.Optimizer, Regularizer: own, Padding: paddingID(l.o.Padding), OutOfRange: l.o.OutOfRange,
	})
	if err != nil {
		return err
	}
	v, err := l.AddTable("lora_embeddings_a", a, l.inputDim)
	if err == nil && l.table.Quantization() == 0 {
		err = l.table.SetOptimizer(nil) // frozen rows need no state beside them; packed ones have none
	}
	if err != nil {
		return errors.Join(err, a.Close())
	}
	if whole {
		v.regularizer = l.o.Regularizer
	}
	l.variable("embeddings").frozen = true
	l.vars = append(l.vars, b)
	l.o.LoRARank, l.o.LoRAAlpha = o.Rank, o.Alpha
	l.lora = &lora{layer: l, a: a, b: b, rank: o.Rank, scale: o.Alpha / float32(o.Rank)}
	return nil
}

// adaptation returns the layer's LoRA, nil without one: of types that embed an
// Embedding too.
func (l *Embedding) adaptation() *lora { return l.lora }

// adapt lowers the product, for rows of both tables side by side.
func (a *lora) adapt(c *Call, x *graph.Node) *graph.Node {
	last := x.Rank() - 1
	width := a.layer.outputDim
	e := graph.SliceAxis(x, last, graph.AxisRange(0, width))
	low := graph.SliceAxis(x, last, graph.AxisRange(width, width+a.rank))
	product := graph.DotGeneral(low, []int{last}, nil, c.Var(a.b), []int{0}, nil)
	return graph.Add(e, graph.MulScalar(product, float64(a.scale)))
}

// add adds the adaptation of rows of low to rows of the layer's width.
func (a *lora) add(rows, low []float32) {
	width, b := a.layer.outputDim, a.b.value
	for i := 0; i*width < len(rows); i++ {
		row := rows[i*width : (i+1)*width]
		for r, x := range low[i*a.rank : (i+1)*a.rank] {
			x *= a.scale
			for j, w := range b[r*width : (r+1)*width] {
				row[j] += float32(x * w)
			}
		}
	}
}

// Adapted yields the layer's rows as lookups read them, in ascending order of
// their ids, some thousands at a time: with LoRA the merged result, which Keras
// saves, else the rows of the table. It never holds more than a part of either
// table. Nobody may train the layer meanwhile.
func (l *Embedding) Adapted(ctx context.Context) iter.Seq2[*rowan.Rows, error] {
	return func(yield func(*rowan.Rows, error) bool) {
		if l.table == nil {
			yield(nil, fmt.Errorf("%w: apply or run layer %q first", ErrNotBuilt, l.Name()))
			return
		}
		var low rowan.Lookup
		for rows, err := range l.table.Export(ctx) {
			if err == nil && l.lora != nil {
				if err = l.lora.a.LookupInto(ctx, &low, rows.Keys, rowan.LookupOptions{}); err == nil {
					l.lora.add(rows.Values.Data(), low.Values().Data())
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(rows, nil) {
				return
			}
		}
	}
}

// MergeLoRA adds the adaptation to the layer's rows for good, a part at a time,
// and starts it anew from zero: lookups read what they did. It is ErrArgument of
// a layer without LoRA. After an error some rows may be merged and others not.
func (l *Embedding) MergeLoRA(ctx context.Context) error {
	if l.lora == nil {
		return fmt.Errorf("%w: layer %q has no LoRA to merge: enable it first", ErrArgument, l.Name())
	}
	for rows, err := range l.Adapted(ctx) {
		if err != nil {
			return err
		}
		if err := l.table.Upsert(ctx, rows.Keys, rows.Values); err != nil {
			return err
		}
	}
	clear(l.lora.b.value)
	return nil
}

// adaptedRows is what Rows has of a layer with LoRA beside its lookup.
type adaptedRows struct {
	lora   *lora // nil without
	low    rowan.Lookup
	joined tensor.Values // rows of both tables side by side
	merged tensor.Values
	grad   tensor.Values // of low's values
}

// adapt looks the first factor of the same ids up, and puts its rows beside
// those that have been looked up.
func (r *Rows) adapt(ctx context.Context, a *lora, o rowan.LookupOptions) error {
	low := &r.adapted.low
	if err := a.a.LookupInto(ctx, low, r.ids, o); err != nil {
		return err
	}
	rows, joined := r.lookup.Values(), &r.adapted.joined
	width, rank := a.layer.outputDim, a.rank
	if err := joined.Reset(wider(rows.Shape(), rank)...); err != nil {
		return err
	}
	for i := range low.Values().Len() / rank {
		at := joined.Data()[i*(width+rank):]
		copy(at, rows.Data()[i*width:(i+1)*width])
		copy(at[width:], low.Values().Data()[i*rank:(i+1)*rank])
	}
	r.adapted.lora = a
	return nil
}

// wider is a shape with more numbers a row.
func wider(s []int, by int) []int {
	s = slices.Clone(s)
	s[len(s)-1] += by
	return s
}

// merge returns rows with the adaptation added.
func (r *adaptedRows) merge(rows *tensor.Values) *tensor.Values {
	if r.merged.Reset(rows.Shape()...) != nil {
		return rows // no shape of an array is refused
	}
	copy(r.merged.Data(), rows.Data())
	r.lora.add(r.merged.Data(), r.low.Values().Data())
	return &r.merged
}

// backward adds the part of a gradient of the joined rows that is the factor's.
func (r *adaptedRows) backward(g *rowan.Gradients, grad *tensor.Values) error {
	if err := r.grad.Reset(r.low.Values().Shape()...); err != nil {
		return err
	}
	rank := r.lora.rank
	stride := rank + r.lora.layer.outputDim
	for i := range r.grad.Len() / rank {
		copy(r.grad.Data()[i*rank:(i+1)*rank], grad.Data()[(i+1)*stride-rank:])
	}
	return g.Add(&r.low, &r.grad)
}

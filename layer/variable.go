package layer

import (
	"context"
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// Variable is a weight of a layer: a dense array of float32, or a table.
//
// Its value is not guarded: training writes it between steps, and whoever
// reads at the same time must hold the model's lock.
type Variable struct {
	layer       *Base
	name        string
	shape       Shape
	value       []float32
	table       *rowan.Table
	frozen      bool
	regularizer regularizer.Regularizer
	constraint  constraint.Constraint
}

// Name returns the layer's name and the weight's: "dense/kernel".
func (v *Variable) Name() string { return v.layer.Name() + "/" + v.name }

// ShortName returns the weight's name alone: "kernel".
func (v *Variable) ShortName() string { return v.name }

// Shape returns the shape; of a table (rows, width), -1 rows for a dynamic one.
func (v *Variable) Shape() Shape { return v.shape }

// Value returns the numbers in row-major order, not a copy, to be read and
// updated in place; nil of a table.
func (v *Variable) Value() []float32 { return v.value }

// Table returns the table, nil of a dense array.
func (v *Variable) Table() *rowan.Table { return v.table }

// Trainable reports whether training updates the variable: neither it nor the
// layer is frozen.
func (v *Variable) Trainable() bool { return !v.frozen && !v.layer.frozen }

// Regularizer returns the penalty on the weight that the graph computes, nil if
// there is none: of a table, one that needs the whole matrix.
func (v *Variable) Regularizer() regularizer.Regularizer { return v.regularizer }

// Constrain applies the weight's constraint, after an update. A table applies its own.
func (v *Variable) Constrain() {
	if v.constraint != nil && v.table == nil {
		v.constraint.Apply(constraint.Of(v.value, v.shape...))
	}
}

// WeightOptions says what a weight starts as and how it is trained.
type WeightOptions struct {
	// DType is the type of the weight. Default: the layer's, float32. Another is
	// ErrUnsupported; see [Policy] for what is computed with it.
	DType DType
	// Initializer gives the first values. Default: GlorotUniform, as Keras.
	Initializer initializer.Initializer
	// Regularizer is a penalty on the weight, counted once however often the
	// layer is called. Default: none.
	Regularizer regularizer.Regularizer
	// Constraint is applied after each update. Default: none.
	Constraint constraint.Constraint
	// Frozen excludes the weight from training: batch statistics. Default: trained.
	Frozen bool
}

// maxWeight bounds the numbers of a dense weight, 8 GiB of them: more is a slip
// in a shape, which would end the process when it is allocated.
const maxWeight = 1 << 31

// AddWeight creates a dense weight, or returns the one of that name. Call it
// in Build, or before the first call. All dimensions must be known, else ErrShape.
func (b *Base) AddWeight(name string, s Shape, o WeightOptions) (*Variable, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	if v := b.variable(name); v != nil {
		if !v.shape.Equal(s) || v.table != nil {
			return nil, fmt.Errorf("%w: layer %q already has a weight %q of shape %v, asked for %v", ErrWeights, b.Name(), name, v.shape, s)
		}
		return v, nil
	}
	if o.DType != "" && o.DType != b.DType() {
		return nil, fmt.Errorf("%w: weight %q of layer %q of type %s: weights are float32", ErrUnsupported, name, b.Name(), o.DType)
	}
	n := 1
	for _, d := range s {
		if d <= 0 {
			return nil, fmt.Errorf("%w: weight %q of layer %q needs a known, positive shape, got %v", ErrShape, name, b.Name(), s)
		}
		if n > maxWeight/d {
			return nil, fmt.Errorf("%w: weight %q of layer %q of shape %v has more than %d numbers: keep it in a table", ErrShape, name, b.Name(), s, maxWeight)
		}
		n *= d
	}
	if err := regularizer.Check(o.Regularizer, s); err != nil {
		return nil, fmt.Errorf("%w: weight %q of layer %q: %w", ErrArgument, name, b.Name(), err)
	}
	if err := constraint.Check(o.Constraint, s); err != nil {
		return nil, fmt.Errorf("%w: weight %q of layer %q: %w", ErrArgument, name, b.Name(), err)
	}
	b.bind(process) // outside of Build it may have no name yet
	v := &Variable{layer: b, name: name, shape: slices.Clone(s), value: make([]float32, s.size()),
		frozen: o.Frozen, regularizer: o.Regularizer, constraint: o.Constraint}
	if err := v.initialize(o.Initializer); err != nil {
		return nil, fmt.Errorf("%w: weight %q of layer %q: %w", ErrArgument, name, b.Name(), err)
	}
	b.vars = append(b.vars, v)
	return v, nil
}

// initialize fills a dense weight row by row; a vector is one row.
func (v *Variable) initialize(i initializer.Initializer) error {
	if i == nil {
		i = initializer.GlorotUniform{}
	}
	row, err := initializer.Array(i, v.shape, initializer.TableStream(v.layer.scope.seed, v.Name()), fanOf(v.shape))
	if err != nil {
		return err
	}
	width := 1
	if n := len(v.shape); n > 0 {
		width = v.shape[n-1]
	}
	for r := 0; r*width < len(v.value); r++ {
		row(v.value[r*width:(r+1)*width], r)
	}
	return nil
}

// fanOf is Keras' compute_fans: of a matrix its two dimensions; of a vector its
// length, twice; beyond, the leading dimensions are a receptive field.
func fanOf(s Shape) initializer.Fan {
	switch len(s) {
	case 0:
		return initializer.Fan{In: 1, Out: 1}
	case 1:
		return initializer.Fan{In: s[0], Out: s[0]}
	}
	field := s[:len(s)-2].size()
	return initializer.Fan{In: s[len(s)-2] * field, Out: s[len(s)-1] * field}
}

// AddTable makes a table a weight of the layer. Call it in Build.
func (b *Base) AddTable(name string, t *rowan.Table, rows int) (*Variable, error) {
	if b.variable(name) != nil {
		return nil, fmt.Errorf("%w: layer %q already has a weight %q", ErrWeights, b.Name(), name)
	}
	if t == nil {
		return nil, fmt.Errorf("%w: the table %q of layer %q is nil", ErrArgument, name, b.Name())
	}
	if rows <= 0 {
		rows = -1
	}
	v := &Variable{layer: b, name: name, shape: Shape{rows, t.Width()}, table: t}
	b.vars = append(b.vars, v)
	return v, nil
}

func (b *Base) variable(name string) *Variable {
	for _, v := range b.vars {
		if v.name == name {
			return v
		}
	}
	return nil
}

// read returns a copy of the weight's numbers.
func (v *Variable) read(ctx context.Context) ([]float32, error) {
	if v.table == nil {
		return slices.Clone(v.value), nil
	}
	return readTable(ctx, v)
}

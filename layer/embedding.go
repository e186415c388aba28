package layer

import (
	"context"
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/arguments"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// EmbeddingOptions are the optional arguments of [NewEmbedding]. The zero value works.
type EmbeddingOptions struct {
	Options
	// Initializer gives the rows their first values. Default: RandomUniform(-0.05, 0.05).
	Initializer initializer.Initializer
	// Regularizer is a penalty on the table: L1L2 and a regularizer.Row are paid by
	// rows when they are touched, others need a small table. Default: none.
	Regularizer regularizer.Regularizer
	// Constraint is applied after each update: one that looks at a row, NonNeg or
	// a norm along axis 1, to the rows that were touched; another, as a norm along
	// Keras' default axis 0, to the whole table, at the cost of a pass over it in
	// each step. Default: none.
	Constraint constraint.Constraint
	// MaskZero makes id 0 a padding id: the output carries a mask that is
	// false there. The row of id 0 stays an ordinary row, as in Keras.
	MaskZero bool
	// InputLength is the shape of the ids of one example, -1 where it is not
	// known. Default: anything.
	InputLength []int
	// Combiner pools over the last dimension of the ids: one of rowan's, or a
	// function that rowan.RegisterCombiner was given. Default: none.
	Combiner rowan.Combiner
	// Padding is an id that stands for nothing: it reads as zeros, is left out
	// of means, and trains nothing; no mask is made. Default: none.
	Padding *int64
	// OutOfRange says what an id outside [0, inputDim) does. Default: an error.
	OutOfRange rowan.OutOfRange
	// RowDType is the type that rows are stored in: see [rowan.DType]. It is not part
	// of the layer's policy, whose weights are float32: rows are read as float32, and
	// cast as the policy says. Default: float32.
	RowDType rowan.DType
	// Optimizer trains the table. Default: the model's.
	Optimizer *optim.Optimizer
	// LoRARank, if positive, freezes the rows and trains an adaptation of that
	// rank beside them, scaled by LoRAAlpha: see [Embedding.EnableLoRA]. Default: none.
	LoRARank  int
	LoRAAlpha float32
}

// Embedding turns non-negative integers into rows of a static table: Keras'
// layer, with the combiner of NVIDIA's. Ids of shape (d1, …, dn) give
// (d1, …, dn, outputDim); with a combiner (d1, …, dn-1, outputDim). Ragged ids
// that are not pooled stay ragged in an eager run; a graph is fed them padded,
// under a mask.
type Embedding struct {
	Base
	inputDim, outputDim int
	o                   EmbeddingOptions
	table               *rowan.Table
	lora                *lora // nil without
}

// NewEmbedding returns a layer of inputDim rows of outputDim numbers. Both
// must be positive.
func NewEmbedding(inputDim, outputDim int, o EmbeddingOptions) (*Embedding, error) {
	if inputDim <= 0 {
		return nil, fmt.Errorf("%w: Embedding: `input_dim` must be a positive integer. Received: input_dim=%d", ErrArgument, inputDim)
	}
	if outputDim <= 0 {
		return nil, fmt.Errorf("%w: Embedding: `output_dim` must be a positive integer. Received: output_dim=%d", ErrArgument, outputDim)
	}
	for _, n := range o.InputLength {
		if n == 0 || n < -1 {
			return nil, fmt.Errorf("%w: Embedding: `input_length` must hold positive integers, or -1 where not known. Received: input_length=%v", ErrArgument, o.InputLength)
		}
	}
	if err := constraint.Check(o.Constraint, []int{inputDim, outputDim}); err != nil {
		return nil, fmt.Errorf("%w: Embedding: embeddings_constraint: %w", ErrArgument, err)
	}
	if _, _, err := regularizer.OfTable(o.Regularizer, inputDim, outputDim); err != nil {
		return nil, fmt.Errorf("%w: Embedding: embeddings_regularizer: %w", ErrArgument, err)
	}
	if low := (LoRAOptions{Rank: o.LoRARank, Alpha: o.LoRAAlpha}); o.LoRARank != 0 {
		if err := low.check(o.Combiner); err != nil {
			return nil, fmt.Errorf("Embedding: %w", err)
		}
		if o.Constraint != nil {
			return nil, fmt.Errorf("%w: Embedding: LoRA is incompatible with embedding constraints: leave out one of them", ErrArgument)
		}
	}
	if o.MaskZero && o.Combiner != rowan.None {
		return nil, fmt.Errorf("%w: Embedding: a combiner reduces the dimension that mask_zero would mask: use one of them, or pool the masked sequence with GlobalAveragePooling1D", ErrArgument)
	}
	if err := checkRowDType("Embedding", o.RowDType); err != nil {
		return nil, err
	}
	if o.Initializer == nil {
		o.Initializer = initializer.NewRandomUniform()
	}
	o.InputLength, o.Padding = slices.Clone(o.InputLength), clonePointer(o.Padding)
	l := &Embedding{inputDim: inputDim, outputDim: outputDim, o: o}
	l.Init(l, o.Options)
	if o.MaskZero {
		l.SupportMasking()
	}
	return l, nil
}

// Build creates the table.
func (l *Embedding) Build(...Shape) error {
	own, whole, err := regularizer.OfTable(l.o.Regularizer, l.inputDim, l.outputDim)
	if err != nil {
		return err
	}
	l.table, err = rowan.NewTable(rowan.TableOptions{
		Padding: paddingID(l.o.Padding),
		Name:    l.Name(), Width: l.outputDim, Rows: l.inputDim,
		Initializer: l.o.Initializer, Seed: l.scope.seed, Optimizer: l.o.Optimizer,
		Regularizer: own, Constraint: l.o.Constraint, OutOfRange: l.o.OutOfRange,
		DType: l.o.RowDType,
	})
	if err != nil {
		return err
	}
	v, err := l.AddTable("embeddings", l.table, l.inputDim)
	if err == nil && whole {
		v.regularizer = l.o.Regularizer
	}
	if err == nil && l.o.LoRARank > 0 {
		err = l.adaptWith(LoRAOptions{Rank: l.o.LoRARank, Alpha: l.o.LoRAAlpha})
	}
	return err
}

func paddingID(id *int64) *rowan.Padding {
	if id == nil {
		return nil
	}
	return rowan.PaddingID(*id)
}

// Table returns the table, nil before the layer is built.
func (l *Embedding) Table() *rowan.Table { return l.table }

// Optimizer returns the table's own optimizer, nil if it is the model's.
func (l *Embedding) Optimizer() *optim.Optimizer { return l.o.Optimizer }

// ImpliedInput is the input that a Sequential model gives the layer when it is
// the first: ids of the shape that its options or input_length say, else of one
// free dimension.
func (l *Embedding) ImpliedInput() InputOptions {
	in := l.Base.ImpliedInput()
	if in.Shape == nil {
		in.Shape = slices.Clone(l.o.InputLength)
	}
	if in.Shape == nil {
		in.Shape = Shape{-1}
	}
	return in
}

// Symbolic implements [HostLayer].
func (l *Embedding) Symbolic(in []*Tensor) (*Tensor, error) {
	if len(in) == 1 && in[0].keyType == tensor.String {
		return nil, fmt.Errorf("%w: Embedding looks up integers, input %q has strings: use DynamicEmbedding", ErrStage, in[0].name)
	}
	t, err := embed(in, l.o.Combiner, l.outputDim)
	if err != nil {
		return nil, err
	}
	if l.o.InputLength != nil {
		if err := l.checkLength(in[0].shape); err != nil {
			return nil, err
		}
		copyKnown(t.shape[1:], l.o.InputLength)
	}
	t.masked = t.masked || l.o.MaskZero
	return t, nil
}

// embed is the output of every embedding: the shape of the ids and the width.
func embed(in []*Tensor, c rowan.Combiner, width int) (*Tensor, error) {
	if len(in) != 1 {
		return nil, fmt.Errorf("%w: an embedding looks up one batch of ids, got %d", ErrArgument, len(in))
	}
	s := in[0].shape
	if c == rowan.None {
		return &Tensor{shape: s.append(width), masked: in[0].ragged}, nil
	}
	if len(s) < 2 {
		return nil, fmt.Errorf("%w: 1D input with combiner is ambiguous. Please create batch dimension. Received: %v", ErrShape, s)
	}
	return &Tensor{shape: s[:len(s)-1].append(width)}, nil
}

// checkLength is Keras' rule: input_length must agree with the ids' shape
// wherever both are known.
func (l *Embedding) checkLength(ids Shape) error {
	if !Shape(l.o.InputLength).Accepts(ids[1:]) {
		return fmt.Errorf("%w: \"input_length\" is %v, but received input has shape %v", ErrShape, Shape(l.o.InputLength), ids)
	}
	return nil
}

// copyKnown fills free dimensions of s from known, which is not longer.
func copyKnown(s Shape, known []int) {
	for i, d := range known {
		if i < len(s)-1 && s[i] < 0 {
			s[i] = d
		}
	}
}

// Lookup implements [HostLayer].
func (l *Embedding) Lookup(ctx context.Context, r *Rows, ids tensor.IDs, training bool) error {
	if l.table == nil {
		return fmt.Errorf("%w: apply or run the layer first", ErrNotBuilt)
	}
	if l.o.InputLength != nil && len(ids.Shape()) > 0 {
		if err := l.checkLength(Shape(ids.Shape())); err != nil {
			return err
		}
	}
	o := rowan.LookupOptions{Combiner: l.o.Combiner, Training: training && l.Trainable(), Feature: r.feature}
	rows := o
	rows.Training = o.Training && l.lora == nil // which freezes them
	err := r.look(ctx, l.table, ids, rows)
	if err == nil && l.lora != nil {
		err = r.adapt(ctx, l.lora, o)
	}
	if l.o.MaskZero && err == nil {
		r.mask = notZero(r.mask, ids)
	}
	return err
}

// Config implements [Configurer].
func (l *Embedding) Config() Config {
	c := l.BaseConfig()
	if l.o.LoRARank > 0 {
		c["lora_rank"], c["lora_alpha"] = l.o.LoRARank, arguments.Widen(l.o.LoRAAlpha)
	}
	if l.o.RowDType != rowan.Float32 {
		c["row_dtype"] = l.o.RowDType.String()
	}
	return c.with(Config{
		"input_dim": l.inputDim, "output_dim": l.outputDim,
		"embeddings_initializer": initializerConfig(l.o.Initializer),
		"embeddings_regularizer": regularizerConfig(l.o.Regularizer),
		"embeddings_constraint":  constraintConfig(l.o.Constraint),
		"mask_zero":              l.o.MaskZero, "input_length": lengthConfig(l.o.InputLength),
		"combiner": combinerConfig(l.o.Combiner), "out_of_range": int(l.o.OutOfRange),
		"padding": pointerConfig(l.o.Padding),
	})
}

// pointerConfig is null for an argument that is not set.
func pointerConfig[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// clonePointer copies an argument, so that the caller may use his for something else.
func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

// lengthConfig is a copy: a config is the caller's.
func lengthConfig(n []int) any {
	if n == nil {
		return nil
	}
	return slices.Clone(n)
}

func combinerConfig(c rowan.Combiner) any {
	if c == rowan.None {
		return nil
	}
	return c.String()
}

// combinerNames is what a config may name.
const combinerNames = "none, sum, mean, sqrtn, max, min, prod, std, variance, euclidean_norm, logsumexp, or a combiner given to rowan.RegisterCombiner"

func (r reader) combiner(key string) rowan.Combiner {
	name := r.Text(key)
	if name == "" {
		return rowan.None
	}
	c, err := rowan.ParseCombiner(name)
	if err != nil {
		r.Bad(key, combinerNames, name)
	}
	return c
}

func embeddingFromConfig(c Config) (Layer, error) {
	r := c.reader()
	in, out := r.Int("input_dim"), r.Int("output_dim")
	o := EmbeddingOptions{Options: r.options(), Initializer: r.initializer("embeddings_initializer"),
		Regularizer: r.regularizer("embeddings_regularizer"), Constraint: r.constraint("embeddings_constraint"),
		MaskZero: r.Flag("mask_zero"), InputLength: r.Ints("input_length"), Combiner: r.combiner("combiner"),
		OutOfRange: rowan.OutOfRange(r.Int("out_of_range")), Padding: r.ID("padding"), RowDType: r.rowDType("row_dtype"), LoRARank: r.Int("lora_rank"), LoRAAlpha: float32(r.Number("lora_alpha"))}
	if o.LoRARank == 0 {
		o.LoRAAlpha = 0
	}
	if err := r.done("Embedding"); err != nil {
		return nil, err
	}
	return NewEmbedding(in, out, o)
}

package layer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/activation"
	"github.com/rowan-embeddings/rowan/initializer"
)

// FeatureCrossOptions are the optional arguments of [NewFeatureCross]. The
// zero value works.
type FeatureCrossOptions struct {
	Options
	// Projection is the rank of the matrix: it is the product of one of shape
	// (n, Projection) and one of shape (Projection, n). Default 0: one full
	// matrix (n, n).
	Projection int
	// DiagScale is added to the diagonal of the matrix. Default 0.
	DiagScale float64
	// PreActivation is applied to what x0 is multiplied with. Default: "linear".
	PreActivation string
	// NoBias leaves the bias out: Keras' use_bias=False.
	NoBias bool
	// Kernel says how the matrix, or both, start and train. Default
	// initializer: GlorotUniform.
	Kernel WeightOptions
	// Bias is the same for the bias of shape (n). Default initializer: Zeros.
	Bias WeightOptions
}

// FeatureCross is one layer of a Deep & Cross Network, version 2 (Wang et al.
// 2021). Of the features x0 and what the crosses before made of them, x, it
// makes
//
//	x0 ⊙ (x·W + b + DiagScale·x) + x
//
// so that a stack of k of them holds products of k+1 features. The first one
// takes x0 alone, which is then x too:
//
//	x0 ──┬─> FeatureCross ──> x1 ──> FeatureCross ──> x2
//	     └─────────────────────────────┘
//
// It is the FeatureCross of Keras' recommenders (keras_rs).
type FeatureCross struct {
	Base
	o                  FeatureCrossOptions
	preActivation      activation.Func
	down, kernel, bias *Variable
}

// NewFeatureCross returns the layer.
func NewFeatureCross(o FeatureCrossOptions) (*FeatureCross, error) {
	if o.Projection < 0 {
		return nil, fmt.Errorf("%w: FeatureCross: `projection_dim` must be 0, for a full matrix, or a positive integer. Received: projection_dim=%d", ErrArgument, o.Projection)
	}
	if !(o.DiagScale >= 0) || o.DiagScale-o.DiagScale != 0 {
		return nil, fmt.Errorf("%w: FeatureCross: `diag_scale` must be a number of 0 or more. Received: diag_scale=%v", ErrArgument, o.DiagScale)
	}
	f, name, err := activationOf(o.PreActivation)
	if err != nil {
		return nil, fmt.Errorf("feature cross: %w", err)
	}
	o.PreActivation = name
	if o.Kernel.Initializer == nil {
		o.Kernel.Initializer = initializer.GlorotUniform{}
	}
	if o.Bias.Initializer == nil {
		o.Bias.Initializer = initializer.Zeros{}
	}
	l := &FeatureCross{o: o, preActivation: f}
	l.Init(l, o.Options)
	l.computeWide()
	l.SupportMasking()
	return l, nil
}

// Build creates the matrix and the bias.
func (l *FeatureCross) Build(in ...Shape) (err error) {
	if len(in) > 2 || len(in[0]) < 2 || len(in) == 2 && !in[0].Equal(in[1]) {
		return fmt.Errorf("%w: FeatureCross takes x0, or x0 and x of the same shape (batch, …, n). Received: %v", ErrShape, in)
	}
	n := in[0][len(in[0])-1]
	if n < 0 {
		return fmt.Errorf("%w: the last dimension of the inputs to a FeatureCross should be defined. Found None. Full input shape received: %v", ErrShape, in[0])
	}
	rows := n
	if p := l.o.Projection; p > 0 {
		if l.down, err = l.AddWeight("down_kernel", Shape{n, p}, l.o.Kernel); err != nil {
			return err
		}
		rows = p
	}
	if l.kernel, err = l.AddWeight("kernel", Shape{rows, n}, l.o.Kernel); err != nil || l.o.NoBias {
		return err
	}
	l.bias, err = l.AddWeight("bias", Shape{n}, l.o.Bias)
	return err
}

// Call implements [GraphLayer].
func (l *FeatureCross) Call(c *Call, in ...*graph.Node) []*graph.Node {
	x0, x := in[0], in[len(in)-1]
	y := x
	if l.down != nil {
		y = lastDot(y, c.Var(l.down))
	}
	y = lastDot(y, c.Var(l.kernel))
	if l.bias != nil {
		y = graph.Add(y, graph.ExpandLeftToRank(c.Var(l.bias), y.Rank()))
	}
	y = l.preActivation(y)
	if l.o.DiagScale > 0 {
		y = graph.Add(y, graph.MulScalar(x, l.o.DiagScale))
	}
	return []*graph.Node{graph.Add(graph.Mul(x0, y), x)}
}

// lastDot multiplies the vectors along the last dimension with a matrix.
func lastDot(x, matrix *graph.Node) *graph.Node {
	return graph.DotGeneral(x, []int{x.Rank() - 1}, nil, matrix, []int{0}, nil)
}

// ComputeMask implements [Masker]: true where the masks of x0 and x are.
func (l *FeatureCross) ComputeMask(_ *Call, _, mask []*graph.Node) []*graph.Node {
	return []*graph.Node{andMasks(mask)}
}

// Config implements [Configurer]. A constraint is told only where there is one:
// keras_rs has none.
func (l *FeatureCross) Config() Config {
	var projection any
	if l.o.Projection > 0 {
		projection = l.o.Projection
	}
	c := l.BaseConfig().with(Config{"projection_dim": projection, "diag_scale": l.o.DiagScale, "use_bias": !l.o.NoBias, "pre_activation": l.o.PreActivation}).
		with(weightConfig("kernel", l.o.Kernel)).with(weightConfig("bias", l.o.Bias))
	for _, key := range []string{"kernel_constraint", "bias_constraint"} {
		if c[key] == nil {
			delete(c, key)
		}
	}
	return c
}

func crossFromConfig(c Config) (Layer, error) {
	r := c.reader()
	o := FeatureCrossOptions{Options: r.options(), Projection: r.Int("projection_dim"), DiagScale: r.Number("diag_scale"),
		PreActivation: r.Text("pre_activation"), NoBias: r.Off("use_bias"), Kernel: r.weight("kernel"), Bias: r.weight("bias")}
	if err := r.done("FeatureCross"); err != nil {
		return nil, err
	}
	return NewFeatureCross(o)
}

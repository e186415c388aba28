package layer

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// pooling is what the layers that reduce a sequence share: (batch, steps, n)
// becomes (batch, n). Masked steps are left out; a sequence with no step left
// gives zeros.
type pooling struct {
	Base
	keepDims bool
}

func (l *pooling) init(self Layer, keepDims bool, o Options) {
	l.keepDims = keepDims
	l.Init(self, o)
	l.SupportMasking()
	l.computeWide()
	l.SetInputSpec(InputSpec{Rank: 3})
}

// Build does nothing: the layer has no weights.
func (l *pooling) Build(...Shape) error { return nil }

// ComputeMask implements [Masker]: the masked dimension is gone.
func (l *pooling) ComputeMask(*Call, []*graph.Node, []*graph.Node) []*graph.Node {
	return []*graph.Node{nil}
}

// Config implements [Configurer].
func (l *pooling) Config() Config { return l.BaseConfig().with(Config{"keepdims": l.keepDims}) }

func (l *pooling) out(x *graph.Node) []*graph.Node {
	if l.keepDims {
		x = graph.InsertAxes(x, 1)
	}
	return []*graph.Node{x}
}

// sums returns the sums over the steps that count.
func sums(x, mask *graph.Node) *graph.Node {
	if mask != nil {
		x = graph.Mul(x, graph.InsertAxes(asFloat(mask), -1))
	}
	return graph.ReduceSum(x, 1)
}

// GlobalAveragePooling1D averages the steps of a sequence that count.
type GlobalAveragePooling1D struct{ pooling }

// NewGlobalAveragePooling1D returns the layer. keepDims keeps the steps as a dimension of 1.
func NewGlobalAveragePooling1D(keepDims bool, o Options) *GlobalAveragePooling1D {
	l := new(GlobalAveragePooling1D)
	l.init(l, keepDims, o)
	return l
}

// Call implements [GraphLayer].
func (l *GlobalAveragePooling1D) Call(c *Call, in ...*graph.Node) []*graph.Node {
	x, mask := in[0], c.Mask(0)
	if mask == nil {
		return l.out(graph.DivScalar(sums(x, nil), float64(x.Shape().Dimensions[1])))
	}
	count := graph.ReduceAndKeep(asFloat(mask), graph.ReduceSum, 1)
	return l.out(graph.Div(sums(x, mask), graph.MaxScalar(count, 1)))
}

// GlobalSumPooling1D adds the steps of a sequence that count up.
type GlobalSumPooling1D struct{ pooling }

// NewGlobalSumPooling1D returns the layer. keepDims keeps the steps as a dimension of 1.
func NewGlobalSumPooling1D(keepDims bool, o Options) *GlobalSumPooling1D {
	l := new(GlobalSumPooling1D)
	l.init(l, keepDims, o)
	return l
}

// Call implements [GraphLayer].
func (l *GlobalSumPooling1D) Call(c *Call, in ...*graph.Node) []*graph.Node {
	return l.out(sums(in[0], c.Mask(0)))
}

// GlobalMaxPooling1D takes the largest of the steps of a sequence that count.
type GlobalMaxPooling1D struct{ pooling }

// NewGlobalMaxPooling1D returns the layer. keepDims keeps the steps as a dimension of 1.
func NewGlobalMaxPooling1D(keepDims bool, o Options) *GlobalMaxPooling1D {
	l := new(GlobalMaxPooling1D)
	l.init(l, keepDims, o)
	return l
}

// Call implements [GraphLayer].
func (l *GlobalMaxPooling1D) Call(c *Call, in ...*graph.Node) []*graph.Node {
	x, mask := in[0], c.Mask(0)
	if mask == nil {
		return l.out(graph.ReduceMax(x, 1))
	}
	dims := x.Shape().Dimensions
	counts := graph.BroadcastToDims(graph.InsertAxes(mask, -1), dims...)
	low := graph.AddScalar(zeros(x.Graph(), dims), -math.MaxFloat32)
	top := graph.ReduceMax(graph.Where(counts, x, low), 1)
	some := graph.BroadcastToDims(graph.ReduceAndKeep(asFloat(mask), graph.ReduceMax, 1), dims[0], dims[2])
	return l.out(graph.Where(graph.GreaterThan(some, graph.ZerosLike(some)), top, graph.ZerosLike(top)))
}

func averageFromConfig(c Config) (Layer, error) {
	keep, o, err := poolingConfig("GlobalAveragePooling1D", c)
	if err != nil {
		return nil, err
	}
	return NewGlobalAveragePooling1D(keep, o), nil
}

func sumFromConfig(c Config) (Layer, error) {
	keep, o, err := poolingConfig("GlobalSumPooling1D", c)
	if err != nil {
		return nil, err
	}
	return NewGlobalSumPooling1D(keep, o), nil
}

func maxFromConfig(c Config) (Layer, error) {
	keep, o, err := poolingConfig("GlobalMaxPooling1D", c)
	if err != nil {
		return nil, err
	}
	return NewGlobalMaxPooling1D(keep, o), nil
}

func poolingConfig(class string, c Config) (bool, Options, error) {
	r := c.reader()
	keep, o := r.Flag("keepdims"), r.options()
	return keep, o, r.done(class)
}

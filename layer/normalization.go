package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/initializer"
)

// affine is what the normalizing layers share: what they normalize along, and
// the weights that scale and shift the result.
type affine struct {
	axes        []int // as given: negative ones count from the end
	at          []int // the same, from the beginning and ascending; set by addWeights
	epsilon     float64
	center      bool
	scale       bool
	gamma, beta *Variable
	gammaW      WeightOptions
	betaW       WeightOptions
}

// addWeights creates gamma and beta, of the shape of the axes.
func (a *affine) addWeights(b *Base, in Shape) (s Shape, err error) {
	if s, err = a.settle(in); err != nil {
		return nil, err
	}
	if a.scale {
		if a.gamma, err = b.AddWeight("gamma", s, a.gammaW); err != nil {
			return nil, err
		}
	}
	if a.center {
		if a.beta, err = b.AddWeight("beta", s, a.betaW); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// settle counts the axes from the beginning, and returns their sizes.
func (a *affine) settle(in Shape) (Shape, error) {
	axes, sizes := make([]int, 0, len(a.axes)), Shape{}
	for _, at := range a.axes {
		if at < 0 {
			at += len(in)
		}
		if at < 1 || at >= len(in) || slices.Contains(axes, at) {
			return nil, fmt.Errorf("%w: axis %v of an input of shape %v: it must be a dimension behind the batch, each once", ErrShape, a.axes, in)
		}
		axes = append(axes, at)
	}
	slices.Sort(axes)
	for _, at := range axes {
		if in[at] < 0 {
			return nil, fmt.Errorf("%w: dimension %d must be known, it has a weight for each entry. Full input shape received: %v", ErrShape, at, in)
		}
		sizes = append(sizes, in[at])
	}
	a.at = axes
	return sizes, nil
}

// along gives an array of the shape of the axes the rank of the input, with
// dimensions of 1 elsewhere.
func (a *affine) along(v, x *graph.Node) *graph.Node {
	dims := slices.Repeat([]int{1}, x.Rank())
	for i, at := range a.at {
		dims[at] = v.Shape().Dimensions[i]
	}
	return graph.Reshape(v, dims...)
}

// apply is (x - mean)/√(variance + epsilon)·gamma + beta. mean and variance
// have the rank of x.
func (a *affine) apply(c *Call, x, mean, variance *graph.Node) *graph.Node {
	y := graph.Div(graph.Sub(x, mean), graph.Sqrt(graph.AddScalar(variance, a.epsilon)))
	if a.gamma != nil {
		y = graph.Mul(y, a.along(c.Var(a.gamma), x))
	}
	if a.beta != nil {
		y = graph.Add(y, a.along(c.Var(a.beta), x))
	}
	return y
}

// defaults fills the defaults in.
func (a *affine) defaults(class string) error {
	if a.epsilon == 0 {
		a.epsilon = 1e-3
	}
	if !(a.epsilon > 0) || a.epsilon-a.epsilon != 0 {
		return fmt.Errorf("%w: %s: `epsilon` must be a positive number. Received: epsilon=%v", ErrArgument, class, a.epsilon)
	}
	if a.gammaW.Initializer == nil {
		a.gammaW.Initializer = initializer.Ones{}
	}
	if a.betaW.Initializer == nil {
		a.betaW.Initializer = initializer.Zeros{}
	}
	return nil
}

func (a *affine) config() Config {
	c := Config{"epsilon": a.epsilon, "center": a.center, "scale": a.scale}
	return c.with(weightConfig("gamma", a.gammaW)).with(weightConfig("beta", a.betaW))
}

// LayerNormalizationOptions are the optional arguments of
// [NewLayerNormalization]. The zero value works.
type LayerNormalizationOptions struct {
	Options
	// Axes are the dimensions that are normalized together; negative ones count
	// from the end. Default: the last.
	Axes []int
	// Epsilon is added to the variance. Default: 0.001.
	Epsilon float64
	// NoCenter leaves beta out: Keras' center=False.
	NoCenter bool
	// NoScale leaves gamma out: Keras' scale=False.
	NoScale bool
	// Gamma says how the factor starts and trains. Default initializer: Ones.
	Gamma WeightOptions
	// Beta is the same for what is added. Default initializer: Zeros.
	Beta WeightOptions
}

// LayerNormalization gives each example mean 0 and variance 1 along some
// dimensions, then multiplies by gamma and adds beta (Ba, Kiros and Hinton
// 2016). A mask is passed on, and leaves nothing out.
type LayerNormalization struct {
	Base
	affine
}

// NewLayerNormalization returns the layer.
func NewLayerNormalization(o LayerNormalizationOptions) (*LayerNormalization, error) {
	l := &LayerNormalization{affine: affine{axes: slices.Clone(o.Axes), epsilon: o.Epsilon,
		center: !o.NoCenter, scale: !o.NoScale, gammaW: o.Gamma, betaW: o.Beta}}
	if len(l.axes) == 0 {
		l.axes = []int{-1}
	}
	if err := l.defaults("LayerNormalization"); err != nil {
		return nil, err
	}
	l.Init(l, o.Options)
	l.computeWide()
	l.SupportMasking()
	l.SetInputSpec(InputSpec{MinRank: 2})
	return l, nil
}

// Build creates gamma and beta.
func (l *LayerNormalization) Build(in ...Shape) error {
	_, err := l.addWeights(&l.Base, in[0])
	return err
}

// Call implements [GraphLayer].
func (l *LayerNormalization) Call(c *Call, in ...*graph.Node) []*graph.Node {
	x := in[0]
	mean := graph.ReduceAndKeep(x, graph.ReduceMean, l.at...)
	variance := graph.ReduceAndKeep(graph.Square(graph.Sub(x, mean)), graph.ReduceMean, l.at...)
	return []*graph.Node{l.apply(c, x, mean, variance)}
}

// Config implements [Configurer].
func (l *LayerNormalization) Config() Config {
	return l.BaseConfig().with(Config{"axis": slices.Clone(l.axes)}).with(l.affine.config())
}

func layerNormalizationFromConfig(c Config) (Layer, error) {
	r := c.reader()
	r.Only("rms_scaling", false)
	o := LayerNormalizationOptions{Options: r.options(), Axes: r.IntsOr("axis", -1), Epsilon: r.Positive("epsilon"),
		NoCenter: r.Off("center"), NoScale: r.Off("scale"), Gamma: r.weight("gamma"), Beta: r.weight("beta")}
	if err := r.done("LayerNormalization"); err != nil {
		return nil, err
	}
	return NewLayerNormalization(o)
}

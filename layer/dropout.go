package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// DropoutOptions are the optional arguments of [NewDropout]. The zero value works.
type DropoutOptions struct {
	Options
	// NoiseShape says what is dropped together: it has the input's rank, with 1
	// for a dimension along which all numbers share one fate and -1 for one
	// along which each has its own. {-1, -1, 1} behind an embedding drops whole
	// ids of a sequence, as Gal and Ghahramani (2016) do in recurrent networks.
	// Default: each number by itself.
	NoiseShape Shape
}

// Dropout sets a share of its input to zero in training, and scales the rest up
// so that the sum is expected to stay. It draws anew at every step.
type Dropout struct {
	Base
	rate  float64
	noise Shape
}

// NewDropout returns a layer that drops numbers with probability rate, in [0, 1).
func NewDropout(rate float64, o DropoutOptions) (*Dropout, error) {
	if !(rate >= 0 && rate < 1) {
		return nil, fmt.Errorf("%w: Dropout: `rate` must be in [0, 1). Received: rate=%v", ErrArgument, rate)
	}
	for _, d := range o.NoiseShape {
		if d == 0 || d < -1 {
			return nil, fmt.Errorf("%w: Dropout: `noise_shape` must hold positive integers, or -1 for the input's own. Received: noise_shape=%v", ErrArgument, o.NoiseShape)
		}
	}
	l := &Dropout{rate: rate, noise: slices.Clone(o.NoiseShape)}
	l.Init(l, o.Options)
	l.SupportMasking()
	l.SetInputSpec(InputSpec{}) // one input, of any shape
	return l, nil
}

// Build does nothing: the layer has no weights.
func (l *Dropout) Build(...Shape) error { return nil }

// Call implements [GraphLayer].
func (l *Dropout) Call(c *Call, in ...*graph.Node) []*graph.Node {
	x := in[0]
	if !c.Training || l.rate == 0 {
		return []*graph.Node{x}
	}
	dims := x.Shape().Dimensions
	keep := graph.GreaterOrEqual(c.Uniform(l.drawn(dims)...), graph.Scalar(x.Graph(), dtypes.Float32, l.rate))
	keep = graph.BroadcastToDims(keep, dims...)
	return []*graph.Node{graph.Where(keep, graph.DivScalar(x, 1-l.rate), graph.ZerosLike(x))}
}

// drawn is the shape of the numbers that decide about an input of shape dims.
func (l *Dropout) drawn(dims []int) []int {
	if l.noise == nil {
		return dims
	}
	if len(l.noise) != len(dims) {
		graphPanic("%w: noise_shape %v and an input of shape %v: they must have the same rank", ErrShape, l.noise, dims)
	}
	drawn := slices.Clone(dims)
	for i, n := range l.noise {
		if n == 1 {
			drawn[i] = 1
		} else if n > 0 && n != dims[i] {
			graphPanic("%w: noise_shape %v and an input of shape %v: dimension %d must be 1, -1 or the input's", ErrShape, l.noise, dims, i)
		}
	}
	return drawn
}

// Config implements [Configurer].
func (l *Dropout) Config() Config {
	c := l.BaseConfig().with(Config{"rate": l.rate})
	if l.noise != nil {
		c["noise_shape"] = l.noise.Dimensions()
	}
	return c
}

func dropoutFromConfig(c Config) (Layer, error) {
	r := c.reader()
	rate, o := r.Number("rate"), DropoutOptions{Options: r.options(), NoiseShape: r.Ints("noise_shape")}
	if err := r.done("Dropout"); err != nil {
		return nil, err
	}
	return NewDropout(rate, o)
}

package layer

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Dropout sets a share of its input to zero in training, and scales the rest up
// so that the sum is expected to stay. It draws anew at every step.
type Dropout struct {
	Base
	rate float64
}

// NewDropout returns a layer that drops each number with probability rate, in [0, 1).
func NewDropout(rate float64, o Options) (*Dropout, error) {
	if !(rate >= 0 && rate < 1) {
		return nil, fmt.Errorf("%w: Dropout: `rate` must be in [0, 1). Received: rate=%v", ErrArgument, rate)
	}
	l := &Dropout{rate: rate}
	l.Init(l, o)
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
	keep := graph.GreaterOrEqual(c.Uniform(x.Shape().Dimensions...), graph.Scalar(x.Graph(), dtypes.Float32, l.rate))
	return []*graph.Node{graph.Where(keep, graph.DivScalar(x, 1-l.rate), graph.ZerosLike(x))}
}

// Config implements [Configurer].
func (l *Dropout) Config() Config { return l.BaseConfig().with(Config{"rate": l.rate}) }

func dropoutFromConfig(c Config) (Layer, error) {
	r := c.reader()
	rate, o := r.number("rate"), r.options()
	if err := r.done("Dropout"); err != nil {
		return nil, err
	}
	return NewDropout(rate, o)
}

package layer

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/activation"
	"github.com/rowan-embeddings/rowan/initializer"
)

// DenseOptions are the optional arguments of [NewDense]. The zero value works.
type DenseOptions struct {
	Options
	// Activation is applied to the result: "relu", "sigmoid", …. Default: "linear".
	Activation string
	// NoBias leaves the bias out: Keras' use_bias=False.
	NoBias bool
	// Kernel says how the kernel of shape (inputs, units) starts and trains.
	// Default initializer: GlorotUniform.
	Kernel WeightOptions
	// Bias is the same for the bias of shape (units). Default initializer: Zeros.
	Bias WeightOptions
}

// Dense computes activation(input · kernel + bias) over the last dimension.
type Dense struct {
	Base
	units        int
	o            DenseOptions
	activation   activation.Func
	kernel, bias *Variable
}

// NewDense returns a layer of that many units.
func NewDense(units int, o DenseOptions) (*Dense, error) {
	if units <= 0 {
		return nil, fmt.Errorf("%w: Dense: `units` must be a positive integer. Received: units=%d", ErrArgument, units)
	}
	f, name, err := activationOf(o.Activation)
	if err != nil {
		return nil, fmt.Errorf("dense layer: %w", err)
	}
	o.Activation = name
	if o.Kernel.Initializer == nil {
		o.Kernel.Initializer = initializer.GlorotUniform{}
	}
	if o.Bias.Initializer == nil {
		o.Bias.Initializer = initializer.Zeros{}
	}
	l := &Dense{units: units, o: o, activation: f}
	l.Init(l, o.Options)
	l.SupportMasking()
	l.SetInputSpec(InputSpec{MinRank: 2})
	return l, nil
}

// Build creates kernel and bias. The last dimension of the input must be known.
func (l *Dense) Build(in ...Shape) (err error) {
	n := in[0][len(in[0])-1]
	if n < 0 {
		return fmt.Errorf("%w: the last dimension of the inputs to a Dense layer should be defined. Found None. Full input shape received: %v", ErrShape, in[0])
	}
	l.SetInputSpec(InputSpec{MinRank: 2, Axes: map[int]int{-1: n}})
	if l.kernel, err = l.AddWeight("kernel", Shape{n, l.units}, l.o.Kernel); err != nil || l.o.NoBias {
		return err
	}
	l.bias, err = l.AddWeight("bias", Shape{l.units}, l.o.Bias)
	return err
}

// Call implements [GraphLayer].
func (l *Dense) Call(c *Call, in ...*graph.Node) []*graph.Node {
	x := in[0]
	y := graph.DotGeneral(x, []int{x.Rank() - 1}, nil, c.Var(l.kernel), []int{0}, nil)
	if l.bias != nil {
		y = graph.Add(y, graph.ExpandLeftToRank(c.Var(l.bias), y.Rank()))
	}
	return []*graph.Node{l.activation(cast(y, dtypes.Float32))}
}

// Config implements [Configurer].
func (l *Dense) Config() Config {
	return l.BaseConfig().with(Config{"units": l.units, "activation": l.o.Activation, "use_bias": !l.o.NoBias}).
		with(weightConfig("kernel", l.o.Kernel)).with(weightConfig("bias", l.o.Bias))
}

func denseFromConfig(c Config) (Layer, error) {
	r := c.reader()
	units := r.Int("units")
	o := DenseOptions{Options: r.options(), Activation: r.Text("activation"), NoBias: r.Off("use_bias"),
		Kernel: r.weight("kernel"), Bias: r.weight("bias")}
	if err := r.done("Dense"); err != nil {
		return nil, err
	}
	return NewDense(units, o)
}

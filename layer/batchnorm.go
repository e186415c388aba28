package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/initializer"
)

// BatchNormalizationOptions are the optional arguments of
// [NewBatchNormalization]. The zero value works.
type BatchNormalizationOptions struct {
	Options
	// Axis is the dimension of the features, each of which is normalized by
	// itself; negative ones count from the end. Default 0: the last.
	Axis int
	// Momentum is what a moving average keeps of itself in a step, from 0 to
	// below 1. Default: 0.99.
	Momentum *float64
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
	// MovingMean is what the average of means starts at. Default: Zeros.
	MovingMean initializer.Initializer
	// MovingVariance is what the average of variances starts at. Default: Ones.
	MovingVariance initializer.Initializer
}

// BatchNormalization gives each feature mean 0 and variance 1 over the batch,
// then multiplies by gamma and adds beta (Ioffe and Szegedy 2015):
//
//	training     by the batch's mean and variance, which move two averages
//	inference    by the moving averages
//
// A frozen layer infers in training too, as in Keras since 2.2. Masked entries
// count in no mean or variance; a batch without any other leaves the averages
// as they are. (Keras pulls them towards 0 then.) The variance is that of the
// batch, divided by n, in the averages too, as in Keras 3.
//
// A layer that is applied twice in one model cannot train: of two updates of
// one average none is right.
type BatchNormalization struct {
	Base
	affine
	momentum       float64
	firstMean      initializer.Initializer
	firstVariance  initializer.Initializer
	mean, variance *Variable
}

// NewBatchNormalization returns the layer.
func NewBatchNormalization(o BatchNormalizationOptions) (*BatchNormalization, error) {
	l := &BatchNormalization{affine: affine{axes: []int{o.Axis}, epsilon: o.Epsilon, center: !o.NoCenter, scale: !o.NoScale,
		gammaW: o.Gamma, betaW: o.Beta}, momentum: 0.99, firstMean: o.MovingMean, firstVariance: o.MovingVariance}
	if o.Axis == 0 {
		l.axes = []int{-1}
	}
	if o.Momentum != nil {
		l.momentum = *o.Momentum
	}
	if !(l.momentum >= 0 && l.momentum < 1) {
		return nil, fmt.Errorf("%w: BatchNormalization: `momentum` must be in [0, 1). Received: momentum=%v", ErrArgument, l.momentum)
	}
	if err := l.defaults("BatchNormalization"); err != nil {
		return nil, err
	}
	if l.firstMean == nil {
		l.firstMean = initializer.Zeros{}
	}
	if l.firstVariance == nil {
		l.firstVariance = initializer.Ones{}
	}
	l.Init(l, o.Options)
	l.computeWide()
	l.SupportMasking()
	l.SetInputSpec(InputSpec{MinRank: 2})
	return l, nil
}

// Build creates gamma, beta and the moving averages.
func (l *BatchNormalization) Build(in ...Shape) error {
	s, err := l.addWeights(&l.Base, in[0])
	if err != nil {
		return err
	}
	l.SetInputSpec(InputSpec{Rank: len(in[0]), Axes: map[int]int{l.at[0]: s[0]}})
	if l.mean, err = l.AddWeight("moving_mean", s, WeightOptions{Initializer: l.firstMean, Frozen: true}); err != nil {
		return err
	}
	l.variance, err = l.AddWeight("moving_variance", s, WeightOptions{Initializer: l.firstVariance, Frozen: true})
	return err
}

// Call implements [GraphLayer].
func (l *BatchNormalization) Call(c *Call, in ...*graph.Node) []*graph.Node {
	x := in[0]
	if !c.Training || !l.Trainable() {
		return []*graph.Node{l.apply(c, x, l.along(c.Var(l.mean), x), l.along(c.Var(l.variance), x))}
	}
	mean, variance, count := l.moments(x, c.Mask(0))
	l.move(c, l.mean, mean, count)
	l.move(c, l.variance, variance, count)
	return []*graph.Node{l.apply(c, x, mean, variance)}
}

// moments returns the batch's mean and variance, with the rank of x, and the
// number of entries of a feature that count, nil without a mask.
func (l *BatchNormalization) moments(x, mask *graph.Node) (mean, variance, count *graph.Node) {
	over := l.others(x.Rank())
	if mask == nil {
		mean = graph.ReduceAndKeep(x, graph.ReduceMean, over...)
		return mean, graph.ReduceAndKeep(graph.Square(graph.Sub(x, mean)), graph.ReduceMean, over...), nil
	}
	counts := l.spread(mask, x)
	count = graph.ReduceAndKeep(counts, graph.ReduceSum, over...)
	n := graph.MaxScalar(count, 1)
	mean = graph.Div(graph.ReduceAndKeep(graph.Mul(x, counts), graph.ReduceSum, over...), n)
	off := graph.Mul(graph.Sub(x, mean), counts)
	variance = graph.Div(graph.ReduceAndKeep(graph.Square(off), graph.ReduceSum, over...), n)
	return mean, variance, count
}

// others are the dimensions that are averaged over.
func (l *BatchNormalization) others(rank int) []int {
	var axes []int
	for d := range rank {
		if !slices.Contains(l.at, d) {
			axes = append(axes, d)
		}
	}
	return axes
}

// spread makes ones and zeros of the shape of x from a mask of its leading dimensions.
func (l *BatchNormalization) spread(mask, x *graph.Node) *graph.Node {
	counts := asFloat(mask)
	for counts.Rank() < x.Rank() {
		counts = graph.InsertAxes(counts, -1)
	}
	return graph.BroadcastToDims(counts, x.Shape().Dimensions...)
}

// move moves an average towards a batch's value, unless nothing of it counts.
func (l *BatchNormalization) move(c *Call, v *Variable, batch, count *graph.Node) {
	now, shape := c.Var(v), c.Var(v).Shape().Dimensions
	next := graph.Add(graph.MulScalar(now, l.momentum), graph.MulScalar(graph.Reshape(batch, shape...), 1-l.momentum))
	if count != nil {
		n := graph.Reshape(count, shape...)
		next = graph.Where(graph.GreaterThan(n, graph.ZerosLike(n)), next, now)
	}
	c.AddUpdate(v, graph.StopGradient(next))
}

// Config implements [Configurer].
func (l *BatchNormalization) Config() Config {
	return l.BaseConfig().with(Config{"axis": l.axes[0], "momentum": l.momentum,
		"moving_mean_initializer":     initializerConfig(l.firstMean),
		"moving_variance_initializer": initializerConfig(l.firstVariance),
	}).with(l.affine.config())
}

func batchNormalizationFromConfig(c Config) (Layer, error) {
	r := c.reader()
	for _, key := range []string{"renorm", "synchronized", "fused", "virtual_batch_size"} {
		r.Only(key, false)
	}
	r.Get("renorm_clipping") // of renorm alone
	r.Get("renorm_momentum")
	o := BatchNormalizationOptions{Options: r.options(), Epsilon: r.Positive("epsilon"), NoCenter: r.Off("center"), NoScale: r.Off("scale"),
		Gamma: r.weight("gamma"), Beta: r.weight("beta"),
		MovingMean: r.initializer("moving_mean_initializer"), MovingVariance: r.initializer("moving_variance_initializer")}
	if axes := r.IntsOr("axis", -1); len(axes) == 1 && axes[0] != 0 {
		o.Axis = axes[0]
	} else {
		r.Bad("axis", "one dimension, and not the batch", axes)
	}
	if _, ok := r.Get("momentum"); ok {
		o.Momentum = new(r.Number("momentum"))
	}
	if err := r.done("BatchNormalization"); err != nil {
		return nil, err
	}
	return NewBatchNormalization(o)
}

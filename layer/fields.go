package layer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// crossing is what the layers share that let the vectors of features meet. The
// vectors come as several inputs of shape (batch, n), one a feature, or as one
// input of shape (batch, features, n), whose mask leaves features out: their
// vectors count as zeros.
type crossing struct{ Base }

func (l *crossing) init(self Layer, o Options) {
	l.Init(self, o)
	l.computeWide()
	l.SupportMasking()
}

// Build checks the inputs.
func (l *crossing) Build(in ...Shape) error {
	_, err := l.features(in)
	return err
}

// features is how many vectors there are, -1 if that is not known yet.
func (l *crossing) features(in []Shape) (int, error) {
	n, want := len(in), 2
	if n == 1 {
		want = 3
	}
	for _, s := range in {
		if len(s) != want || s[want-1] != in[0][want-1] {
			return 0, fmt.Errorf("%w: %s takes one input of shape (batch, features, n), or several of shape (batch, n) with one n. Received: %v", ErrShape, l.Class(), in)
		}
	}
	if n == 1 {
		n = in[0][1]
	}
	if n >= 0 && n < 2 {
		return 0, fmt.Errorf("%w: %s needs the vectors of at least 2 features. Received: %v", ErrShape, l.Class(), in)
	}
	return n, nil
}

// vectors returns the vectors of all features: (batch, features, n).
func (l *crossing) vectors(c *Call, in []*graph.Node) *graph.Node {
	if len(in) > 1 {
		return graph.Stack(in, 1)
	}
	if mask := c.Mask(0); mask != nil {
		return graph.Mul(in[0], graph.InsertAxes(asFloat(mask), -1))
	}
	return in[0]
}

// ComputeMask implements [Masker]: the features are gone.
func (l *crossing) ComputeMask(*Call, []*graph.Node, []*graph.Node) []*graph.Node {
	return []*graph.Node{nil}
}

// FactorizationMachine is the sum of the products of all pairs of feature
// vectors (Rendle 2010), of shape (batch, 1). It costs as much as one pass over
// the vectors: Σ_{i<j} v_i·v_j = (|Σ v_i|² - Σ |v_i|²)/2. The linear terms of
// such a machine are embeddings of width 1, added up.
type FactorizationMachine struct{ crossing }

// NewFactorizationMachine returns the layer. It has no weights.
func NewFactorizationMachine(o Options) *FactorizationMachine {
	l := new(FactorizationMachine)
	l.init(l, o)
	return l
}

// Call implements [GraphLayer].
func (l *FactorizationMachine) Call(c *Call, in ...*graph.Node) []*graph.Node {
	v := l.vectors(c, in)
	pairs := graph.Sub(graph.Square(graph.ReduceSum(v, 1)), graph.ReduceSum(graph.Square(v), 1))
	return []*graph.Node{graph.MulScalar(graph.ReduceAndKeep(pairs, graph.ReduceSum, -1), 0.5)}
}

// Config implements [Configurer].
func (l *FactorizationMachine) Config() Config { return l.BaseConfig() }

// DotInteraction gives the products of all pairs of feature vectors (the
// interaction of DLRM, Naumov et al. 2019), in the order
//
//	v1·v0, v2·v0, v2·v1, v3·v0, …
//
// of shape (batch, features·(features-1)/2). With the products of each vector
// with itself, v0·v0, v1·v0, v1·v1, …, it is features·(features+1)/2. That is
// the order of PyTorch's DLRM and of Keras' recommenders (keras_rs).
type DotInteraction struct {
	crossing
	self bool
}

// NewDotInteraction returns the layer; self adds the products of each vector
// with itself. It has no weights.
func NewDotInteraction(self bool, o Options) *DotInteraction {
	l := &DotInteraction{self: self}
	l.init(l, o)
	return l
}

// Build checks that the number of features is known: the output's width depends on it.
func (l *DotInteraction) Build(in ...Shape) error {
	n, err := l.features(in)
	if err == nil && n < 0 {
		err = fmt.Errorf("%w: the number of features of a DotInteraction must be known. Full input shape received: %v", ErrShape, in[0])
	}
	return err
}

// Call implements [GraphLayer].
func (l *DotInteraction) Call(c *Call, in ...*graph.Node) []*graph.Node {
	v := l.vectors(c, in)
	products := graph.DotGeneral(v, []int{2}, []int{0}, v, []int{2}, []int{0}) // [batch, i, j] is v_i·v_j
	var rows []*graph.Node
	for i := range v.Shape().Dimensions[1] {
		n := i
		if l.self {
			n++
		}
		if n > 0 {
			rows = append(rows, graph.Squeeze(graph.Slice(products, graph.AxisRange(), graph.AxisElem(i), graph.AxisRange(0, n)), 1))
		}
	}
	if len(rows) == 1 {
		return rows
	}
	return []*graph.Node{graph.Concatenate(rows, 1)}
}

// Config implements [Configurer].
func (l *DotInteraction) Config() Config {
	return l.BaseConfig().with(Config{"self_interaction": l.self})
}

func interactionFromConfig(c Config) (Layer, error) {
	r := c.reader()
	r.Only("skip_gather", false) // of keras_rs: another layout of the output
	self, o := r.Flag("self_interaction"), r.options()
	if err := r.done("DotInteraction"); err != nil {
		return nil, err
	}
	return NewDotInteraction(self, o), nil
}

package layer

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// HistoryAttention reads out of a history what matters to a target: the item
// that is to be ranked, say, and the items that a user saw.
//
//	query  (batch, d)       the target
//	keys   (batch, n, d)    the history, under a mask where lengths vary
//	values (batch, n, e)    what is read; without them, the keys
//
//	softmax over n of query·key, times the values, summed: (batch, e)
//
// Masked steps have no share in it. An example without any history gets zeros.
// It has no weights: put a Dense on the query or the keys to learn a measure.
// It is Keras' Attention with a query of one step, but for empty histories,
// which have no right answer there: the padding is averaged.
//
// A mask of the query is passed on.
type HistoryAttention struct {
	Base
	scaled bool
}

// NewHistoryAttention returns the layer; scaled divides the products by √d
// (Vaswani et al. 2017), so that wide vectors do not make the softmax hard.
func NewHistoryAttention(scaled bool, o Options) *HistoryAttention {
	l := &HistoryAttention{scaled: scaled}
	l.Init(l, o)
	l.computeWide()
	l.SupportMasking()
	return l
}

// Build checks the inputs.
func (l *HistoryAttention) Build(in ...Shape) error {
	if len(in) < 2 || len(in) > 3 || len(in[0]) != 2 || len(in[1]) != 3 || len(in[len(in)-1]) != 3 {
		return fmt.Errorf("%w: HistoryAttention takes a query (batch, d), keys (batch, n, d) and, if it likes, values (batch, n, e). Received: %v", ErrShape, in)
	}
	if d, k := in[0][1], in[1][2]; d < 0 || d != k {
		return fmt.Errorf("%w: query and keys of a HistoryAttention must have the same, known width. Received: %v", ErrShape, in)
	}
	if n, m := in[1][1], in[len(in)-1][1]; n >= 0 && m >= 0 && n != m {
		return fmt.Errorf("%w: a HistoryAttention needs a value for each key. Received: %v", ErrShape, in)
	}
	return nil
}

// Call implements [GraphLayer].
func (l *HistoryAttention) Call(c *Call, in ...*graph.Node) []*graph.Node {
	query, keys, values := in[0], in[1], in[len(in)-1]
	score := graph.DotGeneral(keys, []int{2}, []int{0}, query, []int{1}, []int{0}) // (batch, n)
	if l.scaled {
		score = graph.DivScalar(score, math.Sqrt(float64(query.Shape().Dimensions[1])))
	}
	share := maskedSoftmax(score, historyMask(c, len(in)))
	return []*graph.Node{graph.DotGeneral(values, []int{1}, []int{0}, share, []int{1}, []int{0})}
}

// historyMask is the mask of the keys, or of the values where only they have one.
func historyMask(c *Call, inputs int) *graph.Node {
	var masks []*graph.Node
	for i := 1; i < inputs; i++ {
		masks = append(masks, c.Mask(i))
	}
	return andMasks(masks)
}

// maskedSoftmax is softmax along the last dimension over the entries that
// count; where none does, it is zeros.
func maskedSoftmax(x, mask *graph.Node) *graph.Node {
	if mask == nil {
		return graph.Softmax(x, -1)
	}
	low := graph.AddScalar(graph.ZerosLike(x), -math.MaxFloat32)
	top := graph.StopGradient(graph.ReduceAndKeep(graph.Where(mask, x, low), graph.ReduceMax, -1))
	// What does not count stands at the top, so that no exponential overflows.
	power := graph.Exp(graph.Sub(graph.Where(mask, x, graph.BroadcastToDims(top, x.Shape().Dimensions...)), top))
	power = graph.Mul(power, asFloat(mask))
	sum := graph.ReduceAndKeep(power, graph.ReduceSum, -1) // at least 1 where anything counts
	return graph.Div(power, graph.MaxScalar(sum, 0.5))
}

// ComputeMask implements [Masker].
func (l *HistoryAttention) ComputeMask(_ *Call, _, mask []*graph.Node) []*graph.Node {
	return mask[:1]
}

// Config implements [Configurer].
func (l *HistoryAttention) Config() Config { return l.BaseConfig().with(Config{"scaled": l.scaled}) }

func attentionFromConfig(c Config) (Layer, error) {
	r := c.reader()
	scaled, o := r.Flag("scaled"), r.options()
	if err := r.done("HistoryAttention"); err != nil {
		return nil, err
	}
	return NewHistoryAttention(scaled, o), nil
}

package kink

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
)

// TestGradients: beside 0, where they are anybody's; at 0, where they are those
// of Keras; and far from it, where a power of e would be too large.
func TestGradients(t *testing.T) {
	x := []float32{-200, -1, 0, 1, 200}
	sigmoid := func(x float64) float32 { return float32(1 / (1 + math.Exp(-x))) }
	for name, c := range map[string]struct {
		f         func(*graph.Node) *graph.Node
		y, slopes []float32
	}{
		"abs":      {Abs, []float32{200, 1, 0, 1, 200}, []float32{-1, -1, 0, 1, 1}},
		"relu":     {Relu, []float32{0, 0, 0, 1, 200}, []float32{0, 0, 0, 1, 1}},
		"softplus": {Softplus, []float32{0, float32(math.Log1p(math.Exp(-1))), math.Ln2, float32(math.Log1p(math.E)), 200}, []float32{0, sigmoid(-1), 0.5, sigmoid(1), 1}},
	} {
		p, err := dense.New(dense.Config{Name: name, Train: true, InputGradients: []int{0}, Build: func(tr *dense.Trace) (dense.Result, error) {
			y := c.f(tr.Input(0))
			return dense.Result{Outputs: []*graph.Node{y}, Loss: graph.ReduceAllSum(y)}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Run(dense.Args{Inputs: []dense.Array{dense.Floats(x, len(x))}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range x {
			if y, s := r.Outputs[0].Float[i], r.InputGradients[0].Float[i]; !near(y, c.y[i]) || !near(s, c.slopes[i]) {
				t.Errorf("%s of %v: %v with slope %v, want %v with %v", name, x[i], y, s, c.y[i], c.slopes[i])
			}
		}
	}
}

// near allows for some units in the last place, of exp and log.
func near(a, b float32) bool {
	return math.Abs(float64(a)-float64(b)) <= 1e-6*(1+math.Abs(float64(b)))
}

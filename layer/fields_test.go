package layer_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
)

// vectorsOf returns features[batch][feature][n] of an array (batch, features, n).
func vectorsOf(v layer.Value) [][][]float64 {
	s := v.Floats.Shape()
	all := make([][][]float64, s[0])
	at := 0
	for b := range all {
		for range s[1] {
			row := make([]float64, s[2])
			for i := range row {
				row[i] = float64(v.Floats.Data()[at])
				at++
			}
			all[b] = append(all[b], row)
		}
	}
	return all
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// split cuts (batch, features, n) into inputs of shape (batch, n).
func split(t *testing.T, v layer.Value) []layer.Value {
	s := v.Floats.Shape()
	var all []layer.Value
	for f := range s[1] {
		var data []float32
		for b := range s[0] {
			data = append(data, v.Floats.Data()[(b*s[1]+f)*s[2]:][:s[2]]...)
		}
		all = append(all, vector(t, []int{s[0], s[2]}, data...))
	}
	return all
}

// TestPairsOfFeatures compares the layers over pairs with two plain loops, for
// features in one input, in several, and under a mask, where what is masked
// takes no part.
func TestPairsOfFeatures(t *testing.T) {
	mask := []bool{true, true, false, true, true, true, true, true, false, false, false, false}
	for _, self := range []bool{false, true} {
		for _, m := range [][]bool{nil, mask} {
			x := floats(t, 3, 4, 5)
			x.Mask = m
			var sums, products []float32
			for b, vectors := range vectorsOf(x) {
				sum := 0.0
				for i := range vectors {
					for j := range i + 1 {
						p := dot(vectors[i], vectors[j])
						if m != nil && !(m[4*b+i] && m[4*b+j]) {
							p = 0
						}
						if i != j {
							sum += p
						}
						if i != j || self {
							products = append(products, float32(p))
						}
					}
				}
				sums = append(sums, float32(sum))
			}
			if got := run(t, layer.NewFactorizationMachine(layer.Options{}), x).Values[0].Floats.Data(); !near(got, sums) {
				t.Errorf("mask %v: factorization machine gives %v, want %v", m, got, sums)
			}
			if got := run(t, layer.NewDotInteraction(self, layer.Options{}), x).Values[0].Floats.Data(); !near(got, products) {
				t.Errorf("mask %v, self %v: interaction gives %v, want %v", m, self, got, products)
			}
			if m != nil {
				continue
			}
			if got := run(t, layer.NewFactorizationMachine(layer.Options{}), split(t, x)...).Values[0].Floats.Data(); !near(got, sums) {
				t.Errorf("factorization machine of several inputs gives %v, want %v", got, sums)
			}
			if got := run(t, layer.NewDotInteraction(self, layer.Options{}), split(t, x)...).Values[0].Floats.Data(); !near(got, products) {
				t.Errorf("interaction of several inputs gives %v, want %v", got, products)
			}
		}
	}
}

// TestFeatureCrossByHand compares full and low-rank crosses with plain loops.
func TestFeatureCrossByHand(t *testing.T) {
	const n = 4
	x0, x := floats(t, 3, n), shifted(floats(t, 3, n))
	for _, rank := range []int{0, 2} {
		l := newFeatureCross(t, layer.FeatureCrossOptions{Projection: rank, DiagScale: 0.3, PreActivation: "tanh"})
		run(t, l, x0, x)
		w := weights(t, l)
		for i := range w[len(w)-1] { // the bias, which starts at zeros
			w[len(w)-1][i] = float32(i) / 10
		}
		if err := l.SetWeights(w); err != nil {
			t.Fatal(err)
		}
		for _, in := range [][]layer.Value{{x0, x}, {x0}} {
			var want []float32
			for b := range 3 {
				first, last := in[0].Floats.Data()[n*b:][:n], in[len(in)-1].Floats.Data()[n*b:][:n]
				y := last
				for _, matrix := range w[:len(w)-1] {
					y = product(y, matrix)
				}
				for i := range n {
					crossed := math.Tanh(float64(y[i]+w[len(w)-1][i])) + 0.3*float64(last[i])
					want = append(want, float32(float64(first[i])*crossed+float64(last[i])))
				}
			}
			if got := run(t, l, in...).Values[0].Floats.Data(); !near(got, want) {
				t.Errorf("rank %d, %d inputs: got %v, want %v", rank, len(in), got, want)
			}
		}
	}
}

// product multiplies a vector with a matrix of as many rows.
func product(x, matrix []float32) []float32 {
	y := make([]float32, len(matrix)/len(x))
	for i, v := range x {
		for j := range y {
			y[j] += v * matrix[i*len(y)+j]
		}
	}
	return y
}

// TestHistoryAttentionByHand compares with plain loops: scaled and not, with
// lengths that vary, down to none.
func TestHistoryAttentionByHand(t *testing.T) {
	query, keys := floats(t, 3, 4), shifted(floats(t, 3, 2, 4))
	for i := range keys.Floats.Data() {
		keys.Floats.Data()[i] *= 100 // so that an exponential of a product would overflow
	}
	mask := []bool{true, true, true, false, false, false}
	for _, scaled := range []bool{false, true} {
		for _, m := range [][]bool{nil, mask} {
			keys.Mask = m
			want := make([]float32, 12)
			for b, history := range vectorsOf(keys) {
				q := make([]float64, 4)
				for i := range q {
					q[i] = float64(query.Floats.Data()[4*b+i])
					if scaled {
						q[i] /= 2
					}
				}
				top, sum := math.Inf(-1), 0.0
				counts := func(i int) bool { return m == nil || m[2*b+i] }
				for i, k := range history {
					if counts(i) {
						top = max(top, dot(q, k))
					}
				}
				for i, k := range history {
					if counts(i) {
						sum += math.Exp(dot(q, k) - top)
					}
				}
				for i, k := range history {
					for d := range k {
						if counts(i) {
							want[4*b+d] += float32(math.Exp(dot(q, k)-top) / sum * k[d])
						}
					}
				}
			}
			got := run(t, layer.NewHistoryAttention(scaled, layer.Options{}), query, keys).Values[0].Floats.Data()
			if m != nil && !slices.Equal(got[8:], []float32{0, 0, 0, 0}) {
				t.Errorf("no history gives %v, want zeros", got[8:])
			}
			for i := range want { // products of about 100, of which a difference is the exponent: 1e-5 of 50 at most
				if math.Abs(float64(got[i]-want[i])) > 1e-3 {
					t.Errorf("scaled %v, mask %v: number %d is %v, want %v", scaled, m, i, got[i], want[i])
				}
			}
		}
	}
}

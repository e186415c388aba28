package optim

import (
	"math"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/internal/portable"
)

// Lion moves every weight by the learning rate, in the direction of a momentum
// (Chen and others, 2023), in Keras' form:
//
//	w -= lr·sign(Beta1·m + (1-Beta1)·g)
//	m  = Beta2·m + (1-Beta2)·g
//
// The sign has no size: a row without gradients goes on at full speed in the
// dense form until its momentum has vanished, 8,000 steps and more with Keras'
// betas. Numbers below 2^-126, the least that has all its digits, count as 0, as
// TensorFlow takes them: rounding would keep smaller ones from ever reaching 0.
type Lion struct {
	// Beta1 is the momentum's part of the direction, in (0, 1]. Keras' default,
	// which [NewLion] fills in: 0.9.
	Beta1 float64 `json:"beta_1"`
	// Beta2 is how much of the momentum is kept in a step, in [0, 1). Keras'
	// default, which [NewLion] fills in: 0.99.
	Beta2 float64 `json:"beta_2"`
}

// NewLion returns Lion with Keras' hyper-parameters.
func NewLion() Lion { return Lion{Beta1: 0.9, Beta2: 0.99} }

// Name returns "Lion".
func (Lion) Name() string { return "Lion" }

// Slots returns "momentum" (m).
func (Lion) Slots() []Slot { return []Slot{{Name: "momentum"}} }

// numbers is what Slots comes to.
func (Lion) numbers(width int) int { return width }

// Validate refuses hyper-parameters out of range.
func (l Lion) Validate() error {
	if !(float32(l.Beta1) > 0 && l.Beta1 <= 1) {
		return configError("beta_1 must be in the range (0, 1]: with 0 the momentum would count for nothing. Received: beta_1=%v", l.Beta1)
	}
	return decayRate("beta_2", l.Beta2)
}

// least is the smallest float32 that has all its digits.
const least = 0x1p-126

// vanish returns x, or 0 if it is smaller than least.
func vanish(x float32) float32 {
	if abs(x) < least {
		return 0
	}
	return x
}

// sign returns 1, -1, 0, or NaN.
func sign(x float32) float32 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

// Update takes one step on each row of b.
func (l Lion) Update(b Block) { take(b, kernel.Lion, lionStep(l, b.LR)) }

// Update64 takes one step on each row of b. Numbers below 2^-1022 count as 0.
func (l Lion) Update64(b BlockOf[float64]) { take(b, kernel.Lion64, lionStep(l, b.LR)) }

func lionStep[F Float](l Lion, lr F) kernel.LionStepOf[F] {
	beta1, beta2 := F(l.Beta1), F(l.Beta2) // Keras rounds the betas first here
	return kernel.LionStepOf[F]{LR: lr, Beta1: beta1, Fresh1: 1 - beta1, Beta2: beta2, Fresh2: 1 - beta2}
}

// CatchUp brings rows to step b.Step: each weight moves by the sum of the
// learning rates of the steps until its momentum vanishes, which is summed in
// float64 and applied at once. That is nearer to the exact result than as many
// rounded steps are. After thousands of steps the rounding of the momentum may
// be off by so much that it would have vanished a step earlier or later.
//
// The cost of a row is that of its weights. With a schedule other than
// [Constant] its rates are added up too, for at most as many steps as a momentum
// takes to vanish (17,500 for a Beta2 of 0.99).
func (l Lion) CatchUp(b Block, last []int64, rate Schedule) {
	s := rateSums.Get().(*rateSum)
	defer rateSums.Put(s)
	beta1, beta2 := float64(float32(l.Beta1)), float64(float32(l.Beta2))
	perStep := portable.Log(beta2)
	for i := range b.Rows {
		gap := b.Step - last[i]
		if gap <= 0 {
			continue
		}
		w, m := b.row(i, b.Width)
		s.begin(rate, last[i]+1)
		for j, x := range m {
			n := movesFor(math.Abs(float64(x))*beta1, perStep, gap)
			w[j] -= float32(float64(sign(x)) * s.of(n))
		}
		kept := portable.Pow(beta2, float64(gap))
		for j, x := range m {
			m[j] = vanish(float32(float64(x) * kept))
		}
	}
}

// movesFor returns for how many of n steps a direction of size x, which shrinks
// by a factor of the given logarithm a step, is not 0.
func movesFor(x, perStep float64, n int64) int64 {
	if x < least {
		return 0
	}
	steps := math.Floor(portable.Log(least/x)/perStep) + 1
	if !(steps < float64(n)) {
		return n
	}
	return int64(steps)
}

// rateSum adds up the learning rates of steps from a first one on.
type rateSum struct {
	rate  Schedule
	first int64
	sums  []float64 // sums[n] is that of the first n
}

var rateSums = sync.Pool{New: func() any { return new(rateSum) }}

func (s *rateSum) begin(rate Schedule, first int64) {
	s.rate, s.first, s.sums = rate, first, append(s.sums[:0], 0)
}

// of returns the sum of the rates of n steps.
func (s *rateSum) of(n int64) float64 {
	if constant(s.rate) {
		return float64(s.rate.At(s.first)) * float64(n)
	}
	if missing := n + 1 - int64(len(s.sums)); missing > 0 {
		s.sums = slices.Grow(s.sums, int(missing))
	}
	for k := int64(len(s.sums)) - 1; k < n; k++ {
		s.sums = append(s.sums, s.sums[k]+float64(s.rate.At(s.first+k)))
	}
	return s.sums[n]
}

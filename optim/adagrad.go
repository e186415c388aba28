package optim

import "github.com/rowan-embeddings/rowan/internal/kernel"

// Adagrad divides each weight's step by the root of the sum of its squared
// gradients (Duchi, Hazan and Singer, 2011), in Keras' form:
//
//	acc += g·g
//	w   -= lr·g / sqrt(acc + Epsilon)
//
// PyTorch adds Epsilon after the root: with a small Epsilon, or 0, the two agree.
// A row without a gradient stays as it is in the dense form too.
type Adagrad struct {
	// InitialAccumulator is what acc starts at, 0 or more. Keras' default,
	// which [NewAdagrad] fills in: 0.1.
	InitialAccumulator float64 `json:"initial_accumulator_value"`
	// Epsilon keeps the divisor from zero. Keras' default, which [NewAdagrad]
	// fills in: 1e-7.
	Epsilon float64 `json:"epsilon"`
}

// NewAdagrad returns Adagrad with Keras' hyper-parameters.
func NewAdagrad() Adagrad { return Adagrad{InitialAccumulator: 0.1, Epsilon: 1e-7} }

// Name returns "Adagrad".
func (Adagrad) Name() string { return "Adagrad" }

// Slots returns "accumulator".
func (a Adagrad) Slots() []Slot {
	return []Slot{{Name: "accumulator", Init: a.InitialAccumulator}}
}

// numbers is what Slots comes to.
func (Adagrad) numbers(width int) int { return width }

// Validate refuses negative hyper-parameters, and a divisor that starts at zero.
func (a Adagrad) Validate() error {
	if a == (Adagrad{}) {
		return configError("epsilon or initial_accumulator_value must be positive. Received: epsilon=0, initial_accumulator_value=0. NewAdagrad fills in Keras' values")
	}
	return firstError(
		notNegative("initial_accumulator_value", a.InitialAccumulator),
		notNegative("epsilon", a.Epsilon),
	)
}

// Update takes one step on each row of b.
func (a Adagrad) Update(b Block) {
	for p := range b.pieces() {
		kernel.Adagrad(p.Data, p.Stride, p.Width, p.Rows, p.Grads, p.LR, float32(a.Epsilon))
	}
}

// Update64 takes one step on each row of b.
func (a Adagrad) Update64(b BlockOf[float64]) {
	for p := range b.pieces() {
		kernel.Adagrad64(p.Data, p.Stride, p.Width, p.Rows, p.Grads, p.LR, a.Epsilon)
	}
}

// RowWiseAdagrad is Adagrad with one accumulator a row, FBGEMM's
// EXACT_ROWWISE_ADAGRAD: a row of 64 weights takes 65 numbers instead of 128.
//
//	acc += sum(g·g) / width
//	w   -= lr / (sqrt(acc) + Epsilon) · g
type RowWiseAdagrad struct {
	// InitialAccumulator is what acc starts at, 0 or more. Default: 0, as in FBGEMM.
	InitialAccumulator float64 `json:"initial_accumulator_value"`
	// Epsilon keeps the divisor from zero. FBGEMM's default, which
	// [NewRowWiseAdagrad] fills in: 1e-8.
	Epsilon float64 `json:"epsilon"`
}

// NewRowWiseAdagrad returns row-wise Adagrad with FBGEMM's hyper-parameters.
func NewRowWiseAdagrad() RowWiseAdagrad { return RowWiseAdagrad{Epsilon: 1e-8} }

// Name returns "RowWiseAdagrad".
func (RowWiseAdagrad) Name() string { return "RowWiseAdagrad" }

// Slots returns "accumulator", of width 1.
func (a RowWiseAdagrad) Slots() []Slot {
	acc := Slot{Name: "accumulator", Init: a.InitialAccumulator}
	acc.Width = 1
	return []Slot{acc}
}

// numbers is what Slots comes to.
func (RowWiseAdagrad) numbers(int) int { return 1 }

// Validate refuses negative hyper-parameters, and a divisor that starts at zero.
func (a RowWiseAdagrad) Validate() error {
	if a == (RowWiseAdagrad{}) {
		return configError("epsilon or initial_accumulator_value must be positive. Received: epsilon=0, initial_accumulator_value=0. NewRowWiseAdagrad fills in FBGEMM's values")
	}
	return firstError(
		notNegative("initial_accumulator_value", a.InitialAccumulator),
		notNegative("epsilon", a.Epsilon),
	)
}

// Update takes one step on each row of b.
func (a RowWiseAdagrad) Update(b Block) {
	for p := range b.pieces() {
		kernel.RowWiseAdagrad(p.Data, p.Stride, p.Width, p.Rows, p.Grads, p.LR, float32(a.Epsilon))
	}
}

// Update64 takes one step on each row of b.
func (a RowWiseAdagrad) Update64(b BlockOf[float64]) {
	for p := range b.pieces() {
		kernel.RowWiseAdagrad64(p.Data, p.Stride, p.Width, p.Rows, p.Grads, p.LR, a.Epsilon)
	}
}

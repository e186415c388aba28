package kernel

// SGD takes one step of gradient descent on each of the given rows:
//
//	w -= lr*g
//
// Row i of grads, width numbers, belongs to slab row rows[i]. The rows must be
// distinct, here and in the functions below.
func SGD(slab []float32, stride, width int, rows []uint32, grads []float32, lr float32) {
	updateFits(slab, stride, width, width, rows, grads)
	sgd(slab, stride, width, rows, grads, lr)
}

// Adagrad takes one step of Adagrad on each of the given rows, in Keras' form.
// A slab row is the weights and then as many accumulators:
//
//	acc += g*g
//	w   -= lr*g / sqrt(acc+eps)
func Adagrad(slab []float32, stride, width int, rows []uint32, grads []float32, lr, eps float32) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	adagrad(slab, stride, width, rows, grads, lr, eps)
}

// RowWiseAdagrad takes one step of row-wise Adagrad on each of the given rows,
// in FBGEMM's form. A slab row is the weights and then one accumulator:
//
//	acc += sum(g*g) / width
//	w   -= lr/(sqrt(acc)+eps) * g
//
// The sum runs over the fixed tree of 16 lanes.
func RowWiseAdagrad(slab []float32, stride, width int, rows []uint32, grads []float32, lr, eps float32) {
	updateFits(slab, stride, width, width+1, rows, grads)
	rowWiseAdagrad(slab, stride, width, rows, grads, lr, eps)
}

// AdamStepOf is what one step of Adam needs to know.
type AdamStepOf[F Float] struct {
	// Alpha is lr*sqrt(1-Beta2^t)/(1-Beta1^t), where t counts steps from 1.
	Alpha F
	// Beta1 and Beta2 are the decay rates of the two moments. They are float64
	// because the loop needs 1-Beta, rounded to float32 once, as Keras rounds
	// it: from a float32 0.999 the difference would be 1.3e-5 off.
	Beta1, Beta2 float64
	// Eps keeps the divisor from zero.
	Eps F
}

// AdamStep is that of rows of float32.
type AdamStep = AdamStepOf[float32]

// Adam takes one step of Adam on each of the given rows, in Keras' form. A slab
// row is the weights, then as many first and as many second moments:
//
//	m += (g-m) * float32(1-Beta1)
//	v += (g*g-v) * float32(1-Beta2)
//	w -= m*Alpha / (sqrt(v)+Eps)
func Adam(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamStep) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	adam(slab, stride, width, rows, grads, s)
}

// AdamDecay takes one step of Adam with zero gradient on one row for each of
// alphas, in order: what a row that was absent from len(alphas) batches missed.
// It gives the bits of as many calls of [Adam]. The row is laid out as there.
func AdamDecay(row []float32, width int, alphas []float32, beta1, beta2 float64, eps float32) {
	blockFits("row", row, 3, width)
	adamDecay(row, width, alphas, beta1, beta2, eps)
}

// updateFits panics unless the rows have need numbers each and as many gradients as weights.
func updateFits[F Float](slab []F, stride, width, need int, rows []uint32, grads []F) {
	blockFits("grads", grads, len(rows), width)
	rowsFit(slab, stride, need, rows)
}

package kernel

// Rows of float64 are updated by the reference, the same arithmetic in float64.
// There is no assembly for them. Each function is its namesake without the 64;
// see there.

// SGD64 is [SGD] on rows of float64.
func SGD64(slab []float64, stride, width int, rows []uint32, grads []float64, lr float64) {
	updateFits(slab, stride, width, width, rows, grads)
	sgdGo(slab, stride, width, rows, grads, lr)
}

// Momentum64 is [Momentum] on rows of float64.
func Momentum64(slab []float64, stride, width int, rows []uint32, grads []float64, lr, momentum float64) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	momentumRowsGo(slab, stride, width, rows, grads, lr, momentum)
}

// Nesterov64 is [Nesterov] on rows of float64.
func Nesterov64(slab []float64, stride, width int, rows []uint32, grads []float64, lr, momentum float64) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	nesterovGo(slab, stride, width, rows, grads, lr, momentum)
}

// Adagrad64 is [Adagrad] on rows of float64.
func Adagrad64(slab []float64, stride, width int, rows []uint32, grads []float64, lr, eps float64) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	adagradGo(slab, stride, width, rows, grads, lr, eps)
}

// RowWiseAdagrad64 is [RowWiseAdagrad] on rows of float64.
func RowWiseAdagrad64(slab []float64, stride, width int, rows []uint32, grads []float64, lr, eps float64) {
	updateFits(slab, stride, width, width+1, rows, grads)
	rowWiseAdagradGo(slab, stride, width, rows, grads, lr, eps)
}

// RMSprop64 is [RMSprop] on rows of float64.
func RMSprop64(slab []float64, stride, width int, rows []uint32, grads []float64, s RMSpropStepOf[float64]) {
	updateFits(slab, stride, width, (1+s.slots())*width, rows, grads)
	rmspropGo(slab, stride, width, rows, grads, s)
}

// Adadelta64 is [Adadelta] on rows of float64.
func Adadelta64(slab []float64, stride, width int, rows []uint32, grads []float64, lr, rho, fresh, eps float64) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	adadeltaGo(slab, stride, width, rows, grads, lr, rho, fresh, eps)
}

// Adam64 is [Adam] on rows of float64.
func Adam64(slab []float64, stride, width int, rows []uint32, grads []float64, s AdamStepOf[float64]) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	adamGo(slab, stride, width, rows, grads, s)
}

// AMSGrad64 is [AMSGrad] on rows of float64.
func AMSGrad64(slab []float64, stride, width int, rows []uint32, grads []float64, s AdamStepOf[float64]) {
	updateFits(slab, stride, width, 4*width, rows, grads)
	amsgradGo(slab, stride, width, rows, grads, s)
}

// Adamax64 is [Adamax] on rows of float64.
func Adamax64(slab []float64, stride, width int, rows []uint32, grads []float64, s AdamaxStepOf[float64]) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	adamaxGo(slab, stride, width, rows, grads, s)
}

// Nadam64 is [Nadam] on rows of float64.
func Nadam64(slab []float64, stride, width int, rows []uint32, grads []float64, s NadamStepOf[float64]) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	nadamGo(slab, stride, width, rows, grads, s)
}

// Lion64 is [Lion] on rows of float64, of which numbers below 2^-1022 vanish.
func Lion64(slab []float64, stride, width int, rows []uint32, grads []float64, s LionStepOf[float64]) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	lionGo(slab, stride, width, rows, grads, s)
}

// FTRL64 is [FTRL] on rows of float64, whose divisor is at least 2^-1022.
func FTRL64(slab []float64, stride, width int, rows []uint32, grads []float64, s FTRLStepOf[float64]) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	ftrlGo(slab, stride, width, rows, grads, s)
}

// ProximalSGD64 is [ProximalSGD] on rows of float64.
func ProximalSGD64(slab []float64, stride, width int, rows []uint32, grads []float64, lr, l1, l2 float64) {
	updateFits(slab, stride, width, width, rows, grads)
	proximalSGDGo(slab, stride, width, rows, grads, lr, float64(lr*l1), 1+float64(lr*l2))
}

// ProximalAdagrad64 is [ProximalAdagrad] on rows of float64.
func ProximalAdagrad64(slab []float64, stride, width int, rows []uint32, grads []float64, lr, l1, l2 float64) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	proximalAdagradGo(slab, stride, width, rows, grads, lr, l1, l2)
}

// Dot64 is [Dot] of float64.
func Dot64(a, b []float64) float64 { return dotGo(a, b[:len(a)]) }

//go:build noasm || !amd64

package kernel

func momentumRows(slab []float32, stride, width int, rows []uint32, grads []float32, lr, momentum float32) {
	momentumRowsGo(slab, stride, width, rows, grads, lr, momentum)
}

func nesterov(slab []float32, stride, width int, rows []uint32, grads []float32, lr, momentum float32) {
	nesterovGo(slab, stride, width, rows, grads, lr, momentum)
}

func rmsprop(slab []float32, stride, width int, rows []uint32, grads []float32, s RMSpropStep) {
	rmspropGo(slab, stride, width, rows, grads, s)
}

func adadelta(slab []float32, stride, width int, rows []uint32, grads []float32, lr, rho, fresh, eps float32) {
	adadeltaGo(slab, stride, width, rows, grads, lr, rho, fresh, eps)
}

func amsgrad(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamStep) {
	amsgradGo(slab, stride, width, rows, grads, s)
}

func adamax(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamaxStep) {
	adamaxGo(slab, stride, width, rows, grads, s)
}

func nadam(slab []float32, stride, width int, rows []uint32, grads []float32, s NadamStep) {
	nadamGo(slab, stride, width, rows, grads, s)
}

func lion(slab []float32, stride, width int, rows []uint32, grads []float32, s LionStep) {
	lionGo(slab, stride, width, rows, grads, s)
}

func ftrl(slab []float32, stride, width int, rows []uint32, grads []float32, s FTRLStep) {
	ftrlGo(slab, stride, width, rows, grads, s)
}

func proximalSGD(slab []float32, stride, width int, rows []uint32, grads []float32, lr, pull, divisor float32) {
	proximalSGDGo(slab, stride, width, rows, grads, lr, pull, divisor)
}

func proximalAdagrad(slab []float32, stride, width int, rows []uint32, grads []float32, lr, l1, l2 float32) {
	proximalAdagradGo(slab, stride, width, rows, grads, lr, l1, l2)
}

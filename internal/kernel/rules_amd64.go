//go:build !noasm

package kernel

func momentumRows(slab []float32, stride, width int, rows []uint32, grads []float32, lr, momentum float32) {
	switch active {
	case pathAVX512:
		momentumRowsAVX512(slab, stride, width, rows, grads, lr, momentum)
	case pathAVX2:
		momentumRowsAVX2(slab, stride, width, rows, grads, lr, momentum)
	default:
		momentumRowsGo(slab, stride, width, rows, grads, lr, momentum)
	}
}

func nesterov(slab []float32, stride, width int, rows []uint32, grads []float32, lr, momentum float32) {
	switch active {
	case pathAVX512:
		nesterovAVX512(slab, stride, width, rows, grads, lr, momentum)
	case pathAVX2:
		nesterovAVX2(slab, stride, width, rows, grads, lr, momentum)
	default:
		nesterovGo(slab, stride, width, rows, grads, lr, momentum)
	}
}

func rmsprop(slab []float32, stride, width int, rows []uint32, grads []float32, s RMSpropStep) {
	switch active {
	case pathAVX512:
		rmspropWithAVX512(slab, stride, width, rows, grads, s)
	case pathAVX2:
		rmspropWithAVX2(slab, stride, width, rows, grads, s)
	default:
		rmspropGo(slab, stride, width, rows, grads, s)
	}
}

func rmspropWithAVX512(slab []float32, stride, width int, rows []uint32, grads []float32, s RMSpropStep) {
	momentum := s.Momentum != 0
	switch {
	case momentum && s.Centered:
		rmspropCenteredMomentumAVX512(slab, stride, width, rows, grads, s.LR, s.Rho, s.Fresh, s.Eps, s.Momentum)
	case momentum:
		rmspropMomentumAVX512(slab, stride, width, rows, grads, s.LR, s.Rho, s.Fresh, s.Eps, s.Momentum)
	case s.Centered:
		rmspropCenteredAVX512(slab, stride, width, rows, grads, s.LR, s.Rho, s.Fresh, s.Eps, 0)
	default:
		rmspropAVX512(slab, stride, width, rows, grads, s.LR, s.Rho, s.Fresh, s.Eps, 0)
	}
}

func rmspropWithAVX2(slab []float32, stride, width int, rows []uint32, grads []float32, s RMSpropStep) {
	momentum := s.Momentum != 0
	switch {
	case momentum && s.Centered:
		rmspropCenteredMomentumAVX2(slab, stride, width, rows, grads, s.LR, s.Rho, s.Fresh, s.Eps, s.Momentum)
	case momentum:
		rmspropMomentumAVX2(slab, stride, width, rows, grads, s.LR, s.Rho, s.Fresh, s.Eps, s.Momentum)
	case s.Centered:
		rmspropCenteredAVX2(slab, stride, width, rows, grads, s.LR, s.Rho, s.Fresh, s.Eps, 0)
	default:
		rmspropAVX2(slab, stride, width, rows, grads, s.LR, s.Rho, s.Fresh, s.Eps, 0)
	}
}

func adadelta(slab []float32, stride, width int, rows []uint32, grads []float32, lr, rho, fresh, eps float32) {
	switch active {
	case pathAVX512:
		adadeltaAVX512(slab, stride, width, rows, grads, lr, rho, fresh, eps)
	case pathAVX2:
		adadeltaAVX2(slab, stride, width, rows, grads, lr, rho, fresh, eps)
	default:
		adadeltaGo(slab, stride, width, rows, grads, lr, rho, fresh, eps)
	}
}

func amsgrad(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamStep) {
	switch active {
	case pathAVX512:
		amsgradAVX512(slab, stride, width, rows, grads, s.Alpha, float32(1-s.Beta1), float32(1-s.Beta2), s.Eps)
	case pathAVX2:
		amsgradAVX2(slab, stride, width, rows, grads, s.Alpha, float32(1-s.Beta1), float32(1-s.Beta2), s.Eps)
	default:
		amsgradGo(slab, stride, width, rows, grads, s)
	}
}

func adamax(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamaxStep) {
	switch active {
	case pathAVX512:
		adamaxAVX512(slab, stride, width, rows, grads, s.LR, s.Under, s.Part, s.Keep, s.Eps)
	case pathAVX2:
		adamaxAVX2(slab, stride, width, rows, grads, s.LR, s.Under, s.Part, s.Keep, s.Eps)
	default:
		adamaxGo(slab, stride, width, rows, grads, s)
	}
}

func nadam(slab []float32, stride, width int, rows []uint32, grads []float32, s NadamStep) {
	switch active {
	case pathAVX512:
		nadamAVX512(slab, stride, width, rows, grads, s.LR, s.Next, s.UnderNext, s.Fresh, s.Under, s.Over, s.Part1, s.Part2, s.Eps)
	case pathAVX2:
		nadamAVX2(slab, stride, width, rows, grads, s.LR, s.Next, s.UnderNext, s.Fresh, s.Under, s.Over, s.Part1, s.Part2, s.Eps)
	default:
		nadamGo(slab, stride, width, rows, grads, s)
	}
}

func lion(slab []float32, stride, width int, rows []uint32, grads []float32, s LionStep) {
	switch active {
	case pathAVX512:
		lionAVX512(slab, stride, width, rows, grads, s.LR, s.Beta1, s.Fresh1, s.Beta2, s.Fresh2)
	case pathAVX2:
		lionAVX2(slab, stride, width, rows, grads, s.LR, s.Beta1, s.Fresh1, s.Beta2, s.Fresh2)
	default:
		lionGo(slab, stride, width, rows, grads, s)
	}
}

func ftrl(slab []float32, stride, width int, rows []uint32, grads []float32, s FTRLStep) {
	switch active {
	case pathAVX512:
		ftrlAVX512(slab, stride, width, rows, grads, s.LR, s.L1, s.Penalty, s.Shrink)
	case pathAVX2:
		ftrlAVX2(slab, stride, width, rows, grads, s.LR, s.L1, s.Penalty, s.Shrink)
	default:
		ftrlGo(slab, stride, width, rows, grads, s)
	}
}

func proximalSGD(slab []float32, stride, width int, rows []uint32, grads []float32, lr, pull, divisor float32) {
	switch active {
	case pathAVX512:
		proximalSGDAVX512(slab, stride, width, rows, grads, lr, pull, divisor)
	case pathAVX2:
		proximalSGDAVX2(slab, stride, width, rows, grads, lr, pull, divisor)
	default:
		proximalSGDGo(slab, stride, width, rows, grads, lr, pull, divisor)
	}
}

func proximalAdagrad(slab []float32, stride, width int, rows []uint32, grads []float32, lr, l1, l2 float32) {
	switch active {
	case pathAVX512:
		proximalAdagradAVX512(slab, stride, width, rows, grads, lr, l1, l2)
	case pathAVX2:
		proximalAdagradAVX2(slab, stride, width, rows, grads, lr, l1, l2)
	default:
		proximalAdagradGo(slab, stride, width, rows, grads, lr, l1, l2)
	}
}

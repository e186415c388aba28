package kernel

import "math"

// The reference: plain loops that every other path must equal bit for bit. A
// product that is added is converted to its own type first, which forbids the
// compiler to fuse the two. What rows of float64 need too is written for both.

// Float is the type of the numbers of rows.
type Float interface{ float32 | float64 }

func maxIndexGo(idx []uint32) uint32 {
	top := uint32(0)
	for _, i := range idx {
		top = max(top, i)
	}
	return top
}

func poolSumGo(out []float32, width int, slab []float32, stride int, idx []uint32, offsets []int64, weights []float32) {
	for b := range len(offsets) - 1 {
		sum := out[b*width:][:width]
		for i := offsets[b] - offsets[0]; i < offsets[b+1]-offsets[0]; i++ {
			row := slab[int(idx[i])*stride:][:width]
			if weights == nil {
				addRow(sum, row)
			} else {
				addScaledRow(sum, row, weights[i])
			}
		}
	}
}

func addRow(sum, row []float32) {
	for j, x := range row {
		sum[j] += x
	}
}

func addScaledRow(sum, row []float32, weight float32) {
	for j, x := range row {
		sum[j] += float32(weight * x)
	}
}

func gatherGo(out []float32, width int, slab []float32, stride int, idx []uint32) {
	for i, r := range idx {
		copy(out[i*width:][:width], slab[int(r)*stride:])
	}
}

func scatterGo(slab []float32, stride, width int, idx []uint32, in []float32) {
	for i, r := range idx {
		copy(slab[int(r)*stride:][:width], in[i*width:])
	}
}

func divRowsGo(x []float32, width int, div []float32) {
	for i, d := range div {
		row := x[i*width:][:width]
		for j := range row {
			row[j] /= d
		}
	}
}

func scaleRowsGo(x []float32, width int, scale []float32) {
	for i, s := range scale {
		row := x[i*width:][:width]
		for j := range row {
			row[j] *= s
		}
	}
}

func dotGo[F Float](a, b []F) F {
	var lane [16]F
	for i, x := range a {
		lane[i%16] += F(x * b[i])
	}
	return tree(&lane)
}

// tree adds the lanes: 8 to 8, 4 to 4, 2 to 2, 1 to 1.
func tree[F Float](lane *[16]F) F {
	for half := 8; half > 0; half /= 2 {
		for j := range half {
			lane[j] += lane[j+half]
		}
	}
	return lane[0]
}

func sumSquaresGo(dst, x []float32, width int) {
	for i := range dst {
		row := x[i*width:][:width]
		dst[i] = dotGo(row, row)
	}
}

func sgdGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, lr F) {
	for i, r := range rows {
		row := slab[int(r)*stride:][:width]
		for j, g := range grads[i*width:][:width] {
			row[j] -= F(lr * g)
		}
	}
}

func adagradGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, lr, eps F) {
	for i, r := range rows {
		row := slab[int(r)*stride:][:2*width]
		w, acc := row[:width], row[width:]
		for j, g := range grads[i*width:][:width] {
			acc[j] += F(g * g)
			w[j] -= F(lr*g) / sqrt(acc[j]+eps)
		}
	}
}

func rowWiseAdagradGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, lr, eps F) {
	for i, r := range rows {
		row := slab[int(r)*stride:][:width+1]
		g := grads[i*width:][:width]
		row[width] += dotGo(g, g) / F(width)
		step := lr / (sqrt(row[width]) + eps)
		for j := range g {
			row[j] -= F(step * g[j])
		}
	}
}

func adamGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, s AdamStepOf[F]) {
	for i, r := range rows {
		adamRowGo(slab[int(r)*stride:], width, grads[i*width:][:width], s)
	}
}

func adamRowGo[F Float](row []F, width int, grad []F, s AdamStepOf[F]) {
	w, m, v := row[:width], row[width:2*width], row[2*width:3*width]
	keep1, keep2 := F(1-s.Beta1), F(1-s.Beta2)
	for j, g := range grad {
		m[j] += F((g - m[j]) * keep1)
		v[j] += F((F(g*g) - v[j]) * keep2)
		w[j] -= F(m[j]*s.Alpha) / (sqrt(v[j]) + s.Eps)
	}
}

func adamDecayGo(row []float32, width int, alphas []float32, beta1, beta2 float64, eps float32) {
	w, m, v := row[:width], row[width:2*width], row[2*width:3*width]
	keep1, keep2 := float32(1-beta1), float32(1-beta2)
	for _, alpha := range alphas {
		for j := range w {
			m[j] += float32((0 - m[j]) * keep1)
			v[j] += float32((0 - v[j]) * keep2)
			w[j] -= float32(m[j]*alpha) / (sqrt(v[j]) + eps)
		}
	}
}

// sqrt is rounded once: a float64 has more than twice the digits of a float32.
func sqrt[F Float](x F) F { return F(math.Sqrt(float64(x))) }

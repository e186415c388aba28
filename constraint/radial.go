package constraint

// Radial is Keras' RadialConstraint, which tf.keras has and Keras 3 has not: it
// makes the weights of convolution kernels, of shape (n, n, channels, kernels),
// the same at each radius, namely that of the diagonal's lower half; in the
// middle of an even kernel that of the upper half, as in tf.keras:
//
//	a b c d      p p p p      a b c      i i i
//	e f g h  ->  p f f p      d e f  ->  i e i
//	i j k l      p f f p      g h i      i i i
//	m n o p      p p p p
//
// Odd kernels of tf.keras take each value from one radius further in, so that
// the outermost weights count for nothing and one of size 1 fails; that is a
// slip of its own. The rows of a table have no radius: any shape but that of
// such kernels is an error, there as here.
type Radial struct{}

// NewRadial returns Keras' RadialConstraint().
func NewRadial() Radial { return Radial{} }

// Class returns "RadialConstraint".
func (Radial) Class() string { return "RadialConstraint" }

// Check implements [Constraint].
func (Radial) Check(shape []int) error {
	if len(shape) != 4 || shape[0] != shape[1] || shape[0] <= 0 {
		return configError("RadialConstraint is for convolution kernels: the weight must have the shape (n, n, channels, kernels). Received: shape=%v", shape)
	}
	return nil
}

// Apply implements [Constraint].
func (Radial) Apply(w Array) { makeRadial(w) }

// Apply64 implements [Constraint64].
func (Radial) Apply64(w ArrayOf[float64]) { makeRadial(w) }

func makeRadial[F Float](w ArrayOf[F]) {
	if (Radial{}).Check(w.Shape) != nil {
		return
	}
	n, channels := w.Shape[0], w.Shape[2]
	for y := range n {
		for x := range n {
			// What is read lies on the diagonal, and is its own source.
			from := source(max(radius(y, n), radius(x, n)), n)
			for k := range channels {
				copy(w.row((y*n+x)*channels+k), w.row((from*n+from)*channels+k))
			}
		}
	}
}

// radius is how far index i lies from the middle of n: 0 for the middle one, or two.
func radius(i, n int) int {
	if half := n / 2; i >= half {
		return i - half
	}
	return (n-1)/2 - i
}

// source is the index, on the diagonal, of the weight that a radius takes.
func source(radius, n int) int {
	if radius == 0 {
		return (n - 1) / 2
	}
	return n/2 + radius
}

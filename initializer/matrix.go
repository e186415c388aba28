package initializer

import "math"

// Matrix is an initializer whose values only make sense together: a row depends
// on how many rows there are, or on the others. Static tables and dense weights
// take one; a dynamic table, whose rows come one by one, refuses it.
//
// Row of a Matrix fills a matrix of that one row.
type Matrix interface {
	Initializer
	// Rows returns a function that fills dst with row r of a matrix of rows ×
	// width, as often as it is asked and from any goroutine. Row r of a matrix
	// that draws random numbers draws them from s.Key(r). Matrices too large to
	// compute are an error that wraps [ErrConfig].
	Rows(rows, width int, s Streams) (func(dst []float32, r int), error)
}

// CheckMatrix is [Check] for whoever has the whole matrix, of rows × width: it
// takes a [Matrix] too.
func CheckMatrix(i Initializer, rows, width int) error {
	if _, ok := i.(Matrix); !ok {
		return Check(i, width)
	}
	if o, ok := i.(Orthogonal); ok {
		if err := o.fits(rows, width); err != nil {
			return err
		}
	}
	return validate(i)
}

// Array returns a function that fills dst with row r of an array of the given
// shape: a row is what the last dimension holds, and they are numbered through
// the dimensions before it. A vector is one row, a scalar a row of one number.
// Every dimension is positive. What i cannot fill is an error that wraps
// [ErrConfig].
func Array(i Initializer, shape []int, s Streams, fan Fan) (func(dst []float32, r int), error) {
	rows, width := 1, 1
	if n := len(shape); n > 0 {
		width = shape[n-1]
		for _, d := range shape[:n-1] {
			rows *= d
		}
	}
	m, ok := i.(Matrix)
	if !ok {
		if err := Check(i, width); err != nil {
			return nil, err
		}
		return func(dst []float32, r int) { i.Row(dst, s.Key(uint64(r)), fan) }, nil
	}
	_, flat := i.(Identity)
	switch {
	case len(shape) < 2:
		return nil, configError("%s fills matrices: the shape must have at least two dimensions. Received: shape=%v", i.Name(), shape)
	case flat && len(shape) != 2:
		return nil, configError("%s fills matrices: the shape must have two dimensions. Received: shape=%v", i.Name(), shape)
	}
	if err := CheckMatrix(i, rows, width); err != nil {
		return nil, err
	}
	return m.Rows(rows, width, s)
}

// Identity is Keras' identity matrix: Gain where the numbers of row and column
// are equal, else 0. It fills matrices of any shape of two dimensions.
type Identity struct {
	// Gain is the value on the diagonal. Keras' default, which [NewIdentity]
	// fills in: 1.
	Gain float64 `json:"gain"`
}

// NewIdentity returns Keras' Identity(): ones on the diagonal.
func NewIdentity() Identity { return Identity{Gain: 1} }

// Name returns "Identity".
func (Identity) Name() string { return "Identity" }

// Row fills dst with the first row of an identity matrix.
func (i Identity) Row(dst []float32, _ uint64, _ Fan) { i.row(dst, 0) }

// Rows implements [Matrix].
func (i Identity) Rows(int, int, Streams) (func(dst []float32, r int), error) { return i.row, nil }

func (i Identity) row(dst []float32, r int) {
	clear(dst)
	if r < len(dst) {
		dst[r] = float32(i.Gain)
	}
}

// Validate refuses a gain that is not finite.
func (i Identity) Validate() error { return finite("gain", i.Gain) }

// Orthogonal draws a matrix whose rows, or if there are more rows than columns
// whose columns, are orthogonal to each other and of length Gain (Saxe et al.,
// 2014). Arrays of more dimensions are matrices of their last dimension. As in
// Keras it is the Q of a normal matrix's QR decomposition in which R has a
// positive diagonal, so that every direction is as likely as any other.
type Orthogonal struct {
	// Gain is the length of the vectors. Keras' default, which [NewOrthogonal]
	// fills in: 1.
	Gain float64 `json:"gain"`
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// NewOrthogonal returns Keras' Orthogonal(): vectors of length 1.
func NewOrthogonal() Orthogonal { return Orthogonal{Gain: 1} }

// Name returns "Orthogonal".
func (Orthogonal) Name() string { return "Orthogonal" }

// Row fills dst with a vector of length Gain.
func (o Orthogonal) Row(dst []float32, stream uint64, _ Fan) {
	v := make([]float64, len(dst))
	normals(v, reseed(stream, o.Seed))
	orthonormalise([][]float64{v})
	for i, x := range v {
		dst[i] = float32(o.Gain * x)
	}
}

// An orthogonal matrix is computed in memory, in float64, at rows·columns·
// min(rows, columns) multiplications, twice in the worst case. 2^26 numbers are
// 512 MiB; 2^33 multiplications take about ten seconds. That is a table of a
// million rows of 64.
const (
	maxOrthogonalSize = 1 << 26
	maxOrthogonalWork = 1 << 33
)

func (o Orthogonal) fits(rows, width int) error {
	size, work := float64(rows)*float64(width), float64(rows)*float64(width)*float64(min(rows, width))
	if size > maxOrthogonalSize || work > maxOrthogonalWork {
		return configError("Orthogonal computes at most %d numbers, and at most %d times the shorter side of the matrix of them; use another initializer. Received: rows=%d, width=%d",
			maxOrthogonalSize, int64(maxOrthogonalWork), rows, width)
	}
	return nil
}

// Rows implements [Matrix].
func (o Orthogonal) Rows(rows, width int, s Streams) (func(dst []float32, r int), error) {
	if err := o.fits(rows, width); err != nil {
		return nil, err
	}
	tall := rows > width
	count, length := rows, width
	if tall {
		count, length = width, rows
	}
	vectors := make([][]float64, count)
	for v := range vectors {
		vectors[v] = make([]float64, length)
	}
	row := make([]float64, width)
	for r := range rows {
		normals(row, reseed(s.Key(uint64(r)), o.Seed))
		for c, x := range row {
			if tall {
				vectors[c][r] = x
			} else {
				vectors[r][c] = x
			}
		}
	}
	orthonormalise(vectors)
	return func(dst []float32, r int) {
		for c := range dst {
			x := 0.0
			if tall {
				x = vectors[c][r]
			} else {
				x = vectors[r][c]
			}
			dst[c] = float32(o.Gain * x)
		}
	}, nil
}

// Validate refuses a gain that is not finite.
func (o Orthogonal) Validate() error { return finite("gain", o.Gain) }

func normals(dst []float64, stream uint64) {
	for i := range dst {
		dst[i] = quantile(openUnit(bits(stream, i)))
	}
}

// orthonormalise makes each vector orthogonal to those before it, and of length
// 1: the Gram-Schmidt process, whose triangular factor has a positive diagonal.
// What rounding leaves of the others in a vector that loses much of its length
// is taken out by another pass over it: with the rule of Kahan and Parlett
// (Parlett, "The symmetric eigenvalue problem", 1980, 6-9) one more is enough.
func orthonormalise(vectors [][]float64) {
	for i, v := range vectors {
		norm := math.Sqrt(dot(v, v))
		for before := math.Inf(1); norm < before/2; {
			for _, u := range vectors[:i] {
				subtract(v, u, dot(u, v))
			}
			before, norm = norm, math.Sqrt(dot(v, v))
		}
		for j := range v {
			v[j] /= norm
		}
	}
}

// dot adds in one order on every platform: four sums of every fourth product.
func dot(x, y []float64) float64 {
	var s [4]float64
	n := len(x) &^ 3
	for i := 0; i < n; i += 4 {
		a, b := x[i:i+4:i+4], y[i:i+4:i+4]
		s[0] += float64(a[0] * b[0])
		s[1] += float64(a[1] * b[1])
		s[2] += float64(a[2] * b[2])
		s[3] += float64(a[3] * b[3])
	}
	for i := n; i < len(x); i++ {
		s[0] += float64(x[i] * y[i])
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// subtract takes f times y from x.
func subtract(x, y []float64, f float64) {
	for i, v := range y {
		x[i] -= float64(f * v)
	}
}

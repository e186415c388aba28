package initializer_test

import (
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
)

// TestRow64: a row of float64 is that of float32, and a constant its own value.
func TestRow64(t *testing.T) {
	fan := initializer.Fan{In: 4, Out: 4}
	for _, i := range []initializer.Initializer{initializer.RandomUniform{Min: -1, Max: 1}, initializer.NewRandomNormal(), initializer.Ones{}, initializer.Values{0.1, 2, 3}} {
		narrow, wide := make([]float32, 3), make([]float64, 3)
		i.Row(narrow, 77, fan)
		for range 2 { // the second in memory that has been used
			initializer.Row64(i, wide, 77, fan)
		}
		for j, x := range narrow {
			if wide[j] != float64(x) {
				t.Errorf("%s: number %d is %v, of float32 %v", i.Name(), j, wide[j], x)
			}
		}
	}
	wide := make([]float64, 2)
	if initializer.Row64(initializer.Constant{Value: 0.1}, wide, 1, fan); !slices.Equal(wide, []float64{0.1, 0.1}) {
		t.Errorf("a constant 0.1 is %v", wide)
	}
}

// TestArray64 is the same of arrays, those of whole matrices among them.
func TestArray64(t *testing.T) {
	s := initializer.TableStream(3, "film")
	for _, i := range []initializer.Initializer{initializer.NewRandomNormal(), initializer.NewOrthogonal(), initializer.NewIdentity()} {
		narrow, err := initializer.Array(i, []int{4, 3}, s, initializer.Fan{In: 4, Out: 3})
		if err != nil {
			t.Fatal(err)
		}
		wide, err := initializer.Array64(i, []int{4, 3}, s, initializer.Fan{In: 4, Out: 3})
		if err != nil {
			t.Fatal(err)
		}
		for r := range 4 {
			x, y := make([]float32, 3), make([]float64, 3)
			narrow(x, r)
			wide(y, r)
			for j := range x {
				if y[j] != float64(x[j]) {
					t.Errorf("%s: row %d is %v, of float32 %v", i.Name(), r, y, x)
				}
			}
		}
	}
	if _, err := initializer.Array64(initializer.NewIdentity(), []int{3}, s, initializer.Fan{}); err == nil {
		t.Error("an identity vector was made")
	}
}

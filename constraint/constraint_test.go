package constraint_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/constraint"
)

func ExampleByName() {
	c, err := constraint.ByName("min_max_norm")
	fmt.Printf("%+v %v\n", c, err)
	_, err = constraint.ByName("max")
	fmt.Println(err)
	// Output:
	// {Min:0 Max:1 Rate:1 Axis:0} <nil>
	// constraint: bad configuration: unknown constraint "max". Known: max_norm, min_max_norm, non_neg, radial_constraint, unit_norm
}

func ExampleMaxNorm() {
	w := []float32{3, 4, 0.3, 0.4}
	constraint.MaxNorm{Max: 1, Axis: 1}.Apply(constraint.Of(w, 2, 2))
	fmt.Printf("%.2f\n", w)
	// Output:
	// [0.60 0.80 0.30 0.40]
}

// TestConstraintsAreKeras compares with what Keras made of the same arrays. It
// computes in float32: four units in the last place are let pass.
func TestConstraintsAreKeras(t *testing.T) {
	checkKeras(t, "testdata/keras.json", 4*0x1p-23, func(c constraint.Constraint, w []float32, shape []int) {
		c.Apply(constraint.Of(w, shape...))
	})
}

// TestConstraintsOfFloat64AreKeras does the same in float64. Squares are summed in
// another order here: again four units in the last place.
func TestConstraintsOfFloat64AreKeras(t *testing.T) {
	checkKeras(t, "testdata/keras64.json", 4*0x1p-52, func(c constraint.Constraint, w []float64, shape []int) {
		c.(constraint.Constraint64).Apply64(constraint.Of(w, shape...))
	})
}

func checkKeras[F constraint.Float](t *testing.T, file string, tolerance float64, apply func(c constraint.Constraint, w []F, shape []int)) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Cases []struct {
			constraint.Config
			Shape         []int
			Weights, Want []F
		}
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, c := range recorded.Cases {
		made, err := constraint.FromConfig(c.Config)
		if err != nil {
			t.Errorf("%+v: %v", c.Config, err)
			continue
		}
		seen[made.Class()]++
		if err := made.Check(c.Shape); err != nil {
			t.Errorf("%+v: %v", c.Config, err)
		}
		w := slices.Clone(c.Weights)
		apply(made, w, c.Shape)
		for i, want := range c.Want {
			if !(math.Abs(float64(w[i]-want)) <= tolerance*math.Abs(float64(want))) {
				t.Errorf("%+v on %v: number %d is %v, Keras has %v", c.Config, c.Shape, i, w[i], want)
				break
			}
		}
	}
	if want := map[string]int{"MaxNorm": 8, "UnitNorm": 8, "MinMaxNorm": 7, "NonNeg": 2, "RadialConstraint": 3}; !reflect.DeepEqual(seen, want) {
		t.Errorf("cases %v, want %v", seen, want)
	}
}

// TestNormsOfFloat64 checks that norms are kept with all digits of a float64, of
// rows and of columns. Keras' epsilon is let out of the reckoning by norms of 2^60.
func TestNormsOfFloat64(t *testing.T) {
	for _, test := range []struct {
		c    constraint.Constraint64
		want float64
	}{
		{constraint.MaxNorm{Max: 1.25, Axis: 1}, 1.25}, {constraint.MaxNorm{Max: 1.25}, 1.25},
		{constraint.UnitNorm{Axis: -1}, 1}, {constraint.UnitNorm{}, 1},
		{constraint.MinMaxNorm{Min: 0.5, Max: 1.5, Rate: 1, Axis: 1}, 1.5}, {constraint.MinMaxNorm{Min: 0.5, Max: 1.5, Rate: 1}, 1.5},
	} {
		w := []float64{0x1p60 / 3, 0x1p60 / 7, 0x1p59 / 11, 0x1p60 / 13, -0x1p60 / 9, 0x1p61 / 5}
		test.c.Apply64(constraint.Of(w, 3, 2))
		lines := [][]float64{w[0:2], w[2:4], w[4:6]}
		if !constraint.ByRow(test.c) {
			lines = [][]float64{{w[0], w[2], w[4]}, {w[1], w[3], w[5]}}
		}
		for _, line := range lines {
			sum := 0.0
			for _, x := range line {
				sum += x * x
			}
			if norm := math.Sqrt(sum); math.Abs(norm-test.want) > 1e-15 {
				t.Errorf("%+v: a norm of %v, want %v: off by %.2g", test.c, norm, test.want, norm-test.want)
			}
		}
	}
}

// TestFuncIsOfFloat32: a function is given arrays of float32, so that it is no
// constraint of float64.
func TestFuncIsOfFloat32(t *testing.T) {
	for _, c := range []constraint.Constraint{
		constraint.NewMaxNorm(), constraint.NewUnitNorm(), constraint.NewMinMaxNorm(), constraint.NewNonNeg(), constraint.NewRadial(), constraint.Func{},
	} {
		_, of64 := c.(constraint.Constraint64)
		if _, isFunc := c.(constraint.Func); of64 == isFunc {
			t.Errorf("%#v is a Constraint64: %v", c, of64)
		}
	}
}

// TestStride: rows with gaps between them are constrained as rows without, and
// the gaps stay.
func TestStride(t *testing.T) {
	for _, c := range []constraint.Constraint{
		constraint.MaxNorm{Max: 1}, constraint.MaxNorm{Max: 1, Axis: 1}, constraint.UnitNorm{}, constraint.NonNeg{},
		constraint.MinMaxNorm{Min: 2, Max: 3, Rate: 0.5}, constraint.MinMaxNorm{Min: 2, Max: 3, Rate: 0.5, Axis: -1},
	} {
		dense := []float32{1, -2, 3, 4, -5, 6}
		gaps := []float32{1, -2, 3, 77, 77, 4, -5, 6}
		c.Apply(constraint.Of(dense, 2, 3))
		c.Apply(constraint.Array{Data: gaps, Shape: []int{2, 3}, Stride: 5})
		if want := slices.Insert(dense, 3, 77, 77); !slices.Equal(gaps, want) {
			t.Errorf("%+v: %v, want %v", c, gaps, want)
		}
		dense64, gaps64 := []float64{1, -2, 3, 4, -5, 6}, []float64{1, -2, 3, 77, 77, 4, -5, 6}
		of64 := c.(constraint.Constraint64)
		of64.Apply64(constraint.Of(dense64, 2, 3))
		of64.Apply64(constraint.ArrayOf[float64]{Data: gaps64, Shape: []int{2, 3}, Stride: 5})
		if want := slices.Insert(dense64, 3, 77, 77); !slices.Equal(gaps64, want) {
			t.Errorf("%+v of float64: %v, want %v", c, gaps64, want)
		}
	}
}

// TestRadialOfOddKernels: the middle keeps its value, where tf.keras takes that
// of the radius further in; tf.keras fails on a kernel of one.
func TestRadialOfOddKernels(t *testing.T) {
	w := make([]float32, 25)
	for i := range w {
		w[i] = float32(i)
	}
	constraint.NewRadial().Apply(constraint.Of(w, 5, 5, 1, 1))
	want := []float32{24, 24, 24, 24, 24, 24, 18, 18, 18, 24, 24, 18, 12, 18, 24, 24, 18, 18, 18, 24, 24, 24, 24, 24, 24}
	if !slices.Equal(w, want) {
		t.Errorf("%v, want %v", w, want)
	}
	one := []float32{3}
	constraint.NewRadial().Apply(constraint.Of(one, 1, 1, 1, 1))
	if one[0] != 3 {
		t.Errorf("a kernel of one became %v", one)
	}
}

func TestByRow(t *testing.T) {
	for _, test := range []struct {
		c    constraint.Constraint
		want bool
	}{
		{constraint.MaxNorm{Axis: 1}, true}, {constraint.MaxNorm{Axis: -1}, true}, {constraint.MaxNorm{}, false}, {constraint.MaxNorm{Axis: -2}, false},
		{constraint.UnitNorm{Axis: 1}, true}, {constraint.UnitNorm{}, false},
		{constraint.MinMaxNorm{Axis: 1}, true}, {constraint.MinMaxNorm{}, false},
		{constraint.NonNeg{}, true}, {constraint.Radial{}, false},
		{constraint.Func{Rows: true}, true}, {constraint.Func{}, false},
	} {
		if got := constraint.ByRow(test.c); got != test.want {
			t.Errorf("ByRow(%#v) = %v", test.c, got)
		}
	}
}

func TestChecks(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		c       constraint.Constraint
		shape   []int
		message string
	}{
		{constraint.MaxNorm{Max: -1}, []int{2, 2}, "max_value must be a finite number, not negative. Received: max_value=-1"},
		{constraint.MaxNorm{Max: nan}, []int{2, 2}, "max_value=NaN"},
		{constraint.MaxNorm{Max: inf}, []int{2, 2}, "max_value=+Inf"},
		{constraint.MaxNorm{Max: 1, Axis: 2}, []int{2, 2}, "axis must be a dimension of the weight, whose shape is [2 2]. Received: axis=2"},
		{constraint.UnitNorm{Axis: -3}, []int{2, 2}, "Received: axis=-3"},
		{constraint.UnitNorm{}, nil, "Received: axis=0"},
		{constraint.MinMaxNorm{Min: -1, Max: 1}, []int{2}, "0 ≤ min_value ≤ max_value. Received: min_value=-1, max_value=1"},
		{constraint.MinMaxNorm{Min: 2, Max: 1}, []int{2}, "min_value=2, max_value=1"},
		{constraint.MinMaxNorm{Min: nan, Max: 1}, []int{2}, "min_value=NaN"},
		{constraint.MinMaxNorm{Max: inf}, []int{2}, "max_value=+Inf"},
		{constraint.MinMaxNorm{Max: 1, Rate: 1.5}, []int{2}, "rate must be in [0, 1]. Received: rate=1.5"},
		{constraint.MinMaxNorm{Max: 1, Rate: nan}, []int{2}, "rate=NaN"},
		{constraint.MinMaxNorm{Max: 1, Axis: 1}, []int{2}, "Received: axis=1"},
		{constraint.Radial{}, []int{9, 4}, "RadialConstraint is for convolution kernels: the weight must have the shape (n, n, channels, kernels). Received: shape=[9 4]"},
		{constraint.Radial{}, []int{3, 4, 1, 1}, "Received: shape=[3 4 1 1]"},
		{constraint.Func{Name: "mine"}, []int{1}, "F is nil"},
	} {
		if err := test.c.Check(test.shape); !errors.Is(err, constraint.ErrConfig) || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%+v on %v: error %v, want one with %q", test.c, test.shape, err, test.message)
		}
	}
}

func TestConfigComesBack(t *testing.T) {
	for _, c := range []constraint.Constraint{
		constraint.MaxNorm{Max: 0.1, Axis: 1}, constraint.NonNeg{}, constraint.UnitNorm{Axis: -1}, constraint.Radial{},
		constraint.MinMaxNorm{Min: 0.1, Max: 0.3, Rate: 0.7, Axis: 1}, constraint.MinMaxNorm{},
	} {
		config, err := constraint.ToConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		var back constraint.Config
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		for _, config := range []constraint.Config{config, back} {
			if got, err := constraint.FromConfig(config); err != nil || got != c {
				t.Errorf("%s: %#v, %v, want %#v", text, got, err, c)
			}
		}
	}
	if _, err := constraint.ToConfig(constraint.Func{Name: "mine"}); !errors.Is(err, constraint.ErrConfig) {
		t.Errorf("a function has a config: %v", err)
	}
}

func TestConfigs(t *testing.T) {
	for _, test := range []struct {
		text string
		want constraint.Constraint
	}{
		{`{"class_name": "MaxNorm", "config": {}}`, constraint.MaxNorm{Max: 2}},
		{`{"class_name": "MaxNorm", "config": {"max_value": null, "axis": [1]}}`, constraint.MaxNorm{Max: 2, Axis: 1}},
		{`{"class_name": "maxnorm"}`, constraint.MaxNorm{Max: 2}},
		{`{"class_name": "unitnorm"}`, constraint.UnitNorm{}},
		{`{"class_name": "nonneg"}`, constraint.NonNeg{}},
		{`{"class_name": "MinMaxNorm", "config": {"rate": 0.5}}`, constraint.MinMaxNorm{Max: 1, Rate: 0.5}},
		{`{"class_name": "RadialConstraint", "config": {}}`, constraint.Radial{}},
	} {
		var c constraint.Config
		if err := json.Unmarshal([]byte(test.text), &c); err != nil {
			t.Fatal(err)
		}
		if got, err := constraint.FromConfig(c); err != nil || got != test.want {
			t.Errorf("%s: %#v, %v, want %#v", test.text, got, err, test.want)
		}
	}
	for text, message := range map[string]string{
		`{"class_name": "Ortho"}`:                               `unknown constraint "Ortho"`,
		`{"class_name": "MaxNorm", "config": {"max": 1}}`:       `unknown argument "max"; did you mean "max_value"?`,
		`{"class_name": "MaxNorm", "config": {"axis": [0, 1]}}`: "axis is one dimension",
		`{"class_name": "UnitNorm", "config": {"axis": "x"}}`:   "axis is one dimension",
	} {
		var c constraint.Config
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		if _, err := constraint.FromConfig(c); !errors.Is(err, constraint.ErrConfig) || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: error %v, want one with %q", text, err, message)
		}
	}
	for _, name := range constraint.Names() {
		if _, err := constraint.ByName(name); err != nil {
			t.Error(err)
		}
	}
}

// FuzzFromConfig: no config panics, and what is accepted and fits leaves finite
// numbers and comes back from its own config.
func FuzzFromConfig(f *testing.F) {
	f.Add(`{"class_name":"MaxNorm","config":{"max_value":1,"axis":-1}}`)
	f.Add(`{"class_name":"min_max_norm","config":{"min_value":1,"max_value":3,"rate":0.25,"axis":[0]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var c constraint.Config
		if json.Unmarshal([]byte(text), &c) != nil {
			return
		}
		made, err := constraint.FromConfig(c)
		if err != nil || made.Check([]int{2, 2}) != nil {
			return
		}
		w := []float32{1, 0, -3e38, 2}
		made.Apply(constraint.Of(w, 2, 2))
		for _, x := range w {
			if x-x != 0 {
				t.Errorf("%+v made %v", made, w)
			}
		}
		config, err := constraint.ToConfig(made)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := constraint.FromConfig(config); err != nil || back != made {
			t.Errorf("%+v came back as %+v, %v", made, back, err)
		}
	})
}

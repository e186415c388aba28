package initializer_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
)

func ExampleStream() {
	row := make([]float32, 3)
	uniform := initializer.NewRandomUniform()
	for _, key := range []uint64{1, 2, 1} {
		uniform.Row(row, initializer.Stream(42, "film", key), initializer.Fan{In: 3, Out: 3})
		fmt.Printf("key %d: %.4f\n", key, row)
	}
	// Output:
	// key 1: [-0.0080 0.0047 0.0405]
	// key 2: [0.0185 0.0084 -0.0093]
	// key 1: [-0.0080 0.0047 0.0405]
}

func ExampleByName() {
	i, err := initializer.ByName("he_normal")
	fmt.Println(i.Name(), err)
	_, err = initializer.ByName("glorot")
	fmt.Println(err)
	// Output:
	// HeNormal <nil>
	// initializer: bad configuration: unknown initializer "glorot". Known: constant, glorot_normal, glorot_uniform, he_normal, he_uniform, identity, lecun_normal, lecun_uniform, normal, one, ones, orthogonal, random_normal, random_uniform, truncated_normal, uniform, variance_scaling, zero, zeros
}

// all is one of each, with arguments that are not the defaults.
var all = []initializer.Initializer{
	initializer.Zeros{},
	initializer.Ones{},
	initializer.Constant{Value: 0.25},
	initializer.Values{1, -2, 0.1, 4, 5, 6, 7, 8},
	initializer.RandomUniform{Min: -1, Max: 3, Seed: 7},
	initializer.RandomNormal{Mean: 1, Stddev: 2},
	initializer.TruncatedNormal{Mean: -1, Stddev: 0.1, Seed: -3},
	initializer.VarianceScaling{Scale: 3, Mode: initializer.FanAvg, Distribution: initializer.UniformDistribution},
	initializer.VarianceScaling{Scale: 0.1, Mode: initializer.FanOut, Distribution: initializer.UntruncatedNormalDistribution, Seed: 9},
	initializer.GlorotUniform{Seed: 1}, initializer.GlorotNormal{},
	initializer.HeUniform{}, initializer.HeNormal{},
	initializer.LecunUniform{}, initializer.LecunNormal{},
}

func row(i initializer.Initializer, width int, stream uint64) []float32 {
	dst := make([]float32, width)
	for j := range dst {
		dst[j] = float32(math.NaN()) // a number left out would show
	}
	i.Row(dst, stream, initializer.Fan{In: 100, Out: 8})
	return dst
}

// TestRowIsPure checks that a row is the same at every call, whatever came
// between, and that its numbers do not depend on its width.
func TestRowIsPure(t *testing.T) {
	for _, i := range all {
		stream := initializer.Stream(1, "t", 5)
		want := row(i, 8, stream)
		row(i, 8, stream+1)
		if got := row(i, 8, stream); !slices.Equal(got, want) {
			t.Errorf("%s: second read %v, first %v", i.Name(), got, want)
		}
		if got := row(i, 3, stream); !slices.Equal(got, want[:3]) {
			t.Errorf("%s: width 3 gives %v, width 8 %v", i.Name(), got, want)
		}
		row(i, 0, stream)
	}
}

// TestStreamDependsOnEverything checks that a change of any input changes the stream.
func TestStreamDependsOnEverything(t *testing.T) {
	seen := map[uint64]string{}
	add := func(stream uint64, what string) {
		if other, ok := seen[stream]; ok {
			t.Errorf("%s has the stream of %s", what, other)
		}
		seen[stream] = what
	}
	for _, seed := range []uint64{0, 1, 1 << 63} {
		for _, table := range []string{"", "a", "b", "ab", "a\x00", "user_id-parameter", "user_id-parametes"} {
			for key := range uint64(100) {
				add(initializer.Stream(seed, table, key), fmt.Sprint(seed, table, key))
				add(initializer.Stream(seed, table, -key-1), fmt.Sprint(seed, table, "-", key))
			}
			for _, key := range []string{"", "\x00", "\x00\x00", "a", "b", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaa\x00", "baaaaaaa", "aaaaaaaab"} {
				add(initializer.StreamString(seed, table, key), fmt.Sprintf("%d %q %q", seed, table, key))
			}
		}
	}
}

func TestTableStreamIsStream(t *testing.T) {
	s := initializer.TableStream(3, "films")
	if s.Key(9) != initializer.Stream(3, "films", 9) || s.KeyString("9") != initializer.StreamString(3, "films", "9") {
		t.Error("TableStream and Stream differ")
	}
}

func TestSeedOfAnInitializerSetsItApart(t *testing.T) {
	stream := initializer.Stream(1, "t", 5)
	for _, seeded := range []func(seed int64) initializer.Initializer{
		func(s int64) initializer.Initializer { return initializer.RandomUniform{Max: 1, Seed: s} },
		func(s int64) initializer.Initializer { return initializer.RandomNormal{Stddev: 1, Seed: s} },
		func(s int64) initializer.Initializer { return initializer.TruncatedNormal{Stddev: 1, Seed: s} },
		func(s int64) initializer.Initializer { return initializer.VarianceScaling{Scale: 1, Seed: s} },
		func(s int64) initializer.Initializer { return initializer.HeNormal{Seed: s} },
	} {
		a, b, c := row(seeded(0), 4, stream), row(seeded(1), 4, stream), row(seeded(-1), 4, stream)
		if a[0] == b[0] || b[0] == c[0] || a[0] == c[0] {
			t.Errorf("%s: seeds 0, 1, -1 give %v, %v, %v", seeded(0).Name(), a, b, c)
		}
	}
}

func TestConstants(t *testing.T) {
	tests := []struct {
		i    initializer.Initializer
		want []float32
	}{
		{initializer.Zeros{}, []float32{0, 0, 0}},
		{initializer.Ones{}, []float32{1, 1, 1}},
		{initializer.Constant{Value: 0.1}, []float32{0.1, 0.1, 0.1}},
		{initializer.Values{1, 2, 3}, []float32{1, 2, 3}},
		{initializer.Values{1, 2}, []float32{1, 2, 0}},
	}
	for _, test := range tests {
		if got := row(test.i, 3, 1); !slices.Equal(got, test.want) {
			t.Errorf("%#v: %v, want %v", test.i, got, test.want)
		}
	}
}

func TestUniformStaysBelowMax(t *testing.T) {
	// Between 1 and the next float32 lie no others: every draw must be 1.
	i := initializer.RandomUniform{Min: 1, Max: 1 + 1.0/(1<<23)}
	for key := range uint64(1000) {
		if got := row(i, 1, initializer.Stream(0, "", key)); got[0] != 1 {
			t.Fatalf("key %d: %v, want 1", key, got[0])
		}
	}
}

func TestCheck(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	bad := []struct {
		i       initializer.Initializer
		message string
	}{
		{nil, "an initializer is needed, none was given"},
		{initializer.Constant{Value: nan}, "value must be a finite number. Received: value=NaN"},
		{initializer.Values{}, "must have numbers"},
		{initializer.Values{1, 2}, "Received: 2 numbers for width 3"},
		{initializer.Values{1, 2, float32(inf)}, "value must be a finite number"},
		{initializer.RandomUniform{}, "minval must be less than maxval. Received: minval=0, maxval=0"},
		{initializer.RandomUniform{Min: nan}, "minval must be a finite"},
		{initializer.RandomUniform{Max: inf}, "maxval must be a finite"},
		{initializer.RandomUniform{Min: -1e300, Max: 1e300}, "minval must be a finite"},
		{initializer.RandomNormal{Stddev: -1}, "stddev must not be negative. Received: stddev=-1"},
		{initializer.RandomNormal{Mean: nan}, "mean must be"},
		{initializer.TruncatedNormal{Stddev: inf}, "stddev must be a finite"},
		{initializer.VarianceScaling{}, "scale must be a positive number. Received: scale=0"},
		{initializer.VarianceScaling{Scale: inf}, "scale must be a finite"},
		{initializer.VarianceScaling{Scale: 1, Mode: "fan"}, `mode must be one of fan_in, fan_out, fan_avg. Received: mode="fan"`},
		{initializer.VarianceScaling{Scale: 1, Distribution: "beta"}, `Received: distribution="beta"`},
	}
	for _, test := range bad {
		checkError(t, initializer.Check(test.i, 3), test.message)
	}
	for _, i := range all {
		if err := initializer.Check(i, 8); err != nil {
			t.Errorf("%#v: %v", i, err)
		}
	}
}

// checkError checks that err wraps ErrConfig and contains message.
func checkError(t *testing.T, err error, message string) {
	t.Helper()
	if !errors.Is(err, initializer.ErrConfig) || !contains(err, message) {
		t.Errorf("error %v, want one with %q", err, message)
	}
}

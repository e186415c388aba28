package initializer_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
)

// TestStreamsStay pins streams. A seed, and a checkpoint that leaves out rows
// never trained, mean nothing once these change: do not change them.
func TestStreamsStay(t *testing.T) {
	tests := []struct {
		name      string
		got, want uint64
	}{
		{"zero", initializer.Stream(0, "", 0), 0xf053718b5e18d645},
		{"one", initializer.Stream(42, "film", 1), 0x4b5d9b629ac3e511},
		{"last", initializer.Stream(42, "film", math.MaxUint64), 0x8b6bfc8fbdd32c7},
		{"long table", initializer.Stream(7, "a table of some length", 12), 0x3d01c74e4adc0e2f},
		{"empty string", initializer.StreamString(0, "", ""), 0x921f0b21635b5abc},
		{"short string", initializer.StreamString(42, "genre", "Drama"), 0xb707ee9e3404f83a},
		{"long string", initializer.StreamString(42, "genre", "Film-Noir, from the forties"), 0x3c0296168eebd9be},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: %#x, want %#x", test.name, test.got, test.want)
		}
	}
}

// TestRowsStay pins the bits of rows, on every processor.
func TestRowsStay(t *testing.T) {
	tests := []struct {
		i    initializer.Initializer
		want []uint32
	}{
		{initializer.NewRandomUniform(), []uint32{0xbc03b78d, 0x3b9a0b58, 0x3d260ee8, 0x3d0ad5b5}},
		{initializer.RandomUniform{Min: -1, Max: 3, Seed: 7}, []uint32{0x3f56460e, 0xbf681db4, 0x401ce05f, 0xbe085b0d}},
		{initializer.NewRandomNormal(), []uint32{0xbc26375c, 0x3bc183d2, 0x3d86749b, 0x3d4ac8ec}},
		{initializer.NewTruncatedNormal(), []uint32{0xbc1e8e4e, 0x3bb8abf2, 0x3d77ec84, 0x3d3e3d27}},
		{initializer.NewVarianceScaling(), []uint32{0xbc5023a1, 0x3bf26bfd, 0x3da2ba22, 0x3d79bae2}},
		{initializer.GlorotUniform{}, []uint32{0xbca151d9, 0x3c3caa3d, 0x3dcb6104, 0x3daa0987}},
		{initializer.HeNormal{Seed: -5}, []uint32{0x3cba22f0, 0x3e055512, 0xbd60450d, 0x3e0341ec}},
	}
	for _, test := range tests {
		x := make([]float32, 4)
		test.i.Row(x, initializer.Stream(42, "film", 1), initializer.Fan{In: 300, Out: 100})
		var got []uint32
		for _, v := range x {
			got = append(got, math.Float32bits(v))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%#v: %#x, want %#x (%v)", test.i, got, test.want, x)
		}
	}
}

func TestRowDoesNotAllocate(t *testing.T) {
	dst, streams := make([]float32, 64), initializer.TableStream(1, "t")
	for _, i := range all {
		allocs := testing.AllocsPerRun(100, func() { i.Row(dst, streams.Key(3), initializer.Fan{In: 64, Out: 64}) })
		if allocs != 0 {
			t.Errorf("%s: %v allocations a row", i.Name(), allocs)
		}
	}
}

func BenchmarkRow(b *testing.B) {
	dst, streams := make([]float32, 64), initializer.TableStream(1, "t")
	for _, name := range []string{"zeros", "uniform", "normal", "truncated_normal", "glorot_uniform"} {
		b.Run("impl="+name+"/dim=64", func(b *testing.B) {
			i, err := initializer.ByName(name)
			if err != nil {
				b.Fatal(err)
			}
			for key := uint64(0); b.Loop(); key++ {
				i.Row(dst, streams.Key(key), initializer.Fan{In: 64, Out: 64})
			}
		})
	}
}

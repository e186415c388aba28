package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// slowAUC is the definition: over all pairs of a 1 and a 0.
func slowAUC(pred, label, weight []float32) float64 {
	won, pairs := 0.0, 0.0
	for i := range pred {
		for j := range pred {
			if label[i] != 1 || label[j] != 0 {
				continue
			}
			w := float64(weight[i]) * float64(weight[j])
			pairs += w
			switch {
			case pred[i] > pred[j]:
				won += w
			case pred[i] == pred[j]:
				won += w / 2
			}
		}
	}
	return won / pairs
}

func TestAUCAgainstDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 0))
	for trial := range 200 {
		n, values := 2+r.IntN(60), 1+r.IntN(40)
		pred, label, weight := make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range pred {
			pred[i] = float32(r.IntN(values)-values/2) * 1e-3
			label[i] = float32(r.IntN(2))
			weight[i] = float32(r.IntN(4))
		}
		m := &AUC{}
		if err := m.Update(pred, label, weight); err != nil {
			t.Fatal(err)
		}
		got, want := m.Result(), slowAUC(pred, label, weight)
		if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-12 {
			t.Fatalf("trial %d: got %v, want %v\npred %v\nlabel %v\nweight %v", trial, got, want, pred, label, weight)
		}
	}
}

// With Bits, the exact area must lie within the error that is stated, and the
// error must shrink as bits are added.
func TestAUCBits(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 0))
	exact, metrics := &AUC{}, []*AUC{{Bits: 10}, {Bits: 14}, {Bits: 18}}
	for range 50 {
		pred, label := make([]float32, 100), make([]float32, 100)
		for i := range pred {
			label[i] = float32(r.IntN(2))
			pred[i] = float32(r.NormFloat64()) + label[i]
		}
		for _, m := range append(metrics, exact) {
			if err := m.Update(pred, label, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if exact.Error() != 0 {
		t.Errorf("the exact AUC states an error of %v", exact.Error())
	}
	last := math.Inf(1)
	for _, m := range metrics {
		off := math.Abs(m.Result() - exact.Result())
		if off > m.Error()+1e-12 || m.Error() >= last {
			t.Errorf("Bits %d: off by %v, stated %v, fewer bits %v", m.Bits, off, m.Error(), last)
		}
		last = m.Error()
	}
}

func TestAUCStateOfOtherBits(t *testing.T) {
	state, err := (&AUC{Bits: 8}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&AUC{}).UnmarshalBinary(state); !errors.Is(err, ErrState) {
		t.Errorf("got %v", err)
	}
	bad := append([]byte{0}, make([]byte, scoreBytes)...)
	bad[9] = 2
	if err := (&AUC{}).UnmarshalBinary(bad); !errors.Is(err, ErrState) {
		t.Errorf("label 2: %v", err)
	}
}

// TestAUCBitsStay: Bits must not change between examples, but may after Reset.
func TestAUCBitsStay(t *testing.T) {
	two := []float32{0, 1}
	for _, change := range [][2]int{{8, 10}, {10, 8}, {0, 8}, {8, 0}} {
		m := &AUC{Bits: change[0]}
		if err := m.Update(two, two, nil); err != nil {
			t.Fatal(err)
		}
		m.Bits = change[1]
		if err := m.Update(two, two, nil); !errors.Is(err, ErrValue) {
			t.Errorf("Bits %d, then %d: %v", change[0], change[1], err)
		}
		m.Reset()
		if err := m.Update(two, two, nil); err != nil || m.Result() != 1 {
			t.Errorf("Bits %d, Reset, then %d: %v, %v", change[0], change[1], m.Result(), err)
		}
	}
}

func BenchmarkAUC(b *testing.B) {
	pred, label, _ := examples(100_000, 5)
	m := &AUC{}
	for b.Loop() {
		m.Reset()
		if err := m.Update(pred, label, nil); err != nil {
			b.Fatal(err)
		}
		m.Result()
	}
}

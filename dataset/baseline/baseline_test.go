package baseline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/dataset/baseline"
)

func frameOf(t *testing.T, text string) *dataset.Frame {
	t.Helper()
	f, err := dataset.Read(context.Background(), dataset.Config{
		File:    dataset.File{Path: "x"},
		Columns: []dataset.Column{{Name: "u", Kind: dataset.ID}, {Name: "i", Kind: dataset.ID, Type: "string"}, {Name: "y", Kind: dataset.Label}},
		Open:    func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("u,i,y\n" + text)), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func number(x float64) *float64 { return &x }

// Two alternations by hand. Rows: (1, a, 5) (1, b, 3) (2, a, 4); μ = 4, λ = 1
// for users, 2 for items.
//
//	first    b_a = (1+0)/(2+2) = 1/4           b_b = (-1)/(2+1) = -1/3
//	         b_1 = (1-1/4 - 1+1/3)/(1+2) = 1/36    b_2 = (0-1/4)/(1+1) = -1/8
//	second   b_a = (1-1/36 + 0+1/8)/4 = 79/288     b_b = (-1-1/36)/3 = -37/108
//	         b_1 = (1-79/288 - 1+37/108)/3 = 59/2592   b_2 = (-79/288)/2 = -79/576
func TestFitByHand(t *testing.T) {
	f := frameOf(t, "1,a,5\n1,b,3\n2,a,4\n3,c,1\n")
	for _, c := range []struct {
		epochs int
		want   []float64
	}{
		{1, []float64{4 + 1.0/36 + 1.0/4, 4 + 1.0/36 - 1.0/3, 4 - 1.0/8 + 1.0/4, 4}},
		{2, []float64{4 + 59.0/2592 + 79.0/288, 4 + 59.0/2592 - 37.0/108, 4 - 79.0/576 + 79.0/288, 4}},
	} {
		b, err := baseline.Fit(f, []uint32{0, 1, 2}, baseline.Config{User: "u", Item: "i", UserL2: number(1), ItemL2: number(2), Epochs: c.epochs})
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Predict(nil, f.All())
		if err != nil || b.Epochs() != c.epochs || b.Mean() != 4 {
			t.Errorf("%d epochs, mean %v, %v", b.Epochs(), b.Mean(), err)
		}
		for i := range c.want {
			if math.Abs(float64(got[i])-c.want[i]) > 1e-6 {
				t.Errorf("%d epochs, row %d: %v, want %v", c.epochs, i, got[i], c.want[i])
			}
		}
	}
}

// Where the fit ends, one alternation more changes nothing.
func TestFitConverges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	var text strings.Builder
	for range 500 {
		fmt.Fprintf(&text, "%d,%d,%d\n", r.IntN(20), r.IntN(30), r.IntN(9))
	}
	f := frameOf(t, text.String())
	b, err := baseline.Fit(f, f.All(), baseline.Config{User: "u", Item: "i"})
	if err != nil {
		t.Fatal(err)
	}
	if b.Epochs() < 3 || b.Epochs() >= 100 {
		t.Errorf("%d epochs", b.Epochs())
	}
	again, err := baseline.Fit(f, f.All(), baseline.Config{User: "u", Item: "i", Epochs: b.Epochs() + 1})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := b.Predict(nil, f.All())
	q, _ := again.Predict(nil, f.All())
	for i := range p {
		if math.Abs(float64(p[i]-q[i])) > 2e-6 {
			t.Errorf("row %d: %v, and %v after one more", i, p[i], q[i])
		}
	}
}

// Without regularisation, labels that are sums of biases are fitted exactly.
func TestFitWithoutRegularisation(t *testing.T) {
	f := frameOf(t, "1,a,1\n1,b,2\n2,a,3\n2,b,4\n")
	b, err := baseline.Fit(f, f.All(), baseline.Config{User: "u", Item: "i", UserL2: number(0), ItemL2: number(0)})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Predict(nil, f.All()); err != nil || fmt.Sprint(got) != "[1 2 3 4]" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFitErrors(t *testing.T) {
	f := frameOf(t, "1,a,1\n")
	for _, c := range []struct {
		rows []uint32
		c    baseline.Config
		kind error
		want string
	}{
		{nil, baseline.Config{User: "u", Item: "i"}, baseline.ErrConfig, "baseline: bad config: there are no rows to fit"},
		{f.All(), baseline.Config{User: "u", Item: "i", ItemL2: number(-1)}, baseline.ErrConfig, "baseline: bad config: item_l2: it must be a number of at least 0, got -1"},
		{f.All(), baseline.Config{User: "y", Item: "i"}, dataset.ErrColumn, `dataset: no such column: no column of kind ["id"] is called "y"; did you mean "u"? (known: ["u" "i"])`},
		{[]uint32{1}, baseline.Config{User: "u", Item: "i"}, dataset.ErrColumn, "dataset: no such column: entry 0 is row 1 of a frame of 1 rows"},
	} {
		if _, err := baseline.Fit(f, c.rows, c.c); !errors.Is(err, c.kind) || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
	b, err := baseline.Fit(f, f.All(), baseline.Config{User: "u", Item: "i"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Predict(nil, []uint32{1}); !errors.Is(err, baseline.ErrConfig) {
		t.Errorf("a row that is not: %v", err)
	}
}

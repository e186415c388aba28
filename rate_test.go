package rowan_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestSetRate: a rate that is changed while rows are absent. An exact table
// catches them up with the rates of the steps that they missed, so that they
// end where those of a table do that is updated at every step.
func TestSetRate(t *testing.T) {
	for _, rule := range []optim.Updater{optim.SGD{Momentum: 0.9}, optim.NewAdam()} {
		rate := optim.Changed{Base: optim.ExponentialDecay{Initial: 0.05, DecaySteps: 5, DecayRate: 0.7}}
		table := func(exact bool) *rowan.Table {
			return newTable(t, rowan.TableOptions{Width: 2, Optimizer: &optim.Optimizer{Updater: rule, Rate: rate.Base, Exact: exact}})
		}
		everyStep, exact, unchanged := table(false), table(true), table(true)
		for n := range int64(12) {
			if n == 4 || n == 8 {
				rate = rate.With(n+1, []float32{0.5, 0.001}[n/4-1])
				for _, table := range []*rowan.Table{everyStep, exact} {
					if err := table.SetRate(rate); err != nil {
						t.Fatal(err)
					}
				}
			}
			absent := n > 1 && n < 11
			step(t, everyStep, dense(t, []int64{1, 2}), rowan.None, func(l *rowan.Lookup) *tensor.Values {
				g := ones(l)
				if absent {
					g.Data()[0], g.Data()[1] = 0, 0
				}
				return g
			})
			for _, table := range []*rowan.Table{exact, unchanged} {
				if absent {
					step(t, table, dense(t, []int64{2}), rowan.None, ones)
				} else {
					step(t, table, dense(t, []int64{1, 2}), rowan.None, ones)
				}
			}
		}
		var want []float64
		for _, x := range read(t, everyStep, 1, 2) {
			want = append(want, float64(x))
		}
		near(t, fmt.Sprintf("%T", rule), read(t, exact, 1, 2), want)
		if slices.Equal(read(t, unchanged, 1, 2), read(t, exact, 1, 2)) {
			t.Errorf("%T: the new rates changed nothing", rule)
		}
		if got := exact.Options().Optimizer.Rate.At(9); got != 0.001 {
			t.Errorf("rate of step 9 is %v, want 0.001", got)
		}
	}
}

func TestSetRateRefusals(t *testing.T) {
	plain := newTable(t, rowan.TableOptions{Width: 2})
	trained := newTable(t, rowan.TableOptions{Width: 2, Optimizer: sgd(0.5)})
	for name, err := range map[string]error{
		"no optimizer":  plain.SetRate(optim.Constant(1)),
		"nil":           trained.SetRate(nil),
		"negative rate": trained.SetRate(optim.Constant(-1)),
	} {
		if !errors.Is(err, rowan.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := trained.Options().Optimizer.Rate; got != optim.Constant(0.5) {
		t.Errorf("rate %v after errors, want 0.5", got)
	}
	trained.Close()
	if err := trained.SetRate(optim.Constant(1)); !errors.Is(err, rowan.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

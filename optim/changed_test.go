package optim

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestChangedSchedule(t *testing.T) {
	c := Changed{Base: ExponentialDecay{Initial: 1, DecaySteps: 1, DecayRate: 0.5}}
	at := func(c Changed) []float32 {
		var rates []float32
		for step := range int64(6) {
			rates = append(rates, c.At(step+1))
		}
		return rates
	}
	once := c.With(3, 0.2)
	twice := once.With(5, 0.7)
	for _, x := range []struct {
		schedule Changed
		want     []float32
	}{
		{c, []float32{1, 0.5, 0.25, 0.125, 0.0625, 0.03125}},
		{once, []float32{1, 0.5, 0.2, 0.2, 0.2, 0.2}},
		{twice, []float32{1, 0.5, 0.2, 0.2, 0.7, 0.7}},
		{twice.With(5, 0), []float32{1, 0.5, 0.2, 0.2, 0, 0}},
		{twice.With(4, 3), []float32{1, 0.5, 0.2, 3, 3, 3}}, // what was to be later is forgotten
		{once, []float32{1, 0.5, 0.2, 0.2, 0.2, 0.2}},       // and the schedule before is as it was
	} {
		if got := at(x.schedule); !slices.Equal(got, x.want) {
			t.Errorf("%v: rates %v, want %v", x.schedule.Changes, got, x.want)
		}
		if err := x.schedule.Validate(); err != nil {
			t.Error(err)
		}
	}
	if p := peakOf(twice.With(6, 9)); p != 9 {
		t.Errorf("bound %v, want 9", p)
	}
	if p := peakOf(once); p != 1 {
		t.Errorf("bound %v, want that of the schedule before", p)
	}
	for _, bad := range []Changed{
		{},
		{Base: Constant(-1)},
		{Base: Constant(1), Changes: []Change{{1, float32(math.NaN())}}},
		{Base: Constant(1), Changes: []Change{{2, 1}, {2, 1}}},
		{Base: Constant(1), Changes: []Change{{0, 1}}},
	} {
		if err := bad.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

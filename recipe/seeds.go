package recipe

import (
	"context"
	"fmt"
	"math"
)

// Spread is a number over several trainings.
type Spread struct {
	// Name is "model", "biases" or "mean", Metric the metric.
	Name   string `json:"name"`
	Metric string `json:"metric"`
	// Mean and Deviation are the mean and the standard deviation (n - 1).
	Mean      float64   `json:"mean"`
	Deviation float64   `json:"deviation"`
	Values    []float64 `json:"values"`
}

// Seeds is several trainings that differ in their seeds.
type Seeds struct {
	Runs    []*Result `json:"runs"`
	Spreads []Spread  `json:"spreads"`
}

// TrainSeeds trains n times: with the seed of c, the next one, and so on, for
// first values and order as well as for a random split. Nothing is saved. each
// is called after each training; nil for nobody.
func TrainSeeds(ctx context.Context, c Config, n int, o TrainOptions, each func(*Result)) (*Seeds, error) {
	if n < 1 {
		return nil, fmt.Errorf("%w: the number of seeds must be positive, got %d", ErrArgument, n)
	}
	if o.Resume {
		return nil, fmt.Errorf("%w: trainings with several seeds are not saved, and cannot be resumed", ErrArgument)
	}
	o.NoCheckpoint = true
	s := new(Seeds)
	for i := range n {
		run := c
		run.Seed, run.Split.Seed = c.Seed+uint64(i), c.Split.Seed+uint64(i)
		r, err := Train(ctx, run, o)
		if err != nil {
			return nil, fmt.Errorf("seed %d: %w", run.Seed, err)
		}
		s.Runs = append(s.Runs, r)
		if each != nil {
			each(r)
		}
	}
	s.Spreads = spreads(s.Runs)
	return s, nil
}

// spreads gathers the scores of runs.
func spreads(runs []*Result) []Spread {
	var all []Spread
	for _, score := range runs[0].Scores {
		for _, m := range score.Metrics {
			s := Spread{Name: score.Name, Metric: m.Name}
			for _, r := range runs {
				if v, ok := get(r.Scores, s.Name, s.Metric); ok {
					s.Values = append(s.Values, v)
				}
			}
			s.Mean, s.Deviation = meanDeviation(s.Values)
			all = append(all, s)
		}
	}
	return all
}

// meanDeviation returns the mean and the standard deviation, 0 of one number.
func meanDeviation(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	if len(x) < 2 {
		return mean, 0
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(x)-1))
}

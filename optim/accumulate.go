package optim

// LearningRate returns the rate of an update, from 1: that of its schedule,
// which counts batches if gradients are accumulated.
func (o *Optimizer) LearningRate(update int64) float32 { return o.schedule().At(update) }

// schedule is Rate as a function of the number of an update.
func (o *Optimizer) schedule() Schedule {
	if o.AccumulationSteps > 1 {
		return (*accumulating)(o)
	}
	return o.Rate
}

// accumulating is an optimizer that makes an update of several batches, as the
// schedule of its updates: update n comes with batch n·AccumulationSteps.
type accumulating Optimizer

func (a *accumulating) At(update int64) float32 {
	return a.Rate.At(update * int64(a.AccumulationSteps))
}

func (a *accumulating) peak() float64 { return peakOf(a.Rate) }

// constant tells whether a schedule gives every step the same rate.
func constant(s Schedule) bool {
	if a, ok := s.(*accumulating); ok {
		s = a.Rate
	}
	_, ok := s.(Constant)
	return ok
}

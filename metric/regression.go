package metric

import "math"

// Mean is the weighted mean of the predictions; labels are ignored and may be nil.
type Mean struct{ average }

// MSE is the mean squared error.
type MSE struct{ average }

// RMSE is the root of the mean squared error.
type RMSE struct{ average }

// MAE is the mean absolute error.
type MAE struct{ average }

// MAPE is the mean of 100·|pred - label|/|label|, with |label| at least 1e-7, as in Keras.
type MAPE struct{ average }

// MSLE is the mean of (log(1+pred) - log(1+label))²; numbers below 1e-7 count
// as 1e-7, as in Keras.
type MSLE struct{ average }

// LogCosh is the mean of log(cosh(pred - label)).
type LogCosh struct{ average }

// Poisson is the mean of pred - label·log(pred + 1e-7), as in Keras.
type Poisson struct{ average }

// Name implements [Metric]: "mape".
func (*MAPE) Name() string { return "mape" }

// Name implements [Metric]: "msle".
func (*MSLE) Name() string { return "msle" }

// Name implements [Metric]: "log_cosh".
func (*LogCosh) Name() string { return "log_cosh" }

// Name implements [Metric]: "poisson".
func (*Poisson) Name() string { return "poisson" }

// Update implements [Metric].
func (m *MAPE) Update(pred, label, weight []float32) error {
	return m.addPairs(m.Name(), pred, label, weight, func(p, y float64) float64 {
		return 100 * math.Abs(p-y) / max(math.Abs(y), epsilon)
	})
}

// Update implements [Metric].
func (m *MSLE) Update(pred, label, weight []float32) error {
	return m.addPairs(m.Name(), pred, label, weight, func(p, y float64) float64 {
		return square(math.Log1p(max(p, epsilon)) - math.Log1p(max(y, epsilon)))
	})
}

// Update implements [Metric].
func (m *LogCosh) Update(pred, label, weight []float32) error {
	return m.addErrors(m.Name(), pred, label, weight, func(x float64) float64 {
		x = math.Abs(x)
		return x + math.Log1p(math.Exp(-2*x)) - math.Ln2
	})
}

// Update implements [Metric]. A prediction of 0 or less where the label is not
// 0 has no logarithm: the metric becomes NaN or infinite, as in Keras.
func (m *Poisson) Update(pred, label, weight []float32) error {
	return m.addPairs(m.Name(), pred, label, weight, func(p, y float64) float64 {
		return p - weigh(math.Log(p+epsilon), y)
	})
}

// Name implements [Metric]: "mean".
func (*Mean) Name() string { return "mean" }

// Name implements [Metric]: "mse".
func (*MSE) Name() string { return "mse" }

// Name implements [Metric]: "rmse".
func (*RMSE) Name() string { return "rmse" }

// Name implements [Metric]: "mae".
func (*MAE) Name() string { return "mae" }

// Update implements [Metric].
func (m *Mean) Update(pred, _, weight []float32) error {
	if err := check(m.Name(), pred, pred, weight); err != nil {
		return err
	}
	for i, p := range pred {
		m.add(float64(p), weightOf(weight, i, len(pred)))
	}
	return nil
}

// Update implements [Metric].
func (m *MSE) Update(pred, label, weight []float32) error {
	return m.addErrors(m.Name(), pred, label, weight, square)
}

// Update implements [Metric].
func (m *RMSE) Update(pred, label, weight []float32) error {
	return m.addErrors(m.Name(), pred, label, weight, square)
}

// Update implements [Metric].
func (m *MAE) Update(pred, label, weight []float32) error {
	return m.addErrors(m.Name(), pred, label, weight, math.Abs)
}

// Result implements [Metric].
func (m *RMSE) Result() float64 { return math.Sqrt(m.average.Result()) }

func square(x float64) float64 { return x * x }

// addErrors adds loss(pred - label) of each example.
func (a *average) addErrors(name string, pred, label, weight []float32, loss func(float64) float64) error {
	return a.addPairs(name, pred, label, weight, func(p, y float64) float64 { return loss(p - y) })
}

// addPairs adds loss(pred, label) of each example.
func (a *average) addPairs(name string, pred, label, weight []float32, loss func(p, y float64) float64) error {
	if err := check(name, pred, label, weight); err != nil {
		return err
	}
	for i, p := range pred {
		a.add(loss(float64(p), float64(label[i])), weightOf(weight, i, len(pred)))
	}
	return nil
}

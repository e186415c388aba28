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
	if err := check(name, pred, label, weight); err != nil {
		return err
	}
	for i, p := range pred {
		a.add(loss(float64(p)-float64(label[i])), weightOf(weight, i, len(pred)))
	}
	return nil
}

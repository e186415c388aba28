package metric

import "math"

// PearsonCorrelation is the mean over examples of the correlation of the
// example's predictions with its labels: 1 where they lie on a rising line, -1
// on a falling one. As in Keras it is of the numbers within an example, such as
// the candidates of a list, not of one number over the examples; and it becomes
// NaN by an example with weight whose predictions, or labels, are all the same.
type PearsonCorrelation struct {
	// Width is the numbers of an example, at least 1; of 1 it is NaN.
	Width int
	average
}

// ConcordanceCorrelation is the mean over examples of Lin's concordance
// correlation coefficient (1989) of the example's predictions and labels, which
// is 1 where they are the same. As in Keras it is 0, not NaN, where predictions
// or labels are all the same.
//
//	2 · cov(label, pred) / (var(label) + var(pred) + (mean(label) - mean(pred))² + 1e-7)
type ConcordanceCorrelation struct {
	// Width is the numbers of an example, at least 1.
	Width int
	average
}

// Name implements [Metric]: "pearson_correlation".
func (*PearsonCorrelation) Name() string { return "pearson_correlation" }

// Name implements [Metric]: "concordance_correlation".
func (*ConcordanceCorrelation) Name() string { return "concordance_correlation" }

// Update implements [Metric]. pred and label have Width numbers an example, weight one.
func (m *PearsonCorrelation) Update(pred, label, weight []float32) error {
	return m.addMoments(lists{m.Name(), m.Width}, pred, label, weight, func(x moments) float64 {
		return x.covariance / (math.Sqrt(x.varPred) * math.Sqrt(x.varLabel))
	})
}

// Update implements [Metric]. pred and label have Width numbers an example, weight one.
func (m *ConcordanceCorrelation) Update(pred, label, weight []float32) error {
	return m.addMoments(lists{m.Name(), m.Width}, pred, label, weight, func(x moments) float64 {
		return 2 * x.covariance / (x.varLabel + x.varPred + float64(square(x.meanLabel-x.meanPred)) + epsilon)
	})
}

// addMoments adds measure of each example.
func (a *average) addMoments(l lists, pred, label, weight []float32, measure func(moments) float64) error {
	n, err := l.check(pred, label, weight)
	if err != nil {
		return err
	}
	for i := range n {
		a.add(measure(momentsOf(l.at(pred, i), l.at(label, i))), weightOf(weight, i, n))
	}
	return nil
}

// moments are means, and means of products of what is left without them.
type moments struct{ meanPred, meanLabel, varPred, varLabel, covariance float64 }

func momentsOf(pred, label []float32) moments {
	var m moments
	n := float64(len(pred))
	for i, p := range pred {
		m.meanPred += float64(p)
		m.meanLabel += float64(label[i])
	}
	m.meanPred /= n
	m.meanLabel /= n
	for i, p := range pred {
		x, y := float64(p)-m.meanPred, float64(label[i])-m.meanLabel
		m.varPred += float64(x * x)
		m.varLabel += float64(y * y)
		m.covariance += float64(x * y)
	}
	m.varPred /= n
	m.varLabel /= n
	m.covariance /= n
	return m
}

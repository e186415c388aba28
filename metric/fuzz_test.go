package metric

import (
	"bytes"
	"errors"
	"testing"
)

// stateful returns one metric for each form of a state.
func stateful() []Metric {
	return []Metric{&RMSE{}, &AUC{}, &AUC{Bits: 8}, &Precision{}, &R2Score{}, &RecallAtPrecision{NumThresholds: 5}, &FBetaScore{Width: 2, Beta: 2}}
}

// FuzzState gives any bytes to metrics: what decodes encodes back, and what does
// not is ErrState and leaves the metric as it was.
func FuzzState(f *testing.F) {
	for _, m := range stateful() {
		pred, label, weight := examples(20, 1)
		if err := m.Update(pred, label, weight[:10]); err != nil {
			f.Fatal(err)
		}
		state, err := m.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(state)
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		for _, m := range stateful() {
			before, err := m.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			want := state
			if err := m.UnmarshalBinary(state); err != nil {
				want = before
				if !errors.Is(err, ErrState) {
					t.Errorf("%s: %v", m.Name(), err)
				}
			}
			got, err := m.AppendBinary(nil)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes became %d, want %d: %v", m.Name(), len(state), len(got), len(want), err)
			}
			m.Result()
		}
	})
}

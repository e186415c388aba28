package layer_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
)

func runTraining(t *testing.T, l layer.Layer, in ...layer.Value) *layer.Output {
	t.Helper()
	return must[*layer.Output](t)(layer.Of(l).Run(context.Background(), layer.Args{Training: true}, in...))
}

func weights(t *testing.T, l layer.Layer) [][]float32 {
	t.Helper()
	return must[[][]float32](t)(layer.Of(l).GetWeights(context.Background()))
}

// TestBatchNormalizationByHand: numbers whose mean is 2 and variance 1.
func TestBatchNormalizationByHand(t *testing.T) {
	l := newBatchNormalization(t, layer.BatchNormalizationOptions{Momentum: new(0.75), Epsilon: 1e-6})
	x := vector(t, []int{2, 1}, 1, 3)
	if got := run(t, l, x).Values[0].Floats.Data(); !near(got, []float32{1, 3}) {
		t.Errorf("inference before training gives %v, want what came in", got)
	}
	if got := runTraining(t, l, x).Values[0].Floats.Data(); !near(got, []float32{-1, 1}) {
		t.Errorf("training gives %v, want [-1 1]", got)
	}
	if w := weights(t, l); !near(w[2], []float32{0.5}) || !near(w[3], []float32{1}) {
		t.Errorf("moving mean %v and variance %v, want 0.5 and 1", w[2], w[3])
	}
	if got := run(t, l, x).Values[0].Floats.Data(); !near(got, []float32{0.5, 2.5}) {
		t.Errorf("inference after training gives %v, want [0.5 2.5]", got)
	}
	if n, m := len(l.TrainableVariables()), len(l.NonTrainableVariables()); n != 2 || m != 2 {
		t.Errorf("%d weights are trained and %d are not, want 2 and 2", n, m)
	}
}

// TestMaskedStepsDoNotCount: what they hold changes nothing, and a batch of
// nothing else moves no average.
func TestMaskedStepsDoNotCount(t *testing.T) {
	mask := []bool{true, false, true, true}
	var outs [][]float32
	var after [][][]float32
	for _, padding := range []float32{0, 1e6} {
		l := newBatchNormalization(t, layer.BatchNormalizationOptions{})
		out := runTraining(t, l, masked(vector(t, []int{2, 2, 1}, 1, padding, 2, 6), mask...)).Values[0]
		outs, after = append(outs, []float32{out.Floats.Data()[0], out.Floats.Data()[2], out.Floats.Data()[3]}), append(after, weights(t, l))
	}
	if !slices.Equal(outs[0], outs[1]) || !slices.Equal(after[0][2], after[1][2]) || !slices.Equal(after[0][3], after[1][3]) {
		t.Errorf("padding changed the result: %v and %v, weights %v and %v", outs[0], outs[1], after[0], after[1])
	}
	if !near(after[0][2], []float32{0.03}) {
		t.Errorf("moving mean %v, want a hundredth of 3", after[0][2])
	}
	l := newBatchNormalization(t, layer.BatchNormalizationOptions{})
	out := runTraining(t, l, masked(vector(t, []int{2, 1, 1}, 5, 7), false, false)).Values[0].Floats.Data()
	if w := weights(t, l); w[2][0] != 0 || w[3][0] != 1 || out[0] != out[0] {
		t.Errorf("a batch of padding: output %v, averages %v and %v, want 0 and 1", out, w[2], w[3])
	}
}

// TestFrozenBatchNormalizationInfers: Keras' rule for transfer learning.
func TestFrozenBatchNormalizationInfers(t *testing.T) {
	l := newBatchNormalization(t, layer.BatchNormalizationOptions{Options: layer.Options{Frozen: true}, Epsilon: 1e-6})
	if got := runTraining(t, l, vector(t, []int{2, 1}, 1, 3)).Values[0].Floats.Data(); !near(got, []float32{1, 3}) {
		t.Errorf("a frozen layer gives %v in training, want what came in", got)
	}
	if w := weights(t, l); w[2][0] != 0 || w[3][0] != 1 {
		t.Errorf("averages %v and %v moved", w[2], w[3])
	}
}

// TestLayerNormalizationByHand against a plain loop.
func TestLayerNormalizationByHand(t *testing.T) {
	x := floats(t, 3, 5)
	got := run(t, newLayerNormalization(t, layer.LayerNormalizationOptions{Epsilon: 0.01}), x).Values[0].Floats.Data()
	var want []float32
	for at := 0; at < 15; at += 5 {
		mean, variance := 0.0, 0.0
		for _, v := range x.Floats.Data()[at : at+5] {
			mean += float64(v) / 5
		}
		for _, v := range x.Floats.Data()[at : at+5] {
			variance += (float64(v) - mean) * (float64(v) - mean) / 5
		}
		for _, v := range x.Floats.Data()[at : at+5] {
			want = append(want, float32((float64(v)-mean)/math.Sqrt(variance+0.01)))
		}
	}
	if !near(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestConfigsOfNormalizers: what Keras writes beside our arguments is read where
// it does nothing, and refused where it would.
func TestConfigsOfNormalizers(t *testing.T) {
	for _, c := range []struct {
		class  string
		config layer.Config
		says   string
	}{
		{"BatchNormalization", layer.Config{"axis": []any{3.0}, "renorm": false, "renorm_clipping": nil, "renorm_momentum": 0.99, "synchronized": false, "fused": nil}, ""},
		{"BatchNormalization", layer.Config{"renorm": true}, `"renorm" must be false`},
		{"BatchNormalization", layer.Config{"axis": 0}, "not the batch"},
		{"BatchNormalization", layer.Config{"axis": []any{1.0, 2.0}}, "one dimension"},
		{"BatchNormalization", layer.Config{"momentum": 1.5}, "`momentum`"},
		{"BatchNormalization", layer.Config{"epsilon": 0}, "above 0"},
		{"LayerNormalization", layer.Config{"axis": 1, "rms_scaling": false}, ""},
		{"LayerNormalization", layer.Config{"rms_scaling": true}, `"rms_scaling" must be false`},
		{"DotInteraction", layer.Config{"skip_gather": false}, ""},
		{"DotInteraction", layer.Config{"skip_gather": true}, `"skip_gather" must be false`},
		{"FeatureCross", layer.Config{"projection_dim": nil, "diag_scale": nil, "pre_activation": nil}, ""},
	} {
		_, err := layer.FromConfig(c.class, c.config)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s %v: error %v, want one that says %q", c.class, c.config, err, c.says)
		}
	}
	l := must[layer.Layer](t)(layer.FromConfig("BatchNormalization", layer.Config{}))
	if c := l.(layer.Configurer).Config(); c["axis"] != -1 || c["momentum"] != 0.99 || c["epsilon"] != 1e-3 || c["center"] != true {
		t.Errorf("defaults are %v, want Keras'", c)
	}
}

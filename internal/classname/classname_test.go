package classname

import "testing"

func TestSnake(t *testing.T) {
	for class, want := range map[string]string{
		"Dense": "dense", "GlorotUniform": "glorot_uniform", "GlobalAveragePooling1D": "global_average_pooling1d",
		"MSE": "mse", "KLDivergence": "kl_divergence", "TopKCategoricalAccuracy": "top_k_categorical_accuracy",
		"R2Score": "r2score", "mean_squared_error": "mean_squared_error", "": "",
	} {
		if got := Snake(class); got != want {
			t.Errorf("%q becomes %q, want %q", class, got, want)
		}
	}
}

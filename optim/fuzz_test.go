package optim_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/rowan-embeddings/rowan/optim"
)

// FuzzFromConfig checks that no config makes a panic, that what is accepted is
// valid, gives rates that are no NaN, and comes back from its own config.
func FuzzFromConfig(f *testing.F) {
	for _, seed := range []string{
		`{"class_name":"Adam","config":{"learning_rate":0.01,"clipnorm":1,"weight_decay":0.1}}`,
		`{"class_name":"SGD","config":{"momentum":0.9,"nesterov":true,"exact":true}}`,
		`{"class_name":"adagrad","config":{"learning_rate":{"class_name":"PiecewiseConstantDecay","config":{"boundaries":[1,2],"values":[1,2,3]}}}}`,
		`{"class_name":"rmsprop","config":{"learning_rate":{"class_name":"CosineDecay","config":{"decay_steps":3,"warmup_target":1,"warmup_steps":2}}}}`,
		`{"class_name":"SGD","config":{"learning_rate":{"class_name":"PolynomialDecay","config":{"decay_steps":3,"power":0}}}}`,
		`{"class_name":"SGD","config":{"learning_rate":{"class_name":"ExponentialDecay","config":{"decay_steps":1,"decay_rate":2}}}}`,
		`{"class_name":"row_wise_adagrad","config":null}`,
		`{"class_name":"Ftrl","config":{"learning_rate_power":-0.7,"l1_regularization_strength":1,"beta":2,"weight_decay":null}}`,
		`{"class_name":"AdamW","config":{"weight_decay":null,"use_ema":true,"ema_momentum":0.5,"ema_overwrite_frequency":3}}`,
		`{"class_name":"RMSprop","config":{"momentum":1,"centered":true,"use_ema":false,"ema_momentum":9}}`,
		`{"class_name":"Lion","config":{"beta_1":1,"beta_2":0}}`,
		`{"class_name":"proximal_adagrad","config":{"initial_accumulator_value":0.2}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var c optim.Config
		if json.Unmarshal(text, &c) != nil {
			return
		}
		o, err := optim.FromConfig(c)
		if err != nil {
			return
		}
		for _, step := range []int64{1, 2, 1000, 1 << 40} {
			if r := o.Rate.At(step); r != r {
				t.Errorf("%s: rate NaN at step %d", text, step)
			}
		}
		again, err := o.Config()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		back, err := optim.FromConfig(again)
		if err != nil {
			t.Fatalf("%s became %+v: %v", text, again, err)
		}
		final, err := back.Config()
		if err != nil || !reflect.DeepEqual(final, again) {
			t.Errorf("%+v became %+v, %v", again, final, err)
		}
	})
}

package layer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestRestrictPolicyOfALayer: a layer with a policy gives rows up by itself, in
// the step that brings it over its bound, and on call; an id that was given up
// reads as its first values. It does so as it was made and from its config.
func TestRestrictPolicyOfALayer(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		policy     rowan.RestrictPolicy
		keep, call []int64 // what is left after the last step, and of that by the call
	}{
		{rowan.TimestampPolicy{}, []int64{7, 8, 9}, []int64{9}},
		{rowan.FrequencyPolicy{}, []int64{5, 7, 8}, []int64{5}},
	} {
		var went []int64
		o := layer.DynamicOptions{Initializer: initializer.Constant{Value: 2}, RestrictPolicy: rowan.Restrict{Policy: c.policy, Keep: 3,
			Evicted: func(e rowan.Eviction) { went = append(went, e.Keys.(*tensor.Dense[int64]).Values()...) }}}
		made := newDynamic(t, 1, o)
		for _, l := range []*layer.DynamicEmbedding{made, readBack(t, made)} {
			went = nil
			for _, step := range [][]int64{{5, 5, 6}, {5}, {5, 7, 8}, {7, 8, 9}, {9}} {
				run(t, l, ids(t, []int{len(step)}, step...))
				train(t, l, l.Table(), ids(t, []int{len(step)}, step...).IDs)
			}
			if got := keysOf(t, l.Table()); !slices.Equal(got, c.keep) {
				t.Errorf("%T: the layer holds %v, want %v", c.policy, got, c.keep)
			}
			if x := run(t, l, ids(t, []int{1}, 6)).Values[0].Floats.Data()[0]; x != 2 {
				t.Errorf("%T: an id that was given up reads %v, want its first value", c.policy, x)
			}
			if l == made && !slices.Contains(went, 6) {
				t.Errorf("%T: the call-back was told of %v", c.policy, went)
			}
			if n := l.Table().Stats().Evicted; n == 0 {
				t.Errorf("%T: the count of evicted rows is %d", c.policy, n)
			}
			if _, err := l.Table().Restrict(ctx, 1, 0); err != nil {
				t.Fatal(err)
			}
			if got := keysOf(t, l.Table()); !slices.Equal(got, c.call) {
				t.Errorf("%T: after the call the layer holds %v, want %v", c.policy, got, c.call)
			}
		}
	}
}

// readBack makes a layer from the JSON of another's config.
func readBack(t *testing.T, l layer.Layer) *layer.DynamicEmbedding {
	t.Helper()
	class, c, err := layer.ToConfig(l)
	if err != nil {
		t.Fatal(err)
	}
	return must[layer.Layer](t)(fromJSON(t, class, string(must[[]byte](t)(json.Marshal(c))))).(*layer.DynamicEmbedding)
}

func keysOf(t testing.TB, table *rowan.Table) (keys []int64) {
	t.Helper()
	for part, err := range table.Export(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, part.Keys.(*tensor.Dense[int64]).Values()...)
	}
	return keys
}

// TestRestrictPolicyNames: configs may name a policy alone, and as the source
// system names its class.
func TestRestrictPolicyNames(t *testing.T) {
	for name, want := range map[string]rowan.RestrictPolicy{
		"timestamp": rowan.TimestampPolicy{}, "frequency": rowan.FrequencyPolicy{},
		"TimestampRestrictPolicy": rowan.TimestampPolicy{}, "FrequencyRestrictPolicy": rowan.FrequencyPolicy{},
	} {
		l := must[layer.Layer](t)(layer.FromConfig("DynamicEmbedding", layer.Config{"embedding_size": 1, "restrict_policy": name}))
		run(t, l, ids(t, []int{1}, 0))
		if got := l.(*layer.DynamicEmbedding).Table().Options().Restrict; got.Policy != want || got.Keep != 0 {
			t.Errorf("%s became %+v", name, got)
		}
		if got := l.(layer.Configurer).Config()["restrict_policy"]; got != want.Name() {
			t.Errorf("%s is written as %v", name, got)
		}
	}
}

// named is a policy of a program's own.
type named struct {
	rowan.FrequencyPolicy
	name string
}

func (p named) Name() string { return p.name }

// runs makes names differ where tests run several times: none is ever given back.
var runs int

// TestRestrictPolicyOfOnesOwn: configs hold its name, and read it once it is registered.
func TestRestrictPolicyOfOnesOwn(t *testing.T) {
	runs++
	own := rowan.Restrict{Policy: named{name: fmt.Sprint("test_named_", runs)}, Keep: 3, Trigger: 4}
	class, c, err := layer.ToConfig(newDynamic(t, 1, layer.DynamicOptions{RestrictPolicy: own}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layer.FromConfig(class, c); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), "RegisterPolicy") {
		t.Errorf("before it is registered: %v", err)
	}
	if err := rowan.RegisterPolicy(own.Policy); err != nil {
		t.Fatal(err)
	}
	l := must[layer.Layer](t)(layer.FromConfig(class, c))
	run(t, l, ids(t, []int{1}, 0))
	if got := l.(*layer.DynamicEmbedding).Table().Options().Restrict; got.Policy != own.Policy || got.Keep != 3 || got.Trigger != 4 {
		t.Errorf("%+v became %+v", own, got)
	}
}

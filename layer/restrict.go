package layer

import "github.com/rowan-embeddings/rowan"

// restrictPolicies are the policies that a config can name: by their own names,
// and by those of the classes of TensorFlow Recommenders Addons.
var restrictPolicies = map[string]rowan.RestrictPolicy{
	"timestamp":               rowan.TimestampPolicy{},
	"frequency":               rowan.FrequencyPolicy{},
	"TimestampRestrictPolicy": rowan.TimestampPolicy{},
	"FrequencyRestrictPolicy": rowan.FrequencyPolicy{},
}

// restrictConfig is the config form of a policy: its name alone where rows go on
// call only, else with the rows to keep and the trigger.
func restrictConfig(r rowan.Restrict) any {
	switch {
	case r.Policy == nil:
		return nil
	case r.Keep == 0:
		return r.Policy.Name()
	}
	return map[string]any{"class_name": r.Policy.Name(), "config": map[string]any{"keep": r.Keep, "trigger": r.Trigger}}
}

func (r *reader) restrict(key string) rowan.Restrict {
	name, c, ok := r.object(key)
	if !ok {
		return rowan.Restrict{}
	}
	policy, ok := restrictPolicies[name]
	if !ok {
		r.bad(key, "timestamp or frequency; give a layer a policy of your own by its options", name)
		return rowan.Restrict{}
	}
	in := c.reader()
	restrict := rowan.Restrict{Policy: policy, Keep: in.int("keep"), Trigger: in.int("trigger")}
	r.inside(key, in, name)
	return restrict
}

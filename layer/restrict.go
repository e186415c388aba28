package layer

import (
	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/arguments"
)

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

func (r reader) restrict(key string) rowan.Restrict {
	name, c, ok := r.Object(key)
	if !ok {
		return rowan.Restrict{}
	}
	policy, err := rowan.ParsePolicy(name)
	if err != nil {
		r.Bad(key, "timestamp, frequency or a policy given to rowan.RegisterPolicy", name)
		return rowan.Restrict{}
	}
	in := arguments.Of(c)
	restrict := rowan.Restrict{Policy: policy, Keep: in.Int("keep"), Trigger: in.Int("trigger")}
	r.Inside(key, in.Fault(name))
	return restrict
}

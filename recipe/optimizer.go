package recipe

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/suggest"
	"github.com/rowan-embeddings/rowan/optim"
)

// makeOptimizer makes the optimizer that s describes, for a training of that
// many steps. field names it in errors.
func makeOptimizer(field string, s Spec, steps int64) (*optim.Optimizer, error) {
	args := make(map[string]any, len(s.Args))
	for key, v := range s.Args {
		args[key] = v
	}
	if rate, ok := args["learning_rate"]; ok {
		c, err := rateArgument(rate, steps)
		if err != nil {
			return nil, inSpec(field+".learning_rate", err)
		}
		args["learning_rate"] = c
	}
	o, err := optim.FromConfig(optim.Config{ClassName: s.Name, Config: args})
	return o, inSpec(field, err)
}

// inSpec says that err is about a spec, or about the argument of it that is not
// known. err may be nil.
func inSpec(field string, err error) error {
	if unknown := (*suggest.UnknownError)(nil); errors.As(err, &unknown) {
		field += "." + unknown.Name
	}
	return inField(field, err)
}

// rateArgument turns a learning rate into what package optim reads: a number,
// or the config of a schedule.
func rateArgument(rate any, steps int64) (any, error) {
	text, err := json.Marshal(rate)
	if err != nil {
		return nil, err
	}
	var s Spec
	if err := s.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	switch {
	case s.Name == "constant":
		return s.Args["value"], nil
	case s.Name == "linear":
		s = linear(s)
	}
	class := camel(s.Name)
	if class != "PiecewiseConstantDecay" {
		s = s.With("decay_steps", max(1, steps))
	}
	schedule := optim.Config{ClassName: class, Config: s.Args}
	_, err = optim.ScheduleFromConfig(schedule)
	return schedule, err
}

// linear is a straight line from initial_learning_rate to end_learning_rate, 0
// unless given, whatever Keras' default is.
func linear(s Spec) Spec {
	s.Name = "polynomial_decay"
	return s.With("end_learning_rate", 0.0)
}

// camel turns "cosine_decay" into "CosineDecay".
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

// makeInitializer makes the initializer that s describes, nil for none.
func makeInitializer(field string, s Spec) (initializer.Initializer, error) {
	if s.IsZero() {
		return nil, nil
	}
	i, err := initializer.FromConfig(initializer.Config{ClassName: s.Name, Config: s.Args})
	return i, inSpec(field, err)
}

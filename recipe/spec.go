package recipe

import (
	"encoding/json"
	"fmt"
	"maps"
)

// Spec is something by name with its arguments: an initializer, an optimizer,
// a learning rate. As text it is a name, a number, or a name among arguments:
//
//	zeros
//	0.008
//	{name: random_normal, stddev: 0.1}
type Spec struct {
	// Name is what it is called; a number is "constant" with the argument "value".
	Name string
	// Args are the arguments by name.
	Args map[string]any
}

// IsZero reports whether nothing was given.
func (s Spec) IsZero() bool { return s.Name == "" && len(s.Args) == 0 }

// With returns s with one more argument, unless it is there already.
func (s Spec) With(key string, v any) Spec {
	args := maps.Clone(s.Args)
	if args == nil {
		args = make(map[string]any)
	}
	if _, ok := args[key]; !ok {
		args[key] = v
	}
	return Spec{s.Name, args}
}

// UnmarshalJSON reads any of the three forms.
func (s *Spec) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		*s = Spec{}
	case string:
		*s = Spec{Name: v}
	case float64:
		*s = Spec{Name: "constant", Args: map[string]any{"value": v}}
	case map[string]any:
		name, ok := v["name"].(string)
		if !ok {
			return fmt.Errorf("%w: expected a name beside the arguments, as in {name: …, …}. Received: %s", ErrConfig, b)
		}
		delete(v, "name")
		*s = Spec{Name: name, Args: v}
	default:
		return fmt.Errorf("%w: expected a name, a number or {name: …, …}. Received: %s", ErrConfig, b)
	}
	return nil
}

// MarshalJSON writes a name, or the name among its arguments.
func (s Spec) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	if len(s.Args) == 0 {
		return json.Marshal(s.Name)
	}
	return json.Marshal(s.With("name", s.Name).Args)
}

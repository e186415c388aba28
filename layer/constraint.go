package layer

import "github.com/rowan-embeddings/rowan/constraint"

// constraint reads a constraint by name or config.
func (r reader) constraint(key string) constraint.Constraint {
	class, c, ok := r.Object(key)
	if !ok {
		return nil
	}
	made, err := constraint.FromConfig(constraint.Config{ClassName: class, Config: c})
	if err != nil {
		r.Bad(key, "a constraint", err)
		return nil
	}
	return made
}

// constraintConfig is the config of a constraint: of one that has none, the error.
func constraintConfig(c constraint.Constraint) any {
	if c == nil {
		return nil
	}
	config, err := constraint.ToConfig(c)
	if err != nil {
		return err
	}
	return map[string]any{"class_name": config.ClassName, "config": config.Config}
}

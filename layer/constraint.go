package layer

import "github.com/rowan-embeddings/rowan/constraint"

// Constraint is applied to a weight after each update: see package constraint.
type Constraint = constraint.Constraint

// The constraints of Keras, by their names there.
type (
	// MaxNorm bounds the L2 norm along an axis.
	MaxNorm = constraint.MaxNorm
	// NonNeg sets negative weights to zero.
	NonNeg = constraint.NonNeg
	// UnitNorm scales to an L2 norm of 1 along an axis.
	UnitNorm = constraint.UnitNorm
	// MinMaxNorm brings the L2 norm along an axis within bounds.
	MinMaxNorm = constraint.MinMaxNorm
	// RadialConstraint makes convolution kernels the same at each radius.
	RadialConstraint = constraint.Radial
)

// constraint reads a constraint by name or config.
func (r reader) constraint(key string) Constraint {
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
func constraintConfig(c Constraint) any {
	if c == nil {
		return nil
	}
	config, err := constraint.ToConfig(c)
	if err != nil {
		return err
	}
	return map[string]any{"class_name": config.ClassName, "config": config.Config}
}

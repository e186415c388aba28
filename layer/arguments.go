package layer

import "fmt"

// weightConfig is a weight's options under Keras' names.
func weightConfig(name string, o WeightOptions) Config {
	return Config{
		name + "_initializer": initializerConfig(o.Initializer),
		name + "_regularizer": regularizerConfig(o.Regularizer),
		name + "_constraint":  constraintConfig(o.Constraint),
	}
}

// weight reads what weightConfig wrote.
func (r *reader) weight(name string) WeightOptions {
	return WeightOptions{Initializer: r.initializer(name + "_initializer"),
		Regularizer: r.regularizer(name + "_regularizer"), Constraint: r.constraint(name + "_constraint")}
}

// neutral reads an argument of Keras' that Rowan has not, and refuses it unless
// it is at the value at which it does nothing.
func (r *reader) neutral(key string, off any) {
	if v, ok := r.get(key); ok && v != off {
		r.bad(key, fmt.Sprintf("%v: nothing else is supported here", off), v)
	}
}

// positive reads a number above 0; absent, it is 0, which stands for a default.
func (r *reader) positive(key string) float64 {
	v, ok := r.get(key)
	if !ok {
		return 0
	}
	n := r.asNumber(key, v)
	if !(n > 0) {
		r.bad(key, "a number above 0", v)
	}
	return n
}

// axis reads an integer, or a list of them; absent, it is def.
func (r *reader) axis(def int) []int {
	if axes := r.ints("axis"); len(axes) > 0 {
		return axes
	}
	return []int{def}
}

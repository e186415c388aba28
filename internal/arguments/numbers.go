package arguments

import "slices"

// Number reads a number of any of Go's types that JSON is read into.
func (r *Reader) Number(key string) float64 {
	v, ok := r.Get(key)
	if !ok {
		return 0
	}
	return r.asNumber(key, v)
}

func (r *Reader) asNumber(key string, v any) float64 {
	switch n := v.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	case float32:
		return float64(n)
	case float64:
		return n
	}
	r.Bad(key, "a number", v)
	return 0
}

// Numbers reads a number, or a list of them.
func (r *Reader) Numbers(key string) []float64 {
	v, ok := r.Get(key)
	if !ok {
		return nil
	}
	switch list := v.(type) {
	case []float64:
		return slices.Clone(list)
	case []any:
		all := make([]float64, len(list))
		for i, x := range list {
			all[i] = r.asNumber(key, x)
		}
		return all
	}
	return []float64{r.asNumber(key, v)}
}

// NumberOr reads a number that has a default.
func (r *Reader) NumberOr(key string, otherwise float64) float64 {
	if _, ok := r.Get(key); !ok {
		return otherwise
	}
	return r.Number(key)
}

// Positive reads a number above 0; one that is not there is 0, which stands for
// a default.
func (r *Reader) Positive(key string) float64 {
	v, ok := r.Get(key)
	if !ok {
		return 0
	}
	n := r.asNumber(key, v)
	if !(n > 0) {
		r.Bad(key, "a number above 0", v)
	}
	return n
}

// Int reads an integer.
func (r *Reader) Int(key string) int {
	v, ok := r.Get(key)
	if !ok {
		return 0
	}
	return r.asInt(key, v)
}

func (r *Reader) asInt(key string, v any) int {
	f := r.asNumber(key, v)
	if f != float64(int(f)) {
		r.Bad(key, "an integer", f)
	}
	return int(f)
}

// ID reads an id of 64 bits, which a float64 may not hold: of JSON that has
// been read into float64, and not by package exactjson, only ids up to 2^53 are
// taken.
func (r *Reader) ID(key string) *int64 {
	v, ok := r.Get(key)
	if !ok {
		return nil
	}
	id, ok := v.(int64)
	if !ok {
		id = int64(r.Int(key))
		if id > 1<<53 || id < -1<<53 {
			r.Bad(key, "an id of at most 53 bits, or an int64", v)
		}
	}
	return &id
}

// AsID is [Reader.ID] of a value that belongs to an argument, such as one of a list.
func (r *Reader) AsID(key string, v any) int64 {
	in := Of(map[string]any{key: v})
	id := in.ID(key)
	if id == nil || in.err != nil {
		r.Bad(key, "integers of at most 53 bits, or int64", v)
		return 0
	}
	return *id
}

// Ints reads an integer, or a list of them; null in a list is -1.
func (r *Reader) Ints(key string) []int {
	v, ok := r.Get(key)
	if !ok {
		return nil
	}
	switch list := v.(type) {
	case []int:
		return slices.Clone(list)
	case []any:
		ints := []int{}
		for _, x := range list {
			if x == nil {
				x = -1
			}
			ints = append(ints, r.asInt(key, x))
		}
		return ints
	}
	return []int{r.Int(key)}
}

// IntsOr is [Reader.Ints] of an argument that has a default, which an empty
// list stands for too.
func (r *Reader) IntsOr(key string, otherwise int) []int {
	if ints := r.Ints(key); len(ints) > 0 {
		return ints
	}
	return []int{otherwise}
}

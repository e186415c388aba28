// Package exactjson reads JSON objects without rounding their integers.
package exactjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Object reads an object, or null, as encoding/json does into a map: numbers are
// float64. But integers beyond 53 bits, which a float64 may not hold, are int64,
// or uint64 where that is too small. Ids and seeds are such.
func Object(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	for key, v := range m {
		n, err := numbers(v)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		m[key] = n
	}
	return m, nil
}

// numbers puts numbers in the place of their texts, in lists and maps too.
func numbers(v any) (_ any, err error) {
	switch x := v.(type) {
	case json.Number:
		return number(x)
	case []any:
		for i := range x {
			if x[i], err = numbers(x[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range x {
			if x[key], err = numbers(x[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func number(text json.Number) (any, error) {
	if n, err := text.Int64(); err == nil && (n > 1<<53 || n < -1<<53) {
		return n, nil
	}
	if n, err := strconv.ParseUint(text.String(), 10, 64); err == nil && n > 1<<63-1 {
		return n, nil
	}
	return text.Float64()
}

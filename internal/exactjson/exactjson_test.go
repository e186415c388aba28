package exactjson

import (
	"reflect"
	"testing"
)

func TestObject(t *testing.T) {
	const text = `{"a": [9007199254740992, -9007199254740993, 18446744073709551615, 18446744073709551616], "b": {"c": 1, "d": 1.5e3}, "e": null, "f": "1"}`
	want := map[string]any{"a": []any{float64(1 << 53), int64(-1<<53 - 1), uint64(1<<64 - 1), float64(1 << 64)},
		"b": map[string]any{"c": 1.0, "d": 1500.0}, "e": nil, "f": "1"}
	if got, err := Object([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := Object([]byte("null")); err != nil || got != nil {
		t.Errorf("null: %v, %v, want none, as of any map", got, err)
	}
	for _, bad := range []string{``, `[1]`, `7`, `{"a": 1e999}`, `{"a": [[{"b": -1e999}]]}`} {
		if got, err := Object([]byte(bad)); err == nil {
			t.Errorf("%s: %v, want an error", bad, got)
		}
	}
}

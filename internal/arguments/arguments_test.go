package arguments

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// named is a map with a name of its own.
type named map[string]any

func TestValues(t *testing.T) {
	r := Of(map[string]any{
		"text": "a", "flag": true, "off": false, "null": nil, "int": 3.0, "number": float32(0.5), "large": uint64(1 << 40),
		"id": int64(1<<60 + 1), "list": []any{2, nil, 3.0}, "ints": []int{4, 5}, "texts": []any{"x", "y"}, "numbers": []any{1, 0.5}, "floats": []float64{2, 3}, "only": "off",
	})
	id := r.ID("id")
	for _, c := range []struct{ got, want any }{
		{r.Text("text"), "a"}, {r.Text("null"), ""}, {r.Text("nothing"), ""},
		{r.Flag("flag"), true}, {r.Flag("nothing"), false}, {r.Off("off"), true}, {r.Off("flag"), false}, {r.Off("nothing"), false},
		{r.Int("int"), 3}, {r.Int("null"), 0}, {r.Number("number"), 0.5}, {r.Number("large"), float64(1 << 40)},
		{r.NumberOr("nothing", 7), 7.0}, {r.NumberOr("number", 7), 0.5}, {r.Positive("number"), 0.5}, {r.Positive("nothing"), 0.0},
		{r.Numbers("numbers"), []float64{1, 0.5}}, {r.Numbers("floats"), []float64{2, 3}}, {r.Numbers("number"), []float64{0.5}}, {r.Numbers("nothing"), []float64(nil)},
		{*id, int64(1<<60 + 1)}, {r.ID("nothing"), (*int64)(nil)}, {r.AsID("of a list", 9.0), int64(9)},
		{r.Ints("list"), []int{2, -1, 3}}, {r.Ints("ints"), []int{4, 5}}, {r.Ints("int"), []int{3}}, {r.Ints("nothing"), []int(nil)},
		{r.IntsOr("ints", 1), []int{4, 5}}, {r.IntsOr("nothing", 1), []int{1}},
		{r.Texts("texts"), []string{"x", "y"}}, {r.Texts("text"), []string{"a"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("read %v (%[1]T), want %v (%[2]T)", c.got, c.want)
		}
	}
	if list, ok := r.List("texts"); !ok || !slices.Equal(list, []any{"x", "y"}) {
		t.Errorf("a list is %v, %v", list, ok)
	}
	r.Only("only", "off")
	if err := r.Fault("Thing"); err != nil {
		t.Errorf("all was read, and yet: %v", err)
	}
}

func TestObjects(t *testing.T) {
	args := map[string]any{"l1": 0.5}
	for _, v := range []any{
		map[string]any{"class_name": "L1", "config": args},
		named{"class_name": "L1", "config": named(args)},
	} {
		class, got, ok := Of(map[string]any{"key": v}).Object("key")
		if class != "L1" || !ok || !reflect.DeepEqual(got, args) {
			t.Errorf("%v is %q, %v, %v", v, class, got, ok)
		}
	}
	for _, v := range []any{"L1", map[string]any{"class_name": "L1"}, map[string]any{"class_name": "L1", "config": nil}} {
		if class, got, ok := Of(map[string]any{"key": v}).Object("key"); class != "L1" || !ok || got != nil {
			t.Errorf("%v is %q, %v, %v, want L1 without arguments", v, class, got, ok)
		}
	}
	if _, _, ok := Of(map[string]any{"key": nil}).Object("key"); ok {
		t.Error("null is an object")
	}
}

// TestFaults: the first bad value, or else an argument that nobody asked for.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		value any
		read  func(r *Reader)
		says  string
	}{
		{1, func(r *Reader) { r.Text("key") }, `Thing: "key" must be a string. Received: 1`},
		{"yes", func(r *Reader) { r.Flag("key") }, "true or false"},
		{"1", func(r *Reader) { r.Number("key") }, "a number"},
		{1.5, func(r *Reader) { r.Int("key") }, "an integer"},
		{-1, func(r *Reader) { r.Positive("key") }, "a number above 0"},
		{1e17, func(r *Reader) { r.ID("key") }, "an id of at most 53 bits"},
		{nil, func(r *Reader) { r.AsID("key", "x") }, "integers of at most 53 bits"},
		{[]any{"a"}, func(r *Reader) { r.Ints("key") }, "a number"},
		{[]any{1, nil}, func(r *Reader) { r.Numbers("key") }, "a number"},
		{[]any{1}, func(r *Reader) { r.Texts("key") }, "strings"},
		{1, func(r *Reader) { r.Texts("key") }, "a list of strings"},
		{1, func(r *Reader) { r.List("key") }, "a list"},
		{"sum", func(r *Reader) { r.Only("key", "mean") }, `"key" must be mean: nothing else is supported here`},
		{0, func(r *Reader) { r.Only("key", nil) }, "nothing else is supported here"},
		{1, func(r *Reader) { r.Object("key") }, "a name, or a class_name and a config"},
		{map[string]any{"class": "L1"}, func(r *Reader) { r.Object("key") }, "a class_name and a config"},
		{map[string]any{"class_name": 7}, func(r *Reader) { r.Object("key") }, "a class_name and a config"},
		{map[string]any{"class_name": "L1", "config": 0.1}, func(r *Reader) { r.Object("key") }, "a class_name and a config"},
		{map[int]any{}, func(r *Reader) { r.Object("key") }, "a class_name and a config"},
		{"L1", func(r *Reader) { r.Object("key"); r.Inside("key", Of(named{"l2": 1}).Fault("L1")) }, `Thing: "key": L1 does not know "l2"`},
		{"", func(r *Reader) { r.Get("keys") }, `Thing does not know "key"; did you mean "keys"?`},
		{1, func(r *Reader) { r.Flag("key"); r.Text("key") }, "true or false"},
	} {
		r := Of(map[string]any{"key": c.value})
		c.read(r)
		if err := r.Fault("Thing"); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: error %v, want one that says %q", c.value, err, c.says)
		}
	}
	two := Of(map[string]any{"zeta": 1, "beta": 1})
	if err := two.Fault("Thing"); err == nil || !strings.Contains(err.Error(), `"beta"`) {
		t.Errorf("of two unknown arguments: %v, want the first of the alphabet", err)
	}
}

// TestNeutral: what Keras writes and nobody here reads, as long as it says nothing.
func TestNeutral(t *testing.T) {
	says := Of(map[string]any{"data_format": "channels_last", "autocast": true, "optional": false, "seed": 7, "anything": nil})
	if err := says.Fault("Thing"); err != nil {
		t.Errorf("arguments that say nothing: %v", err)
	}
	for key, v := range map[string]any{"data_format": "channels_first", "autocast": false, "optional": true} {
		if err := Of(map[string]any{key: v}).Fault("Thing"); err == nil {
			t.Errorf("%s=%v says nothing", key, v)
		}
	}
}

func TestWiden(t *testing.T) {
	for _, x := range []float32{0, 0.1, -1e-30, 3, 1 << 24} {
		if w := Widen(x); float32(w) != x {
			t.Errorf("%v became %v", x, w)
		}
	}
	if w := Widen(0.1); w != 0.1 {
		t.Errorf("0.1 became %v", w)
	}
}

package registry_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/internal/registry"
	"github.com/rowan-embeddings/rowan/internal/suggest"
)

type shape interface{ sides() int }

type polygon struct {
	N    int     `json:"n"`
	Size float32 `json:"size"`
}

func (p polygon) sides() int { return p.N }

type circle struct{}

func (circle) sides() int { return 0 }

// other is of no class.
type other struct{ circle }

var shapes = registry.Registry[shape]{
	registry.Of[shape](polygon{N: 3, Size: 1}, "Polygon", "polygon"),
	registry.Of[shape](circle{}, "Circle", "circle"),
}

func TestNames(t *testing.T) {
	for name, want := range map[string]shape{"Polygon": polygon{3, 1}, "polygon": polygon{3, 1}, "circle": circle{}} {
		if c, ok := shapes.ByName(name); !ok || c.Defaults != want {
			t.Errorf("%s is %v, %v, want %v", name, c.Defaults, ok, want)
		}
	}
	if _, ok := shapes.ByName("square"); ok {
		t.Error("a square has a class")
	}
	if got := shapes.Names(1); !slices.Equal(got, []string{"polygon", "circle"}) {
		t.Errorf("names %v", got)
	}
}

func TestClassOf(t *testing.T) {
	c, ok := shapes.Of(polygon{5, 2})
	if !ok || !c.Is(polygon{}) || c.Is(circle{}) || c.Names[0] != "Polygon" {
		t.Errorf("a pentagon is of %v, %v", c.Names, ok)
	}
	for _, v := range []shape{other{}, nil} {
		if c, ok := shapes.Of(v); ok {
			t.Errorf("%T is of %v", v, c.Names)
		}
	}
}

func TestRead(t *testing.T) {
	polygons, _ := shapes.ByName("Polygon")
	args := map[string]any{"n": 5, "size": nil}
	if got, err := polygons.Read(args); err != nil || got != (polygon{5, 1}) || len(args) != 2 {
		t.Errorf("%v makes %v, %v, want 5 sides and the default size", args, got, err)
	}
	if got, err := polygons.Read(nil); err != nil || got != (polygon{3, 1}) {
		t.Errorf("no arguments make %v, %v", got, err)
	}
	for _, c := range []struct {
		args map[string]any
		says string
	}{
		{map[string]any{"sizes": 1}, `unknown argument "sizes"; did you mean "size"? (known: n, size)`},
		{map[string]any{"n": "five"}, "n"},
		{map[string]any{"n": func() {}}, "unsupported type"},
	} {
		got, err := polygons.Read(c.args)
		if err == nil || !strings.Contains(err.Error(), c.says) || got != nil {
			t.Errorf("%v makes %v, %v, want an error that says %q", c.args, got, err, c.says)
		}
	}
	var unknown *suggest.UnknownError
	if _, err := polygons.Read(map[string]any{"sizes": 1}); !errors.As(err, &unknown) || unknown.Name != "sizes" {
		t.Errorf("%v does not tell the argument", err)
	}
}

// TestDecode: a class whose argument makes a value of another type.
func TestDecode(t *testing.T) {
	c := registry.Of[shape](polygon{}, "Polygon")
	plain := c.Decode
	c.Decode = func(text []byte) (shape, error) {
		if v, err := plain(text); err != nil || v.sides() > 2 {
			return v, err
		}
		return circle{}, nil
	}
	if got, err := c.Read(map[string]any{"n": 1}); err != nil || got != (circle{}) {
		t.Errorf("a polygon of one side is %v, %v", got, err)
	}
}

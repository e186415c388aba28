package docs_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/activation"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/recipe"
)

// TestRecipe walks recipe.Config and compares each struct's keys and their types
// with its section of recipe.md, both ways.
func TestRecipe(t *testing.T) {
	page := readPage(t, "recipe.md")
	want := map[string]map[string]string{}
	walk(reflect.TypeFor[recipe.Config](), "The whole", map[reflect.Type]bool{}, want)
	got := sections(page)
	for section, keys := range want {
		for key, typ := range keys {
			switch have, ok := got[section][key]; {
			case !ok:
				t.Errorf("recipe.md: section %q lacks key %q, of type %s", section, key, typ)
			case have != typ:
				t.Errorf("recipe.md: section %q: key %q is of type %q, want %q", section, key, have, typ)
			}
		}
	}
	for section, keys := range got {
		for key := range keys {
			if want[section][key] == "" {
				t.Errorf("recipe.md: section %q has key %q, which the struct does not have", section, key)
			}
		}
	}
}

// TestRecipeNames looks for every name that a key may be given.
func TestRecipeNames(t *testing.T) {
	page := readPage(t, "recipe.md")
	short := []string{"zero", "one"} // Keras' other names of zeros and ones
	for what, names := range map[string][]string{
		"initializer": slices.DeleteFunc(initializer.Names(), func(n string) bool { return slices.Contains(short, n) }),
		"optimizer":   optim.Names(), "loss": recipe.LossNames(), "activation": activation.Names(), "metric": metric.Names(),
	} {
		for _, name := range names {
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("recipe.md does not name the %s %s", what, name)
			}
		}
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

var keyForm = regexp.MustCompile("^\\| `(\\w+)` \\| ([^|]+) \\|")

// sections returns the type of each key of each section of a page.
func sections(page string) map[string]map[string]string {
	all := map[string]map[string]string{}
	at := ""
	for line := range strings.Lines(page) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			at = strings.TrimSpace(title)
			all[at] = map[string]string{}
		} else if m := keyForm.FindStringSubmatch(line); m != nil {
			all[at][m[1]] = m[2]
		}
	}
	return all
}

// walk adds the keys of a struct to the section of its path, and those of the
// structs inside to theirs. A struct that is met twice is described once.
func walk(t reflect.Type, path string, seen map[reflect.Type]bool, into map[string]map[string]string) {
	if into[path] == nil {
		into[path] = map[string]string{}
	}
	for f := range fields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(options, "inline"):
			walk(f.Type, path, seen, into)
		case name != "" && name != "-":
			into[path][name] = typeName(f.Type)
			inner := element(f.Type)
			if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[recipe.Spec]() && !seen[inner] {
				seen[inner] = true
				walk(inner, strings.TrimPrefix(path+"."+name, "The whole."), seen, into)
			}
		}
	}
}

func fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// element is the type behind pointers and slices.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// typeName names a type as the page does.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Struct:
		if t == reflect.TypeFor[recipe.Spec]() {
			return "spec"
		}
		return "keys"
	}
	return "whole number"
}

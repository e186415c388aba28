package main

import (
	"encoding"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/recipe"
)

const recipePage = "../../docs/recipe.md"

// keysOf adds the keys of a type, and of what is in it.
func keysOf(t reflect.Type, keys map[string]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	p := reflect.PointerTo(t)
	if t.Kind() != reflect.Struct || p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return
	}
	fields, _ := fieldsOf(t)
	for name, field := range fields {
		keys[name] = true
		keysOf(field, keys)
	}
}

// The page names every key that there is.
func TestPageNamesKeys(t *testing.T) {
	page, err := os.ReadFile(recipePage)
	if err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]bool)
	keysOf(reflect.TypeFor[recipe.Config](), keys)
	if len(keys) < 50 {
		t.Fatalf("found %d keys, there are more", len(keys))
	}
	for key := range keys {
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("%s does not say what `%s` is", recipePage, key)
		}
	}
}

// The page's example is sound.
func TestPageExample(t *testing.T) {
	page, err := os.ReadFile(recipePage)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 1 {
		t.Fatalf("%d examples", len(blocks))
	}
	c, err := read(t, blocks[0][1])
	if err != nil {
		t.Fatal(err)
	}
	if tables := c.WithDefaults().Tables; !slices.ContainsFunc(tables, func(x recipe.Table) bool { return x.KeyType == "string" }) {
		t.Errorf("%+v", tables)
	}
}

package nils

import (
	"errors"
	"testing"
)

func TestIs(t *testing.T) {
	var none error
	n := 0
	for _, c := range []struct {
		v    any
		want bool
	}{{nil, true}, {none, true}, {(*int)(nil), true}, {&n, false}, {0, false}, {errors.New("none"), false}, {[]int(nil), false}, {struct{}{}, false}} {
		if got := Is(c.v); got != c.want {
			t.Errorf("Is(%T %v) = %v, want %v", c.v, c.v, got, c.want)
		}
	}
}

package tuple

import "testing"

func TestOf(t *testing.T) {
	for want, dims := range map[string][]int{"()": nil, "(3,)": {3}, "(None,)": {-1}, "(None, 10, 64)": {-1, 10, 64}, "(0, 2)": {0, 2}} {
		if got := Of(dims); got != want {
			t.Errorf("%v is %s, want %s", dims, got, want)
		}
	}
}

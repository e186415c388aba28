package suggest

import (
	"slices"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"id", "ids", "number", "label", "timestamp"}
	for _, c := range []struct{ got, want string }{
		{"lable", "label"}, {"labels", "label"}, {"nubmer", "number"}, {"idz", "id"},
		{"time", "timestamp"}, {"t", ""}, {"timestmp", "timestamp"}, {"", ""}, {"weight", ""}, {"ids", "ids"},
	} {
		if got := Nearest(c.got, known); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.got, got, c.want)
		}
	}
	if got := Nearest("x", nil); got != "" {
		t.Errorf("Nearest among no names = %q", got)
	}
}

func TestHint(t *testing.T) {
	if got, want := Hint("fild", []string{"film", "field"}), `; did you mean "film"?`; got != want {
		t.Errorf("Hint = %q, want %q", got, want)
	}
	if got := Hint("genres", []string{"film"}); got != "" {
		t.Errorf("Hint = %q, want nothing", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"ca", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	known := Fields(struct {
		Rate   float64 `json:"learning_rate,omitempty"`
		Beta   float64 `json:"beta_1"`
		Hidden int     `json:"-"`
		none   int
	}{})
	if want := []string{"learning_rate", "beta_1"}; !slices.Equal(known, want) {
		t.Fatalf("Fields = %q, want %q", known, want)
	}
	if err := Check([]string{"beta_1", "learning_rate"}, known); err != nil {
		t.Error(err)
	}
	err := Check([]string{"zeta", "lerning_rate", "beta_1"}, known)
	want := `unknown argument "lerning_rate"; did you mean "learning_rate"? (known: learning_rate, beta_1)`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

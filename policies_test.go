package rowan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
)

// oldest is a policy of a program's own: what came first goes last.
type oldest struct{ name string }

func (p oldest) Name() string { return p.name }

func (oldest) Use(scores []int64, now int64) {
	for i, s := range scores {
		if s == 0 {
			scores[i] = -now
		}
	}
}

// registrations makes names differ where the test runs several times: none is ever
// given back.
var registrations int

func TestRegisterPolicy(t *testing.T) {
	registrations++
	name := fmt.Sprint("test_oldest_", registrations)
	for name, want := range map[string]rowan.RestrictPolicy{
		"timestamp": rowan.TimestampPolicy{}, "TimestampRestrictPolicy": rowan.TimestampPolicy{},
		"frequency": rowan.FrequencyPolicy{}, "FrequencyRestrictPolicy": rowan.FrequencyPolicy{},
	} {
		if p, err := rowan.ParsePolicy(name); p != want || err != nil {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	_, err := rowan.ParsePolicy(name)
	is(t, "not registered", err, rowan.ErrOptions)
	own := oldest{name}
	if err := rowan.RegisterPolicy(own); err != nil {
		t.Fatal(err)
	}
	if p, err := rowan.ParsePolicy(name); p != own || err != nil {
		t.Errorf("%v, %v", p, err)
	}
	is(t, "twice", rowan.RegisterPolicy(own), rowan.ErrOptions)
	is(t, "a name of ours", rowan.RegisterPolicy(oldest{"frequency"}), rowan.ErrOptions)
	is(t, "no name", rowan.RegisterPolicy(oldest{}), rowan.ErrOptions)
	is(t, "no policy", rowan.RegisterPolicy(nil), rowan.ErrOptions)
	_, err = rowan.ParsePolicy("frequent")
	if err == nil || !strings.Contains(err.Error(), `did you mean "frequency"`) {
		t.Error(err)
	}
}

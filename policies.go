package rowan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// policies are those that a name stands for: by their own names, and by those of the
// classes of TensorFlow Recommenders Addons. None is ever taken out.
var policies = struct {
	mu     sync.RWMutex
	byName map[string]RestrictPolicy
}{byName: map[string]RestrictPolicy{
	"timestamp":               TimestampPolicy{},
	"frequency":               FrequencyPolicy{},
	"TimestampRestrictPolicy": TimestampPolicy{},
	"FrequencyRestrictPolicy": FrequencyPolicy{},
}}

// RegisterPolicy makes a policy of one's own known by its name to [ParsePolicy], and so
// to every config. As a config holds a name alone, names are the whole program's:
// register a policy once, in the package that defines it. A name that is taken, or that
// no policy may have, is ErrOptions. A table takes a policy that is not registered too.
// It is safe for concurrent use.
func RegisterPolicy(p RestrictPolicy) error {
	if err := (Restrict{Policy: p}).Validate(); err != nil {
		return err
	}
	if p == nil {
		return fmt.Errorf("%w: the policy to register is nil", ErrOptions)
	}
	policies.mu.Lock()
	defer policies.mu.Unlock()
	if policies.byName[p.Name()] != nil {
		return fmt.Errorf("%w: there is a policy %q already: choose another name", ErrOptions, p.Name())
	}
	policies.byName[p.Name()] = p
	return nil
}

// ParsePolicy returns the policy of a name: "timestamp" or "frequency", which are also
// TensorFlow Recommenders Addons' "TimestampRestrictPolicy" and
// "FrequencyRestrictPolicy", or one that was registered.
func ParsePolicy(name string) (RestrictPolicy, error) {
	policies.mu.RLock()
	defer policies.mu.RUnlock()
	if p, ok := policies.byName[name]; ok {
		return p, nil
	}
	known := slices.Sorted(maps.Keys(policies.byName))
	return nil, fmt.Errorf("%w: a policy must be one of %s, or be given to RegisterPolicy. Received: %q%s",
		ErrOptions, strings.Join(known, ", "), name, suggest.Hint(name, known))
}

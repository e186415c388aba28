package layer

import (
	"fmt"
	"sync"
)

// Scope gives layers their default names, and their weights a seed. The layers
// of one model share one scope, so that names and first values do not depend
// on what else the process has built. It is safe for concurrent use.
type Scope struct {
	seed  uint64
	name  string // before the names within, with a slash behind it
	mu    sync.Mutex
	count map[string]int
	taken map[string]bool // by Reserve
}

// NewScope returns a scope in which no name has been used. Equal seeds give
// equal models equal first weights.
func NewScope(seed uint64) *Scope { return &Scope{seed: seed, count: make(map[string]int)} }

// Seed returns the seed.
func (s *Scope) Seed() uint64 { return s.seed }

// Name returns what the names in the scope begin with: "block/" in that of the
// layer "block", "" in one of [NewScope].
func (s *Scope) Name() string { return s.name }

// unique returns "dense", then "dense_1", as Keras does.
func (s *Scope) unique(base string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		n := s.count[base]
		s.count[base] = n + 1
		name := s.name + base
		if n > 0 {
			name = fmt.Sprintf("%s_%d", name, n)
		}
		if !s.taken[name] {
			return name
		}
	}
}

// Reserve keeps a name from being any layer's default: of layers that come with
// names, from a config, others that follow must not get one.
func (s *Scope) Reserve(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == nil {
		s.taken = make(map[string]bool)
	}
	s.taken[name] = true
}

// process is the scope of layers that are used without one.
var process = NewScope(0)

//go:build !noasm

package kernel

import "testing"

// eachPath runs f on every path that this CPU has, the reference included.
func eachPath(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	widest := active
	defer func() { active = widest }()
	for active = pathGo; active <= widest; active++ {
		t.Run(Path(), f)
	}
}

// withPaths runs f on every path without a subtest, for tests that are called
// very often.
func withPaths(f func()) {
	widest := active
	defer func() { active = widest }()
	for active = pathGo; active <= widest; active++ {
		f()
	}
}

// benchPaths runs f on every path.
func benchPaths(b *testing.B, f func(b *testing.B, impl string)) {
	widest := active
	defer func() { active = widest }()
	for active = pathGo; active <= widest; active++ {
		f(b, "impl="+Path())
	}
}

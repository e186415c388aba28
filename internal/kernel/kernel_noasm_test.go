//go:build noasm || !amd64

package kernel

import "testing"

// eachPath runs f on the only path there is.
func eachPath(t *testing.T, f func(t *testing.T)) { t.Run(Path(), f) }

// withPaths runs f on the only path there is.
func withPaths(f func()) { f() }

// benchPaths runs f on the only path there is.
func benchPaths(b *testing.B, f func(b *testing.B, impl string)) { f(b, "impl="+Path()) }

//go:build slab_heap || !(linux || darwin || windows)

package slab

import "runtime"

// The heap twin makes the whole capacity at once, so that no row ever moves.
// The runtime takes so large a piece fresh from the system, and the system
// backs it with memory as it is touched; but the collector counts all of it as
// live, and in wasm all tables share 4 GiB. So the default is modest here, and
// a larger table sets MaxRows.
const (
	maxReserve = 1<<40>>(9*(1-wide)) - 1
	wide       = ^uint(0) >> 63
	baseAlign  = lineBytes
	pageStep   = lineBytes
	smallPage  = 4096
	bigPage    = smallPage
)

func defaultReserve() uint64 {
	if runtime.GOARCH == "wasm" {
		return 64 << 20
	}
	return 256 << 20
}

func reserve(size int) ([]byte, error) { return make([]byte, size), nil }

func commit([]byte) error { return nil }

func release([]byte) error { return nil }

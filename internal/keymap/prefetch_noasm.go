//go:build !(amd64 || arm64) || noasm

package keymap

import "runtime"

// prefetch reads a word of each of the first n homes. The reads do not depend on
// each other, so that their misses overlap as far as the processor looks ahead.
func prefetch(to *homes, n int) {
	var sum uint32
	for _, b := range to[:n] {
		sum += b.meta
	}
	runtime.KeepAlive(sum) // or the compiler would leave the reads out
}

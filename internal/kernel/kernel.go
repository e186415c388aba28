// Package kernel holds the loops over rows of float32 on which everything else
// stands: gather, pool, segment sum and the optimisers' row updates.
//
// A *slab* is an array of rows at a fixed stride: row r occupies
// slab[r*stride : r*stride+stride], and its first width numbers are weights,
// what follows is optimiser state. Rows are named by 32-bit numbers, at most
// [MaxRows] in one call, so that no call holds up the garbage collector.
//
// Every function has a Go reference, which is the truth, and may have assembly
// for AVX2 and AVX-512 behind a dispatch on CPU bits (tag noasm leaves it out).
// All give the same bits: products and sums are rounded one by one, never
// fused, and reductions across a row run over one fixed tree of 16 lanes.
package kernel

// MaxRows is the most row numbers that a caller may pass to one call: Go
// cannot preempt assembly, and 8,192 cold rows take well under a millisecond.
const MaxRows = 8192

// Package kernel holds the loops over rows of float32 on which everything else
// stands: gather, pool, segment sum and the optimisers' row updates.
//
// A *slab* is an array of rows at a fixed stride: row r occupies
// slab[r*stride : r*stride+stride], and its first width numbers are weights,
// what follows is optimiser state. Rows are named by 32-bit numbers, at most
// [MaxRows] in one call, so that no call holds up the garbage collector.
//
//	slab     | w w w w | acc acc acc acc |  row 0     stride 8, width 4
//	         | w w w w | acc acc acc acc |  row 1
//	idx        1 0 1      rows of all bags, one after the other
//	offsets    0 2 2 3    bag 0 is rows {1, 0}, bag 1 is empty, bag 2 is row {1}
//
// # One call, whole arrays
//
// A function takes the indices and offsets of a whole batch, because what makes
// it fast cannot be had a row at a time: the sums of a bag stay in registers
// over all its rows, and while one row is added the lines of the row 16 or more
// ahead are on their way from memory, whatever bag that row is in. Weights and
// state lie side by side, so that an update goes over a row once.
//
// # The same bits everywhere
//
// Every function has a Go reference, which is the truth, and may have assembly
// for AVX2 and AVX-512 behind a dispatch on CPU bits (tag noasm leaves it out).
// All give the same bits: products and sums are rounded one by one, never
// fused; rows are added in the order of the indices; and reductions across a row
// run over one fixed tree of 16 lanes, where lane j holds the sum of numbers j,
// j+16, j+32 and so on, and then 8 lanes are added to 8, 4 to 4, 2 to 2, 1 to 1.
// Only the payload of a NaN may differ.
//
// # Rows of float64
//
// The rules of the optimisers are there for rows of float64 too, as functions
// whose names end in 64: the reference, in float64, and no assembly.
//
// # Bounds
//
// A length, offset or row number that points outside its slice is a mistake of
// the caller, and panics before anything is touched: each call looks for its
// largest row number first, which takes half a hundredth of the time of cold rows.
// Functions may run at the same time on memory that they do not share, or share
// but do not write.
//
// # Reading the source
//
// pool.go, rows.go, update.go and sort.go are the contracts; kernel_generic.go
// is the reference; kernel_amd64.go chooses between it and kernel_amd64.s, which
// go generate writes from the descriptions in _gen. rules64.go is float64's.
package kernel

// MaxRows is the most row numbers that a caller may pass to one call: Go
// cannot preempt assembly, and 8,192 cold rows take well under a millisecond.
const MaxRows = 8192

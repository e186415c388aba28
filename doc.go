// Package rowan is an embedding engine: tables of rows addressed by an id,
// looked up and pooled in batches, and trained by sparse optimisers.
//
// A batch goes through a [Table] like this:
//
//	ids ──> resolve ──> rows ──> pool ──> Lookup.Values          Table.Lookup
//	        probe the   a row    a kernel reads each row
//	        key index   number   once, whole bags a call
//
//	grad ─> by stripe ─> by row ─> segment sum ─> update in place   Table.Apply
//	        each stripe  radix     one gradient   weights and state
//	        on its own   sort      a distinct row are one slab row
//
// Three structures hold a table. The *index* maps a key to a row number and is
// small and dense; a static table needs none, its keys are row numbers. The
// *slab* holds the rows at a fixed stride outside the Go heap: weights first,
// then the optimiser's state, so that an update touches one place in memory.
// The *stripes*, at most 64, are read-write locks: a key belongs to the stripe
// that the high bits of its hash name.
//
// # Locks
//
// A lookup read-locks the stripes that a block of at most 8,192 ids needs, in
// ascending order, pools the block and lets go. A writer holds one stripe, or
// all of them in ascending order. So a reader sees a row before or after an
// update, never half of each; any number of goroutines look up while others
// train.
//
// # Types
//
// Rows hold weights of float32, or of a narrower type that is computed in float32, or
// of float64, which is computed in float64; or integers, truth values or strings,
// which are kept and looked up: see [DType]. [TableOf] reads and writes those that
// float32 does not hold.
//
// # Stores
//
// With [Stores] the rows lie elsewhere, in one part or several, each a
// [RowStore]. A call then fetches the rows of its distinct keys into a table in
// memory that holds no others, does there what it does in any table, and writes
// back what it changed.
//
// # Determinism
//
// The first values of a row are a function of (seed, table name, key). Bags are
// summed in bag order, gradients of a row in the order of the batch. No result
// depends on the number of threads or parts, on row numbers or on map order.
//
// # Eviction
//
// A table grows until MaxRows, where one row more is an error, unless
// [TableOptions].Restrict names a [RestrictPolicy]: then each row carries a
// score, and those with the lowest go, with their state, on call of
// [Table.Restrict] or after a write that brings the table over its trigger.
// Scores are saved; a call-back and [Stats] tell of every eviction.
package rowan

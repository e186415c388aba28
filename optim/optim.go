// Package optim holds the optimisers: one rule serves rows of a table, which
// come in sparse batches, and the dense weights of a model, which are rows too.
// It knows no table.
//
//	gradients, summed by row ──> Clip ──> Optimizer.Update(Block) ──> rows
//	                                           ▲         ▲
//	                              Schedule.At(step)    state slots, behind the weights
//
// A rule ([SGD], [Adagrad], [Adam] and the others) is a value that holds
// hyper-parameters and no state: the state lies in each row, in the slots that
// the rule asks for. An [Optimizer] adds what any rule may have: a schedule,
// clipping, weight decay, an average of the weights. The arithmetic is Keras
// 3's, operation by operation, in float32, and on rows of float64 in float64
// ([Updater64]); row-wise Adagrad is FBGEMM's, the proximal rules are
// TensorFlow's. Where sparse updates of
// the source systems differ from each other (duplicate ids, clipping, absent
// rows), Rowan sums first, clips the sum, and leaves absent rows alone, or
// brings them exactly to where the dense form would have them ([CatchUpper]).
// Recorded runs of the real systems in testdata prove both.
//
// Every rule gives the same bits on every machine: products are rounded before
// they are added, and powers come from internal/portable.
package optim

import (
	"errors"
	"fmt"
	"iter"

	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// ErrConfig is wrapped by the errors of this package: an unknown name, a
// hyper-parameter out of range, two kinds of clipping at once.
var ErrConfig = errors.New("optim: bad configuration")

// Float is the type of the numbers of rows.
type Float interface{ float32 | float64 }

// Slot is a piece of state that each row carries after its weights.
type Slot struct {
	// Name is Keras' name of the slot, in the singular: "accumulator",
	// "momentum", "velocity".
	Name string
	// Width is how many numbers a row carries; 0 means as many as the row has weights.
	Width int
	// Init is the value that each number of a new row's slot starts at, rounded to
	// the type of the row: 0.1 of an Adagrad is float32(0.1), or in a row of
	// float64 as it stands.
	Init float64
	// Weights makes the slot of a new row start as a copy of its weights instead.
	Weights bool
}

func (s Slot) width(weights int) int {
	if s.Width == 0 {
		return weights
	}
	return s.Width
}

// BlockOf is a set of distinct rows to update in one call. A row's state lies
// behind its weights, slot after slot in the order of Slots:
//
//	Data[r*Stride:]   weights (Width) | slot 0 | slot 1 | …   for each r in Rows
//
// Rows copied out of a table into a scratch array are a block too: Data is the
// scratch, Rows counts 0, 1, 2, ….
type BlockOf[F Float] struct {
	// Data are the rows, Stride apart.
	Data   []F
	Stride int
	// Width is the number of weights of a row, at least 1.
	Width int
	// Rows are the distinct row numbers, any number of them.
	Rows []uint32
	// Grads holds Width numbers for each entry of Rows.
	Grads []F
	// Step is the number of this step, from 1.
	Step int64
	// LR is the learning rate of this step. [Schedule] gives it as a float32, as
	// Keras has it whatever the type of its variables.
	LR F
}

// Block is a [BlockOf] rows of float32, which is what most tables have.
type Block = BlockOf[float32]

// pieces cuts b into blocks that a kernel takes in one call.
func (b BlockOf[F]) pieces() iter.Seq[BlockOf[F]] {
	return func(yield func(BlockOf[F]) bool) {
		rows, grads := b.Rows, b.Grads
		for len(rows) > 0 {
			n := min(len(rows), kernel.MaxRows)
			b.Rows, b.Grads = rows[:n], grads[:n*b.Width]
			if !yield(b) {
				return
			}
			rows, grads = rows[n:], grads[n*b.Width:]
		}
	}
}

// take calls a kernel that needs to know s on the pieces of b.
func take[F Float, S any](b BlockOf[F], update func(slab []F, stride, width int, rows []uint32, grads []F, s S), s S) {
	for p := range b.pieces() {
		update(p.Data, p.Stride, p.Width, p.Rows, p.Grads, s)
	}
}

// row returns entry i of b.Rows: weights, then as many numbers of state as slots asks for.
func (b BlockOf[F]) row(i, state int) (weights, slots []F) {
	row := b.Data[int(b.Rows[i])*b.Stride:][:b.Width+state]
	return row[:b.Width:b.Width], row[b.Width:]
}

// grad returns the gradient of entry i of b.Rows.
func (b BlockOf[F]) grad(i int) []F { return b.Grads[i*b.Width:][:b.Width] }

// Updater is an optimisation rule. Its methods are safe for concurrent use on
// disjoint rows: a rule is a value that holds hyper-parameters and no state.
// The rules of this package also have Validate, which [Optimizer.Validate] calls.
type Updater interface {
	// Name is Keras' class name, as configs spell it: "Adam".
	Name() string
	// Slots says what state a row carries.
	Slots() []Slot
	// Update applies one step to each row of b. It panics if the block's slices
	// are too short for its rows.
	Update(b Block)
}

// Updater64 is an Updater of rows of float64 too. All rules of this package are.
type Updater64 interface {
	Updater
	// Update64 is Update in float64: the same operations in the same order.
	// Hyper-parameters are used as they are, where Update rounds them to float32.
	// (Keras means them so too, but each of its backends rounds some to float32
	// on their way to a variable of float64: interop/record_optim64.py has a list.)
	Update64(b BlockOf[float64])
}

// CatchUpper is an Updater whose dense form moves rows that have no gradient
// (momentum, Adam, the penalties of FTRL) or decays their state (RMSprop).
type CatchUpper interface {
	Updater
	// CatchUp brings row i of b.Rows, last updated or caught up at step
	// last[i], to the state that the dense form would have after step b.Step
	// with zero gradients in between. rate gives the learning rate of a step.
	// b.Grads and b.LR are not used. A row with last[i] >= b.Step is left alone.
	//
	// The result is a function of the row, last[i] and b.Step, and not of the
	// rows beside it. The cost of the rules of this package does not grow with
	// the length of the gap, but where their CatchUp says so.
	CatchUp(b Block, last []int64, rate Schedule)
}

// Schedule gives the learning rate of a step; steps count from 1. (The `step`
// of Keras' schedules counts from 0.) Its methods are safe for concurrent use.
type Schedule interface {
	At(step int64) float32
}

// configError is an error that wraps ErrConfig.
func configError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

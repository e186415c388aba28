// Package optim holds the optimisers: one rule serves rows of a table, which
// come in sparse batches, and the dense weights of a model, which are rows too.
// It knows no table.
package optim

// Slot is a piece of state that each row carries after its weights.
type Slot struct {
	// Name is Keras' name of the slot: "accumulator", "m", "v".
	Name string
	// Width is the number of float32 a row carries; 0 means as many as the row has weights.
	Width int
	// Init is the value that each number of a new row's slot starts at.
	Init float32
}

// Block is a set of distinct rows to update in one call. A row's state lies
// behind its weights, slot after slot in the order of Slots:
//
//	Data[r*Stride:]   weights (Width) | slot 0 | slot 1 | …   for each r in Rows
type Block struct {
	Data   []float32
	Stride int
	Width  int
	// Rows are the distinct row numbers, at most kernel.MaxRows.
	Rows []uint32
	// Grads holds Width numbers for each entry of Rows.
	Grads []float32
	// Step is the number of this step, from 1.
	Step int64
	// LR is the learning rate of this step.
	LR float32
}

// Updater is an optimisation rule. Its methods are safe for concurrent use on
// disjoint rows: a rule is a value that holds hyper-parameters and no state.
type Updater interface {
	// Name is Keras' class name, as configs spell it: "Adam".
	Name() string
	// Slots says what state a row carries.
	Slots() []Slot
	// Update applies one step to each row of b.
	Update(b Block)
}

// CatchUpper is an Updater whose dense form moves rows that have no gradient
// (momentum, Adam) or decays their state (RMSprop).
type CatchUpper interface {
	Updater
	// CatchUp brings row i of b.Rows, last updated or caught up at step
	// last[i], to the state that the dense form would have after step b.Step
	// with zero gradients in between. rate gives the learning rate of a step.
	// b.Grads and b.LR are not used. A row with last[i] >= b.Step is left alone.
	CatchUp(b Block, last []int64, rate Schedule)
}

// Schedule gives the learning rate of a step; steps count from 1.
type Schedule interface {
	At(step int64) float32
}

// Optimizer is what a table or a model is trained with: a rule, its schedule and its clipping.
type Optimizer struct {
	// Updater is the rule. Default: Adam with Keras' hyper-parameters.
	Updater Updater
	// Rate is the learning rate. Default: the constant that Keras gives the rule.
	Rate Schedule
	// Clip bounds gradients after duplicates are summed. The zero value does not.
	Clip Clip
	// Exact brings a row that was absent from some steps to where the dense
	// form of the rule would have it, whenever it is read, updated or exported.
	// Default: such a row stays as it was ("lazy").
	Exact bool
}

// Clip bounds gradients. At most one field may be set.
type Clip struct {
	// Value bounds each number of a gradient to [-Value, Value].
	Value float32
	// Norm bounds the L2 norm of the gradient of each weight; of a table, of each row.
	Norm float32
	// GlobalNorm bounds the L2 norm of all gradients of a step together.
	GlobalNorm float32
}

package rowan

import (
	"fmt"
	"slices"
	"sync"
)

// Bag is the rows of a bag as a combiner is given them: those of ids that count,
// in bag order. What stands for nothing (padding, ids left out) is not there.
type Bag struct {
	// Rows are the rows, Width numbers each, one after the other.
	Rows []float32
	// Width is the numbers of a row.
	Width int
	// Weights has a weight for each row; nil if the ids carry none.
	Weights []float32
}

// Len returns the number of rows, at least 1 where a combiner is called.
func (b Bag) Len() int { return len(b.Rows) / max(b.Width, 1) }

// Row returns row i, not a copy.
func (b Bag) Row(i int) []float32 { return b.Rows[i*b.Width : (i+1)*b.Width : (i+1)*b.Width] }

// CombinerFunc is a combiner of the program's own. Its functions are called by
// several goroutines at once, each for another bag, never for an empty one (that
// is zeros), and hold no lock of the table. They must depend on nothing but the
// bag, must not change it, and must not keep what they are given. A panic in
// them is an error of the call that they were called by.
type CombinerFunc struct {
	// Name names the combiner in configs and errors.
	Name string
	// Forward writes what the bag comes to into out, Width numbers, which are
	// zeros before.
	Forward func(out []float32, b Bag)
	// Backward writes the gradient of each row into grad, which has the shape of
	// b.Rows and is zeros before; dout is the gradient of what Forward wrote.
	// Without it the combiner serves lookups that do not train.
	Backward func(grad, dout []float32, b Bag)
	// Weighted says that the functions know what to do with weights of any sign.
	// Else ids with weights are refused.
	Weighted bool
}

// registry is the combiners of the program's own, by number. None is ever taken out.
var registry struct {
	mu    sync.RWMutex
	funcs []*CombinerFunc
}

// RegisterCombiner makes a function a [Combiner], which is used as the others
// are, and which [ParseCombiner], and so every config, knows by its name. As a
// config holds a name alone, names are the whole program's: register a combiner
// once, in a variable of the package that defines it. A name that is taken, or
// one too many (a program has room for 200), is ErrOptions. It is safe for
// concurrent use.
func RegisterCombiner(f CombinerFunc) (Combiner, error) {
	switch {
	case f.Name == "":
		return None, fmt.Errorf("%w: a combiner needs a name, by which configs know it", ErrOptions)
	case f.Forward == nil:
		return None, fmt.Errorf("%w: combiner %q has no Forward", ErrOptions, f.Name)
	}
	if _, err := ParseCombiner(f.Name); err == nil {
		return None, fmt.Errorf("%w: there is a combiner %q already: choose another name", ErrOptions, f.Name)
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if slices.ContainsFunc(registry.funcs, func(g *CombinerFunc) bool { return g.Name == f.Name }) {
		return None, fmt.Errorf("%w: there is a combiner %q already: choose another name", ErrOptions, f.Name)
	}
	if len(registry.funcs) == maxRegistered {
		return None, fmt.Errorf("%w: combiner %q is one more than the %d that a program may register: register one once, not for each use", ErrOptions, f.Name, maxRegistered)
	}
	registry.funcs = append(registry.funcs, &f)
	return Combiner(len(combinerNames) + len(registry.funcs) - 1), nil
}

// maxRegistered keeps combiners within a byte.
const maxRegistered = 200

// function returns the registered combiner c; nil if it is not one.
func (c Combiner) function() *CombinerFunc {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	if i := int(c) - len(combinerNames); i >= 0 && i < len(registry.funcs) {
		return registry.funcs[i]
	}
	return nil
}

func registeredCombiner(name string) (Combiner, bool) {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	i := slices.IndexFunc(registry.funcs, func(f *CombinerFunc) bool { return f.Name == name })
	return Combiner(len(combinerNames) + i), i >= 0
}

// accepts implements [reducer].
func (f *CombinerFunc) accepts(weights []float32, _ bool) error {
	if len(weights) > 0 && !f.Weighted {
		return fmt.Errorf("%w: combiner %q takes no weights: leave them out, or set CombinerFunc.Weighted", ErrOptions, f.Name)
	}
	return nil
}

// differentiable implements [reducer].
func (f *CombinerFunc) differentiable() error {
	if f.Backward == nil {
		return fmt.Errorf("%w: combiner %q has no Backward: it serves lookups that do not train", ErrOptions, f.Name)
	}
	return nil
}

// reduce implements [reducer].
func (f *CombinerFunc) reduce(_ *columnTools, out []float32, b Bag) (err error) {
	defer f.catch("Forward", &err)
	f.Forward(out, b)
	return nil
}

// back implements [reducer].
func (f *CombinerFunc) back(_ *columnTools, grad, dout []float32, b Bag) (err error) {
	defer f.catch("Backward", &err)
	f.Backward(grad, dout, b)
	return nil
}

// catch makes an error of a panic: on a goroutine of ours nobody else could.
func (f *CombinerFunc) catch(where string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: combiner %q: %s panicked: %v", ErrOptions, f.Name, where, p)
	}
}

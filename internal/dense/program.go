package dense

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Config describes a program.
type Config struct {
	// Name begins error messages: the model's or layer's name.
	Name string
	// Variables are the arrays that come in by index at each run.
	Variables []Variable
	// Seed selects the stream of random numbers.
	Seed uint64
	// Build traces the program for the shapes of t's inputs. It may be called
	// by several goroutines at once, each with its own t. It may panic: a
	// panic becomes an error.
	Build func(t *Trace) (Result, error)
	// Train asks for the gradients of the loss by all trainable variables and
	// by InputGradients.
	Train bool
	// InputGradients are the indices of float32 inputs whose gradients a
	// training step returns: the embeddings.
	InputGradients []int
}

// Variable describes a float32 array that is kept outside the program.
type Variable struct {
	Name      string
	Shape     []int
	Trainable bool
}

// maxShapes bounds the compiled forms of one program: a training run needs
// two (the last batch is shorter), sequences a power of two each. Beyond it
// the form that was used longest ago is dropped, and compiled again (about a
// millisecond) when it comes back.
const maxShapes = 64

// Program is a function that is compiled for each set of input shapes it
// meets. It is safe for concurrent use.
type Program struct {
	config Config

	mu    sync.Mutex
	forms map[string]*form
	clock int64
}

// form is the compiled program for one set of shapes.
type form struct {
	once sync.Once
	used int64 // Program.clock when last asked for
	exe  *executable
	err  error
}

// New returns a program that compiles itself on first use.
func New(c Config) (*Program, error) {
	if c.Build == nil {
		return nil, fmt.Errorf("%w: program %q has no Build function", ErrGraph, c.Name)
	}
	c.Variables = slices.Clone(c.Variables)
	c.InputGradients = slices.Clone(c.InputGradients)
	return &Program{config: c, forms: make(map[string]*form)}, nil
}

// Args are the arguments of one run.
type Args struct {
	// Variables holds the values of Config.Variables, in its order. They are
	// read, never kept.
	Variables [][]float32
	// Inputs are the arrays that the graph reads. They are read, never kept.
	Inputs []Array
	// Step numbers the random arrays: equal steps draw equal numbers.
	Step int64
}

// Results are what one run computed. The arrays belong to the caller, who may
// change and keep them; no two share memory.
type Results struct {
	// Loss is the value of Result.Loss, 0 without one.
	Loss float32
	// Outputs are in the order of Result.Outputs.
	Outputs []Array
	// Gradients are those of Config.Variables by index; nil for variables that
	// are not trainable or that the graph does not use.
	Gradients [][]float32
	// InputGradients are in the order of Config.InputGradients, with the shape of the inputs.
	InputGradients []Array
	// Updates are the new values of variables by index; nil for those without.
	Updates [][]float32
}

// Run computes the program. It compiles it first where the inputs' shapes are new.
func (p *Program) Run(a Args) (*Results, error) {
	if err := p.check(a); err != nil {
		return nil, err
	}
	e, err := p.compiled(a.Inputs)
	if err != nil {
		return nil, err
	}
	return e.run(a)
}

// Shapes returns the shapes of the program's outputs for inputs of the given
// shapes and types, without running it; the inputs' data are not looked at.
func (p *Program) Shapes(inputs []Array) ([][]int, error) {
	e, err := p.compiled(inputs)
	if err != nil {
		return nil, err
	}
	return e.outputShapes(), nil
}

func (p *Program) check(a Args) error {
	if len(a.Variables) != len(p.config.Variables) {
		return fmt.Errorf("%w: %s has %d variables, got values for %d", ErrInput, p.config.Name, len(p.config.Variables), len(a.Variables))
	}
	for i, v := range p.config.Variables {
		if n := size(v.Shape); n != len(a.Variables[i]) {
			return fmt.Errorf("%w: variable %s of shape %v holds %d numbers, got %d", ErrInput, v.Name, v.Shape, n, len(a.Variables[i]))
		}
	}
	for i, in := range a.Inputs {
		if err := in.check(i); err != nil {
			return fmt.Errorf("%s: %w", p.config.Name, err)
		}
	}
	return nil
}

func (p *Program) compiled(inputs []Array) (*executable, error) {
	f := p.form(shapeKey(inputs))
	f.once.Do(func() { f.exe, f.err = compile(&p.config, inputs) })
	return f.exe, f.err
}

func (p *Program) form(key string) *form {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock++
	f := p.forms[key]
	if f == nil {
		if len(p.forms) >= maxShapes {
			p.dropOldest()
		}
		f = new(form)
		p.forms[key] = f
	}
	f.used = p.clock
	return f
}

func (p *Program) dropOldest() {
	oldest, at := "", p.clock
	for key, f := range p.forms {
		if f.used < at {
			oldest, at = key, f.used
		}
	}
	delete(p.forms, oldest)
}

func shapeKey(inputs []Array) string {
	var b strings.Builder
	for _, in := range inputs {
		fmt.Fprintf(&b, "%d%v", in.DType, in.Shape)
	}
	return b.String()
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

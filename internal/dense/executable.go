package dense

import (
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// executable is a program compiled for one set of shapes. Its results come in
// the order loss, outputs, updates, gradients.
type executable struct {
	config   *Config
	exe      compute.Executable
	feeds    []feed
	hasLoss  bool
	outputs  int
	updates  []int // variable of each update
	varGrads []int // variable of each gradient
	args     sync.Pool
}

// arguments are engine buffers for one run, and the memory behind them.
type arguments struct {
	buffers []compute.Buffer
	flat    []any
}

func compile(c *Config, inputs []Array) (e *executable, err error) {
	be, err := backend()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGraph, err)
	}
	t := &Trace{config: c, vars: make([]*graph.Node, len(c.Variables))}
	defer recovered(&err, c.Name, t.scope)
	t.graph = graph.NewGraph(be, c.Name)
	for i, in := range inputs {
		t.inputs = append(t.inputs, t.parameter(fmt.Sprintf("input %d", i), feed{index: i, shape: in.spec()}))
	}
	e = &executable{config: c}
	nodes, err := e.trace(t)
	if err != nil {
		return nil, err
	}
	// The engine has no room for a parameter that comes after every result, as
	// one may that nothing uses: the last result comes after all of them.
	nodes[len(nodes)-1] = graph.Identity(nodes[len(nodes)-1])
	if err := t.graph.Compile(nodes...); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrGraph, c.Name, shortError{err})
	}
	e.exe, e.feeds = t.graph.Executable(), t.feeds
	return e, nil
}

func (t *Trace) scope() string {
	if len(t.scopes) == 0 {
		return ""
	}
	return "in layer " + strings.Join(t.scopes, "/")
}

// trace builds the graph and returns the nodes of its results.
func (e *executable) trace(t *Trace) ([]*graph.Node, error) {
	r, err := e.config.Build(t)
	if err != nil {
		return nil, err
	}
	var nodes []*graph.Node
	if r.Loss != nil {
		e.hasLoss = true
		nodes = append(nodes, r.Loss)
	}
	e.outputs = len(r.Outputs)
	nodes = append(nodes, r.Outputs...)
	for _, u := range r.Updates {
		v := e.config.Variables[u.Variable]
		if err := u.Value.Shape().Check(dtypes.Float32, v.Shape...); err != nil {
			return nil, fmt.Errorf("%w: update of variable %s: %w", ErrGraph, v.Name, shortError{err})
		}
		e.updates = append(e.updates, u.Variable)
		nodes = append(nodes, u.Value)
	}
	if e.config.Train {
		grads, err := t.gradients(r.Loss, e)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, grads...)
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("%w: %s computes nothing", ErrGraph, e.config.Name)
	}
	return nodes, nil
}

func (e *executable) outputShapes() [][]int {
	shapes := e.exe.Outputs()
	if e.hasLoss {
		shapes = shapes[1:]
	}
	all := make([][]int, e.outputs)
	for i := range all {
		all[i] = shapes[i].Dimensions
	}
	return all
}

func (e *executable) run(a Args) (r *Results, err error) {
	defer recovered(&err, "running "+e.config.Name, nil)
	args, err := e.arguments()
	if err != nil {
		return nil, err
	}
	e.fill(args, a)
	// No buffer is donated, so they are ours again when Execute returns.
	out, err := e.exe.Execute(args.buffers, nil, 0)
	e.args.Put(args)
	if err != nil {
		return nil, fmt.Errorf("%w: running %s: %w", ErrGraph, e.config.Name, shortError{err})
	}
	arrays, err := views(out)
	if err != nil {
		return nil, err
	}
	return e.results(arrays), nil
}

func (e *executable) arguments() (*arguments, error) {
	if a, ok := e.args.Get().(*arguments); ok {
		return a, nil
	}
	be, err := backend()
	if err != nil {
		return nil, err
	}
	a := &arguments{}
	for _, f := range e.feeds {
		buffer, flat, err := be.NewSharedBuffer(0, f.shape)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrGraph, shortError{err})
		}
		a.buffers, a.flat = append(a.buffers, buffer), append(a.flat, flat)
	}
	return a, nil
}

func (e *executable) fill(args *arguments, a Args) {
	for i, f := range e.feeds {
		switch f.kind {
		case feedInput:
			a.Inputs[f.index].fill(args.flat[i])
		case feedVariable:
			copy(args.flat[i].([]float32), a.Variables[f.index])
		case feedRandom:
			fillUniform(args.flat[i].([]float32), streamKey(e.config.Seed, a.Step, f.key))
		}
	}
}

func (e *executable) results(arrays []Array) *Results {
	next := func() Array {
		a := arrays[0]
		arrays = arrays[1:]
		return a
	}
	r := &Results{}
	if e.hasLoss {
		r.Loss = next().Float[0]
	}
	r.Outputs, arrays = arrays[:e.outputs:e.outputs], arrays[e.outputs:]
	r.Updates = make([][]float32, len(e.config.Variables))
	for _, v := range e.updates {
		r.Updates[v] = next().Float
	}
	r.Gradients = make([][]float32, len(e.config.Variables))
	for _, v := range e.varGrads {
		r.Gradients[v] = next().Float
	}
	if e.config.Train {
		r.InputGradients = arrays
	}
	return r
}

// views wraps the engine's buffers, which are Go memory that nobody else
// uses, and copies those that occur twice: the gradients of the two sides of a
// sum are one node, and a caller may scale each in place.
func views(out []compute.Buffer) ([]Array, error) {
	seen := make(map[unsafe.Pointer]bool, len(out))
	arrays := make([]Array, len(out))
	for i, b := range out {
		flat, err := b.Data()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrGraph, shortError{err})
		}
		shape, err := b.Shape()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrGraph, shortError{err})
		}
		if arrays[i], err = arrayOf(flat, shape); err != nil {
			return nil, err
		}
		if at := arrays[i].address(); seen[at] {
			arrays[i] = arrays[i].clone()
		} else {
			seen[at] = true
		}
	}
	return arrays, nil
}

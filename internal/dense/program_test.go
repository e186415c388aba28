package dense_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
)

// network is relu(x·w + b)·v with dropout between, and squared error as loss.
func network(batch int, dropout float64) dense.Config {
	_ = batch
	return dense.Config{
		Name: "network",
		Variables: []dense.Variable{
			{Name: "w", Shape: []int{3, 4}, Trainable: true},
			{Name: "b", Shape: []int{4}, Trainable: true},
			{Name: "v", Shape: []int{4, 1}, Trainable: true},
			{Name: "mean", Shape: []int{4}},
			{Name: "unused", Shape: []int{2}, Trainable: true},
		},
		Seed:           7,
		Train:          true,
		InputGradients: []int{0},
		Build: func(t *dense.Trace) (dense.Result, error) {
			x, truth := t.Input(0), t.Input(1)
			h := graph.Add(graph.DotGeneral(x, []int{1}, nil, t.Variable(0), []int{0}, nil), graph.ExpandLeftToRank(t.Variable(1), 2))
			h = graph.MaxScalar(h, 0)
			if dropout > 0 {
				u := t.Uniform(1, h.Shape().Dimensions...)
				h = graph.Where(graph.GreaterThan(u, graph.Scalar(t.Graph(), dtypes.Float32, dropout)), h, graph.ZerosLike(h))
			}
			y := graph.DotGeneral(h, []int{1}, nil, t.Variable(2), []int{0}, nil)
			loss := graph.ReduceAllMean(graph.Square(graph.Sub(y, truth)))
			mean := graph.Add(graph.MulScalar(t.Variable(3), 0.9), graph.MulScalar(graph.ReduceMean(h, 0), 0.1))
			return dense.Result{Loss: loss, Outputs: []*graph.Node{y, h}, Updates: []dense.Update{{Variable: 3, Value: mean}}}, nil
		},
	}
}

func ramp(n int, scale float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)*1.7+0.3)) * scale
	}
	return x
}

func networkArgs(batch int) dense.Args {
	return dense.Args{
		Variables: [][]float32{ramp(12, 0.8), ramp(4, 0.1), ramp(4, 1), make([]float32, 4), make([]float32, 2)},
		Inputs:    []dense.Array{dense.Floats(ramp(batch*3, 1), batch, 3), dense.Floats(ramp(batch, 2), batch, 1)},
		Step:      1,
	}
}

func mustNew(t testing.TB, c dense.Config) *dense.Program {
	t.Helper()
	p, err := dense.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustRun(t testing.TB, p *dense.Program, a dense.Args) *dense.Results {
	t.Helper()
	r, err := p.Run(a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGradientsMatchFiniteDifferences(t *testing.T) {
	for _, dropout := range []float64{0, 0.4} {
		p := mustNew(t, network(5, dropout))
		a := networkArgs(5)
		r := mustRun(t, p, a)
		check := func(name string, x, grad []float32) {
			for i := range x {
				const eps = 1e-2
				old := x[i]
				x[i] = old + eps
				up := mustRun(t, p, a).Loss
				x[i] = old - eps
				down := mustRun(t, p, a).Loss
				x[i] = old
				if want := (up - down) / (2 * eps); math.Abs(float64(want-grad[i])) > 2e-3*(1+math.Abs(float64(want))) {
					t.Errorf("dropout %v: gradient of %s[%d] = %v, finite difference %v", dropout, name, i, grad[i], want)
				}
			}
		}
		for v := range 3 {
			check(fmt.Sprint("variable ", v), a.Variables[v], r.Gradients[v])
		}
		check("input", a.Inputs[0].Float, r.InputGradients[0].Float)
		if r.Gradients[3] != nil || r.Gradients[4] != nil {
			t.Errorf("gradients of a frozen and of an unused variable are %v and %v, want nil", r.Gradients[3], r.Gradients[4])
		}
		if r.Updates[3] == nil || r.Updates[0] != nil {
			t.Errorf("updates are %v, want one for variable 3 alone", r.Updates)
		}
	}
}

func TestSameBitsOnAnyNumberOfThreads(t *testing.T) {
	const batch = 700
	run := func() *dense.Results { return mustRun(t, mustNew(t, wide(batch)), wideArgs(batch)) }
	old := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(old)
	want := run()
	for _, procs := range []int{2, 3, 8} {
		runtime.GOMAXPROCS(procs)
		got := run()
		if got.Loss != want.Loss {
			t.Errorf("GOMAXPROCS %d: loss %v, on one thread %v", procs, got.Loss, want.Loss)
		}
		for v := range want.Gradients {
			if !slices.Equal(got.Gradients[v], want.Gradients[v]) {
				t.Errorf("GOMAXPROCS %d: gradient %d differs", procs, v)
			}
		}
		if !slices.Equal(got.InputGradients[0].Float, want.InputGradients[0].Float) {
			t.Errorf("GOMAXPROCS %d: gradient of the input differs", procs)
		}
	}
}

// wide is a network large enough for every way the engine has to multiply.
func wide(int) dense.Config {
	c := dense.Config{Name: "wide", Train: true, InputGradients: []int{0}, Variables: []dense.Variable{
		{Name: "w", Shape: []int{128, 96}, Trainable: true}, {Name: "v", Shape: []int{96, 1}, Trainable: true}}}
	c.Build = func(t *dense.Trace) (dense.Result, error) {
		h := graph.Tanh(graph.DotGeneral(t.Input(0), []int{1}, nil, t.Variable(0), []int{0}, nil))
		y := graph.DotGeneral(h, []int{1}, nil, t.Variable(1), []int{0}, nil)
		return dense.Result{Loss: graph.ReduceAllMean(graph.Square(y)), Outputs: []*graph.Node{y}}, nil
	}
	return c
}

func wideArgs(batch int) dense.Args {
	return dense.Args{Variables: [][]float32{ramp(128*96, 0.1), ramp(96, 0.3)},
		Inputs: []dense.Array{dense.Floats(ramp(batch*128, 1), batch, 128)}}
}

func TestRandomIsAFunctionOfSeedStepAndStream(t *testing.T) {
	config := func(seed, stream uint64) dense.Config {
		return dense.Config{Name: "random", Seed: seed, Build: func(t *dense.Trace) (dense.Result, error) {
			return dense.Result{Outputs: []*graph.Node{t.Uniform(stream, 1000)}}, nil
		}}
	}
	draw := func(seed, stream uint64, step int64) []float32 {
		return mustRun(t, mustNew(t, config(seed, stream)), dense.Args{Step: step}).Outputs[0].Float
	}
	base := draw(1, 2, 3)
	if !slices.Equal(base, draw(1, 2, 3)) {
		t.Error("equal seed, stream and step drew different numbers")
	}
	for _, other := range [][]float32{draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)} {
		if slices.Equal(base, other) {
			t.Error("another seed, stream or step drew the same numbers")
		}
	}
	sum := 0.0
	for _, u := range base {
		if u < 0 || u >= 1 {
			t.Fatalf("drew %v, want [0, 1)", u)
		}
		sum += float64(u)
	}
	if mean := sum / 1000; mean < 0.46 || mean > 0.54 {
		t.Errorf("mean of 1000 uniform numbers = %v", mean)
	}
}

func TestConcurrentRuns(t *testing.T) {
	p := mustNew(t, network(0, 0.2))
	var want [4]float32
	for i := range want {
		want[i] = mustRun(t, p, networkArgs(i+2)).Loss
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				n := (g + i) % len(want)
				r, err := p.Run(networkArgs(n + 2))
				if err != nil || r.Loss != want[n] {
					t.Errorf("batch %d: loss %v, %v, want %v", n+2, r, err, want[n])
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestResultsAreTheCallersOwn(t *testing.T) {
	p := mustNew(t, dense.Config{Name: "sum", Train: true, InputGradients: []int{0, 1},
		Build: func(t *dense.Trace) (dense.Result, error) {
			s := graph.Add(t.Input(0), t.Input(1)) // both gradients are one node
			return dense.Result{Loss: graph.ReduceAllSum(graph.Square(s)), Outputs: []*graph.Node{t.Input(0), graph.Reshape(t.Input(0), 2)}}, nil
		}})
	x := []float32{1, 2}
	a := dense.Args{Inputs: []dense.Array{dense.Floats(x, 2), dense.Floats([]float32{3, 4}, 2)}}
	first := mustRun(t, p, a)
	first.InputGradients[0].Float[0] = 99
	first.Outputs[0].Float[1] = 98
	if got := first.InputGradients[1].Float[0]; got != 8 {
		t.Errorf("changing one gradient changed the other: %v, want 8", got)
	}
	if got := first.Outputs[1].Float[1]; got != 2 {
		t.Errorf("changing one output changed the other: %v, want 2", got)
	}
	if x[1] != 2 {
		t.Errorf("changing an output changed the input: %v", x)
	}
	if second := mustRun(t, p, a); second.InputGradients[0].Float[0] != 8 || second.Outputs[0].Float[1] != 2 {
		t.Errorf("changing results changed a later run: %+v", second)
	}
	if first.InputGradients[0].Float[0] != 99 {
		t.Error("a later run wrote into an earlier result")
	}
}

func TestErrors(t *testing.T) {
	boom := errors.New("boom")
	build := func(f func(t *dense.Trace) *graph.Node) func(*dense.Trace) (dense.Result, error) {
		return func(t *dense.Trace) (dense.Result, error) { return dense.Result{Outputs: []*graph.Node{f(t)}}, nil }
	}
	one := []dense.Array{dense.Floats([]float32{1, 2, 3}, 3)}
	for _, c := range []struct {
		name   string
		config dense.Config
		inputs []dense.Array
		is     error
		says   []string
	}{
		{"graph panic", dense.Config{Name: "m", Build: build(func(t *dense.Trace) (n *graph.Node) {
			t.Scope("tower", func() { t.Scope("dense_1", func() { n = graph.Reshape(t.Input(0), 7) }) })
			return n
		})}, one, dense.ErrGraph, []string{"in layer tower/dense_1", "[3]", "[7]"}},
		{"own error", dense.Config{Name: "m", Build: build(func(t *dense.Trace) *graph.Node { panic(boom) })}, one, boom, []string{"boom"}},
		{"runtime panic", dense.Config{Name: "m", Build: build(func(t *dense.Trace) *graph.Node { return t.Input(9) })}, one, dense.ErrInput, []string{"reads input 9, but got 1"}},
		{"nil node", dense.Config{Name: "m", Build: build(func(t *dense.Trace) *graph.Node { return graph.Neg(nil) })}, one, dense.ErrGraph, nil},
		{"returned error", dense.Config{Name: "m", Build: func(*dense.Trace) (dense.Result, error) { return dense.Result{}, boom }}, one, boom, nil},
		{"nothing", dense.Config{Name: "m", Build: func(*dense.Trace) (dense.Result, error) { return dense.Result{}, nil }}, one, dense.ErrGraph, []string{"computes nothing"}},
		{"no loss", dense.Config{Name: "m", Train: true, Build: build(func(t *dense.Trace) *graph.Node { return t.Input(0) })}, one, dense.ErrGraph, []string{"no loss"}},
		{"vector loss", dense.Config{Name: "m", Train: true, Build: func(t *dense.Trace) (dense.Result, error) {
			return dense.Result{Loss: t.Input(0)}, nil
		}}, one, dense.ErrGraph, []string{"shape [3]", "scalar"}},
		{"wrong length", dense.Config{Name: "m", Build: build(func(t *dense.Trace) *graph.Node { return t.Input(0) })},
			[]dense.Array{dense.Floats([]float32{1}, 3)}, dense.ErrInput, []string{"[3]", "got 1"}},
		{"empty", dense.Config{Name: "m", Build: build(func(t *dense.Trace) *graph.Node { return t.Input(0) })},
			[]dense.Array{dense.Floats(nil, 0, 3)}, dense.ErrInput, []string{"empty batches"}},
		{"bad update", dense.Config{Name: "m", Variables: []dense.Variable{{Name: "w", Shape: []int{0}}}, Build: func(t *dense.Trace) (dense.Result, error) {
			return dense.Result{Updates: []dense.Update{{Variable: 0, Value: t.Input(0)}}}, nil
		}}, one, dense.ErrGraph, []string{"variable w"}},
		{"odd type", dense.Config{Name: "m", Build: build(func(t *dense.Trace) *graph.Node {
			return graph.Zeros(t.Graph(), shapes.Make(dtypes.Float64, 2))
		})}, one, dense.ErrGraph, []string{"convert it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustNew(t, c.config)
			a := dense.Args{Inputs: c.inputs}
			for _, v := range c.config.Variables {
				_ = v
				a.Variables = append(a.Variables, nil)
			}
			_, err := p.Run(a)
			if !errors.Is(err, c.is) {
				t.Fatalf("error = %v, want one that is %v", err, c.is)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("error %q does not say %q", err, s)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error has a stack trace: %q", err)
			}
		})
	}
	if _, err := dense.New(dense.Config{}); !errors.Is(err, dense.ErrGraph) {
		t.Errorf("no Build: %v", err)
	}
	p := mustNew(t, network(1, 0))
	if _, err := p.Run(dense.Args{}); !errors.Is(err, dense.ErrInput) {
		t.Errorf("no variables: %v", err)
	}
	bad := networkArgs(2)
	bad.Variables[0] = bad.Variables[0][1:]
	if _, err := p.Run(bad); !errors.Is(err, dense.ErrInput) || !strings.Contains(err.Error(), "w") {
		t.Errorf("short variable: %v", err)
	}
}

func TestManyShapes(t *testing.T) {
	p := mustNew(t, network(0, 0))
	first := mustRun(t, p, networkArgs(1)).Loss
	for n := 1; n < 80; n++ { // more than a program keeps
		mustRun(t, p, networkArgs(n))
	}
	if again := mustRun(t, p, networkArgs(1)).Loss; again != first {
		t.Errorf("a form that was dropped and compiled again gives %v, first %v", again, first)
	}
}

func TestUnusedInputs(t *testing.T) {
	p := mustNew(t, dense.Config{Name: "first", Variables: []dense.Variable{{Name: "w", Shape: []int{2}}},
		Build: func(t *dense.Trace) (dense.Result, error) {
			t.Variable(0)
			t.Uniform(1, 3)
			return dense.Result{Outputs: []*graph.Node{t.Input(0)}}, nil
		}})
	in := []dense.Array{dense.Floats([]float32{1, 2}, 2), dense.Floats([]float32{3}, 1)}
	r := mustRun(t, p, dense.Args{Variables: [][]float32{{5, 6}}, Inputs: in})
	if !slices.Equal(r.Outputs[0].Float, []float32{1, 2}) {
		t.Errorf("output = %v, want the first input", r.Outputs[0].Float)
	}
	r.Outputs[0].Float[0] = 9
	if in[0].Float[0] != 1 {
		t.Error("the output shares memory with the input")
	}
}

func TestTypes(t *testing.T) {
	p := mustNew(t, dense.Config{Name: "types", Build: func(t *dense.Trace) (dense.Result, error) {
		m := graph.LogicalNot(t.Input(1))
		return dense.Result{Outputs: []*graph.Node{graph.AddScalar(t.Input(0), 1), m}}, nil
	}})
	in := []dense.Array{dense.Ints([]int32{1, 2}, 2), dense.Bools([]bool{true, false}, 2)}
	r := mustRun(t, p, dense.Args{Inputs: in})
	if !slices.Equal(r.Outputs[0].Int, []int32{2, 3}) || !slices.Equal(r.Outputs[1].Bool, []bool{false, true}) {
		t.Errorf("outputs = %+v", r.Outputs)
	}
	shapes, err := p.Shapes([]dense.Array{dense.Ints(nil, 5, 2), dense.Bools(nil, 3)})
	if err != nil || !slices.Equal(shapes[0], []int{5, 2}) || !slices.Equal(shapes[1], []int{3}) {
		t.Errorf("Shapes = %v, %v", shapes, err)
	}
	if s := dense.Int32.String() + dense.Bool.String() + dense.Float32.String(); s != "int32boolfloat32" {
		t.Errorf("names = %q", s)
	}
}

// BenchmarkStep is the small network of docs: a training step of 96-64-32-1
// units with a batch of 1,024, as impl=engine.
func BenchmarkStep(b *testing.B) {
	for _, m := range []struct {
		name  string
		batch int
		units []int
	}{{"batch=1024/units=96-64-32-1", 1024, []int{96, 64, 32, 1}}, {"batch=512/units=128-64-32-1", 512, []int{128, 64, 32, 1}}} {
		b.Run(m.name, func(b *testing.B) {
			p, a := mlp(b, m.batch, m.units)
			mustRun(b, p, a)
			b.ReportAllocs()
			for b.Loop() {
				mustRun(b, p, a)
			}
		})
	}
}

func mlp(t testing.TB, batch int, units []int) (*dense.Program, dense.Args) {
	c := dense.Config{Name: "mlp", Train: true, InputGradients: []int{0}}
	a := dense.Args{Inputs: []dense.Array{dense.Floats(ramp(batch*units[0], 1), batch, units[0]), dense.Floats(make([]float32, batch), batch)}}
	for i := range len(units) - 1 {
		c.Variables = append(c.Variables,
			dense.Variable{Name: "kernel", Shape: []int{units[i], units[i+1]}, Trainable: true},
			dense.Variable{Name: "bias", Shape: []int{units[i+1]}, Trainable: true})
		a.Variables = append(a.Variables, ramp(units[i]*units[i+1], 0.2), make([]float32, units[i+1]))
	}
	c.Build = func(t *dense.Trace) (dense.Result, error) {
		h := t.Input(0)
		for i := range len(units) - 1 {
			h = graph.Add(graph.DotGeneral(h, []int{1}, nil, t.Variable(2*i), []int{0}, nil), graph.ExpandLeftToRank(t.Variable(2*i+1), 2))
			if i < len(units)-2 {
				h = graph.Where(graph.GreaterThan(h, graph.ScalarZero(h.Graph(), h.DType())), h, graph.ZerosLike(h))
			}
		}
		z, y := graph.Squeeze(h, -1), t.Input(1)
		soft := graph.Log1P(graph.Exp(graph.Neg(graph.Abs(z))))
		return dense.Result{Loss: graph.ReduceAllMean(graph.Add(graph.Sub(graph.MaxScalar(z, 0), graph.Mul(z, y)), soft))}, nil
	}
	return mustNew(t, c), a
}

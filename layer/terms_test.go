package layer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/layer/op"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// doubler is a Dense of ones without bias: of (batch, 1) it returns its input.
func doubler(t testing.TB, o layer.Options, value float64) *layer.Dense {
	t.Helper()
	return newDense(t, 1, layer.DenseOptions{Options: o, NoBias: true, Kernel: layer.WeightOptions{Initializer: initializer.Constant{Value: value}}})
}

// lossOf evaluates what is added to a plan, without a loss of its outputs.
func lossOf(t testing.TB, p *layer.Plan, in ...layer.Value) float32 {
	t.Helper()
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Losses: make([]loss.Func, len(p.Outputs))}))
	arrays := must[[]dense.Array](t)(p.NewHostStage().Lookup(context.Background(), false, in...))
	return must[*dense.Results](t)(q.Run(args(q, arrays))).Loss
}

func plan(t testing.TB, in []*layer.Tensor, out ...*layer.Tensor) *layer.Plan {
	t.Helper()
	return must[*layer.Plan](t)(layer.NewPlan(in, out))
}

// layersOf returns where terms come from.
func layersOf(t testing.TB) func([]*layer.LossTerm, error) []string {
	return func(terms []*layer.LossTerm, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, l := range terms {
			names = append(names, l.Layer())
		}
		return names
	}
}

// TestLossesOfALayer: each call has its own, penalties on weights count once,
// and what was given from outside is there too.
func TestLossesOfALayer(t *testing.T) {
	s := layer.NewScope(1)
	a, b, other := input(t, s, 1), input(t, s, 1), input(t, s, 1)
	d := newDense(t, 1, layer.DenseOptions{Options: layer.Options{Activity: regularizer.L1(2)}, NoBias: true,
		Kernel: layer.WeightOptions{Initializer: initializer.Ones{}, Regularizer: regularizer.L2(3)}})
	ya, yb := apply(t, d, a), apply(t, d, b)
	for _, err := range []error{
		d.AddLoss(op.Scale(op.ReduceSum(a), 100)),
		d.AddLossFor([]*layer.Tensor{b}, op.Scale(op.ReduceSum(yb), 1000), op.ReduceSum(b)),
		d.AddLossFunc(func(c *layer.Call) *graph.Node { return graph.ReduceAllSum(c.Var(d.Variables()[0])) }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(terms []*layer.LossTerm, err error) int {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return len(terms)
	}
	for what, n := range map[string][2]int{
		"a: activity":                         {count(d.LossesFor(a)), 1},
		"b: activity and two tensors":         {count(d.LossesFor(b)), 3},
		"none: tensor, function, regularizer": {count(d.LossesFor()), 3},
		"all":                                 {count(d.Losses()), 7},
		"inputs that the layer was never applied to":  {count(d.LossesFor(other)), 0},
		"inputs that belong to two calls, not to one": {count(d.LossesFor(a, b)), 0},
	} {
		if n[0] != n[1] {
			t.Errorf("%d terms of %s, want %d", n[0], what, n[1])
		}
	}
	terms := must[[]*layer.LossTerm](t)(d.LossesFor(b))
	if in := terms[0].Inputs(); len(in) != 1 || in[0] != b || terms[0].Layer() != d.Name() || terms[1].Tensor() == nil {
		t.Errorf("term of b: layer %q, inputs %v", terms[0].Layer(), in)
	}
	if _, err := terms[0].Value(); !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), "no value without data") {
		t.Errorf("value of a conditional term: %v", err)
	}
	free := must[[]*layer.LossTerm](t)(d.LossesFor())
	for i, want := range map[int]float32{1: 1, 2: 3} {
		if x, err := free[i].Value(); err != nil || x != want || free[i].Inputs() != nil {
			t.Errorf("value of unconditional term %d = %v, %v; want %v", i, x, err, want)
		}
	}
	if free[2].Variable() != d.Variables()[0] {
		t.Error("the regularizer's term does not know its weight")
	}
	// Batches of one example, of 1 and 10.
	one, ten := vector(t, []int{1, 1}, 1), vector(t, []int{1, 1}, 10)
	if got, want := lossOf(t, plan(t, []*layer.Tensor{a}, ya), one), float32(2*1+100*1+1+3); got != want {
		t.Errorf("loss of a model with one call = %v, want %v", got, want)
	}
	if got, want := lossOf(t, plan(t, []*layer.Tensor{a, b}, ya, yb), one, ten), float32(2*1+2*10+100*1+1000*10+10+1+3); got != want {
		t.Errorf("loss of a model with both = %v, want %v", got, want)
	}
	if _, err := layer.NewPlan([]*layer.Tensor{b}, []*layer.Tensor{yb}); !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), a.Name()) {
		t.Errorf("an unconditional loss of an input that the model has not: %v", err)
	}
}

// TestLossesInside: terms of sublayers are the outer layer's too.
func TestLossesInside(t *testing.T) {
	b := newBlock(t)
	x := input(t, layer.NewScope(1), 3)
	y := apply(t, b, x)
	if err := b.inner.AddLossFunc(func(c *layer.Call) *graph.Node { return graph.ReduceAllSum(c.Var(b.mean)) }); err != nil {
		t.Fatal(err)
	}
	copy(b.mean.Value(), []float32{3, 4})
	if got := layersOf(t)(b.Losses()); !slices.Equal(got, []string{"block/dense"}) {
		t.Errorf("losses of %v, want the sublayer's", got)
	}
	if got := lossOf(t, plan(t, []*layer.Tensor{x}, y), floats(t, 2, 3)); got != 7 {
		t.Errorf("loss = %v, want 7", got)
	}
	if out := run(t, b, floats(t, 2, 3)); !slices.Equal(out.Losses, []float32{7}) {
		t.Errorf("losses of a run = %v, want [7]", out.Losses)
	}
}

// TestFunctionsOfWeights: added between runs on data, they count in the next;
// in a call they are losses like others.
func TestFunctionsOfWeights(t *testing.T) {
	d := doubler(t, layer.Options{}, 5)
	x := vector(t, []int{1, 1}, 1)
	if out := run(t, d, x); len(out.Losses) != 0 {
		t.Errorf("losses before = %v", out.Losses)
	}
	sum := func(c *layer.Call) *graph.Node { return graph.ReduceAllSum(c.Var(d.Variables()[0])) }
	if err := d.AddLossFunc(sum); err != nil {
		t.Fatal(err)
	}
	if out := run(t, d, x); !slices.Equal(out.Losses, []float32{5}) {
		t.Errorf("losses = %v, want [5]", out.Losses)
	}
	without := configText(t, doubler(t, layer.Options{Name: d.Name()}, 5))
	if with := configText(t, d); with != without {
		t.Errorf("a function is in the config: %s, without it %s", with, without)
	}
	inside := newBroken(nil, func(c *layer.Call, x *graph.Node) []*graph.Node {
		c.AddLossFunc(func(c *layer.Call) *graph.Node { return graph.Const(c.Graph(), float32(2)) },
			func(c *layer.Call) *graph.Node { return graph.Const(c.Graph(), float32(3)) })
		return []*graph.Node{x}
	})
	if out := run(t, inside, x); !slices.Equal(out.Losses, []float32{2, 3}) {
		t.Errorf("losses of functions in a call = %v, want [2 3]", out.Losses)
	}
	nothing := newBroken(nil, func(c *layer.Call, x *graph.Node) []*graph.Node {
		c.AddLossFunc(func(*layer.Call) *graph.Node { return nil })
		return []*graph.Node{x}
	})
	if _, err := nothing.Run(context.Background(), layer.Args{}, x); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("a function that returns nothing: %v", err)
	}
}

// TestAddedLossesAreRefused: nothing of it is added.
func TestAddedLossesAreRefused(t *testing.T) {
	s := layer.NewScope(1)
	x, keys := input(t, s, 3), idInput(t, s)
	d := newDense(t, 2, layer.DenseOptions{})
	early := second(d.LossesFor(x))
	y := apply(t, d, x)
	good := op.ReduceMean(y)
	weight := d.Variables()[0]
	e := newEmbedding(t, 3, 2, layer.EmbeddingOptions{})
	apply(t, e, keys)
	for name, c := range map[string]struct {
		err, is error
		says    string
	}{
		"before a call": {early, layer.ErrNotConnected, "never been applied to a symbolic input"},
		"vector":        {d.AddLoss(good, y), layer.ErrShape, "must be a scalar, got shape (None, 2)"},
		"nil":           {d.AddLoss(nil), layer.ErrArgument, "nil"},
		"ids":           {d.AddLoss(keys), layer.ErrStage, "ids"},
		"made by none":  {d.AddLoss(new(layer.Tensor)), layer.ErrArgument, "made by no layer"},
		"broken":        {d.AddLoss(op.ReduceMean(y, 7)), layer.ErrShape, "axes [7]"},
		"other inputs":  {d.AddLossFor([]*layer.Tensor{x, x}, good), layer.ErrNotConnected, "never applied to these 2 inputs"},
		"no function":   {d.AddLossFunc(nil), layer.ErrArgument, "nil"},
		"no name":       {d.AddMetric("", good), layer.ErrArgument, "needs a name"},
		"vector metric": {d.AddMetric("m", y), layer.ErrShape, "scalar"},
		"no metric":     {d.AddMetricObject(nil, y), layer.ErrArgument, "nil"},
		"typed nil":     {d.AddMetricObject((*metric.Mean)(nil), y), layer.ErrArgument, "nil"},
		"metric of ids": {d.AddMetricObject(new(metric.Mean), keys), layer.ErrStage, "ids"},
		"no weight":     {d.AddUpdate(nil, good), layer.ErrArgument, "dense weight"},
		"a table":       {d.AddUpdate(e.Variables()[0], good), layer.ErrArgument, "dense weight"},
		"other shape":   {d.AddUpdate(weight, good), layer.ErrShape, "(3, 2)"},
		"no update":     {d.AddUpdateFunc(weight, nil), layer.ErrArgument, "nil"},
		"update of ids": {d.AddUpdate(weight, keys), layer.ErrStage, "ids"},
		"update for":    {d.AddUpdateFor([]*layer.Tensor{keys}, weight, y), layer.ErrNotConnected, "never applied"},
		"no Init":       {new(penalized).AddLoss(good), layer.ErrNotInitialized, "Init"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", name, c.err, c.is, c.says)
		}
	}
	if got := layersOf(t)(d.Losses()); len(got) != 0 {
		t.Errorf("losses were added all the same: %v", got)
	}
}

// TestRunsLeaveNoTerms: after runs on data alone there is nothing to ask of
// their inputs; what does not depend on them is there.
func TestRunsLeaveNoTerms(t *testing.T) {
	d := newDense(t, 2, layer.DenseOptions{Kernel: layer.WeightOptions{Regularizer: regularizer.L1(1)}})
	run(t, d, floats(t, 3, 4))
	x := input(t, layer.NewScope(1), 4)
	for name, err := range map[string]error{"losses": second(d.LossesFor(x)), "updates": second(d.UpdatesFor(x))} {
		if !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "runs on data leave no node") {
			t.Errorf("%s after a run: %v", name, err)
		}
	}
	if got := layersOf(t)(d.Losses()); len(got) != 1 {
		t.Errorf("losses after a run = %v, want the regularizer's", got)
	}
}

// stepOf makes a training step of a plan and stores its updates.
func stepOf(t testing.TB, p *layer.Plan, in ...layer.Value) error {
	t.Helper()
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Training: true, Losses: []loss.Func{loss.MeanSquaredError}}))
	arrays := must[[]dense.Array](t)(p.NewHostStage().Lookup(context.Background(), true, in...))
	r, err := q.Run(args(q, slices.Clone(arrays), labels(in[0])))
	if err != nil {
		return err
	}
	for i, u := range r.Updates {
		copy(q.Variables[i].Value(), u)
	}
	return nil
}

// TestUpdatesOfALayer: of calls, of rules for some inputs, and of rules for all.
func TestUpdatesOfALayer(t *testing.T) {
	s := layer.NewScope(1)
	l, x, z := newAverager(), input(t, s, 1), input(t, s, 1)
	var w [3]*layer.Variable
	for i, name := range []string{"seen", "rule", "count"} {
		w[i] = must[*layer.Variable](t)(l.AddWeight(name, layer.Shape{1}, layer.WeightOptions{Frozen: true, Initializer: initializer.Ones{}}))
	}
	y := apply(t, l, x)
	for _, err := range []error{
		l.AddUpdateFor([]*layer.Tensor{x}, w[0], op.ReduceSum(x, 0)),
		l.AddUpdate(w[1], op.ReduceMax(x, 0)),
		l.AddUpdateFunc(w[2], func(c *layer.Call) *graph.Node { return graph.AddScalar(c.Var(w[2]), 1) }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	names := func(terms []*layer.UpdateTerm, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		all := []string{}
		for _, u := range terms {
			all = append(all, u.Variable().ShortName())
			if u.Layer() != "averager" || (u.Tensor() != nil) != slices.Contains([]string{"seen", "rule"}, u.Variable().ShortName()) {
				t.Errorf("update of %q by %q, tensor %v", u.Variable().ShortName(), u.Layer(), u.Tensor())
			}
			if conditional := slices.Contains([]string{"mean", "seen"}, u.Variable().ShortName()); conditional != (len(u.Inputs()) == 1 && u.Inputs()[0] == x) {
				t.Errorf("update of %q depends on %v", u.Variable().ShortName(), u.Inputs())
			}
		}
		return all
	}
	for _, c := range []struct{ got, want []string }{
		{names(l.Updates()), []string{"mean", "seen", "rule", "count"}},
		{names(l.UpdatesFor(x)), []string{"mean", "seen"}},
		{names(l.UpdatesFor()), []string{"rule", "count"}},
		{names(l.UpdatesFor(z)), []string{}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("updates of %v, want %v", c.got, c.want)
		}
	}
	p := plan(t, []*layer.Tensor{x}, y)
	values := func() []float32 {
		return []float32{l.mean.Value()[0], w[0].Value()[0], w[1].Value()[0], w[2].Value()[0]}
	}
	if err := stepOf(t, p, vector(t, []int{2, 1}, 1, 3)); err != nil {
		t.Fatal(err)
	}
	if want := []float32{2, 4, 3, 2}; !slices.Equal(values(), want) {
		t.Errorf("after a step mean, sum, largest and count are %v, want %v", values(), want)
	}
	lossOf(t, p, vector(t, []int{2, 1}, 5, 5))
	if want := []float32{2, 4, 3, 2}; !slices.Equal(values(), want) {
		t.Errorf("an evaluation updated weights: %v, want %v", values(), want)
	}
	l.SetTrainable(false)
	if got := names(l.Updates()); len(got) != 0 {
		t.Errorf("a frozen layer has updates of %v", got)
	}
	if terms := must[[]*layer.UpdateTerm](t)(p.UpdateTerms()); len(terms) != 0 {
		t.Errorf("a plan has %d updates of a frozen layer", len(terms))
	}
	if err := stepOf(t, p, vector(t, []int{2, 1}, 5, 5)); err != nil {
		t.Fatal(err)
	}
	if want := []float32{2, 4, 3, 2}; !slices.Equal(values(), want) {
		t.Errorf("a frozen layer updated weights: %v, want %v", values(), want)
	}
	l.SetTrainable(true)
	if err := l.AddUpdateFunc(l.mean, func(c *layer.Call) *graph.Node { return c.Var(l.mean) }); err != nil {
		t.Fatal(err)
	}
	if err := stepOf(t, plan(t, []*layer.Tensor{x}, y), vector(t, []int{2, 1}, 5, 5)); !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), "has an update in this step already") {
		t.Errorf("two updates of a weight, one from outside: %v", err)
	}
}

// TestUpdatesOfRuns: rules hold in training runs on data, not in frozen layers.
func TestUpdatesOfRuns(t *testing.T) {
	l, x := newAverager(), vector(t, []int{2, 1}, 1, 3)
	count := must[*layer.Variable](t)(l.AddWeight("count", layer.Shape{1}, layer.WeightOptions{Frozen: true, Initializer: initializer.Zeros{}}))
	if err := l.AddUpdateFunc(count, func(c *layer.Call) *graph.Node { return graph.AddScalar(c.Var(count), 1) }); err != nil {
		t.Fatal(err)
	}
	train := func() {
		t.Helper()
		must[*layer.Output](t)(l.Run(context.Background(), layer.Args{Training: true}, x))
	}
	run(t, l, x)
	train()
	l.SetTrainable(false)
	train()
	if count.Value()[0] != 1 || l.mean.Value()[0] != 2 {
		t.Errorf("count %v, mean %v; want 1 and 2: one run trained a free layer", count.Value(), l.mean.Value())
	}
	l.SetTrainable(true)
	train()
	if count.Value()[0] != 2 {
		t.Errorf("count %v after the layer was freed, want 2", count.Value())
	}
	if err := l.AddUpdateFunc(count, func(*layer.Call) *graph.Node { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Run(context.Background(), layer.Args{Training: true}, x); !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), "returned no value") {
		t.Errorf("an update of nothing: %v", err)
	}
}

func TestMetricsOfALayer(t *testing.T) {
	l, s := newMeasured(), layer.NewScope(1)
	x, z := input(t, s, 2), input(t, s, 2)
	apply(t, l, x)
	y := apply(t, l, z)
	if err := l.AddMetric("max", op.ReduceMax(y)); err != nil {
		t.Fatal(err)
	}
	rmse := metric.Named("rmse of nothing", new(metric.RMSE))
	if err := l.AddMetricObject(rmse, y); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range must[[]*layer.MetricTerm](t)(l.Metrics()) {
		names = append(names, m.Name())
		if inside := strings.HasPrefix(m.Name(), "metric_"); inside == (m.Tensor() != nil) || inside != (len(m.Inputs()) == 1) || m.Layer() != "my_metric_layer" {
			t.Errorf("metric %q: tensor %v, inputs %v", m.Name(), m.Tensor(), m.Inputs())
		}
		if object := m.Name() == "metric_1" || m.Name() == rmse.Name(); object != (m.Metric() != nil) {
			t.Errorf("metric %q has object %v", m.Name(), m.Metric())
		}
	}
	// The scalar of each call, the object once.
	if want := []string{"metric_2", "metric_1", "metric_2", "max", "rmse of nothing"}; !slices.Equal(names, want) {
		t.Errorf("metrics %v, want %v", names, want)
	}
	if err := l.AddMetric("max", op.ReduceMin(y)); !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), `named "max" already`) {
		t.Errorf("a name twice: %v", err)
	}
	if err := l.AddMetricObject(metric.Named("max", new(metric.Mean)), y); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("a name twice, of an object: %v", err)
	}
}

// TestMetricObjectsOfRuns aggregate from run to run.
func TestMetricObjectsOfRuns(t *testing.T) {
	l := newMeasured()
	run(t, l, vector(t, []int{1, 2}, 1, 3))
	out := run(t, l, vector(t, []int{1, 2}, 5, 7))
	if want := []layer.Metric{{Name: "metric_2", Value: 12}, {Name: "metric_1", Value: 4}}; !slices.Equal(out.Metrics, want) {
		t.Errorf("metrics %v, want %v: the sum of this run, the mean of both", out.Metrics, want)
	}
	if l.mean.Result() != 4 {
		t.Errorf("result %v, want 4", l.mean.Result())
	}
	unknown := newBroken(nil, func(c *layer.Call, x *graph.Node) []*graph.Node {
		c.AddMetricObject(new(metric.Mean), x)
		return []*graph.Node{x}
	})
	if _, err := unknown.Run(context.Background(), layer.Args{}, floats(t, 1, 2)); !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), "TrackMetric") {
		t.Errorf("a metric that the layer was not told of: %v", err)
	}
	bad := newMeasured()
	bad.TrackMetric(nil)
	if _, err := bad.Run(context.Background(), layer.Args{}, floats(t, 1, 2)); !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), "TrackMetric") {
		t.Errorf("a metric of nothing: %v", err)
	}
	nan := vector(t, []int{1, 2}, 5, float32(math.NaN()))
	if _, err := l.Run(context.Background(), layer.Args{}, nan); !errors.Is(err, metric.ErrNaN) {
		t.Errorf("a metric of NaN: %v", err)
	}
}

// TestPlansHaveWhatIsAdded: layers that a loss needs are part of the plan, with
// their own losses, and a program that only predicts leaves losses out.
func TestPlansHaveWhatIsAdded(t *testing.T) {
	s := layer.NewScope(1)
	x := input(t, s, 1)
	y := apply(t, doubler(t, layer.Options{Name: "out"}, 1), x)
	aux := doubler(t, layer.Options{Name: "aux", Activity: regularizer.L1(10)}, 2)
	var more layer.Additions
	if err := more.AddLoss(op.ReduceSum(apply(t, aux, x))); err != nil {
		t.Fatal(err)
	}
	copied := more.Clone()
	if err := copied.AddMetric("sum", op.ReduceSum(y)); err != nil {
		t.Fatal(err)
	}
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{x}, []*layer.Tensor{y}, &more))
	if len(p.Layers) != 3 || len(p.Variables()) != 2 || len(p.Metrics) != 0 {
		t.Errorf("plan of %d layers, %d weights, %d metrics; want out, aux and reduce_sum, 2, 0", len(p.Layers), len(p.Variables()), len(p.Metrics))
	}
	if got := lossOf(t, p, vector(t, []int{1, 1}, 3)); got != 6+10*6 {
		t.Errorf("loss = %v, want 66", got)
	}
	if got := layersOf(t)(p.LossTerms()); !slices.Equal(got, []string{"aux", ""}) {
		t.Errorf("terms of %q", got)
	}
	p = must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{x}, []*layer.Tensor{y}, &copied))
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{}))
	in := dense.Floats([]float32{3}, 1, 1)
	r := must[*dense.Results](t)(q.Run(dense.Args{Variables: layer.Values(q.Variables), Inputs: []dense.Array{in}}))
	if len(q.MetricNames()) != 0 || r.Outputs[0].Float[0] != 3 {
		t.Errorf("a prediction reports %v", q.MetricNames())
	}
	if terms := must[[]*layer.MetricTerm](t)(p.MetricTerms()); len(terms) != 1 || terms[0].Name() != "sum" || terms[0].Layer() != "" {
		t.Errorf("metrics of the plan: %d", len(terms))
	}
}

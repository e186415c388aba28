// Command rowan is Rowan as a contender: it does the works of the measurement
// through the public API, as a program that uses the library would.
// bench/README.md has the command line and the lines it prints.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// options is the command line that all contenders understand.
type options struct {
	work                           string
	rows, dim, bag, batch, threads int
	seconds                        float64
	inputs                         []input
}

// input is one file of ids, cut into batches.
type input struct {
	name    string
	batches [][]int64
}

// figure is a line of output.
type figure struct {
	Op     string  `json:"op"`
	Dist   string  `json:"dist"`
	Rate   float64 `json:"rate"`
	Check  float64 `json:"check"`
	Detail string  `json:"detail"`
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	works := map[string]func(context.Context, options, *json.Encoder) error{
		"gather": gather, "train": train, "dynamic": dynamic,
	}
	do, ok := works[o.work]
	if !ok {
		return fmt.Errorf("bench: --work is gather, train or dynamic, not %q", o.work)
	}
	return do(ctx, o, json.NewEncoder(out))
}

func parse(args []string) (options, error) {
	var o options
	var files []string
	flags := flag.NewFlagSet("rowan", flag.ContinueOnError)
	flags.StringVar(&o.work, "work", "", "gather, train or dynamic")
	flags.IntVar(&o.rows, "rows", 0, "rows of the table, or keys")
	flags.IntVar(&o.dim, "dim", 64, "numbers in a row")
	flags.IntVar(&o.bag, "bag", 20, "ids in a bag")
	flags.IntVar(&o.batch, "batch", 2048, "bags in a batch")
	flags.IntVar(&o.threads, "threads", 1, "threads")
	flags.Float64Var(&o.seconds, "seconds", 1, "length of a measurement")
	flags.Func("ids", "NAME=FILE of 64-bit ids", func(s string) error {
		files = append(files, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for _, f := range files {
		in, err := readIDs(f, o.bag*o.batch)
		if err != nil {
			return o, err
		}
		o.inputs = append(o.inputs, in)
	}
	runtime.GOMAXPROCS(o.threads)
	return o, nil
}

// readIDs reads NAME=FILE into batches of size ids; what is left over is dropped.
func readIDs(spec string, size int) (input, error) {
	name, file, _ := strings.Cut(spec, "=")
	raw, err := os.ReadFile(file)
	if err != nil {
		return input{}, fmt.Errorf("bench: --ids wants NAME=FILE: %w", err)
	}
	in := input{name: name}
	for ; len(raw) >= 8*size; raw = raw[8*size:] {
		ids := make([]int64, size)
		for i := range ids {
			ids[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		in.batches = append(in.batches, ids)
	}
	if len(in.batches) == 0 {
		return in, fmt.Errorf("bench: %s holds fewer than %d ids, one batch", file, size)
	}
	return in, nil
}

// bags makes id batches of bags of equal length.
func bags(in input, o options) ([]tensor.IDs, error) {
	splits := make([]int64, o.batch+1)
	for i := range splits {
		splits[i] = int64(i * o.bag)
	}
	out := make([]tensor.IDs, len(in.batches))
	for i, ids := range in.batches {
		r, err := tensor.NewRagged(ids, splits)
		if err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}

// pattern is what row r of every contender's table starts with: multiples of
// 1/1024, so that sums of bags are exact in whatever order they are added.
func pattern(first, rows, dim int) *tensor.Values {
	v := tensor.ZeroValues(rows, dim)
	for i := range v.Data() {
		v.Data()[i] = float32((first*dim+i)%1024) / 1024
	}
	return v
}

// fill writes the pattern into a static table.
func fill(ctx context.Context, t *rowan.Table, rows, dim int) error {
	const chunk = 8192
	for first := 0; first < rows; first += chunk {
		n := min(chunk, rows-first)
		ids := make([]int64, n)
		for i := range ids {
			ids[i] = int64(first + i)
		}
		d, err := tensor.NewDense(ids, n)
		if err != nil {
			return err
		}
		if err := t.Upsert(ctx, d, pattern(first, n, dim)); err != nil {
			return err
		}
	}
	return nil
}

// gradient is the gradient of every pooled batch.
func gradient(o options) *tensor.Values {
	v := tensor.ZeroValues(o.batch, o.dim)
	for i := range v.Data() {
		v.Data()[i] = float32((i/o.dim+i%o.dim)%16+1) / 16
	}
	return v
}

func sum(v *tensor.Values) float64 {
	var s float64
	for _, x := range v.Data() {
		s += float64(x)
	}
	return s
}

// rate is how many ids a second step does over the batches, again and again for
// about the given seconds. One untimed call comes first.
func rate(batches []tensor.IDs, seconds float64, step func(tensor.IDs) error) (float64, error) {
	if err := step(batches[0]); err != nil {
		return 0, err
	}
	done, start := 0, time.Now()
	for time.Since(start).Seconds() < seconds {
		if err := step(batches[done%len(batches)]); err != nil {
			return 0, err
		}
		done++
	}
	return float64(done*batches[0].Len()) / time.Since(start).Seconds(), nil
}

func detail(t *rowan.Table) string {
	s := t.Stats()
	return fmt.Sprintf("%.0f%% of rows on huge pages, %d bytes a row and %.0f of index",
		100*float64(s.HugePageBytes)/float64(max(s.RowBytes, 1)), s.Stride, float64(s.IndexBytes)/float64(max(s.Rows, 1)))
}

func gather(ctx context.Context, o options, out *json.Encoder) error {
	t, err := rowan.NewTable(rowan.TableOptions{Name: "bench", Width: o.dim, Rows: o.rows, Threads: o.threads})
	if err != nil {
		return err
	}
	if err := fill(ctx, t, o.rows, o.dim); err != nil {
		return err
	}
	var l rowan.Lookup
	step := func(ids tensor.IDs) error {
		return t.LookupInto(ctx, &l, ids, rowan.LookupOptions{Combiner: rowan.Sum})
	}
	for _, in := range o.inputs {
		batches, err := bags(in, o)
		if err != nil {
			return err
		}
		if err := step(batches[0]); err != nil {
			return err
		}
		check := sum(l.Values())
		r, err := rate(batches, o.seconds, step)
		if err != nil {
			return err
		}
		if err := out.Encode(figure{"gather", in.name, r, check, detail(t)}); err != nil {
			return err
		}
	}
	return t.Close()
}

func train(ctx context.Context, o options, out *json.Encoder) error {
	for _, in := range o.inputs {
		if err := trainOn(ctx, o, in, out); err != nil {
			return err
		}
	}
	return nil
}

// trainOn trains a fresh table, so that the check after one step is the same
// for every input.
func trainOn(ctx context.Context, o options, in input, out *json.Encoder) error {
	t, err := rowan.NewTable(rowan.TableOptions{
		Name: "bench", Width: o.dim, Rows: o.rows, Threads: o.threads,
		Optimizer: &optim.Optimizer{Updater: optim.Adagrad{Epsilon: 1e-16}, Rate: optim.Constant(0.1)},
	})
	if err != nil {
		return err
	}
	if err := fill(ctx, t, o.rows, o.dim); err != nil {
		return err
	}
	batches, err := bags(in, o)
	if err != nil {
		return err
	}
	var l rowan.Lookup
	g, grad := t.NewGradients(), gradient(o)
	step := func(ids tensor.IDs) error {
		g.Reset()
		if err := t.LookupInto(ctx, &l, ids, rowan.LookupOptions{Combiner: rowan.Sum, Training: true}); err != nil {
			return err
		}
		if err := g.Add(&l, grad); err != nil {
			return err
		}
		return t.Apply(ctx, g, rowan.Step{})
	}
	if err := step(batches[0]); err != nil {
		return err
	}
	if err := t.LookupInto(ctx, &l, batches[0], rowan.LookupOptions{Combiner: rowan.Sum}); err != nil {
		return err
	}
	check := sum(l.Values())
	r, err := rate(batches, o.seconds, step)
	if err != nil {
		return err
	}
	if err := out.Encode(figure{"train", in.name, r, check, detail(t)}); err != nil {
		return err
	}
	return t.Close()
}

func dynamic(ctx context.Context, o options, out *json.Encoder) error {
	if len(o.inputs) != 2 {
		return fmt.Errorf("bench: dynamic wants --ids insert=FILE --ids find=FILE")
	}
	t, err := rowan.NewTable(rowan.TableOptions{Name: "bench", Width: o.dim, Threads: o.threads})
	if err != nil {
		return err
	}
	values := pattern(0, o.bag*o.batch, o.dim)
	upsert := func(ids tensor.IDs) error { return t.Upsert(ctx, ids, values) }
	var l rowan.Lookup
	find := func(ids tensor.IDs) error { return t.LookupInto(ctx, &l, ids, rowan.LookupOptions{}) }
	for _, s := range []struct {
		op    string
		in    input
		step  func(tensor.IDs) error
		check func() float64
	}{
		{"insert", o.inputs[0], upsert, func() float64 { return float64(t.Len()) }},
		{"find", o.inputs[1], find, func() float64 { return sum(l.Values()) }},
		{"upsert", o.inputs[1], upsert, func() float64 { return float64(t.Len()) }},
	} {
		r, err := once(s.in, s.step)
		if err != nil {
			return err
		}
		if err := out.Encode(figure{s.op, "uniform", r, s.check(), detail(t)}); err != nil {
			return err
		}
	}
	return t.Close()
}

// once is how many keys a second step does in one pass over the input.
func once(in input, step func(tensor.IDs) error) (float64, error) {
	batches := make([]tensor.IDs, len(in.batches))
	for i, keys := range in.batches {
		d, err := tensor.NewDense(keys, len(keys))
		if err != nil {
			return 0, err
		}
		batches[i] = d
	}
	start := time.Now()
	for _, b := range batches {
		if err := step(b); err != nil {
			return 0, err
		}
	}
	return float64(len(batches)*batches[0].Len()) / time.Since(start).Seconds(), nil
}

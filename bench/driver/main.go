// Command driver measures Rowan beside other systems and the bound of the
// machine, and prints the tables of docs/performance.md.
//
// Figures from two runs on one machine differ by more than the systems often
// do, so all contenders take turns within one run, each once a round, and what
// is reported is the median of the rounds:
//
//	round 1   bound  Rowan  PyTorch  FBGEMM  …      each a process of its own,
//	round 2   Rowan  PyTorch  FBGEMM  …  bound      on the same ids, pinned to
//	round 3   PyTorch  FBGEMM  …  bound  Rowan      as many processors as threads
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plan is one run of the driver.
type plan struct {
	works      []work
	contenders []contender
	shape      shape
	threads    []int
	rounds     int
	seconds    float64
	limit      time.Duration // of one contender's run
	log        io.Writer     // progress, a line a run
	raw        io.Writer     // every result as a JSON line
	page       string        // file whose results are replaced, or ""
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	p, closeRaw, err := parse(args, log)
	if err != nil {
		return err
	}
	results, err := p.measure(ctx)
	if err == nil {
		err = checks(results)
	}
	err = errors.Join(err, closeRaw())
	var text strings.Builder
	header(&text, p)
	var names []string
	for _, c := range p.contenders {
		names = append(names, c.name)
	}
	markdown(&text, p.works, p.shape, names, results)
	fmt.Fprint(out, text.String())
	if err != nil || p.page == "" {
		return err
	}
	return updatePage(p.page, text.String())
}

// parse reads the flags; what it returns second closes the file of raw results.
func parse(args []string, log io.Writer) (plan, func() error, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	home := flags.String("home", benchHome(), "where setup.sh put the other systems")
	tree := flags.String("tree", "bench", "the bench folder")
	only := flags.String("contenders", "", "only those whose names contain one of these words, with commas")
	workNames := flags.String("work", "gather,train,dynamic", "what to measure")
	threads := flags.String("threads", "1,2", "numbers of threads")
	rounds := flags.Int("rounds", 5, "times that each contender runs")
	seconds := flags.Float64("seconds", 2, "length of one measurement")
	scale := flags.Float64("scale", 1, "factor on the sizes of tables, for a quick try")
	batches := flags.Int("batches", 128, "batches of ids, one after the other")
	raw := flags.String("raw", "", "file for every result, a JSON line each")
	page := flags.String("page", "", "Markdown page whose results are to be replaced when all went well")
	if err := flags.Parse(args); err != nil {
		return plan{}, nil, err
	}
	p := plan{
		shape: shape{dim: 64, bag: 20, batch: 2048, batches: *batches}, rounds: *rounds, seconds: *seconds,
		limit: 15 * time.Minute, log: log, raw: io.Discard, page: *page,
	}
	for _, w := range works {
		if slices.Contains(strings.Split(*workNames, ","), w.name) {
			p.works = append(p.works, w.scaled(*scale, p.shape))
		}
	}
	for _, c := range contenders(*home, *tree) {
		if matches(c.name, *only) {
			p.contenders = append(p.contenders, c)
		}
	}
	for text := range strings.SplitSeq(*threads, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return plan{}, nil, fmt.Errorf("bench: -threads wants numbers with commas between, not %q", *threads)
		}
		p.threads = append(p.threads, n)
	}
	if len(p.works) == 0 || len(p.contenders) == 0 || p.rounds < 1 {
		return plan{}, nil, fmt.Errorf("bench: nothing to measure with -work %q, -contenders %q, -rounds %d", *workNames, *only, p.rounds)
	}
	if *raw == "" {
		return p, func() error { return nil }, nil
	}
	f, err := os.Create(*raw)
	if err != nil {
		return plan{}, nil, err
	}
	p.raw = f
	return p, f.Close, nil
}

func matches(name, words string) bool {
	return slices.ContainsFunc(strings.Split(words, ","), func(word string) bool {
		return strings.Contains(strings.ToLower(name), strings.ToLower(word))
	})
}

// measure runs every contender once a round on every work and number of
// threads. A contender that fails is told at once and left out from then on;
// the error names all that failed.
func (p plan) measure(ctx context.Context) ([]result, error) {
	dir, err := os.MkdirTemp("", "rowan-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var results []result
	failed := map[string]error{}
	for _, w := range p.works {
		inputs, err := w.inputs(dir, p.shape)
		if err != nil {
			return nil, err
		}
		for round := 1; round <= p.rounds; round++ {
			for _, c := range p.turn(round) {
				if !slices.Contains(c.works, w.name) || failed[c.name] != nil {
					continue
				}
				got, err := p.visit(ctx, c, w, round, inputs)
				if ctx.Err() != nil {
					return results, ctx.Err()
				}
				if err != nil {
					fmt.Fprintln(p.log, err)
					failed[c.name] = err
				}
				results = append(results, got...)
			}
		}
	}
	if len(failed) > 0 {
		return results, fmt.Errorf("bench: failed and left out: %s", strings.Join(sortedKeys(failed), ", "))
	}
	return results, nil
}

// turn is the order of a round: each begins with the next contender.
func (p plan) turn(round int) []contender {
	n := (round - 1) % len(p.contenders)
	return slices.Concat(p.contenders[n:], p.contenders[:n])
}

// visit runs one contender on one work, for each number of threads.
func (p plan) visit(ctx context.Context, c contender, w work, round int, inputs []string) ([]result, error) {
	var results []result
	for _, threads := range p.threads {
		start := time.Now()
		limited, cancel := context.WithTimeout(ctx, p.limit)
		figures, bytes, err := c.run(limited, threads, w.arguments(p.shape, threads, p.seconds, inputs))
		cancel()
		if err != nil {
			return results, err
		}
		took := time.Since(start).Seconds()
		var rates []string
		for _, f := range figures {
			r := result{c.name, w.name, threads, round, bytes, took, f}
			results = append(results, r)
			rates = append(rates, fmt.Sprintf("%s %s %s M/s", f.Op, f.Dist, short(f.Rate/1e6)))
			if err := json.NewEncoder(p.raw).Encode(r); err != nil {
				return results, err
			}
		}
		fmt.Fprintf(p.log, "%s round %d/%d, %d threads, %s: %s (%.0f s)\n", w.name, round, p.rounds, threads, c.name, strings.Join(rates, ", "), took)
	}
	return results, nil
}

// header says where and how the figures were made.
func header(out io.Writer, p plan) {
	fmt.Fprintf(out, "Measured on %s: %s, %d processors, transparent huge pages on `%s`, %s. Rounds: %d, every contender once in each.\n",
		time.Now().Format(time.DateOnly), processor(), runtime.NumCPU(), hugePages(), runtime.Version(), p.rounds)
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // not there: the name is unknown
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}

func hugePages() string {
	text, _ := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled") // not there: unknown
	_, after, _ := strings.Cut(string(text), "[")
	setting, _, found := strings.Cut(after, "]")
	if !found {
		return "unknown"
	}
	return setting
}

func sortedKeys(m map[string]error) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// benchHome is where setup.sh builds the others when it is told nothing.
func benchHome() string {
	if home := os.Getenv("ROWAN_BENCH_HOME"); home != "" {
		return home
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "rowan-bench")
}

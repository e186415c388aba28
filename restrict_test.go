package rowan_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// trainOn applies a step of ones to keys, each a row of the result.
func trainOn[K tensor.Key](t testing.TB, table *rowan.Table, keys ...K) {
	t.Helper()
	step(t, table, dense(t, keys), rowan.None, ones)
}

// held returns the keys of a table, ascending.
func held[K tensor.Key](t testing.TB, table *rowan.Table) []K {
	t.Helper()
	var keys []K
	for part, err := range table.Export(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, part.Keys.(*tensor.Dense[K]).Values()...)
	}
	return keys
}

func evictedKeys[K tensor.Key](e rowan.Eviction) []K { return e.Keys.(*tensor.Dense[K]).Values() }

// TestRestrictOnCall: the policy says which rows go, keep and trigger whether
// and how many, and ties go by key.
func TestRestrictOnCall(t *testing.T) {
	for _, c := range []struct {
		policy        rowan.RestrictPolicy
		keep, trigger int
		keys, scores  []int64
	}{
		// Written last at 3, 4, 4, 2 and 1: keys 1, -7, 9, 4, 6.
		{rowan.TimestampPolicy{}, 3, 0, []int64{6, 4}, []int64{1, 2}},
		{rowan.TimestampPolicy{}, 1, 4, []int64{6, 4, 1, -7}, []int64{1, 2, 3, 4}},
		{rowan.TimestampPolicy{}, 0, 0, []int64{6, 4, 1, -7, 9}, []int64{1, 2, 3, 4, 4}},
		{rowan.TimestampPolicy{}, 3, 5, nil, nil},
		{rowan.TimestampPolicy{}, 5, 0, nil, nil},
		{rowan.TimestampPolicy{}, 9, 1, nil, nil},
		// Written 2, 3, 1, 1 and 1 times.
		{rowan.FrequencyPolicy{}, 3, 3, []int64{4, 6}, []int64{1, 1}},
		{rowan.FrequencyPolicy{}, 1, 0, []int64{4, 6, 9, 1}, []int64{1, 1, 1, 2}},
	} {
		var told []rowan.Eviction
		table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: sgd(1), Restrict: rowan.Restrict{
			Policy: c.policy, Evicted: func(e rowan.Eviction) { told = append(told, e) }}})
		trainOn(t, table, int64(6), -7)
		trainOn(t, table, int64(4), 1, -7)
		trainOn(t, table, int64(1), 1, 1)
		trainOn(t, table, int64(9), -7)
		e, err := table.Restrict(ctx, c.keep, c.trigger)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(evictedKeys[int64](e), c.keys) || !slices.Equal(e.Scores, c.scores) ||
			e.Left != 5-len(c.keys) || e.Step != 4 || e.Table != table.Name() {
			t.Errorf("%T, keep %d, trigger %d: evicted %+v, want keys %v with scores %v", c.policy, c.keep, c.trigger, e, c.keys, c.scores)
		}
		if left := held[int64](t, table); len(left) != e.Left || table.Len() != e.Left ||
			slices.ContainsFunc(c.keys, func(k int64) bool { return slices.Contains(left, k) }) {
			t.Errorf("%v are left", left)
		}
		evictions := min(1, len(c.keys))
		if s := table.Stats(); s.Evictions != int64(evictions) || s.Evicted != int64(len(c.keys)) {
			t.Errorf("stats count %d evictions of %d rows", s.Evictions, s.Evicted)
		}
		if len(told) != evictions || evictions > 0 && !slices.Equal(evictedKeys[int64](told[0]), c.keys) {
			t.Errorf("the call-back was told %+v", told)
		}
	}
}

// TestRestrictKeyTypes: of rows that are used alike the lowest keys go, as the
// key type orders them.
func TestRestrictKeyTypes(t *testing.T) {
	restrictOrder(t, int64(math.MinInt64), -1, 0, 1, math.MaxInt64)
	restrictOrder(t, int32(math.MinInt32), -1, 0, 1, math.MaxInt32)
	restrictOrder(t, uint64(0), 1, math.MaxInt64, 1<<63, math.MaxUint64)
	restrictOrder(t, "", "\x00", "a", "aa", "\xff")
}

func restrictOrder[K tensor.Key](t *testing.T, keys ...K) {
	table := newTable(t, rowan.TableOptions{Width: 1, KeyType: tensor.KeyTypeOf[K](), Restrict: rowan.Restrict{Policy: rowan.FrequencyPolicy{}}})
	shuffled := []K{keys[3], keys[0], keys[4], keys[2], keys[1]}
	if err := table.Upsert(ctx, dense(t, shuffled), tensor.ZeroValues(5, 1)); err != nil {
		t.Fatal(err)
	}
	e, err := table.Restrict(ctx, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := evictedKeys[K](e); !slices.Equal(got, keys[:3]) {
		t.Errorf("evicted %q of %q", fmt.Sprint(got), fmt.Sprint(keys))
	}
	if got := held[K](t, table); !slices.Equal(got, keys[3:]) {
		t.Errorf("%q are left of %q", fmt.Sprint(got), fmt.Sprint(keys))
	}
}

// TestRestrictByItself: after each kind of write a table holds no more rows than
// it may, and the trigger spares it evictions in between.
func TestRestrictByItself(t *testing.T) {
	for _, trigger := range []int{0, 13} {
		var went []int64
		o := rowan.TableOptions{Width: 1, Optimizer: sgd(1), MaxRows: 20, Restrict: rowan.Restrict{
			Policy: rowan.TimestampPolicy{}, Keep: 10, Trigger: trigger,
			Evicted: func(e rowan.Eviction) { went = append(went, evictedKeys[int64](e)...) }}}
		table := newTable(t, o)
		bound := max(10, trigger)
		writes := []func(keys []int64) error{
			func(keys []int64) error {
				return table.Upsert(ctx, dense(t, keys), tensor.ZeroValues(len(keys), 1))
			},
			func(keys []int64) error {
				return table.Accumulate(ctx, dense(t, keys), tensor.ZeroValues(len(keys), 1), make([]bool, len(keys)))
			},
			func(keys []int64) error { trainOn(t, table, keys...); return nil },
		}
		want := 0
		for i := range 30 {
			keys := []int64{int64(2 * i), int64(2*i + 1)}
			if err := writes[i%3](keys); err != nil {
				t.Fatal(err)
			}
			if want += 2; want > bound {
				want = 10
			}
			if table.Len() != want {
				t.Fatalf("trigger %d: %d rows after write %d, want %d", trigger, table.Len(), i, want)
			}
		}
		for i, k := range went {
			if k != int64(i) {
				t.Fatalf("keys went in the order %v", went)
			}
		}
		if s := table.Stats(); s.Evicted != int64(len(went)) || len(went) != 60-want || trigger > 0 && s.Evictions != int64(len(went)/4) {
			t.Errorf("trigger %d: %d evictions of %d rows, %d told of", trigger, s.Evictions, s.Evicted, len(went))
		}
	}
}

// TestUses: what counts as a use, and that it counts once.
func TestUses(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1), Restrict: rowan.Restrict{Policy: rowan.FrequencyPolicy{}}})
	expect := func(what string, want ...int64) {
		t.Helper()
		scores, exists, err := table.Scores(ctx, dense(t, []int64{1, 2, 3}))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(scores, want) {
			t.Errorf("%s: scores %v, want %v", what, scores, want)
		}
		for i, x := range exists {
			if x != (want[i] > 0) {
				t.Errorf("%s: exists %v", what, exists)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("nothing", 0, 0, 0)
	trainOn(t, table, int64(1), 1, 2)
	expect("a step", 1, 1, 0)
	read(t, table, 1, 2, 3)
	trainingLookup(t, table, dense(t, []int64{1, 3}))
	saved(t, table)
	expect("reads", 1, 1, 0)
	must(table.Upsert(ctx, dense(t, []int64{2, 2, 3}), tensor.ZeroValues(3, 1)))
	expect("Upsert", 1, 2, 1)
	// Key 1 is there: added to. Key 3 was thought absent: not written. Key 2 gets both.
	must(table.Accumulate(ctx, dense(t, []int64{1, 3, 2, 2}), tensor.ZeroValues(4, 1), []bool{true, false, true, true}))
	expect("Accumulate", 2, 3, 1)
	must(table.Touch(ctx, dense(t, []int64{3, 3, 99})))
	expect("Touch", 2, 3, 2)
	must(table.SetOptimizer(adam(true)))
	expect("another optimizer", 2, 3, 2)
	must(table.Remove(ctx, dense(t, []int64{2})))
	trainOn(t, table, int64(2))
	expect("a key that comes again", 2, 1, 2)
	must(table.Clear(ctx))
	expect("Clear", 0, 0, 0)
	trainOn(t, table, int64(3))
	expect("after Clear", 0, 0, 1)
}

// TestTimeNeverGoesBack: where the steps of a new training begin anew, the rows
// of the old one are still the older ones.
func TestTimeNeverGoesBack(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1), Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}}})
	for range 5 {
		trainOn(t, table, int64(1))
	}
	table.SetStep(0)
	trainOn(t, table, int64(2))
	if e, err := table.Restrict(ctx, 1, 0); err != nil || !slices.Equal(evictedKeys[int64](e), []int64{1}) {
		t.Errorf("evicted %+v, %v; want key 1", e, err)
	}
}

// TestStateGoesWithTheRow: a key that was evicted and comes again begins as one
// that was never there: weights, optimizer's state, last step and score.
func TestStateGoesWithTheRow(t *testing.T) {
	o := rowan.TableOptions{Width: 3, Optimizer: adam(true), Regularizer: rowan.Regularizer{L2: 0.1},
		Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}}}
	table, fresh := newTable(t, o), newTable(t, o)
	first := read(t, table, 5)
	for range 4 {
		trainOn(t, table, int64(5), 6)
	}
	if _, err := table.Restrict(ctx, 0, 0); err != nil {
		t.Fatal(err)
	}
	if got := read(t, table, 5); !slices.Equal(got, first) {
		t.Errorf("an evicted key reads %v, want its first values %v", got, first)
	}
	for range 4 { // the fresh table comes to the same step and time
		step(t, fresh, dense(t, []int64{}), rowan.None, ones)
	}
	trainOn(t, table, int64(6))
	trainOn(t, fresh, int64(6))
	if !bytes.Equal(saved(t, table), saved(t, fresh)) {
		t.Error("a key that comes again is not as one that was never there")
	}
}

// churn is a training with a random, skewed choice of keys in a bounded table.
func churn(t testing.TB, table *rowan.Table, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		r := rand.New(rand.NewPCG(11, uint64(n)))
		keys := make([]int64, 4000)
		for i := range keys {
			keys[i] = int64(r.ExpFloat64() * 1500)
		}
		trainOn(t, table, keys...)
	}
}

// TestEvictionsAreDeterministic: the same rows are evicted by any number of
// goroutines and whatever rows the keys have, and the table ends in the same bytes.
func TestEvictionsAreDeterministic(t *testing.T) {
	for _, policy := range []rowan.RestrictPolicy{rowan.TimestampPolicy{}, rowan.FrequencyPolicy{}} {
		var wantKeys []int64
		var wantFile []byte
		for _, threads := range []int{1, 3, 7} {
			var keys []int64
			table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: adam(true), Threads: threads, Restrict: rowan.Restrict{
				Policy: policy, Keep: 1000, Trigger: 1200,
				Evicted: func(e rowan.Eviction) { keys = append(keys, evictedKeys[int64](e)...) }}})
			// Other row numbers: rows that were there before leave their room.
			room := make([]int64, 900*threads)
			for i := range room {
				room[i] = int64(i*threads) - 1<<40
			}
			if err := errors.Join(table.Upsert(ctx, dense(t, room), tensor.ZeroValues(len(room), 2)), table.Clear(ctx)); err != nil {
				t.Fatal(err)
			}
			keys = nil
			churn(t, table, 0, 12)
			file := saved(t, table)
			if wantKeys == nil {
				wantKeys, wantFile = keys, file
			}
			if !slices.Equal(keys, wantKeys) || !bytes.Equal(file, wantFile) {
				t.Errorf("%T: %d goroutines evict %d other keys than one, or end elsewhere", policy, threads, len(keys))
			}
		}
		if len(wantKeys) < 1000 {
			t.Errorf("%T: only %d rows were evicted", policy, len(wantKeys))
		}
	}
}

// TestEvictionsResume: a training that was stopped, saved and taken up again
// evicts the rows that an uninterrupted one does, and ends in the same bytes.
func TestEvictionsResume(t *testing.T) {
	for _, policy := range []rowan.RestrictPolicy{rowan.TimestampPolicy{}, rowan.FrequencyPolicy{}} {
		o := rowan.TableOptions{Width: 2, Optimizer: adam(false), Restrict: rowan.Restrict{Policy: policy, Keep: 1000, Trigger: 1300}}
		whole, first, second := newTable(t, o), newTable(t, o), newTable(t, o)
		churn(t, whole, 0, 12)
		churn(t, first, 0, 5)
		if err := second.Load(ctx, bytes.NewReader(saved(t, first))); err != nil {
			t.Fatal(err)
		}
		churn(t, second, 5, 12)
		if !bytes.Equal(saved(t, whole), saved(t, second)) {
			t.Errorf("%T: the resumed training ended elsewhere", policy)
		}
		if a, b := whole.Stats().Evicted, first.Stats().Evicted+second.Stats().Evicted; a != b || a == 0 {
			t.Errorf("%T: %d rows evicted at a stretch, %d in two", policy, a, b)
		}
	}
}

// TestLoadScores: which files a table with a policy takes, and with what scores.
func TestLoadScores(t *testing.T) {
	plain := rowan.TableOptions{Width: 1, Optimizer: sgd(1)}
	often, lately := plain, plain
	often.Restrict.Policy, lately.Restrict.Policy = rowan.FrequencyPolicy{}, rowan.TimestampPolicy{}
	trained := func(o rowan.TableOptions) []byte {
		table := newTable(t, o)
		trainOn(t, table, int64(1), 2)
		trainOn(t, table, int64(1))
		return saved(t, table)
	}
	for _, c := range []struct {
		name       string
		file, into rowan.TableOptions
		want       []int64 // nil: ErrMismatch
	}{
		{"its own", often, often, []int64{2, 1}},
		{"its own", lately, lately, []int64{2, 1}},
		{"from before there was a policy", plain, often, []int64{1, 1}},
		{"from before there was a policy", plain, lately, []int64{2, 2}},
		{"another policy's", lately, often, nil},
		{"a policy's, in a table without", often, plain, nil},
	} {
		table := newTable(t, c.into)
		err := table.Load(ctx, bytes.NewReader(trained(c.file)))
		if c.want == nil {
			if !errors.Is(err, rowan.ErrMismatch) || !strings.Contains(err.Error(), c.file.Restrict.Policy.Name()) || table.Len() != 0 {
				t.Errorf("%s: %v, want ErrMismatch that names the policy", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		scores, _, err := table.Scores(ctx, dense(t, []int64{1, 2}))
		if err != nil || !slices.Equal(scores, c.want) {
			t.Errorf("%s, %T: scores %v, %v; want %v", c.name, c.into.Restrict.Policy, scores, err, c.want)
		}
		// Time goes on after the file's.
		trainOn(t, table, int64(3))
		if e, err := table.Restrict(ctx, 1, 0); err != nil || c.into.Restrict.Policy == lately.Restrict.Policy && evictedKeys[int64](e)[1] == 3 {
			t.Errorf("%s: evicted %+v, %v: the newest must stay", c.name, e, err)
		}
	}
	if file := trained(plain); file[8] != 1 {
		t.Errorf("a table without a policy is a file of version %d, want 1 as ever", file[8])
	}
}

// TestEvictedBetween: gradients of rows that were evicted after they were
// looked up go to rows of their own, not to those that took the room.
func TestEvictedBetween(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Initializer: initializer.Zeros{}, Optimizer: sgd(1),
		Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}}})
	trainOn(t, table, int64(1), 2)
	l := trainingLookup(t, table, dense(t, []int64{1, 2}))
	if _, err := table.Restrict(ctx, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := table.Upsert(ctx, dense(t, []int64{3, 4}), values(t, []float32{30, 40}, 2, 1)); err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	if err := errors.Join(g.Add(l, values(t, []float32{1, 2}, 2, 1)), table.Apply(ctx, g, rowan.Step{})); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, table, 1, 2, 3, 4), []float32{-1, -2, 30, 40}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRestrictRefusals(t *testing.T) {
	policy := rowan.Restrict{Policy: rowan.TimestampPolicy{}}
	with := func(change func(*rowan.TableOptions)) error {
		o := rowan.TableOptions{Name: "film", Width: 1, Restrict: policy}
		change(&o)
		table, err := rowan.NewTable(o)
		if err == nil {
			table.Close()
		}
		return err
	}
	plain := newTable(t, rowan.TableOptions{Width: 1})
	static := newTable(t, rowan.TableOptions{Width: 1, Rows: 3})
	table := newTable(t, rowan.TableOptions{Width: 1, Restrict: policy})
	closed := newTable(t, rowan.TableOptions{Width: 1, Restrict: policy})
	closed.Close()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	restrict := func(table *rowan.Table, ctx context.Context, keep, trigger int) error {
		_, err := table.Restrict(ctx, keep, trigger)
		return err
	}
	_, _, noScores := plain.Scores(ctx, dense(t, []int64{1}))
	for _, c := range []struct {
		name string
		err  error
		is   error
		says string
	}{
		{"keep without a policy", with(func(o *rowan.TableOptions) { o.Restrict.Policy, o.Restrict.Keep = nil, 3 }), rowan.ErrOptions, "Restrict.Policy"},
		{"call-back without a policy", with(func(o *rowan.TableOptions) { o.Restrict = rowan.Restrict{Evicted: func(rowan.Eviction) {}} }), rowan.ErrOptions, "Restrict.Policy"},
		{"a static table", with(func(o *rowan.TableOptions) { o.Rows = 3 }), rowan.ErrOptions, "dynamic"},
		{"negative keep", with(func(o *rowan.TableOptions) { o.Restrict.Keep = -1 }), rowan.ErrOptions, "Keep=-1"},
		{"a trigger below keep", with(func(o *rowan.TableOptions) { o.Restrict.Keep, o.Restrict.Trigger = 3, 2 }), rowan.ErrOptions, "Trigger=2"},
		{"a trigger without keep", with(func(o *rowan.TableOptions) { o.Restrict.Trigger = 2 }), rowan.ErrOptions, "Trigger=2"},
		{"no room above", with(func(o *rowan.TableOptions) { o.Restrict.Keep, o.MaxRows = 3, 3 }), rowan.ErrOptions, "MaxRows=3"},
		{"a policy without a name", with(func(o *rowan.TableOptions) { o.Restrict.Policy = named("") }), rowan.ErrOptions, "name"},
		{"a long name", with(func(o *rowan.TableOptions) { o.Restrict.Policy = named(strings.Repeat("x", 1025)) }), rowan.ErrOptions, "name"},
		{"a name that is no text", with(func(o *rowan.TableOptions) { o.Restrict.Policy = named("\xff") }), rowan.ErrOptions, "name"},
		{"restrict without a policy", restrict(plain, ctx, 1, 1), rowan.ErrOptions, "no policy"},
		{"touch without a policy", plain.Touch(ctx, dense(t, []int64{1})), rowan.ErrOptions, "no policy"},
		{"scores without a policy", noScores, rowan.ErrOptions, "no policy"},
		{"restrict of a static table", restrict(static, ctx, 1, 1), rowan.ErrStatic, ""},
		{"a negative number to keep", restrict(table, ctx, -1, 0), rowan.ErrOptions, "keep=-1"},
		{"a negative trigger", restrict(table, ctx, 0, -2), rowan.ErrOptions, "trigger=-2"},
		{"a cancelled context", restrict(table, cancelled, 0, 0), context.Canceled, ""},
		{"a closed table", restrict(closed, ctx, 0, 0), rowan.ErrClosed, ""},
		{"touch of nil", table.Touch(ctx, nil), rowan.ErrShape, ""},
		{"touch of another type", table.Touch(ctx, dense(t, []string{"a"})), rowan.ErrKeyType, ""},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(fmt.Sprint(c.err), c.says) {
			t.Errorf("%s: got %v, want %v saying %q", c.name, c.err, c.is, c.says)
		}
	}
}

// named is a policy of a name.
type named string

func (n named) Name() string     { return string(n) }
func (named) Use([]int64, int64) {}

// TestPoliciesCostNothingSteadily: a step in a table with a policy, where nothing
// is evicted, allocates no more than one without.
func TestPoliciesCostNothingSteadily(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	table := newTable(t, rowan.TableOptions{Width: 4, Optimizer: sgd(1), Threads: 1, Restrict: rowan.Restrict{Policy: rowan.FrequencyPolicy{}, Keep: 5000}})
	ids := make([]int64, 3000)
	for i := range ids {
		ids[i] = int64(i)
	}
	var l rowan.Lookup
	g, batch, grad := table.NewGradients(), dense(t, ids), tensor.ZeroValues(len(ids), 4)
	once := func() {
		g.Reset()
		if err := errors.Join(table.LookupInto(ctx, &l, batch, rowan.LookupOptions{Training: true}), g.Add(&l, grad), table.Apply(ctx, g, rowan.Step{})); err != nil {
			t.Fatal(err)
		}
	}
	once()
	if n := testing.AllocsPerRun(20, once); n > 0 {
		t.Errorf("%v allocations a step", n)
	}
}

// TestRestrictWhileOthersWrite: trainers, readers and evictions at once; when
// all are done, the table is within its bound and what was told adds up.
func TestRestrictWhileOthersWrite(t *testing.T) {
	var mu sync.Mutex
	told := 0
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: adam(true), Restrict: rowan.Restrict{
		Policy: rowan.FrequencyPolicy{}, Keep: 100, Evicted: func(e rowan.Eviction) {
			mu.Lock()
			defer mu.Unlock()
			told += len(e.Scores)
		}}})
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for i := range 30 {
				keys := make([]int64, 60)
				for j := range keys {
					keys[j] = int64(w*1000 + (i*7+j*13)%500)
				}
				ids, err := tensor.NewDense(keys)
				if err != nil {
					t.Error(err)
					return
				}
				l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Training: true})
				if err != nil {
					t.Error(err)
					return
				}
				g := table.NewGradients()
				if err := errors.Join(g.Add(l, tensor.ZeroValues(60, 2)), table.Apply(ctx, g, rowan.Step{}), table.Touch(ctx, ids)); err != nil {
					t.Error(err)
				}
				if _, err := table.Restrict(ctx, 80, 90); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := table.Len(); n > 90 {
		t.Errorf("%d rows are left", n)
	}
	if s := table.Stats(); s.Evicted != int64(told) || told == 0 {
		t.Errorf("%d rows evicted, %d told of", s.Evicted, told)
	}
}

// FuzzRestrict decodes bytes into operations on a bounded table and does the
// same to a map of scores.
func FuzzRestrict(f *testing.F) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 5))
		data := []byte{byte(seed)}
		for range 600 {
			data = append(data, byte(r.IntN(256)))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &bits8{data: data[:min(len(data), 2048)]}
		kind := in.byte()
		if kind&4 != 0 {
			fuzzRestrict(t, in, kind, func(b byte) string { return fmt.Sprintf("%0*d", b%5, b)[:b%5] })
		} else {
			fuzzRestrict(t, in, kind, func(b byte) int64 { return int64(int8(b)) << (b % 57) })
		}
	})
}

func fuzzRestrict[K tensor.Key](t *testing.T, in *bits8, kind byte, key func(byte) K) {
	m := &scoreModel[K]{t: t, in: in, key: key, scores: map[K]int64{}}
	m.o = rowan.TableOptions{Name: "fuzz", Width: 1, KeyType: tensor.KeyTypeOf[K](), Optimizer: sgd(1), Restrict: rowan.Restrict{
		Policy: rowan.TimestampPolicy{}, Evicted: func(e rowan.Eviction) { m.told = append(m.told, evictedKeys[K](e)...) }}}
	if kind&1 != 0 {
		m.o.Restrict.Policy = rowan.FrequencyPolicy{}
	}
	if kind&2 != 0 {
		m.o.Restrict.Keep, m.o.Restrict.Trigger = 6, 9
	}
	m.table = newTable(t, m.o)
	ops := []func(){m.train, m.upsert, m.touch, m.train, m.remove, m.restrict, m.reload, m.upsert}
	for len(in.data) > 0 {
		m.told = nil
		ops[int(in.byte())%len(ops)]()
		m.compare()
	}
}

// scoreModel is a table and the scores that its rows must have.
type scoreModel[K tensor.Key] struct {
	t      *testing.T
	in     *bits8
	key    func(byte) K
	o      rowan.TableOptions
	table  *rowan.Table
	scores map[K]int64
	now    int64
	told   []K
}

func (m *scoreModel[K]) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *scoreModel[K]) keys() []K {
	keys := make([]K, m.in.byte()%6)
	for i := range keys {
		keys[i] = m.key(m.in.byte())
	}
	return keys
}

// use is the oracle of a write of keys; those that are new too, if new says so.
func (m *scoreModel[K]) use(keys []K, inserts bool) {
	m.now++
	seen := map[K]bool{}
	for _, k := range keys {
		_, held := m.scores[k]
		if seen[k] || !held && !inserts {
			continue
		}
		seen[k] = true
		if m.scores[k]++; m.o.Restrict.Policy == (rowan.TimestampPolicy{}) {
			m.scores[k] = m.now
		}
	}
}

// evict is the oracle of an eviction.
func (m *scoreModel[K]) evict(keep, trigger int) {
	if len(m.scores) <= max(keep, trigger) {
		m.expect(nil)
		return
	}
	order := slices.SortedFunc(maps.Keys(m.scores), func(a, b K) int {
		return cmp.Or(cmp.Compare(m.scores[a], m.scores[b]), cmp.Compare(a, b))
	})
	gone := order[:len(order)-keep]
	for _, k := range gone {
		delete(m.scores, k)
	}
	m.expect(gone)
}

func (m *scoreModel[K]) expect(gone []K) {
	m.t.Helper()
	if !slices.Equal(m.told, gone) {
		m.t.Fatalf("evicted %v, want %v", m.told, gone)
	}
}

func (m *scoreModel[K]) settle() {
	if m.o.Restrict.Keep > 0 {
		m.evict(m.o.Restrict.Keep, m.o.Restrict.Trigger)
	}
}

func (m *scoreModel[K]) train() {
	keys := m.keys()
	trainOn(m.t, m.table, keys...)
	m.use(keys, true)
	m.settle()
}

func (m *scoreModel[K]) upsert() {
	keys := m.keys()
	m.must(m.table.Upsert(ctx, dense(m.t, keys), tensor.ZeroValues(len(keys), 1)))
	m.use(keys, true)
	m.settle()
}

func (m *scoreModel[K]) touch() {
	keys := m.keys()
	m.must(m.table.Touch(ctx, dense(m.t, keys)))
	m.use(keys, false)
}

func (m *scoreModel[K]) remove() {
	keys := m.keys()
	m.must(m.table.Remove(ctx, dense(m.t, keys)))
	for _, k := range keys {
		delete(m.scores, k)
	}
}

func (m *scoreModel[K]) restrict() {
	keep, trigger := int(m.in.byte()%10), int(m.in.byte()%12)
	e, err := m.table.Restrict(ctx, keep, trigger)
	m.must(err)
	m.evict(keep, trigger)
	if !slices.Equal(evictedKeys[K](e), m.told) || e.Left != len(m.scores) {
		m.t.Fatalf("returned %+v, told %v", e, m.told)
	}
}

// reload goes on with a table that was loaded from the file of this one.
func (m *scoreModel[K]) reload() {
	next := newTable(m.t, m.o)
	m.must(next.Load(ctx, bytes.NewReader(saved(m.t, m.table))))
	m.must(m.table.Close())
	m.table = next
}

func (m *scoreModel[K]) compare() {
	keys := held[K](m.t, m.table)
	if want := slices.Sorted(maps.Keys(m.scores)); !slices.Equal(keys, want) {
		m.t.Fatalf("keys %v, want %v", keys, want)
	}
	scores, _, err := m.table.Scores(ctx, dense(m.t, keys))
	m.must(err)
	for i, k := range keys {
		if scores[i] != m.scores[k] {
			m.t.Fatalf("key %v has score %d, want %d", k, scores[i], m.scores[k])
		}
	}
}

// BenchmarkRestrict evicts a hundredth of a million rows, and trains a batch in
// a table with and without a policy.
func BenchmarkRestrict(b *testing.B) {
	const n = 1_000_000
	keys := make([]int64, n+n/100)
	for i := range keys {
		keys[i] = int64(i) * 1_000_003
	}
	for _, p := range []rowan.RestrictPolicy{rowan.TimestampPolicy{}, nil} {
		table := newTable(b, rowan.TableOptions{Width: 32, Optimizer: sgd(1), Restrict: rowan.Restrict{Policy: p}})
		fill := func() {
			if err := table.Upsert(ctx, dense(b, keys), tensor.ZeroValues(len(keys), 32)); err != nil {
				b.Fatal(err)
			}
		}
		fill()
		if p != nil {
			b.Run("evict", func(b *testing.B) {
				for b.Loop() {
					if _, err := table.Restrict(ctx, n, 0); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					fill()
					b.StartTimer()
				}
			})
		}
		b.Run(fmt.Sprintf("train/policy=%v", p != nil), func(b *testing.B) {
			var l rowan.Lookup
			g, grad := table.NewGradients(), tensor.ZeroValues(10_000, 32)
			for i := 0; b.Loop(); i++ {
				g.Reset()
				batch := dense(b, keys[i%100*10_000:][:10_000])
				if err := errors.Join(table.LookupInto(ctx, &l, batch, rowan.LookupOptions{Training: true}), g.Add(&l, grad), table.Apply(ctx, g, rowan.Step{})); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestCapacityIsKept: the room that InitialCapacity makes is there again after
// the table is cleared, loaded or given another optimizer, and eviction keeps it.
func TestCapacityIsKept(t *testing.T) {
	const n = 100_000
	table := newTable(t, rowan.TableOptions{Width: 1, InitialCapacity: n, Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}}})
	room := table.Stats().IndexBytes
	if small := newTable(t, rowan.TableOptions{Width: 1}).Stats().IndexBytes; room < 4*small {
		t.Fatalf("an index for %d keys has %d bytes, one for none %d", n, room, small)
	}
	keys := make([]int64, n)
	for i := range keys {
		keys[i] = int64(i) * 7
	}
	fill := func() error { return table.Upsert(ctx, dense(t, keys), tensor.ZeroValues(n, 1)) }
	for _, c := range []struct {
		what string
		do   func() error
	}{
		{"full", fill},
		{"evicted", func() error { _, err := table.Restrict(ctx, 10, 0); return err }},
		{"full again", fill},
		{"loaded", func() error { return table.Load(ctx, bytes.NewReader(saved(t, table))) }},
		{"another optimizer", func() error { return table.SetOptimizer(sgd(1)) }},
		{"cleared", func() error { return table.Clear(ctx) }},
		{"full after that", fill},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if got := table.Stats().IndexBytes; got != room {
			t.Errorf("%s: the index has %d bytes, %d at first", c.what, got, room)
		}
	}
}

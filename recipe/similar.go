package recipe

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// SimilarOptions say what is looked for.
type SimilarOptions struct {
	// Table is the table, Key one of its keys as text.
	Table, Key string
	// K is the number of neighbours. Default: 10.
	K int
	// Metric is "cosine" or "dot". Default: "cosine".
	Metric string
	// MinNorm leaves out rows of a smaller L2 norm. Default: 0, no row but
	// those of zeros, whose cosine is not defined.
	MinNorm float64
	// Titles names the keys. Default: the config's titles of the table.
	Titles *Titles
}

// Neighbour is a row like another.
type Neighbour struct {
	Key   string  `json:"key"`
	Title string  `json:"title,omitempty"`
	Score float64 `json:"score"`
}

// Neighbours are the rows most like one, best first; of equal ones the one of
// the lower key.
type Neighbours struct {
	Saved  Saved       `json:"checkpoint"`
	Table  string      `json:"table"`
	Metric string      `json:"metric"`
	Of     Neighbour   `json:"of"`
	Found  []Neighbour `json:"found"`
}

// Similar compares one row of a table of a checkpoint with all others, exactly:
// every row is read.
func Similar(ctx context.Context, path string, o SimilarOptions) (*Neighbours, error) {
	if o.K == 0 {
		o.K = 10
	}
	if o.Metric == "" {
		o.Metric = "cosine"
	}
	if o.K < 0 {
		return nil, fmt.Errorf("%w: k must be positive, got %d", ErrArgument, o.K)
	}
	if known := []string{"cosine", "dot"}; !slices.Contains(known, o.Metric) {
		return nil, fmt.Errorf("%w: metric %q%s: expected cosine or dot", ErrArgument, o.Metric, suggest.Hint(o.Metric, known))
	}
	from, err := find(path)
	if err != nil {
		return nil, err
	}
	c, err := readConfig(from)
	if err != nil {
		return nil, err
	}
	tables, err := c.loadTables(ctx, from, o.Table)
	if err != nil {
		return nil, err
	}
	defer closeTables(tables)
	n := &Neighbours{Saved: describe(from), Table: o.Table, Metric: o.Metric}
	if err := n.search(ctx, tables[0], c.Config.table(o.Table).Padding, o); err != nil {
		return nil, err
	}
	if o.Titles == nil {
		o.Titles = c.Config.titlesOf(o.Table)
	}
	return n, n.name(ctx, o.Titles)
}

// search fills in Of and Found. padding is a key to leave out, nil for none.
func (n *Neighbours) search(ctx context.Context, t *rowan.Table, padding *string, o SimilarOptions) error {
	key, query, err := rowOf(ctx, t, o.Key)
	if err != nil {
		return err
	}
	measure := dot
	if o.Metric == "cosine" {
		if norm(query) == 0 {
			return fmt.Errorf("%w: the row of key %q is all zeros, which has no direction: try the metric dot", ErrArgument, key)
		}
		measure = cosine
	}
	n.Of = Neighbour{Key: key, Score: measure(query, query)}
	for rows, err := range t.Export(ctx) {
		if err != nil {
			return err
		}
		for i := range rows.Keys.Len() {
			row := rows.Values.Data()[i*t.Width() : (i+1)*t.Width()]
			if length := norm(row); length < o.MinNorm || length == 0 && o.Metric == "cosine" {
				continue
			}
			score := measure(query, row)
			if len(n.Found) == o.K && score <= n.Found[o.K-1].Score {
				continue
			}
			if found := keyAt(rows.Keys, i); found != key && (padding == nil || found != *padding) {
				n.offer(Neighbour{Key: found, Score: score}, o.K)
			}
		}
	}
	return nil
}

// offer keeps x if it is among the best k, behind those that are as good.
func (n *Neighbours) offer(x Neighbour, k int) {
	at := sort.Search(len(n.Found), func(i int) bool { return n.Found[i].Score < x.Score })
	n.Found = slices.Insert(n.Found, at, x)
	n.Found = n.Found[:min(k, len(n.Found))]
}

// rowOf returns a key as the table writes it, and its row.
func rowOf(ctx context.Context, t *rowan.Table, text string) (key string, row []float32, err error) {
	ids, err := parseKey(t.KeyType(), text)
	if err != nil {
		return "", nil, err
	}
	l, err := t.Lookup(ctx, ids, rowan.LookupOptions{})
	if err != nil {
		return "", nil, err
	}
	key = keyAt(ids, 0)
	if !l.Exists()[0] {
		return "", nil, fmt.Errorf("%w: table %q has no key %s: it is not in the training examples, or not written like this", ErrUnknown, t.Name(), key)
	}
	return key, l.Values().Data(), nil
}

// name looks the titles up; nil titles are none.
func (n *Neighbours) name(ctx context.Context, t *Titles) error {
	if t == nil {
		return nil
	}
	keys := []string{n.Of.Key}
	for _, f := range n.Found {
		keys = append(keys, f.Key)
	}
	titles, err := t.titles(ctx, keys)
	if err != nil {
		return err
	}
	n.Of.Title = titles[n.Of.Key]
	for i := range n.Found {
		n.Found[i].Title = titles[n.Found[i].Key]
	}
	return nil
}

func dot(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func norm(a []float32) float64 { return math.Sqrt(dot(a, a)) }

func cosine(a, b []float32) float64 { return dot(a, b) / (norm(a) * norm(b)) }

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// tolerance is how far apart two contenders' checks may lie: they add in other
// orders, and nothing else.
const tolerance = 1e-5

// column is a figure's place in a table.
type column struct {
	op, dist string
	threads  int
}

func (r result) column() column { return column{r.Op, r.Dist, r.Threads} }

func (c column) title() string {
	what := strings.ReplaceAll(c.dist, "zipf", "Zipf")
	if c.op == "insert" || c.op == "find" || c.op == "upsert" {
		what = c.op
	}
	if c.threads == 1 {
		return what + ", 1 thread"
	}
	return fmt.Sprintf("%s, %d threads", what, c.threads)
}

// spread sums up the rounds of one figure.
type spread struct{ median, least, most float64 }

func spreadOf(rates []float64) spread {
	s := slices.Sorted(slices.Values(rates))
	n := len(s)
	return spread{(s[(n-1)/2] + s[n/2]) / 2, s[0], s[n-1]}
}

func (s spread) String() string {
	const million = 1e6
	return fmt.Sprintf("%s (%s–%s)", short(s.median/million), short(s.least/million), short(s.most/million))
}

// short prints three digits that matter.
func short(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// checks compares what contenders say they computed; an error names each figure
// whose contenders did not do the same work.
func checks(results []result) error {
	var faults []error
	first := map[string]result{}
	for _, r := range results {
		key := fmt.Sprint(r.Work, r.Op, r.Dist)
		f, seen := first[key]
		if !seen {
			first[key] = r
			continue
		}
		if math.Abs(r.Check-f.Check) > tolerance*max(math.Abs(f.Check), 1) {
			faults = append(faults, fmt.Errorf("bench: %s %s %s: %s computed %g and %s %g; one of them does other work",
				r.Work, r.Op, r.Dist, f.Contender, f.Check, r.Contender, r.Check))
		}
	}
	return errors.Join(faults...)
}

// markdown writes the tables of docs/performance.md.
func markdown(out io.Writer, works []work, s shape, names []string, results []result) {
	for _, w := range works {
		var mine []result
		for _, r := range results {
			if r.Work == w.name {
				mine = append(mine, r)
			}
		}
		if len(mine) > 0 {
			table(out, w, s, names, mine)
		}
	}
}

func table(out io.Writer, w work, s shape, names []string, results []result) {
	columns, cells := group(results)
	fmt.Fprintf(out, "\n### %s\n\n", w.title)
	fmt.Fprintf(out, "%s rows of %d float32, %s; million %s a second, median (least–most) of the rounds.\n\n",
		thousands(w.rows), s.dim, load(w, s), w.unit)
	fmt.Fprint(out, "| |")
	for _, c := range columns {
		fmt.Fprintf(out, " %s |", c.title())
	}
	fmt.Fprintf(out, " peak memory |\n|---|%s---|\n", strings.Repeat("---|", len(columns)))
	for _, name := range names {
		if len(cells[name]) == 0 {
			continue
		}
		fmt.Fprintf(out, "| %s |", name)
		for _, c := range columns {
			fmt.Fprintf(out, " %s |", cell(cells[name][c]))
		}
		fmt.Fprintf(out, " %s GB |\n", short(peak(name, results)/1e9))
	}
	ratios(out, columns, names, cells)
	details(out, names, results)
}

func load(w work, s shape) string {
	if w.name == "dynamic" {
		return fmt.Sprintf("calls of %s keys", thousands(s.ids()))
	}
	return fmt.Sprintf("batches of %s bags of %d ids", thousands(s.batch), s.bag)
}

// group returns the columns in the order of their figures, and the rates by
// contender and column.
func group(results []result) ([]column, map[string]map[column][]float64) {
	var columns []column
	cells := map[string]map[column][]float64{}
	for _, r := range results {
		c := r.column()
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
		if cells[r.Contender] == nil {
			cells[r.Contender] = map[column][]float64{}
		}
		cells[r.Contender][c] = append(cells[r.Contender][c], r.Rate)
	}
	order := []string{"insert", "find", "upsert"}
	slices.SortStableFunc(columns, func(a, b column) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.op), slices.Index(order, b.op)),
			cmp.Compare(a.dist, b.dist),
			cmp.Compare(a.threads, b.threads),
		)
	})
	return columns, cells
}

func cell(rates []float64) string {
	if len(rates) == 0 {
		return "–"
	}
	return spreadOf(rates).String()
}

func peak(name string, results []result) float64 {
	var most int64
	for _, r := range results {
		if r.Contender == name {
			most = max(most, r.PeakBytes)
		}
	}
	return float64(most)
}

// ratios writes how many times as fast Rowan's median is as each other one.
func ratios(out io.Writer, columns []column, names []string, cells map[string]map[column][]float64) {
	const us = "Rowan"
	if len(cells[us]) == 0 || len(cells) == 1 {
		return
	}
	fmt.Fprintln(out)
	for _, name := range names {
		if name == us || len(cells[name]) == 0 {
			continue
		}
		var parts []string
		for _, c := range columns {
			ours, theirs := cells[us][c], cells[name][c]
			if len(ours) > 0 && len(theirs) > 0 {
				parts = append(parts, fmt.Sprintf("%s× (%s)", short(spreadOf(ours).median/spreadOf(theirs).median), c.title()))
			}
		}
		fmt.Fprintf(out, "- Rowan over %s: %s\n", name, strings.Join(parts, ", "))
	}
}

// details writes what the contenders said about their last figures, once where
// they said the same of several.
func details(out io.Writer, names []string, results []result) {
	fmt.Fprintln(out)
	for _, name := range names {
		var said []string
		where := map[string][]string{}
		for _, r := range results {
			if r.Contender != name || r.Round != results[len(results)-1].Round || r.Detail == "" {
				continue
			}
			if where[r.Detail] == nil {
				said = append(said, r.Detail)
			}
			where[r.Detail] = append(where[r.Detail], r.column().title())
		}
		for i, detail := range said {
			said[i] = fmt.Sprintf("%s (%s)", detail, strings.Join(where[detail], "; "))
		}
		if len(said) > 0 {
			fmt.Fprintf(out, "- %s: %s\n", name, strings.Join(said, "; "))
		}
	}
}

func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// What stands between these lines of a page is the driver's.
const (
	resultsBegin = "<!-- results: written by bench/run.sh -page -->"
	resultsEnd   = "<!-- end of results -->"
)

// updatePage puts the results into a page.
func updatePage(file, results string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := replaceResults(string(page), results)
	if err != nil {
		return fmt.Errorf("bench: %s: %w", file, err)
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

func replaceResults(page, results string) (string, error) {
	before, rest, ok := strings.Cut(page, resultsBegin)
	_, after, ok2 := strings.Cut(rest, resultsEnd)
	if !ok || !ok2 {
		return "", fmt.Errorf("the page has no line %q with %q after it", resultsBegin, resultsEnd)
	}
	return before + resultsBegin + "\n\n" + strings.TrimSpace(results) + "\n\n" + resultsEnd + after, nil
}

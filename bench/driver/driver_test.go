package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary a contender where the environment says so:
// "fast" and "slow" print figures, "other" computes something else, "broken"
// fails.
func TestMain(m *testing.M) {
	switch os.Getenv("BENCH_TEST_CONTENDER") {
	case "":
		os.Exit(m.Run())
	case "fast":
		fmt.Println("a library's greeting")
		fmt.Println(`{"op": "gather", "dist": "uniform", "rate": 20e6, "check": 7, "detail": "vectors"}`)
	case "slow":
		fmt.Println(`{"op": "gather", "dist": "uniform", "rate": 5e6, "check": 7.00000001}`)
	case "other":
		fmt.Println(`{"op": "gather", "dist": "uniform", "rate": 9e6, "check": 8}`)
	case "broken":
		fmt.Fprintln(os.Stderr, "no such processor")
		os.Exit(3)
	}
	os.Exit(0)
}

func fake(name, as string) contender {
	return contender{name, []string{"gather"}, []string{os.Args[0]}, []string{"BENCH_TEST_CONTENDER=" + as}}
}

func testPlan(contenders ...contender) plan {
	s := shape{dim: 64, bag: 2, batch: 4, batches: 2}
	return plan{
		works: []work{{name: "gather", title: "Pooled gather", unit: "rows", rows: 100}}, contenders: contenders,
		shape: s, threads: []int{1}, rounds: 3, limit: time.Minute, log: io.Discard, raw: io.Discard,
	}
}

func TestMeasureAndReport(t *testing.T) {
	var raw, log, page bytes.Buffer
	p := testPlan(fake("Rowan", "fast"), fake("peer", "slow"))
	p.raw, p.log = &raw, &log
	results, err := p.measure(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 6 || strings.Count(raw.String(), "\n") != 6 || strings.Count(log.String(), "\n") != 6 {
		t.Fatalf("%d results, raw %q, log %q; want 2 contenders × 3 rounds of each", len(results), raw.String(), log.String())
	}
	// The second round begins with the second contender.
	if results[0].Contender != "Rowan" || results[2].Contender != "peer" {
		t.Errorf("order of contenders does not turn: %v, %v", results[0].Contender, results[2].Contender)
	}
	if err := checks(results); err != nil {
		t.Error(err)
	}
	markdown(&page, p.works, p.shape, []string{"Rowan", "peer"}, results)
	for _, want := range []string{
		"### Pooled gather", "| | uniform, 1 thread | peak memory |", "| Rowan | 20.0 (20.0–20.0) |",
		"| peer | 5.00 (5.00–5.00) |", "- Rowan over peer: 4.00× (uniform, 1 thread)", "- Rowan: vectors (uniform, 1 thread)",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("page lacks %q:\n%s", want, page.String())
		}
	}
}

func TestMeasureLeavesOutWhatFails(t *testing.T) {
	var log bytes.Buffer
	p := testPlan(fake("broken", "broken"), fake("peer", "slow"), contender{name: "absent", works: []string{"gather"}, command: []string{"/nonexistent/python"}})
	p.log = &log
	results, err := p.measure(context.Background())
	if err == nil || !strings.Contains(err.Error(), "absent, broken") {
		t.Errorf("error = %v, want one that names absent and broken", err)
	}
	if len(results) != 3 {
		t.Errorf("%d results, want the 3 of peer", len(results))
	}
	if strings.Count(log.String(), "no such processor") != 1 {
		t.Errorf("log = %q, want the last words of the one that failed, once", log.String())
	}
}

func TestChecksFindOtherWork(t *testing.T) {
	p := testPlan(fake("Rowan", "fast"), fake("liar", "other"))
	p.rounds = 1
	results, err := p.measure(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := checks(results); err == nil || !strings.Contains(err.Error(), "Rowan computed 7 and liar 8") {
		t.Errorf("checks = %v, want an error that names both", err)
	}
}

func TestParseFigures(t *testing.T) {
	for _, bad := range []string{"", "nothing\n", "{\"op\": 1}\n"} {
		if f, err := parseFigures([]byte(bad)); err == nil {
			t.Errorf("parseFigures(%q) = %v, want an error", bad, f)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		rates []float64
		want  string
	}{
		{[]float64{3e6}, "3.00 (3.00–3.00)"},
		{[]float64{12.34e6, 1e6, 120e6}, "12.3 (1.00–120)"},
		{[]float64{4e6, 1e6, 2e6, 3e6}, "2.50 (1.00–4.00)"},
	} {
		if got := spreadOf(c.rates).String(); got != c.want {
			t.Errorf("spreadOf(%v) = %s, want %s", c.rates, got, c.want)
		}
	}
}

func TestScaled(t *testing.T) {
	s := shape{dim: 64, bag: 20, batch: 2048}
	for _, c := range []struct {
		scale   float64
		in, out int
		name    string
	}{
		{1, 10_000_000, 9_999_360, "gather"},
		{0.001, 10_000_000, 9216, "gather"},
		{0, 10_000_000, 1024, "gather"},
		{1, 5_000_000, 122 * 40960, "dynamic"},
	} {
		if got := (work{name: c.name, rows: c.in}).scaled(c.scale, s).rows; got != c.out {
			t.Errorf("%s: scaled(%v) of %d rows = %d, want %d", c.name, c.scale, c.in, got, c.out)
		}
	}
}

func TestParse(t *testing.T) {
	for _, bad := range [][]string{{"-threads", "x"}, {"-threads", "0"}, {"-work", "none"}, {"-contenders", "nobody"}, {"-rounds", "0"}, {"-unknown"}} {
		if _, _, err := parse(append(bad, "-home", ""), io.Discard); err == nil {
			t.Errorf("parse(%q) gave no error", bad)
		}
	}
	p, done, err := parse([]string{"-contenders", "ROWAN,bound", "-work", "train", "-threads", "2"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if len(p.contenders) != 2 || len(p.works) != 1 || p.works[0].name != "train" || p.threads[0] != 2 {
		t.Errorf("plan = %+v", p)
	}
}

func TestInputs(t *testing.T) {
	s := shape{dim: 64, bag: 2, batch: 4, batches: 3}
	for _, c := range []struct {
		name  string
		files map[string]int64 // and their bytes
	}{
		{"gather", map[string]int64{"uniform": 8 * 24, "zipf": 8 * 24}},
		{"dynamic", map[string]int64{"insert": 8 * 16, "find": 8 * 16}},
	} {
		dir := t.TempDir()
		args, err := work{name: c.name, rows: 16}.inputs(dir, s)
		if err != nil || len(args) != 4 {
			t.Fatalf("inputs = %q, %v", args, err)
		}
		for name, want := range c.files {
			info, err := os.Stat(filepath.Join(dir, c.name+"-"+name+".ids"))
			if err != nil || info.Size() != want {
				t.Errorf("%s %s: %v, %v; want %d bytes", c.name, name, info, err, want)
			}
		}
	}
}

func TestReplaceResults(t *testing.T) {
	page := "# Title\n\n" + resultsBegin + "\nold\n" + resultsEnd + "\n\nafter\n"
	got, err := replaceResults(page, "new\n")
	if want := "# Title\n\n" + resultsBegin + "\n\nnew\n\n" + resultsEnd + "\n\nafter\n"; err != nil || got != want {
		t.Errorf("replaceResults = %q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{"", resultsBegin, resultsEnd + resultsBegin} {
		if _, err := replaceResults(bad, "new"); err == nil {
			t.Errorf("replaceResults(%q) gave no error", bad)
		}
	}
}

// TestRawLines: what is written for a result can be read again.
func TestRawLines(t *testing.T) {
	r := result{"Rowan", "gather", 2, 1, 5, 1.5, figure{"gather", "zipf", 1e6, 3, "x"}}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back result
	if err := json.Unmarshal(text, &back); err != nil || back != r {
		t.Errorf("%s reads back as %+v, %v", text, back, err)
	}
}

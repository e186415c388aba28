package main

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// work is one thing that is measured.
type work struct {
	name  string // the contenders' --work
	title string
	unit  string // of rates, in millions a second
	rows  int    // of the table, or keys to insert
}

// works are the three measurements at their full sizes.
var works = []work{
	{name: "gather", title: "Pooled gather", unit: "rows", rows: 10_000_000},
	{name: "train", title: "Forward, backward and Adagrad in one step", unit: "ids", rows: 4_000_000},
	{name: "dynamic", title: "Dynamic table of random 64-bit keys", unit: "keys", rows: 5_000_000},
}

// shape is what the works have in common.
type shape struct {
	dim, bag, batch int
	batches         int // of ids in a file
}

func (s shape) ids() int { return s.bag * s.batch }

// scaled returns w with its rows multiplied: whole batches of keys where the
// keys are the rows, a multiple of 1,024 rows otherwise.
func (w work) scaled(scale float64, s shape) work {
	unit := 1024
	if w.name == "dynamic" {
		unit = s.ids()
	}
	w.rows = max(int(float64(w.rows)*scale)/unit, 1) * unit
	return w
}

// inputs writes the id files of w into dir and returns them as the contenders'
// --ids arguments. All contenders read the same files.
func (w work) inputs(dir string, s shape) ([]string, error) {
	var names []string
	var lists [][]int64
	if w.name == "dynamic" {
		k := keys(1, w.rows)
		names, lists = []string{"insert", "find"}, [][]int64{k, shuffled(2, k)}
	} else {
		n := s.ids() * s.batches
		names, lists = []string{"uniform", "zipf"}, [][]int64{uniform(1, w.rows, n), zipf(2, w.rows, n)}
	}
	var args []string
	for i, name := range names {
		file := filepath.Join(dir, w.name+"-"+name+".ids")
		if err := writeIDs(file, lists[i]); err != nil {
			return nil, fmt.Errorf("bench: writing ids: %w", err)
		}
		args = append(args, "--ids", name+"="+file)
	}
	return args, nil
}

// arguments is the command line that every contender understands.
func (w work) arguments(s shape, threads int, seconds float64, inputs []string) []string {
	args := []string{
		"--work", w.name,
		"--rows", strconv.Itoa(w.rows),
		"--dim", strconv.Itoa(s.dim),
		"--bag", strconv.Itoa(s.bag),
		"--batch", strconv.Itoa(s.batch),
		"--threads", strconv.Itoa(threads),
		"--seconds", strconv.FormatFloat(seconds, 'g', -1, 64),
	}
	return append(args, inputs...)
}

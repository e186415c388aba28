package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// contender is a program that does the works. It runs once for each work,
// number of threads and round, and prints a JSON line for each figure.
type contender struct {
	name    string
	works   []string
	command []string
	env     []string
}

// contenders returns all of them; home is where setup.sh has put the others'
// environments, tree the bench folder.
func contenders(home, tree string) []contender {
	torch, tfra := filepath.Join(home, "torch/bin/python"), filepath.Join(home, "tfra/bin/python")
	peer := func(python, file string) []string { return []string{python, filepath.Join(tree, "peers", file)} }
	huge := []string{"THP_MEM_ALLOC_ENABLE=1"}
	rows := []string{"gather", "train"}
	return []contender{
		{"bound (C)", []string{"gather", "train", "dynamic"}, []string{filepath.Join(tree, "bin/bound")}, nil},
		{"Rowan", []string{"gather", "train", "dynamic"}, []string{filepath.Join(tree, "bin/rowan")}, nil},
		{"PyTorch", rows, peer(torch, "torch_bag.py"), nil},
		{"PyTorch, huge pages", rows, peer(torch, "torch_bag.py"), huge},
		{"FBGEMM", rows, peer(torch, "fbgemm_tbe.py"), nil},
		{"FBGEMM, huge pages", rows, peer(torch, "fbgemm_tbe.py"), huge},
		{"TFRA cuckoo", []string{"dynamic"}, peer(tfra, "tfra_cuckoo.py"), nil},
	}
}

// figure is a line that a contender prints.
type figure struct {
	Op     string  `json:"op"`
	Dist   string  `json:"dist"`
	Rate   float64 `json:"rate"`  // ids a second
	Check  float64 `json:"check"` // equal for all contenders that did the same work
	Detail string  `json:"detail"`
}

// result is a figure with where it came from; the driver writes one a line.
type result struct {
	Contender string  `json:"contender"`
	Work      string  `json:"work"`
	Threads   int     `json:"threads"`
	Round     int     `json:"round"`
	PeakBytes int64   `json:"peak_bytes"` // resident set of the process
	Seconds   float64 `json:"seconds"`    // its whole run, set-up included
	figure
}

// run starts c pinned to the first processors, as many as it has threads, so
// that no helper thread works beside the ones that are counted.
func (c contender) run(ctx context.Context, threads int, args []string) ([]figure, int64, error) {
	command := slices.Concat(pinned(threads), c.command, args)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	n := strconv.Itoa(threads)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS="+n, "MKL_NUM_THREADS="+n, "GOMAXPROCS="+n, "PYTHONDONTWRITEBYTECODE=1")
	cmd.Env = append(cmd.Env, c.env...)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, 0, fmt.Errorf("bench: %s: %w; its last words: %s", strings.Join(command, " "), err, tail(stderr.String()))
	}
	figures, err := parseFigures(stdout.Bytes())
	return figures, peakBytes(cmd.ProcessState), err
}

// pinned is the command that keeps what follows on the first processors, empty
// where the system has none.
func pinned(threads int) []string {
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return nil
	}
	return []string{taskset, "-c", "0-" + strconv.Itoa(threads-1)}
}

// parseFigures reads the lines that are JSON objects; libraries print others.
func parseFigures(out []byte) ([]figure, error) {
	var figures []figure
	for line := range bytes.Lines(out) {
		if line = bytes.TrimSpace(line); !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		var f figure
		if err := json.Unmarshal(line, &f); err != nil {
			return nil, fmt.Errorf("bench: a figure that cannot be read: %s: %w", line, err)
		}
		figures = append(figures, f)
	}
	if len(figures) == 0 {
		return nil, errors.New("bench: the contender printed no figure")
	}
	return figures, nil
}

func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(len(lines)-3, 0):], " / ")
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rowan-embeddings/rowan/docs/parity"
)

// result is what became of one row.
type result struct {
	row    parity.Row
	missed []string // "layer.TestX misses layer.Y"
	faults []string
}

// prover runs proofs.
type prover struct {
	program  *program
	switches *switches
	list     string // of the overlay
	dir      string
	binaries map[string]string // by folder of the proofs

	mu   sync.Mutex
	runs map[string]error // by binary, proof and switch: what a run came to
}

// prove tries the done rows of a page whose ids begin with one of some texts.
func prove(ctx context.Context, root, page string, ids []string) ([]*result, error) {
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		return nil, err
	}
	rows, faults := parity.Parse(string(text))
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s: %s", page, strings.Join(faults, "; "))
	}
	rows = slices.DeleteFunc(rows, func(r parity.Row) bool { return !r.Done() || !chosen(r.ID, ids) })
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no such row that is done", page)
	}
	p := &prover{binaries: map[string]string{}, runs: map[string]error{}}
	if p.program, err = load(ctx, root); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "prove"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(p.dir)
	results, err := p.prepare(ctx, rows)
	if err != nil {
		return nil, err
	}
	return results, p.each(ctx, results)
}

func chosen(id string, prefixes []string) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(id, p) })
}

// prepare fits the symbols of all rows with switches and builds the proofs.
func (p *prover) prepare(ctx context.Context, rows []parity.Row) ([]*result, error) {
	p.switches = newSwitches(p.program)
	var results []*result
	var folders []string
	for _, row := range rows {
		r := &result{row: row}
		for _, n := range row.Names() {
			y, o, err := p.program.find(n.Text)
			if err != nil {
				r.faults = append(r.faults, err.Error())
				continue
			}
			p.switches.add(y, o)
		}
		for _, proof := range row.Proofs() {
			folders = append(folders, folderOf(proof))
		}
		results = append(results, r)
	}
	p.switches.fit()
	slices.Sort(folders)
	folders = slices.Compact(folders)
	var err error
	if p.list, err = p.switches.write(p.dir, folders); err != nil {
		return nil, err
	}
	for i, f := range folders {
		p.binaries[f] = filepath.Join(p.dir, fmt.Sprintf("%d.test", i))
		if err := p.build(ctx, f); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// folderOf is the folder of a proof's package, below the module's.
func folderOf(p parity.Proof) string {
	if p.Folder == "rowan" {
		return "."
	}
	return p.Folder
}

func (p *prover) build(ctx context.Context, folder string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", p.list, "-o", p.binaries[folder], "./"+folder)
	cmd.Dir = p.program.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the proofs of %s: %w\n%s", folder, err, out)
	}
	return nil
}

// each tries all rows, as many at a time as there are processors.
func (p *prover) each(ctx context.Context, results []*result) error {
	work := make(chan *result)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for r := range work {
				p.try(ctx, r)
			}
		})
	}
	for _, r := range results {
		work <- r
	}
	close(work)
	wait.Wait()
	return ctx.Err()
}

// try does one row.
func (p *prover) try(ctx context.Context, r *result) {
	fault := func(format string, args ...any) { r.faults = append(r.faults, fmt.Sprintf(format, args...)) }
	useful := map[parity.Proof]bool{}
	for _, proof := range r.row.Proofs() {
		if err := p.run(ctx, proof, ""); err != nil {
			fault("%s fails as it is: %v", proof, err)
		}
	}
	if len(r.faults) > 0 {
		return
	}
	names := r.row.Names()
	if len(names) == 0 {
		fault("it names no symbol that could be broken")
	}
	for _, n := range names {
		y, _, err := p.program.find(n.Text)
		if err != nil {
			continue // prepare has said so
		}
		missing := p.missing(ctx, y, r.row.Proofs())
		switch {
		case p.switches.places(y) == 0:
			fault("%s: nothing in the library does or reads it, so that it cannot be broken", n.Text)
		case len(missing) == 0:
			fault("%s: no proof misses it: %s", n.Text, r.row.Proof)
		}
		for _, proof := range missing {
			useful[proof] = true
			r.missed = append(r.missed, fmt.Sprintf("%s misses %s", proof, n.Text))
		}
	}
	for _, proof := range r.row.Proofs() {
		if !useful[proof] && len(r.faults) == 0 {
			fault("%s passes without any of the row's symbols", proof)
		}
	}
}

// missing returns the proofs that fail without a symbol, broken in one of the ways.
func (p *prover) missing(ctx context.Context, y symbol, proofs []parity.Proof) (all []parity.Proof) {
	for _, proof := range proofs {
		misses := func(w way) bool {
			return p.switches.count[y][w] > 0 && p.run(ctx, proof, fmt.Sprintf("%d:%d", p.switches.number[y], w)) != nil
		}
		if slices.ContainsFunc(ways, misses) {
			all = append(all, proof)
		}
	}
	return all
}

// places is the number of switches that a symbol has.
func (s *switches) places(y symbol) (n int) {
	for _, c := range s.count[y] {
		n += c
	}
	return n
}

var errNotRun = errors.New("no such test has run")

// run runs a proof with one switch on, or none, once.
func (p *prover) run(ctx context.Context, proof parity.Proof, broken string) error {
	key := proof.String() + " " + broken
	p.mu.Lock()
	err, known := p.runs[key]
	p.mu.Unlock()
	if known {
		return err
	}
	err = p.start(ctx, proof, broken)
	p.mu.Lock()
	p.runs[key] = err
	p.mu.Unlock()
	return err
}

// patience is the longest that a proof may take.
const patience = 2 * time.Minute

func (p *prover) start(ctx context.Context, proof parity.Proof, broken string) error {
	pattern := "^" + proof.Function + "$"
	if proof.Subtest != "" {
		for part := range strings.SplitSeq(proof.Subtest, "/") {
			pattern += "/^" + part + "$"
		}
	}
	cmd := exec.CommandContext(ctx, p.binaries[folderOf(proof)],
		"-test.run", pattern, "-test.v", "-test.count=1", fmt.Sprint("-test.timeout=", patience))
	cmd.Dir = filepath.Join(p.program.root, folderOf(proof))
	cmd.Env = append(os.Environ(), "ROWAN_BROKEN="+broken)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(out))
	}
	if !strings.Contains(string(out), "--- PASS: "+proof.Function) {
		return errNotRun
	}
	return nil
}

// tail is the last lines of an output.
func tail(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// Package docs_test checks the pages of this folder that a program can check.
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/docs/parity"
)

var (
	idForm   = regexp.MustCompile(`^([ABC])-(\d{3})$`)
	funcForm = regexp.MustCompile(`(?m)^func ((?:Test|Example|Fuzz|Benchmark)\w*)\(`)
)

func TestParity(t *testing.T) {
	text, err := os.ReadFile("parity.md")
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := testFunctions(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	if len(proofs) == 0 {
		t.Fatal("found no test functions above the docs folder")
	}
	rows, faults := parity.Parse(string(text))
	faults = append(faults, check(rows, proofs)...)
	for _, f := range faults {
		t.Errorf("parity.md: %s", f)
	}
	done := 0
	for _, r := range rows {
		if r.Done() {
			done++
		}
	}
	t.Logf("%d of %d rows are done", done, len(rows))
}

// TestParityCaught checks the checker: each page has one fault.
func TestParityCaught(t *testing.T) {
	head := parity.TableHead + "\n|---|---|---|---|---|---|\n"
	proofs := map[string]bool{"layer.TestLookup": true, "rowan.ExampleTable": true}
	for _, c := range []struct{ name, page, want string }{
		{"open", head + "| A-001 | x | the same | `N` | open | |\n", ""},
		{"done", head + "| A-001 | x | the same | `N` | done | `layer.TestLookup`, rowan.ExampleTable |\n", ""},
		{"subtest", head + "| A-001 | x | the same | `N` | done | layer.TestLookup/ragged |\n", ""},
		{"a table per system", head + "| A-001 | x | y | `N` | open | |\n\n" + head + "| B-001 | x | y | `N` | open | |\n", ""},
		{"other tables", "| a | b |\n|---|---|\n| 1 | 2 |\n" + head + "| A-001 | x | y | `N` | open | |\n", ""},
		{"cells", head + "| A-001 | x | the same | open | |\n", "line 3 has 5 cells, want 6"},
		{"empty cell", head + "| A-001 | x | | `N` | open | |\n", "A-001 (line 3) has an empty cell"},
		{"id", head + "| A-1 | x | y | `N` | open | |\n", `id "A-1" (line 3)`},
		{"twice", head + "| A-001 | x | y | `N` | open | |\n| A-001 | z | y | `N` | open | |\n", "A-001 (line 4) follows A-001, want A-002"},
		{"gap", head + "| A-001 | x | y | `N` | open | |\n| A-003 | z | y | `N` | open | |\n", "A-003 (line 4) follows A-001, want A-002"},
		{"state", head + "| A-001 | x | y | `N` | half | |\n", `state "half"`},
		{"done without proof", head + "| A-001 | x | y | `N` | done | |\n", "is done without a proof"},
		{"open with proof", head + "| A-001 | x | y | `N` | open | layer.TestLookup |\n", "is open and has a proof"},
		{"proof gone", head + "| A-001 | x | y | `N` | done | layer.TestGone |\n", "layer.TestGone, which no test of this module defines"},
		{"proof half gone", head + "| A-001 | x | y | `N` | done | layer.TestLookup, rowan.TestLookup |\n", "rowan.TestLookup, which no test"},
		{"example", head + "| A-001 | Example: x | the same | `N` | done | layer.TestLookup, rowan.ExampleTable |\n", ""},
		{"example without one", head + "| A-001 | Example: x | the same | `N` | done | layer.TestLookup |\n", "no Example proves it"},
		{"no rows", "nothing\n", "has no rows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, faults := parity.Parse(c.page)
			faults = append(faults, check(rows, proofs)...)
			switch {
			case c.want == "" && len(faults) > 0:
				t.Errorf("a good page is refused: %q", faults)
			case c.want != "" && (len(faults) == 0 || !strings.Contains(faults[0], c.want)):
				t.Errorf("faults = %q, want one that says %q", faults, c.want)
			}
		})
	}
}

// check returns a sentence for each fault of rows; proofs are the test
// functions that exist.
func check(rows []parity.Row, proofs map[string]bool) []string {
	var faults []string
	last := map[string]string{} // by system, the id before
	for _, r := range rows {
		where := fmt.Sprintf("%s (line %d)", r.ID, r.Line)
		if m := idForm.FindStringSubmatch(r.ID); m == nil {
			faults = append(faults, fmt.Sprintf("id %q (line %d) is not like A-001", r.ID, r.Line))
		} else {
			if want := following(m[1], last[m[1]]); r.ID != want {
				faults = append(faults, fmt.Sprintf("%s follows %s, want %s", where, last[m[1]], want))
			}
			last[m[1]] = r.ID
		}
		if slices.Contains([]string{r.Thing, r.Rowan, r.Name}, "") {
			faults = append(faults, where+" has an empty cell")
		}
		faults = append(faults, checkState(r, where, proofs)...)
	}
	return faults
}

func following(system, id string) string {
	if id == "" {
		return system + "-001"
	}
	n, err := strconv.Atoi(id[2:])
	if err != nil {
		panic(err) // idForm has matched it
	}
	return fmt.Sprintf("%s-%03d", system, n+1)
}

func checkState(r parity.Row, where string, proofs map[string]bool) []string {
	switch {
	case r.State != "open" && r.State != "done":
		return []string{fmt.Sprintf("%s has state %q, want open or done", where, r.State)}
	case r.State == "open" && r.Proof != "":
		return []string{where + " is open and has a proof"}
	case r.State == "open":
		return nil
	case r.Proof == "":
		return []string{where + " is done without a proof"}
	}
	var faults []string
	if strings.HasPrefix(r.Thing, "Example") && !slices.ContainsFunc(r.Proofs(), isExample) {
		faults = append(faults, where+" is an example of its page, and no Example proves it")
	}
	for _, p := range r.Proofs() {
		if !proofs[p.Test()] {
			faults = append(faults, fmt.Sprintf("%s is proved by %s, which no test of this module defines", where, p.Test()))
		}
	}
	return faults
}

func isExample(p parity.Proof) bool { return strings.Contains(p.Test(), ".Example") }

// testFunctions returns all test functions below fsys, each with the folder of
// its package before it; the root's is "rowan".
func testFunctions(fsys fs.FS) (map[string]bool, error) {
	names := map[string]bool{}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && strings.HasPrefix(path.Base(p), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		for _, m := range funcForm.FindAllSubmatch(src, -1) {
			folder := path.Dir(p)
			if folder == "." {
				folder = "rowan"
			}
			names[folder+"."+string(m[1])] = true
		}
		return nil
	})
	return names, err
}

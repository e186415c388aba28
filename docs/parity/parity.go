// Package parity reads the tables of docs/parity.md, for the tests of that page
// and for the program that proves its rows.
package parity

import (
	"fmt"
	"regexp"
	"strings"
)

// TableHead is the first line of a table of rows; other tables are passed over.
const TableHead = "| id | thing | Rowan | Go name | state | proof |"

// Row is one line of the tables: a thing that a page of the three systems
// promises, and what is made of it.
type Row struct {
	// Line is where it stands, from 1.
	Line int
	// ID is "A-001": the system and the place in it.
	ID string
	// Thing is what is promised, Rowan what Rowan does.
	Thing, Rowan string
	// Name holds the Go names, in backquotes; see Names.
	Name string
	// State is "open" or "done".
	State string
	// Proof holds the tests, with commas between; see Proofs.
	Proof string
}

// Done reports whether the row is closed.
func (r Row) Done() bool { return r.State == "done" }

// Name is a Go name of a row: "layer.Base.Apply".
type Name struct {
	Text string
	// Planned says that it does not exist yet.
	Planned bool
}

var nameForm = regexp.MustCompile("`([^`]+)`( \\(planned\\))?")

// Names returns the row's Go names, in order.
func (r Row) Names() (names []Name) {
	for _, m := range nameForm.FindAllStringSubmatch(r.Name, -1) {
		names = append(names, Name{m[1], m[2] != ""})
	}
	return names
}

// Proof is a test function: the folder of its package, which is "rowan" for the
// root, its name, and the path of a subtest, or "".
type Proof struct{ Folder, Function, Subtest string }

// String returns the proof as rows have it: "layer.TestShapes/ragged".
func (p Proof) String() string {
	if p.Subtest == "" {
		return p.Test()
	}
	return p.Test() + "/" + p.Subtest
}

// Test returns the proof without its subtest.
func (p Proof) Test() string { return p.Folder + "." + p.Function }

// Proofs returns the row's proofs, in order. A folder may have slashes, but no dots.
func (r Row) Proofs() (proofs []Proof) {
	for text := range strings.SplitSeq(r.Proof, ",") {
		if text = strings.Trim(text, " `"); text == "" {
			continue
		}
		folder, function, _ := strings.Cut(text, ".")
		function, subtest, _ := strings.Cut(function, "/")
		proofs = append(proofs, Proof{folder, function, subtest})
	}
	return proofs
}

// Parse reads the rows below each table head of a page, and says which lines
// are not rows.
func Parse(page string) (rows []Row, faults []string) {
	inTable := false
	for i, line := range strings.Split(page, "\n") {
		switch {
		case line == TableHead:
			inTable = true
			continue
		case !strings.HasPrefix(line, "|"):
			inTable = false
			continue
		case !inTable || strings.HasPrefix(line, "|---"):
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		if len(cells) != 6 {
			faults = append(faults, fmt.Sprintf("line %d has %d cells, want 6", i+1, len(cells)))
			continue
		}
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		rows = append(rows, Row{i + 1, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]})
	}
	if len(rows)+len(faults) == 0 {
		faults = append(faults, "has no rows")
	}
	return rows, faults
}

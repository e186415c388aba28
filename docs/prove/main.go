// Command prove takes the rows of docs/parity.md at their word: for each row
// that is done it breaks the row's Go symbols, one at a time, and runs the
// row's proofs, which must then fail.
//
//	go run ./docs/prove            all rows
//	go run ./docs/prove A-02 B-1   the rows whose ids begin so
//
// Nothing in the tree is touched. All symbols are fitted with a switch in one
// overlay (go help build, -overlay), each package of proofs is built once with
// it, and a run of a proof says in its environment which switch is on:
//
//	parity.md ─> names ─> switches ─> overlay ─> one test binary a package
//	                                                 │  ROWAN_BROKEN=17:3
//	          proofs ────────────────────────────────┴─> must fail
//
// How a symbol is broken depends on what it is:
//
//	function, method       it panics when it is called
//	type                   what has it as receiver or result panics; where nothing
//	                       has, what takes it as an argument
//	interface, its method  a call through the interface panics
//	field                  reading it panics where it holds something; if no proof
//	                       minds, reading it at all; if none minds that, setting it
//	constant, variable     reading it panics
//
// Switches come on after all packages are initialised, so that a symbol which
// is used in an initialisation does not fail every test there is.
//
// A row is proved if each of its symbols is missed by one of its proofs, and
// each of its proofs misses one of its symbols. What it cannot see is a proof
// that fails for another reason than what the row says: that is for readers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}

var errUnproved = errors.New("rows are not proved")

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("prove", flag.ContinueOnError)
	page := flags.String("page", "docs/parity.md", "the page with the rows, below the module's folder")
	root := flags.String("root", ".", "the module's folder")
	verbose := flags.Bool("v", false, "say of every row which proof misses which symbol")
	if err := flags.Parse(args); err != nil {
		return err
	}
	results, err := prove(ctx, *root, *page, flags.Args())
	if err != nil {
		return err
	}
	bad := 0
	for _, r := range results {
		if len(r.faults) > 0 {
			bad++
		}
		if *verbose && len(r.missed) > 0 {
			fmt.Printf("%s: %s\n", r.row.ID, strings.Join(r.missed, "; "))
		}
		for _, f := range r.faults {
			fmt.Printf("%s (line %d): %s\n", r.row.ID, r.row.Line, f)
		}
	}
	fmt.Printf("%d rows are done, %d are proved\n", len(results), len(results)-bad)
	if bad > 0 {
		return fmt.Errorf("%d %w", bad, errUnproved)
	}
	return nil
}

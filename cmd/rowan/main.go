// Rowan trains recommenders with embedding tables, and asks them things:
//
//	rowan train    a recommender that a YAML file describes
//	rowan evaluate a checkpoint on examples with known labels
//	rowan predict  scores for rows of a CSV or TSV file
//	rowan similar  keys of a table, such as films like another
//	rowan inspect  the tables of a checkpoint
//
// The verbs are thin: what they do is in package recipe. This package reads
// YAML and flags, and prints.
package main

import "os"

func main() {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(a.run(os.Args))
}

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rowan-embeddings/rowan/recipe"
)

func newInspect(a *app) *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "tell what a checkpoint holds",
		ArgsUsage: "CHECKPOINT",
		Description: examples(
			"Tables, rows, bytes, optimizer state, norms of rows:",
			"rowan inspect checkpoints/movielens",
			"Read every byte and compare checksums:",
			"rowan inspect checkpoints/movielens --verify",
		),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "verify", Usage: "compare checksums, and nothing else"},
			jsonFlag(),
		},
		Action: a.inspect,
	}
}

func (a *app) inspect(ctx context.Context, c *cli.Command) error {
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	if c.Bool("verify") {
		return a.verify(ctx, c, args[0])
	}
	i, err := recipe.Inspect(ctx, args[0])
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return a.printJSON(i)
	}
	return a.printInspection(i)
}

func (a *app) verify(ctx context.Context, c *cli.Command, path string) error {
	s, err := recipe.Verify(ctx, path)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return a.printJSON(s)
	}
	_, err = fmt.Fprintf(a.out, "%s, step %s: every file is as it was written\n", s.Dir, number(s.Step))
	return err
}

func (a *app) printInspection(i *recipe.Inspection) error {
	bytes := int64(0)
	for _, f := range i.Files {
		bytes += f.Size
	}
	fmt.Fprintf(a.out, "%s: %s\nstep %s of %s, epoch %d, trained on %s examples with %s; %d files, %s\n\n", i.Name, i.Saved.Dir,
		number(i.Saved.Step), number(i.TotalSteps), i.Saved.Epoch, number(i.TrainedOn), i.Optimizer, len(i.Files), size(bytes))
	var g grid
	g.add("table", "keys", "width", "rows", "row memory", "huge pages", "index", "state a row")
	for _, t := range i.Tables {
		kind := "static"
		if t.Dynamic {
			kind = "dynamic"
		}
		g.add(t.Name, kind+" "+t.KeyType, fmt.Sprint(t.Width), number(t.Rows), size(t.RowBytes), size(t.HugePageBytes), size(t.IndexBytes), slots(t))
	}
	if err := g.write(a.out, 1, 7); err != nil {
		return err
	}
	return a.printNorms(i)
}

func slots(t recipe.TableInspection) string {
	names := []string{t.Optimizer}
	if t.Exact {
		names[0] += " (exact)"
	}
	for _, s := range t.Slots {
		names = append(names, fmt.Sprintf("%s %d", s.Name, s.Width))
	}
	return strings.Join(names, ", ")
}

// printNorms draws a histogram of each table's norms in one line.
func (a *app) printNorms(i *recipe.Inspection) error {
	var g grid
	g.add("L2 norm of rows", "min", "median", "max", "zero", "from min to max")
	for _, t := range i.Tables {
		n := t.Norms
		g.add(t.Name, fmt.Sprintf("%.4f", n.Min), fmt.Sprintf("%.4f", n.Median), fmt.Sprintf("%.4f", n.Max), number(n.Zero), bars(n.Histogram))
	}
	fmt.Fprintln(a.out)
	return g.write(a.out, 5)
}

// bars draws a bar for each bucket, the fullest one full; one that is not empty
// can be seen.
func bars(buckets []recipe.Bucket) string {
	levels := []rune(" ▁▂▃▄▅▆▇█")
	most := 1
	for _, b := range buckets {
		most = max(most, b.Count)
	}
	var s strings.Builder
	for _, b := range buckets {
		level := (b.Count*(len(levels)-1) + most - 1) / most
		s.WriteRune(levels[level])
	}
	return "|" + s.String() + "|"
}

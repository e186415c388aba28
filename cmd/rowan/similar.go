package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/recipe"
)

func newSimilar(a *app) *cli.Command {
	return &cli.Command{
		Name:      "similar",
		Usage:     "list the keys of a table whose rows are most like one",
		ArgsUsage: "CHECKPOINT",
		Description: examples(
			"Films like Toy Story, among those that many have rated:",
			"rowan similar checkpoints/movielens --table film --key 1 --k 10 --min-norm 0.35",
			"Titles from a file that the config does not name:",
			"rowan similar checkpoints/movielens --table film --key 1 --titles examples/movielens/movies.csv.gz --title-key movieId --title-column title",
		) + "\n\n" + similarNotes,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "table", Usage: "`TABLE` to search", Required: true},
			&cli.StringFlag{Name: "key", Usage: "`KEY` to compare with", Required: true},
			&cli.IntFlag{Name: "k", Usage: "list `N` keys", Value: 10},
			&cli.StringFlag{Name: "metric", Usage: "compare by `METRIC` cosine or dot", Value: "cosine"},
			&cli.FloatFlag{Name: "min-norm", HideDefault: true, Usage: "leave out rows of a smaller L2 `NORM`"},
			&cli.StringFlag{Name: "titles", Usage: "`FILE` that names the keys (default: titles of the config)"},
			&cli.StringFlag{Name: "title-key", Usage: "`COLUMN` of its keys"},
			&cli.StringFlag{Name: "title-column", Usage: "`COLUMN` of its titles"},
			jsonFlag(),
		},
		Action: a.similar,
	}
}

const similarNotes = `The search is exact: every row is compared. Under a penalty, rows with few
examples stay short and point anywhere, so that the cosine finds some of them
close: --min-norm leaves them out. rowan inspect shows how norms are spread.`

func (a *app) similar(ctx context.Context, c *cli.Command) error {
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	if err := positive(c, "k"); err != nil {
		return err
	}
	o := recipe.SimilarOptions{Table: c.String("table"), Key: c.String("key"), K: c.Int("k"), Metric: c.String("metric"), MinNorm: c.Float("min-norm")}
	if c.IsSet("titles") {
		if !c.IsSet("title-key") || !c.IsSet("title-column") {
			return usage(c, "--titles needs --title-key and --title-column")
		}
		o.Titles = &recipe.Titles{File: dataset.File{Path: c.String("titles")}, Key: c.String("title-key"), Title: c.String("title-column")}
	}
	n, err := recipe.Similar(ctx, args[0], o)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return a.printJSON(n)
	}
	fmt.Fprintf(a.out, "%s %s %s\n\n", n.Table, n.Of.Key, n.Of.Title)
	var g grid
	g.add(n.Metric, "key", "title")
	for _, f := range n.Found {
		g.add(fmt.Sprintf("%.4f", f.Score), f.Key, f.Title)
	}
	return g.write(a.out, 2)
}

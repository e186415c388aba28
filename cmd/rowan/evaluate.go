package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/rowan-embeddings/rowan/recipe"
)

func newEvaluate(a *app) *cli.Command {
	return &cli.Command{
		Name:      "evaluate",
		Usage:     "score a checkpoint on examples with known labels",
		ArgsUsage: "CHECKPOINT [FILE]",
		Description: examples(
			"On the examples that were held out in training, beside the baselines:",
			"rowan evaluate checkpoints/movielens",
			"On all rows of a file with the columns of the training file:",
			"rowan evaluate checkpoints/movielens examples/movielens/ratings.csv.gz",
		),
		Flags:  []cli.Flag{dataFlag(), jsonFlag()},
		Action: a.evaluate,
	}
}

func (a *app) evaluate(ctx context.Context, c *cli.Command) error {
	args, err := arguments(c, 1, 2)
	if err != nil {
		return err
	}
	r, err := recipe.Load(ctx, args[0], recipe.LoadOptions{Dir: c.String("data")})
	if err != nil {
		return err
	}
	defer r.Close()
	file := ""
	if len(args) == 2 {
		file = args[1]
	}
	e, err := r.Evaluate(ctx, file)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return a.printJSON(e)
	}
	fmt.Fprintf(a.out, "%s, step %s\n", e.Saved.Dir, number(e.Saved.Step))
	return printScores(a.out, fmt.Sprintf("%s %s", number(e.Examples), e.Data), e.Scores)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/rowan-embeddings/rowan/recipe"
)

// train is the verb that trains.
type train struct {
	*app
	config *recipe.Config
	source *source
}

func newTrain(a *app) *cli.Command {
	return &cli.Command{
		Name:      "train",
		Usage:     "train the recommender that a YAML file describes",
		ArgsUsage: "CONFIG",
		Description: examples(
			"Train, and compare with the mean and with biases on held-out examples:",
			"rowan train examples/movielens/train.yaml",
			"Go on after Ctrl-C:",
			"rowan train examples/movielens/train.yaml --resume",
			"Mean and spread over 5 seeds, the last of each user's ratings held out:",
			"rowan train examples/movielens/train.yaml --seeds 5 --split user-time",
		) + "\n\n" + trainNotes,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`FOLDER` to save checkpoints in (default: checkpoint.dir of the config, or checkpoints/NAME)"},
			&cli.BoolFlag{Name: "resume", Usage: "go on from the latest checkpoint there"},
			&cli.Uint64Flag{Name: "seed", HideDefault: true, Usage: "`SEED` of first values, order and random split"},
			&cli.IntFlag{Name: "seeds", HideDefault: true, Usage: "train with `N` seeds, save nothing, print mean and spread"},
			&cli.StringFlag{Name: "split", Usage: "hold out by `WAY`: random, user-time or global-time"},
			&cli.IntFlag{Name: "epochs", HideDefault: true, Usage: "`N` passes over the training examples"},
			&cli.BoolFlag{Name: "quiet", Usage: "do not tell how training goes"},
			jsonFlag(),
		},
		Action: func(ctx context.Context, c *cli.Command) error { return (&train{app: a}).run(ctx, c) },
	}
}

const trainNotes = `Ctrl-C finishes the step, saves, and says how to go on. A new training writes
into the same folder as the one before and, as it saves, takes the place of its
checkpoints. The bytes that come out are a function of config, data and seed,
whatever the number of threads, and whether training was interrupted or not.`

// run trains. SIGINT and SIGTERM end training in good order; a second one ends
// the process. The other verbs have nothing to save, and end at once.
func (t *train) run(ctx context.Context, c *cli.Command) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	if err := positive(c, "epochs"); err != nil {
		return err
	}
	if t.config, t.source, err = readConfig(args[0]); err != nil {
		return err
	}
	t.override(c)
	o := recipe.TrainOptions{Resume: c.Bool("resume")}
	if !c.Bool("quiet") {
		o.Progress = t.err
	}
	if c.IsSet("seeds") {
		return t.source.explain(t.seeds(ctx, c, o))
	}
	r, err := recipe.Train(ctx, *t.config, o)
	if err != nil && (r == nil || !r.Interrupted) {
		return t.source.explain(err)
	}
	if c.Bool("json") {
		if err := t.printJSON(r); err != nil {
			return err
		}
	} else if err := printResult(t.out, r); err != nil {
		return err
	}
	if r.Interrupted {
		fmt.Fprintf(t.err, "rowan: interrupted after step %s, and saved. Go on with:\n  %s\n", number(r.Steps), resumeLine(c, args[0]))
		return errSaved
	}
	return nil
}

// override lets flags take the place of what the config says.
func (t *train) override(c *cli.Command) {
	cfg := t.config
	if c.IsSet("out") {
		cfg.Checkpoint.Dir = c.String("out")
	}
	if c.IsSet("seed") {
		cfg.Seed, cfg.Split.Seed = c.Uint64("seed"), c.Uint64("seed")
	}
	if c.IsSet("split") {
		cfg.Split.By = strings.ReplaceAll(c.String("split"), "_", "-")
	}
	if c.IsSet("epochs") {
		cfg.Training.Epochs = c.Int("epochs")
	}
}

// program is how the program of a path was called: who has started it by go
// run, which builds into a folder of its own, may not have it anywhere else.
func program(path string) string {
	if strings.Contains(path, "go-build") && filepath.Base(filepath.Dir(path)) == "exe" {
		return "go run ./cmd/rowan"
	}
	return "rowan"
}

// resumeLine is the command that goes on with a training.
func resumeLine(c *cli.Command, config string) string {
	path, _ := os.Executable() // where it cannot be told it is not go run's
	line := program(path) + " train " + quote(config)
	for _, name := range []string{"out", "seed", "split", "epochs"} {
		if c.IsSet(name) {
			line += " --" + name + " " + quote(fmt.Sprint(c.Value(name)))
		}
	}
	return line + " --resume"
}

// plainWord matches what shells take as it stands; \ is in paths of Windows.
var plainWord = regexp.MustCompile(`^[\pL\pN_@%+=:,./\\-]+$`)

// quote writes an argument as one word of a POSIX shell.
func quote(arg string) string {
	if plainWord.MatchString(arg) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// seeds trains several times.
func (t *train) seeds(ctx context.Context, c *cli.Command, o recipe.TrainOptions) error {
	s, err := recipe.TrainSeeds(ctx, *t.config, c.Int("seeds"), o, func(r *recipe.Result) {
		if !c.Bool("quiet") {
			fmt.Fprintf(t.err, "seed %d: %s\n", r.Seed, firstScore(r))
		}
	})
	if err != nil {
		if errors.Is(err, recipe.ErrArgument) {
			return usage(c, "%s", err)
		}
		return err
	}
	if c.Bool("json") {
		return t.printJSON(s)
	}
	return printSpreads(t.out, s)
}

func firstScore(r *recipe.Result) string {
	if len(r.Scores) == 0 {
		return "nothing is held out"
	}
	return r.Scores[0].Metrics.String()
}

// printResult tells people what a training came to.
func printResult(w io.Writer, r *recipe.Result) error {
	from := ""
	if r.Resumed {
		from = fmt.Sprintf(" (from step %s on)", number(r.ResumedAt))
	}
	fmt.Fprintf(w, "\n%s: %s examples, %d epochs, %s steps in %.1f s%s, %s weights\n",
		r.Name, number(r.Train), r.Epochs, number(r.Steps), r.Seconds, from, number(r.Parameters))
	if r.Checkpoint != "" {
		fmt.Fprintf(w, "saved in %s\n", r.Checkpoint)
	}
	return printScores(w, fmt.Sprintf("%s held out", number(r.Test)), r.Scores)
}

// printScores prints a line a score under the names of the metrics.
func printScores(w io.Writer, title string, scores []recipe.Score) error {
	if len(scores) == 0 {
		return nil
	}
	var g grid
	g.add(append([]string{title}, scores[0].Metrics.Names()...)...)
	for _, s := range scores {
		row := []string{s.Name}
		for _, m := range s.Metrics {
			row = append(row, fmt.Sprintf("%.4f", m.Value))
		}
		g.add(row...)
	}
	fmt.Fprintln(w)
	return g.write(w)
}

// printSpreads prints a line for each thing that predicts, and for the model's
// distance from each of the others.
func printSpreads(w io.Writer, s *recipe.Seeds) error {
	var metrics []string
	rows := map[string]map[string]recipe.Spread{}
	var names []string
	for _, x := range s.Spreads {
		if rows[x.Name] == nil {
			rows[x.Name] = map[string]recipe.Spread{}
			names = append(names, x.Name)
		}
		rows[x.Name][x.Metric] = x
		if len(names) == 1 {
			metrics = append(metrics, x.Metric)
		}
	}
	var g grid
	g.add(append([]string{fmt.Sprintf("%d seeds: mean ± deviation", len(s.Runs))}, metrics...)...)
	for i, name := range names {
		row := []string{name}
		for _, m := range metrics {
			row = append(row, fmt.Sprintf("%.4f ± %.4f", rows[name][m].Mean, rows[name][m].Deviation))
		}
		g.add(row...)
		if i == 0 {
			continue
		}
		row = []string{"model - " + name}
		for _, m := range metrics {
			row = append(row, fmt.Sprintf("%+.4f         ", rows[names[0]][m].Mean-rows[name][m].Mean))
		}
		g.add(row...)
	}
	fmt.Fprintln(w)
	return g.write(w)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rowan-embeddings/rowan/internal/suggest"
	"github.com/rowan-embeddings/rowan/recipe"
)

// What the command exits with.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2   // a flag, an argument or a config makes no sense
	exitSaved       = 3   // training was interrupted, and is saved: go on with --resume
	exitInterrupted = 130 // interrupted with nothing to save; as shells have it
)

// app is the command with its streams.
type app struct {
	in       io.Reader
	out, err io.Writer
}

// errUsage: the command line makes no sense.
var errUsage = errors.New("usage")

// errSaved: training was interrupted and saved.
var errSaved = errors.New("interrupted")

// run runs the command and returns what to exit with.
func (a *app) run(args []string) int {
	return a.code(a.command().Run(context.Background(), args))
}

// code says on standard error what went wrong.
func (a *app) code(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSaved):
		return exitSaved
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(a.err, "rowan: interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(a.err, "rowan: %s\n", err)
	if errors.Is(err, errUsage) || errors.Is(err, recipe.ErrConfig) || errors.Is(err, recipe.ErrArgument) {
		return exitUsage
	}
	return exitFailure
}

// command is the command line.
func (a *app) command() *cli.Command {
	root := &cli.Command{
		Name:  "rowan",
		Usage: "train recommenders with embedding tables, and ask them things",
		Description: examples(
			"Train on the ratings of the repository, then ask for films like Toy Story:",
			"rowan train examples/movielens/train.yaml",
			"rowan similar checkpoints/movielens --table film --key 1 --min-norm 0.35",
		) + "\n\n" + exits,
		Commands:        []*cli.Command{newTrain(a), newEvaluate(a), newPredict(a), newSimilar(a), newInspect(a)},
		Writer:          a.out,
		ErrWriter:       a.err,
		HideHelpCommand: true,
		ExitErrHandler:  func(context.Context, *cli.Command, error) {}, // only main exits
		Action:          a.noVerb,
	}
	for _, c := range root.Commands {
		c.CustomHelpTemplate = cli.CommandHelpTemplate + "\n"
	}
	for _, c := range append(root.Commands, root) {
		c.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
			return usage(c, "%s", err)
		}
	}
	return root
}

const exits = `Exit codes: 0 done; 1 it failed; 2 the command line or the config makes no
sense; 3 training was interrupted and saved; 130 interrupted, nothing to save.`

// noVerb is what happens without a verb that is known.
func (a *app) noVerb(_ context.Context, c *cli.Command) error {
	if !c.Args().Present() {
		return cli.ShowRootCommandHelp(c)
	}
	var verbs []string
	for _, v := range c.Commands {
		verbs = append(verbs, v.Name)
	}
	got := c.Args().First()
	return usage(c, "unknown verb %q%s (verbs: %s)", got, suggest.Hint(got, verbs), strings.Join(verbs, ", "))
}

// usage is an error of the command line of c.
func usage(c *cli.Command, format string, args ...any) error {
	return fmt.Errorf("%w: %s: see %s --help", errUsage, fmt.Sprintf(format, args...), c.FullName())
}

// arguments returns the arguments of a verb that takes from low to high of them.
func arguments(c *cli.Command, low, high int) ([]string, error) {
	got := c.Args().Slice()
	if len(got) < low || len(got) > high {
		return nil, usage(c, "expected %s, got %d arguments: %q", c.ArgsUsage, len(got), got)
	}
	return got, nil
}

// positive refuses a flag that was given and is not above 0.
func positive(c *cli.Command, names ...string) error {
	for _, name := range names {
		if c.IsSet(name) && c.Int(name) < 1 {
			return usage(c, "--%s must be positive, got %d", name, c.Int(name))
		}
	}
	return nil
}

// examples lays command lines out for a verb's help.
func examples(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		if strings.HasPrefix(l, "rowan ") || strings.HasPrefix(l, "printf ") {
			l = "   " + l
		}
		b.WriteString(l + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// jsonFlag is the flag that every verb has.
func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON"}
}

// dataFlag is where relative paths of a checkpoint's config begin.
func dataFlag() cli.Flag {
	return &cli.StringFlag{Name: "data", Usage: "`FOLDER` that the data's relative paths begin in (default: that of the config in training)"}
}

// printJSON writes v for programs.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

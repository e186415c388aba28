package regularizer

import (
	"fmt"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/arguments"
)

// Config describes a regularizer as Keras does: its class name and its
// arguments under Keras' names. It can be written as JSON and read back.
type Config struct {
	ClassName string         `json:"class_name"`
	Config    map[string]any `json:"config"`
}

// ByName returns the regularizer of that name with Keras' default arguments.
// Names are Keras' class names ("L1L2"), those of its functions ("l1_l2"), and
// both in any case, with or without underscores. An unknown name is an error
// that wraps [ErrConfig].
//
// tf.keras' function l1_l2 has other defaults than the class: 0.01, not 0.
func ByName(name string) (Regularizer, error) { return FromConfig(Config{ClassName: name}) }

// FromConfig makes the regularizer that c describes. What c leaves out, or gives
// as null, has Keras' default. An unknown class or argument is an error that
// wraps [ErrConfig] and names it, and the argument that it is like. Parameters
// are checked by [Check] and [OfTable].
func FromConfig(c Config) (Regularizer, error) {
	args := arguments.Of(c.Config)
	r := read(c, args)
	if r == nil {
		return nil, fmt.Errorf("%w: unknown regularizer %q: use L1, L2, L1L2 or OrthogonalRegularizer", ErrConfig, c.ClassName)
	}
	if err := args.Fault(c.ClassName); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return r, nil
}

// read returns nil of an unknown class.
func read(c Config, args *arguments.Reader) Regularizer {
	number := func(key string, otherwise float64) float32 { return float32(args.NumberOr(key, otherwise)) }
	switch strings.ToLower(strings.ReplaceAll(c.ClassName, "_", "")) {
	case "l1":
		return L1(number("l1", 0.01))
	case "l2":
		return L2(number("l2", 0.01))
	case "l1l2":
		byName := 0.0
		if c.ClassName == "l1_l2" && c.Config == nil { // tf.keras' function of that name, not the class
			byName = 0.01
		}
		return L1L2{L1: number("l1", byName), L2: number("l2", byName)}
	case "orthogonalregularizer":
		o := Orthogonal{Factor: number("factor", 0.01)}
		switch mode := args.Text("mode"); mode {
		case "", "rows":
		case "columns":
			o.Columns = true
		default:
			args.Bad("mode", "rows or columns", mode)
		}
		return o
	}
	return nil
}

// ToConfig returns the config of a regularizer of this package. Another type, a
// [Func] and a [Row] are an error that wraps [ErrConfig].
func ToConfig(r Regularizer) (Config, error) {
	switch v := r.(type) {
	case L1L2:
		return Config{"L1L2", map[string]any{"l1": arguments.Widen(v.L1), "l2": arguments.Widen(v.L2)}}, nil
	case Orthogonal:
		mode := "rows"
		if v.Columns {
			mode = "columns"
		}
		return Config{"OrthogonalRegularizer", map[string]any{"factor": arguments.Widen(v.Factor), "mode": mode}}, nil
	}
	return Config{}, fmt.Errorf("%w: %T has no config: only the named regularizers of this package have one", ErrConfig, r)
}

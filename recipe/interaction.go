package recipe

import (
	"cmp"
	"fmt"

	"github.com/rowan-embeddings/rowan/activation"
	"github.com/rowan-embeddings/rowan/dataset"
)

// validateInteraction checks names and widths: what is made of what.
func (c *Config) validateInteraction() error {
	x := &c.Interaction
	if err := share("interaction.dropout", x.Dropout); err != nil {
		return err
	}
	widths := make(map[string]int)
	var known []string
	for _, f := range c.Features {
		if t := c.table(f.Table); t != nil {
			widths[f.Name] = t.Width
			known = append(known, f.Name)
		}
	}
	for i, s := range x.Sums {
		field := fmt.Sprintf("interaction.sums[%d]", i)
		if s.Name == "" || widths[s.Name] > 0 {
			return fieldError(field+".name", "%q is empty or taken: a sum needs a name of its own", s.Name)
		}
		if len(s.Of) < 2 {
			return fieldError(field+".of", "a sum is of two or more vectors, got %d", len(s.Of))
		}
		if err := sameWidth(field+".of", s.Of, known, widths); err != nil {
			return err
		}
		widths[s.Name] = widths[s.Of[0]]
		known = append(known, s.Name)
	}
	for i, d := range x.Dots {
		field := fmt.Sprintf("interaction.dots[%d]", i)
		if len(d) != 2 {
			return fieldError(field, "a product is of two vectors, got %d", len(d))
		}
		if err := sameWidth(field, d, known, widths); err != nil {
			return err
		}
	}
	return cmp.Or(c.validateDeep(append(known, c.columns(dataset.Number)...)), c.validateTerms())
}

func sameWidth(field string, of, known []string, widths map[string]int) error {
	for i, name := range of {
		if err := oneOf(fmt.Sprintf("%s[%d]", field, i), name, known); err != nil {
			return err
		}
		if widths[name] != widths[of[0]] {
			return fieldError(fmt.Sprintf("%s[%d]", field, i), "%q has width %d, %q has %d: widths must agree", name, widths[name], of[0], widths[of[0]])
		}
	}
	return nil
}

// share checks a dropout rate.
func share(field string, p float64) error {
	if !(p >= 0 && p < 1) {
		return fieldError(field, "it must be at least 0 and less than 1, got %v", p)
	}
	return nil
}

func (c *Config) validateDeep(known []string) error {
	deep := c.Interaction.Deep
	if deep == nil {
		return nil
	}
	if len(deep.Inputs) == 0 {
		return fieldError("interaction.deep.inputs", "there are none: no feature has a table")
	}
	for i, name := range deep.Inputs {
		if err := oneOf(fmt.Sprintf("interaction.deep.inputs[%d]", i), name, known); err != nil {
			return err
		}
	}
	for i, l := range deep.Layers {
		field := fmt.Sprintf("interaction.deep.layers[%d]", i)
		if l.Units <= 0 {
			return fieldError(field+".units", "it must be positive, got %d", l.Units)
		}
		if err := cmp.Or(oneOf(field+".activation", l.Activation, activation.Names()), share(field+".dropout", l.Dropout)); err != nil {
			return err
		}
	}
	if !(deep.WeightDecay >= 0) {
		return fieldError("interaction.deep.weight_decay", "it must be 0 or more, got %v", deep.WeightDecay)
	}
	return nil
}

// validateTerms refuses a model without terms, and a vector that no term uses.
func (c *Config) validateTerms() error {
	used := make(map[string]bool)
	x := &c.Interaction
	use := func(names []string) {
		for _, n := range names {
			used[n] = true
		}
	}
	if x.Deep != nil {
		use(x.Deep.Inputs)
	}
	for _, d := range x.Dots {
		use(d)
	}
	for i := len(x.Sums) - 1; i >= 0; i-- {
		if used[x.Sums[i].Name] {
			use(x.Sums[i].Of)
		} else {
			return fieldError(fmt.Sprintf("interaction.sums[%d]", i), "nothing uses the sum %q: make a product with it, or feed it to the deep part", x.Sums[i].Name)
		}
	}
	for i, f := range c.Features {
		if f.Table != "" && !used[f.Name] {
			return fieldError(fmt.Sprintf("features[%d]", i), "nothing uses the vectors of feature %q: name it in interaction.dots, sums or deep", f.Name)
		}
	}
	return nil
}

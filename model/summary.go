package model

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
)

// Summary writes a table of the layers: class, output shape, number of
// parameters, and what each is connected to. A dynamic table counts the rows
// that it holds now; a table that layers share counts once, at the first.
func (m *Model) Summary(w io.Writer) error {
	if err := m.built(); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Model: %q\n", m.class)
	fmt.Fprintln(t, "Layer (type)\tOutput Shape\tParam #\tConnected to")
	for _, in := range m.plan.Inputs {
		fmt.Fprintf(t, "%s (InputLayer)\t%v\t0\t-\n", in.Name(), in.Shape())
	}
	seen := make(map[*rowan.Table]bool)
	for _, l := range m.plan.Layers {
		b := layer.Of(l)
		shape, from := m.calls(l)
		fmt.Fprintf(t, "%s (%s)\t%s\t%d\t%s\n", b.Name(), b.Class(), shape, layerParams(l, seen), from)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	all, trainable := m.countParams()
	_, err := fmt.Fprintf(w, "Total params: %d\nTrainable params: %d\nNon-trainable params: %d\n", all, trainable, all-trainable)
	return err
}

// calls returns the output shape of a layer's first call in the model, and what
// all its calls are connected to.
func (m *Model) calls(l layer.Layer) (shape, from string) {
	var names []string
	for _, nodes := range [][]*layer.Node{m.plan.Host, m.plan.Graph} {
		for _, n := range nodes {
			if n.Layer != l {
				continue
			}
			if shape == "" {
				shape = n.Out[0].Shape().String()
			}
			for _, in := range n.In {
				names = append(names, in.Name())
			}
		}
	}
	return shape, strings.Join(names, ", ")
}

// layerParams counts the numbers of a layer's weights, without tables seen before.
func layerParams(l layer.Layer, seen map[*rowan.Table]bool) int {
	n := 0
	for _, v := range layer.Of(l).Variables() {
		t := v.Table()
		switch {
		case t == nil:
			n += len(v.Value())
		case !seen[t]:
			seen[t] = true
			n += t.Len() * t.Width()
		}
	}
	return n
}

package model

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/layer"
)

// Summary writes a table of the layers, as Keras does: class, output shape and
// number of parameters, and in a functional model what each call is connected
// to, as "layer[call][output]". Then come the sums, with the memory that they
// take. A dynamic table counts the rows that it holds now; a table that layers
// share counts once, at the first.
func (m *Model) Summary(w io.Writer) error {
	if err := m.built(); err != nil {
		return err
	}
	if nils.Is(w) {
		return fmt.Errorf("%w: the writer of a summary is nil", ErrArgument)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Model: %q\n", m.class)
	if m.class == "sequential" {
		m.summarizeStack(t)
	} else {
		m.summarizeGraph(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	trainable, fixed := m.countParams()
	all := trainable
	all.add(fixed)
	for _, sum := range []struct {
		what string
		of   params
	}{{"Total", all}, {"Trainable", trainable}, {"Non-trainable", fixed}} {
		if _, err := fmt.Fprintf(w, "%s params: %s (%s)\n", sum.what, thousands(sum.of.n), memorySize(sum.of.bytes)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Model) summarizeStack(w *tabwriter.Writer) {
	fmt.Fprintln(w, "Layer (type)\tOutput Shape\tParam #")
	seen := make(map[*rowan.Table]bool)
	for _, l := range m.plan.Layers {
		shape, _ := m.calls(l)
		fmt.Fprintf(w, "%s\t%s\t%s\n", title(l), shape, thousands(layerParams(l, seen)))
	}
}

func (m *Model) summarizeGraph(w *tabwriter.Writer) {
	fmt.Fprintln(w, "Layer (type)\tOutput Shape\tParam #\tConnected to")
	for _, in := range m.plan.Inputs {
		fmt.Fprintf(w, "%s\t%v\t0\t-\n", title(in.Node().Layer), in.Shape())
	}
	seen := make(map[*rowan.Table]bool)
	for _, l := range m.plan.Layers {
		shape, from := m.calls(l)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", title(l), shape, thousands(layerParams(l, seen)), from)
	}
}

func title(l layer.Layer) string {
	return fmt.Sprintf("%s (%s)", layer.Of(l).Name(), layer.Of(l).Class())
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
				call := max(0, slices.Index(layer.Of(in.Node().Layer).Nodes(), in.Node())) // an input's is in no list
				names = append(names, fmt.Sprintf("%s[%d][%d]", in.Name(), call, in.Index()))
			}
		}
	}
	return shape, strings.Join(names, ", ")
}

// thousands writes 64000 as 64,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// memorySize writes bytes as Keras does: 255.01 KB, of 1024 bytes each.
func memorySize(n int) string {
	size, units := float64(n), []string{"B", "KB", "MB", "GB", "TB"}
	for size >= 1024 && len(units) > 1 {
		size, units = size/1024, units[1:]
	}
	return fmt.Sprintf("%.2f %s", size, units[0])
}

// layerParams counts the numbers of a layer's weights, without tables seen before.
func layerParams(l layer.Layer, seen map[*rowan.Table]bool) int {
	n := 0
	for _, v := range layer.Of(l).Variables() {
		if t := v.Table(); t != nil {
			if seen[t] {
				continue
			}
			seen[t] = true
		}
		n += paramsOf(v).n
	}
	return n
}

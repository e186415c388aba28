package layer

import "github.com/gomlx/gomlx/core/graph"

// DropMask passes its input on and its mask not, for layers that support none.
type DropMask struct{ Base }

// NewDropMask returns a DropMask layer.
func NewDropMask(o Options) *DropMask {
	l := new(DropMask)
	l.Init(l, o)
	l.SupportMasking()
	l.SetInputSpec(InputSpec{}) // one input, of any shape
	return l
}

// Build does nothing: the layer has no weights.
func (l *DropMask) Build(...Shape) error { return nil }

// Call implements [GraphLayer].
func (l *DropMask) Call(_ *Call, in ...*graph.Node) []*graph.Node { return in[:1] }

// ComputeMask implements [Masker]: there is none.
func (l *DropMask) ComputeMask(*Call, []*graph.Node, []*graph.Node) []*graph.Node {
	return []*graph.Node{nil}
}

// Config implements [Configurer].
func (l *DropMask) Config() Config { return l.BaseConfig() }

func dropMaskFromConfig(c Config) (Layer, error) {
	r := c.reader()
	o := r.options()
	if err := r.done("DropMask"); err != nil {
		return nil, err
	}
	return NewDropMask(o), nil
}

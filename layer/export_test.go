package layer

import "github.com/gomlx/gomlx/core/graph"

// CallMasked calls a layer with masks, as a plan does.
func CallMasked(c *Call, l GraphLayer, in, masks []*graph.Node) []*graph.Node {
	full := make([]*graph.Node, len(in))
	copy(full, masks)
	out, _ := c.apply(l, in, full)
	return out
}

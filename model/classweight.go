package model

import (
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/tensor"
)

// checkClassWeights says why classes cannot be weighed.
func (c *compiled) checkClassWeights(weights map[int]float32) error {
	if len(weights) == 0 {
		return nil
	}
	judged := 0
	for _, o := range c.outputs {
		if o.loss != nil {
			judged++
		}
	}
	if judged != 1 {
		return fmt.Errorf("%w: ClassWeights are for a model of one output with a loss, this one has %d: use sample weights", ErrArgument, judged)
	}
	for class, w := range weights {
		if class < 0 || !(w >= 0) || !isFinite(w) {
			return fmt.Errorf("%w: ClassWeights: classes are numbered from 0, and their weights finite and at least 0; got %v for class %d", ErrArgument, w, class)
		}
	}
	return nil
}

// classWeighted returns a batch whose sample weights are multiplied by those of
// the examples' classes. The batch itself is its source's, and stays as it is.
func (m *Model) classWeighted(b *Batch, weights map[int]float32) (*Batch, error) {
	// What is wrong with the labels or sample weights is for training to say.
	if len(weights) == 0 || b == nil || len(b.Labels) != 1 || b.Labels[0] == nil || len(b.Labels[0].Shape()) == 0 {
		return b, nil
	}
	labels := b.Labels[0]
	n := labels.Shape()[0]
	if b.Weights != nil && len(b.Weights) != n {
		return b, nil
	}
	all := slices.Clone(b.Weights)
	if all == nil {
		all = slices.Repeat([]float32{1}, n)
	}
	for i := range all {
		class, err := classOf(labels, i)
		if err != nil {
			return nil, err
		}
		if w, ok := weights[class]; ok {
			all[i] *= w
		}
	}
	weighted := *b
	weighted.Weights = all
	return &weighted, nil
}

// classOf returns the class of example i.
func classOf(labels *tensor.Values, i int) (int, error) {
	shape := labels.Shape()
	if len(shape) > 2 {
		return 0, fmt.Errorf("%w: ClassWeights need one label an example, got labels of shape %v", ErrData, shape)
	}
	width := labels.Len() / shape[0]
	own := labels.Data()[i*width : (i+1)*width]
	if width != 1 {
		best := 0
		for k, x := range own {
			if x > own[best] {
				best = k
			}
		}
		return best, nil
	}
	class := int(own[0])
	if float32(class) != own[0] || class < 0 {
		return 0, fmt.Errorf("%w: ClassWeights need labels that are numbers of classes, example %d has %v", ErrData, i, own[0])
	}
	return class, nil
}

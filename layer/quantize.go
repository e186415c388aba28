package layer

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan"
)

// Quantize puts the quantized copy of the layer's rows in their place, and frees
// them: Keras' quantize("int8") and ("int4"), for serving. The rows cannot be
// trained from then on, a LoRA beside them can: E is read packed, A·B as it is.
// Merge before, if the adaptation is to be part of what is quantized. A layer
// that is made from the config is not quantized, and a checkpoint of a model
// with such a layer is rowan.ErrReadOnly: save before. A model is compiled again
// to be trained on. Nobody may use the layer meanwhile.
func (l *Embedding) Quantize(ctx context.Context, q rowan.Quantization) error {
	return l.quantize(ctx, &l.table, q)
}

// Quantize is [Embedding.Quantize]. Keys that the table does not hold read as
// they did, and are not inserted any more.
func (l *DynamicEmbedding) Quantize(ctx context.Context, q rowan.Quantization) error {
	return l.quantize(ctx, &l.table, q)
}

func (b *Base) quantize(ctx context.Context, table **rowan.Table, q rowan.Quantization) error {
	v := b.variable("embeddings")
	if *table == nil || v == nil {
		return fmt.Errorf("%w: cannot quantize layer %q, which is not built: apply or run it first", ErrNotBuilt, b.Name())
	}
	packed, err := (*table).Quantize(ctx, q)
	if err != nil {
		return fmt.Errorf("layer %q: %w", b.Name(), err)
	}
	old := *table
	*table, v.table = packed, packed
	v.frozen, v.regularizer = true, nil
	return old.Close()
}

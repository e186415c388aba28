// Package recipe is a recommender described in one struct: data, embedding
// tables, how features meet, and how all of it is trained. The struct is filled
// by a Go program, or by the rowan command from a YAML file.
//
//	Config ──> Validate ──> read and split the data
//	                              │
//	                              ├──> tables, layers, model ──> fit ──> checkpoints
//	                              │                               │
//	                              └──> mean and biases ───────────┴──> scores of held-out examples
//
//	checkpoint ──> Load ──> Evaluate, Predict         the model
//	           ──> Similar, Inspect                   tables only
//
// The model that a Config stands for adds up terms:
//
//	output = activation(offset + Σ bias + Σ dot products + deep(vectors side by side))
//
// A checkpoint holds its Config, so that nothing else is needed to use it.
package recipe

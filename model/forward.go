package model

import (
	"context"
	"fmt"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// forward computes predictions. It is safe for concurrent use.
type forward struct {
	plan    *layer.Plan
	program *layer.Program
	stages  sync.Pool // of *layer.HostStage, one a goroutine
}

func newForward(plan *layer.Plan, seed uint64) (*forward, error) {
	p, err := plan.Program(layer.ProgramOptions{Seed: seed})
	if err != nil {
		return nil, err
	}
	return &forward{plan: plan, program: p}, nil
}

// run computes a program without labels, or with those that follow the inputs.
func (f *forward) run(ctx context.Context, p *layer.Program, in []layer.Value, labels []dense.Array) (*dense.Results, error) {
	stage, ok := f.stages.Get().(*layer.HostStage)
	if !ok {
		stage = f.plan.NewHostStage()
	}
	defer f.stages.Put(stage)
	arrays, err := stage.Lookup(ctx, false, in...)
	if err != nil {
		return nil, err
	}
	r, err := p.Run(dense.Args{Variables: layer.Values(p.Variables), Inputs: join(arrays, labels)})
	if err != nil || labels == nil {
		return r, err
	}
	penalty, err := stage.Penalties(ctx, nil)
	r.Loss += float32(penalty)
	return r, err
}

// join returns inputs and labels as one list, and leaves the first as it is.
func join(inputs, labels []dense.Array) []dense.Array {
	return append(inputs[:len(inputs):len(inputs)], labels...)
}

// outputs returns the model's outputs among a program's.
func outputs(p *layer.Program, r *dense.Results) ([]*tensor.Values, error) {
	values := make([]*tensor.Values, p.Outputs)
	for i := range values {
		var err error
		if values[i], err = tensor.NewValues(r.Outputs[i].Float, r.Outputs[i].Shape...); err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
	}
	return values, nil
}

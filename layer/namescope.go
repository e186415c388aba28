package layer

import "fmt"

// NameScope returns the scope of what is inside the layer: names in it begin
// with the layer's, and count apart from those outside. Sublayers built by
// [Base.BuildLayer] are in it; others are put there by [Bind].
func (b *Base) NameScope() *Scope {
	b.bind(process)
	b.naming.Lock()
	defer b.naming.Unlock()
	if b.inner == nil {
		b.inner = NewScope(b.scope.seed)
		b.inner.name = b.name + "/"
	}
	return b.inner
}

// ScopeName returns what the names of the layer's weights begin with, before
// the slash. It is ErrNotBuilt before the layer is built, as there are none.
func (b *Base) ScopeName() (string, error) {
	if !b.built {
		return "", fmt.Errorf("%w: no name scope has been created for layer %q: it is when the layer is first called", ErrNotBuilt, b.Class())
	}
	return b.Name(), nil
}

// WithNameScope wraps a method of a layer, so that what it makes carries the
// layer's name: it is handed the layer's scope, for layers that it makes, and
// weights that it adds to the layer are named behind it. Errors begin with the
// name. Python has it as a decorator.
func WithNameScope[In, Out any](l Layer, method func(s *Scope, in In) (Out, error)) func(In) (Out, error) {
	return func(in In) (out Out, err error) {
		b := Of(l)
		if err := b.check(); err != nil {
			return out, err
		}
		if method == nil {
			return out, fmt.Errorf("%s: %w: the method to wrap is nil", b.Name(), ErrArgument)
		}
		if out, err = method(b.NameScope(), in); err != nil {
			return out, fmt.Errorf("%s: %w", b.Name(), err)
		}
		return out, nil
	}
}

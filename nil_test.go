package rowan_test

import (
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
)

// TestNilReceivers: of what NewTable and its like have not made, each method that
// returns an error returns one.
func TestNilReceivers(t *testing.T) {
	for _, none := range []any{
		(*rowan.Table)(nil), (*rowan.Gradients)(nil), (*rowan.MatrixLookup)(nil), (*rowan.Store)(nil), (*rowan.Collection)(nil),
		(*rowan.CollectionLookup)(nil), (*rowan.CollectionGradients)(nil),
		new(rowan.Table), new(rowan.Gradients), new(rowan.MatrixLookup), new(rowan.Store), new(rowan.Collection),
		new(rowan.CollectionLookup), new(rowan.CollectionGradients), new(rowan.TableOf[float64]), (*rowan.LookupOf[float64])(nil),
	} {
		v := reflect.ValueOf(none)
		for i := range v.NumMethod() {
			name, f := v.Type().Method(i).Name, v.Method(i)
			n := f.Type().NumOut()
			if n == 0 || f.Type().Out(n-1) != reflect.TypeFor[error]() || v.Type().Elem() == reflect.TypeFor[rowan.Table]() && !v.IsNil() && name == "Close" {
				continue
			}
			if err, _ := f.Call(arguments(t, f.Type()))[n-1].Interface().(error); err == nil {
				t.Errorf("%s of %#v: no error", name, none)
			}
		}
	}
	for _, rows := range []func(func(*rowan.Rows, error) bool){(*rowan.Table)(nil).Export(t.Context()), (*rowan.Table)(nil).ExportSlot(t.Context(), "momentum")} {
		for _, err := range rows {
			is(t, "export", err, rowan.ErrOptions)
		}
	}
}

// arguments are a context where one is wanted, and zero values.
func arguments(t *testing.T, f reflect.Type) []reflect.Value {
	var in []reflect.Value
	for i := range f.NumIn() {
		switch {
		case f.IsVariadic() && i == f.NumIn()-1:
		case f.In(i).String() == "context.Context":
			in = append(in, reflect.ValueOf(t.Context()))
		default:
			in = append(in, reflect.Zero(f.In(i)))
		}
	}
	return in
}

// TestNilOptions: a nil pointer whose type is that of an option is refused when
// the option is given, not called.
func TestNilOptions(t *testing.T) {
	for name, set := range map[string]func(o *rowan.TableOptions){
		"initializer":             func(o *rowan.TableOptions) { o.Initializer = (*initializer.RandomUniform)(nil) },
		"initializer of a matrix": func(o *rowan.TableOptions) { o.Initializer = (*initializer.Orthogonal)(nil) },
		"constraint":              func(o *rowan.TableOptions) { o.Constraint = (*constraint.MaxNorm)(nil) },
		"rule":                    func(o *rowan.TableOptions) { o.Optimizer = &optim.Optimizer{Updater: (*optim.Adam)(nil)} },
		"schedule":                func(o *rowan.TableOptions) { o.Optimizer = &optim.Optimizer{Rate: (*optim.ExponentialDecay)(nil)} },
		"policy":                  func(o *rowan.TableOptions) { o.Rows, o.Restrict.Policy = 0, (*rowan.TimestampPolicy)(nil) },
		"store": func(o *rowan.TableOptions) {
			o.Rows, o.Stores = 0, &rowan.Stores{Parts: []rowan.RowStore{(*noStore)(nil)}}
		},
		"store, as nothing at all": func(o *rowan.TableOptions) { o.Rows, o.Stores = 0, &rowan.Stores{Parts: []rowan.RowStore{nil}} },
	} {
		o := rowan.TableOptions{Name: "t", Width: 2, Rows: 3}
		set(&o)
		_, err := rowan.NewTable(o)
		is(t, name, err, rowan.ErrOptions)
	}
	open := func(context.Context, rowan.StoreOptions) (rowan.RowStore, error) { return (*noStore)(nil), nil }
	_, err := must(rowan.NewTable(rowan.TableOptions{Name: "t", Width: 2, Stores: &rowan.Stores{URLs: []string{"memory:"}, Open: open}})).Count(t.Context())
	is(t, "store that Open opens", err, rowan.ErrOptions)
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: sgd(1)})
	is(t, "SetOptimizer", table.SetOptimizer(&optim.Optimizer{Updater: (*optim.Adam)(nil)}), rowan.ErrOptions)
	is(t, "SetRate", table.SetRate((*optim.CosineDecay)(nil)), rowan.ErrOptions)
	is(t, "Save", table.Save(t.Context(), (*os.File)(nil)), rowan.ErrOptions)
	is(t, "Load", table.Load(t.Context(), io.Reader(nil)), rowan.ErrOptions)
	if err := (&optim.Optimizer{Updater: (*optim.Adam)(nil)}).Validate(); !errors.Is(err, optim.ErrConfig) {
		t.Errorf("Validate of a nil rule: %v, want %v", err, optim.ErrConfig)
	}
}

// noStore is a store of which there is none.
type noStore struct{ rowan.RowStore }

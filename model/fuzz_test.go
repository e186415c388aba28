package model

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzEarlyStopping gives any bytes as what EarlyStopping remembers: what it
// takes it writes, and takes again as the same; what it refuses is ErrData.
func FuzzEarlyStopping(f *testing.F) {
	f.Add([]byte(`{"seen":true,"best":0.5,"epoch":3,"wait":1}` + "\n"))
	f.Add([]byte(`{"seen":true,"best":1e308,"epoch":3,"wait":1,"snapshot":{"meta":{"build":"b","optimizer_step":2,` +
		`"tables":["film"],"progress":{"epoch":0,"cursor":{"epoch":0,"position":2},"running":null,"history":null}},` +
		`"step":2,"names":["a","b"],"sizes":[1,3]}}` + "\nxyyy"))
	f.Fuzz(func(t *testing.T, state []byte) {
		var once, again EarlyStopping
		if err := once.LoadState(bytes.NewReader(state)); err != nil {
			if !errors.Is(err, ErrData) {
				t.Error(err)
			}
			return
		}
		var first, second bytes.Buffer
		if err := once.SaveState(&first); err != nil {
			t.Fatal(err)
		}
		err := again.LoadState(bytes.NewReader(first.Bytes()))
		if err == nil {
			err = again.SaveState(&second)
		}
		if err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%q became %q and then %q: %v", state, first.Bytes(), second.Bytes(), err)
		}
	})
}
